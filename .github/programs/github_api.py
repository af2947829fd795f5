"""Client for the part of GitHub's REST API that these programs need; reads the variables of GitHub Actions.

They run without the engine, whose own client only reads.
"""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Final

_TIMEOUT: Final = 30.0  # seconds


class GitHub:
    """One repository on GitHub."""

    def __init__(self) -> None:
        """Take the address, the repository's name and GITHUB_TOKEN from the environment."""
        self._base = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}"
        self._headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}",
            "Content-Type": "application/json",
            "X-GitHub-Api-Version": "2022-11-28",
        }

    def call(self, method: str, path: str, content: dict[str, Any] | None = None, **query: str) -> Any:  # noqa: ANN401 - whatever GitHub answers
        """Send one request and return the answer.

        Raises:
            urllib.error.URLError: GitHub could not be reached, refused, or sent an answer that is not JSON.
        """
        url = f"{self._base}/{path}{'?' if query else ''}{urllib.parse.urlencode(query)}"
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(url, data=data, headers=self._headers, method=method)  # noqa: S310 - GitHub's own
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310 - the same
                return json.load(answer)
        except urllib.error.URLError:
            raise
        except (OSError, ValueError, http.client.HTTPException) as error:
            message = f"{method} {path}: {type(error).__name__} {error}"
            raise urllib.error.URLError(message) from error
