"""Client for the part of GitHub's REST API that says how a repository is set up. It reads, and changes nothing."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import IO, TYPE_CHECKING, Any

from headworks.errors import CannotDecideError

if TYPE_CHECKING:
    from email.message import Message
    from http.client import HTTPMessage

_TIMEOUT = 30.0  # seconds
_WAITS = (0.2, 1.0, 0.0)  # seconds after each call that failed; after the last there is no other
_MAX_PAGES = 30
_LIMITED = 429
_NOT_THERE = 404
_FORBIDDEN = (401, 403)
_SERVER_ERROR = 500
_REDIRECTED = 300
_DESCRIBED = {"default_branch", "has_pages", "owner", "private"}


class UnseenError(Exception):
    """The token may not see a setting, so that nothing can be said about it."""


class UnavailableError(Exception):
    """The plan of the repository's owner does not have a setting."""


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows a repository that was renamed, and gives the token to no other host."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if urllib.parse.urlsplit(newurl)[:2] != urllib.parse.urlsplit(req.full_url)[:2]:
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class GitHub:
    """One repository on GitHub.

    Attributes:
        name: Its owner and name, as in `acme/vision`.
        about: GitHub's description of the repository.
    """

    def __init__(self, url: str, name: str, token: str) -> None:
        """Ask GitHub for the repository.

        Args:
            url: The address of the API.
            name: The owner and the name.
            token: Empty for none.

        Raises:
            CannotDecideError: GitHub cannot be reached, or does not show the repository.
        """
        self.name = name
        self._url = url.rstrip("/")
        self._opener = urllib.request.build_opener(_SameHost)
        self._headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        self._headers |= {"Authorization": f"Bearer {token}"} if token else {}
        self.about: Any = {}
        who = "this token" if token else "anybody without a token"
        advice = "Set GITHUB_TOKEN or GH_TOKEN to a token that may read it, as in `GH_TOKEN=$(gh auth token)`."
        try:
            self.about = self.get("")
        except UnseenError as error:
            message = f"{self._url} does not show the repository {name} to {who} ({error}). {advice}"
            raise CannotDecideError(message) from None
        if not isinstance(self.about, dict) or not self.about.keys() >= _DESCRIBED:
            message = f"{self._url} describes the repository {name} otherwise than GitHub does. Check GITHUB_API_URL."
            raise CannotDecideError(message)

    @property
    def is_administered(self) -> bool:
        """Whether the token's owner may see all settings, so that GitHub says "not found" only if it is so."""
        return bool(self.about.get("permissions", {}).get("admin"))

    def get(self, path: str, *, is_public: bool = False) -> Any:  # noqa: ANN401  # any JSON
        """Return what GitHub answers for a path below the repository's; None where there is no such thing.

        Args:
            path: The path.
            is_public: Whether all who see the repository see this, so that "not found" means just that.

        Raises:
            UnseenError: The token may not see it.
            UnavailableError: The plan of the repository's owner does not have it.
            CannotDecideError: GitHub cannot be reached, or refuses every call.
        """
        return self._content(f"/repos/{self.name}/{path}".rstrip("/"), is_public=is_public)

    def items(self, path: str, key: str = "") -> list[Any]:
        """Return all entries of a list, page by page; see `get`.

        Args:
            path: The path below the repository's.
            key: The key of the list in the answer; empty where the answer is the list.
        """
        entries: list[Any] = []
        for page in range(1, _MAX_PAGES + 1):
            content = self.get(f"{path}{'&' if '?' in path else '?'}per_page=100&page={page}")
            found = content[key] if key else content
            entries += found
            if not found or (key and len(entries) >= content["total_count"]):
                break
        return entries

    def app(self, slug: str) -> int:
        """Return the id of an app, which each Enterprise Server numbers by itself."""
        return int(self._content(f"/apps/{slug}", is_public=True)["id"])

    def _content(self, path: str, *, is_public: bool) -> Any:  # noqa: ANN401  # any JSON
        status, text = self._answer(path)
        try:
            content = json.loads(text) if text else {}
            said = str(content["message"]) if status >= _REDIRECTED else ""
        except (KeyError, TypeError, ValueError):
            message = f"{self._url}{path} answers {status} with something that is not GitHub's. Check GITHUB_API_URL."
            raise CannotDecideError(message) from None
        if said.startswith("Upgrade to "):
            raise UnavailableError(said)
        if status == _NOT_THERE and (is_public or self.is_administered):
            return None
        if said:
            raise UnseenError(said)
        return content

    def _answer(self, path: str) -> tuple[int, bytes]:
        """Return the status and the body of an answer; call again where the network or the server failed."""
        request = urllib.request.Request(self._url + path, headers=self._headers)  # noqa: S310  # the address is checked
        problem = ""
        for wait in _WAITS:
            try:
                with self._opener.open(request, timeout=_TIMEOUT) as answer:
                    return int(answer.status), answer.read()
            except urllib.error.HTTPError as error:
                with error:
                    body = error.read()
                _check_limit(error.headers, error.code, body)
                if error.code < _SERVER_ERROR:
                    return error.code, body
                problem = f"HTTP {error.code}"
            except (OSError, http.client.HTTPException) as error:
                problem = str(getattr(error, "reason", "")) or type(error).__name__
            time.sleep(wait)
        message = (
            f"{self._url}{path} cannot be read: {problem}, {len(_WAITS)} times. Try again later, or check the network"
            " and GITHUB_API_URL."
        )
        raise CannotDecideError(message)


def _check_limit(headers: Message, status: int, body: bytes) -> None:
    """Check that GitHub did not refuse a call because there were too many.

    Raises:
        CannotDecideError: It did.
    """
    is_spent = headers.get("X-RateLimit-Remaining") == "0"
    if status != _LIMITED and (status not in _FORBIDDEN or not (is_spent or "Retry-After" in headers)):
        return
    until, after = headers.get("X-RateLimit-Reset", ""), headers.get("Retry-After", "")
    when = f" at {dt.datetime.fromtimestamp(int(until), dt.UTC):%H:%M} UTC" if is_spent and until.isdecimal() else ""
    when = when or (f" in {after} seconds" if after.isdecimal() else " later")
    said = body.decode(errors="replace")[:200]
    message = (
        f"GitHub allows no more calls for now; call again{when}. It allows 60 an hour without a token, and 5,000 with"
        f" one in GITHUB_TOKEN or GH_TOKEN. It said: {said}"
    )
    raise CannotDecideError(message)
