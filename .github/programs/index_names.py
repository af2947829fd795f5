"""Makes sure that the names under which packages are published are free on the package index, or this repository's own.

A name is ours if its newest file on the index names an address that the package here names as well, as
`urls.Source = "https://…"` in its pyproject.toml; one of these has to be the repository's. A package with the
classifier `Private :: Do Not Upload` is not published, and nobody is asked about its name. The index is that of
UV_PUBLISH_CHECK_URL, or of `check-url` in [tool.uv], or else the one that uv.lock has its packages from. Reads the
variables that GitHub Actions sets.
"""

from __future__ import annotations

import base64
import email.parser
import http
import http.client
import io
import json
import os
import re
import sys
import tomllib
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

PRIVATE: Final = "Private :: Do Not Upload"
# https://packaging.python.org/en/latest/specifications/simple-repository-api/
_JSON: Final = "application/vnd.pypi.simple.v1+json"
_TIMEOUT: Final = 30.0  # seconds


class NotOursError(Exception):
    """A name may not be published under, or nobody can tell."""


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return a file's content."""
    return tomllib.loads(Path(path).read_text(encoding="utf-8"))


def own_names(repository: str) -> dict[str, set[str]]:
    """Return the addresses that each published package names.

    Raises:
        NotOursError: a package does not name the repository.
    """
    found = {}
    for file in sorted(Path("packages").glob("*/pyproject.toml")):
        project = read_toml(file)["project"]
        if PRIVATE in project.get("classifiers", ()):
            continue
        found[project["name"]] = {plain(it) for it in project.get("urls", {}).values()}
        if plain(repository) not in found[project["name"]]:
            message = (
                f'{file} does not say whose {project["name"]} is: write `urls.Source = "{repository}"` under [project],'
                f" or, where another repository publishes it, the classifier `{PRIVATE}`. `nox -s adopt` does both."
            )
            raise NotOursError(message)
    return found


def plain(address: str) -> str:
    """Return an address as it is compared."""
    return address.strip().rstrip("/").removesuffix(".git").lower()


def index() -> str:
    """Return the address at which the index lists its packages.

    Raises:
        NotOursError: nothing says which it is.
    """
    settings = read_toml("pyproject.toml").get("tool", {}).get("uv", {})
    if found := os.environ.get("UV_PUBLISH_CHECK_URL") or settings.get("check-url"):
        return str(found)
    if os.environ.get("UV_PUBLISH_URL") or settings.get("publish-url"):
        message = "Packages are published to an index of your own: say in UV_PUBLISH_CHECK_URL where it lists them."
        raise NotOursError(message)
    registries = Counter(
        it["source"]["registry"] for it in read_toml("uv.lock")["package"] if "registry" in it["source"]
    )
    if not registries:
        message = (
            "uv.lock has no package from an index: say in UV_PUBLISH_CHECK_URL where the index lists its packages."
        )
        raise NotOursError(message)
    return str(registries.most_common(1)[0][0])


def get(url: str, accept: str = "*/*") -> bytes | None:
    """Return what is at an address of the web, or None if nothing is.

    Raises:
        NotOursError: there is no answer.
    """
    place = urllib.parse.urlsplit(url)
    if place.scheme not in {"http", "https"}:
        message = (
            f"The index names {place.geturl()!r}, which is no address of the web. Look there who published the name."
        )
        raise NotOursError(message)
    host = place.netloc.rpartition("@")[2]
    shown = place._replace(netloc=host).geturl()
    try:
        headers = {"Accept": accept, "User-Agent": "release"}
        request = urllib.request.Request(shown, headers=headers)  # noqa: S310 - the index that people install from
        if place.username:
            login = f"{urllib.parse.unquote(place.username)}:{urllib.parse.unquote(place.password or '')}"
            # Where the index sends one on to another server, the password stays behind.
            request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310 - the same
            return bytes(answer.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError) and error.code == http.HTTPStatus.NOT_FOUND:
            return None
        message = f"{shown} does not tell whose the name is ({error}). Run the job again; nothing is published before."
        raise NotOursError(message) from error


def addresses(page: bytes, at: str) -> set[str]:
    """Return the addresses that the newest file of a package on the index names.

    Args:
        page: what the index says about the package.
        at: where it says so.

    Raises:
        NotOursError: it cannot be told.
    """
    try:
        files = [
            it for it in json.loads(page)["files"] if has_metadata(it) or it["url"].partition("#")[0].endswith(".whl")
        ]
        newest = max(files, key=lambda it: str(it.get("upload-time", "")))
        url = urllib.parse.urljoin(at, newest["url"]).partition("#")[0]
        text = (get(f"{url}.metadata") if has_metadata(newest) else metadata_in(get(url))) or b""
    except (AttributeError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        message = f"{at} has no file that says whose it is ({type(error).__name__}). Look there who published it."
        raise NotOursError(message) from error
    metadata = email.parser.HeaderParser().parsestr(text.decode(errors="replace"))
    named = [it.partition(",")[2] for it in metadata.get_all("Project-URL", [])]
    return {plain(it) for it in [*named, metadata.get("Home-page", "")] if it}


def has_metadata(file: dict[str, Any]) -> bool:
    """Whether an index has the metadata of a file beside it, which mirrors often leave out."""
    return bool(file.get("core-metadata") or file.get("dist-info-metadata"))


def metadata_in(wheel: bytes | None) -> bytes:
    """Return the metadata inside a wheel."""
    with zipfile.ZipFile(io.BytesIO(wheel or b"")) as archive:
        [name] = [it for it in archive.namelist() if it.endswith(".dist-info/METADATA")]
        return archive.read(name)


def check(name: str, own: set[str], base: str) -> str:
    """Return in words that a package may be published under its name.

    Raises:
        NotOursError: it may not, or nobody can tell.
    """
    at = f"{base.rstrip('/')}/{re.sub(r'[-_.]+', '-', name).lower()}/"
    page = get(at, _JSON)
    if page is None:
        return f"{name} is free."
    if own & (theirs := addresses(page, at)):
        return f"{name} is ours."
    named = ", ".join(map(ascii, sorted(theirs))) or "no address"
    message = (
        f"{name} is somebody else's on the index: its newest file names {named},"
        f" ours {', '.join(sorted(own))}. Nothing is published: choose another prefix with `nox -s adopt -- --prefix`,"
        f" or give the package the classifier `{PRIVATE}`."
    )
    raise NotOursError(message)


def main() -> int:
    """Check every name in the repository that is the working folder; return 1 with one line if one cannot be used."""
    try:
        server, repository = (os.environ.get(it, "") for it in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY"))
        names, base = own_names(f"{server}/{repository}"), index()
        found = [check(name, own, base) for name, own in names.items()]
    except (OSError, NotOursError) as error:
        sys.stderr.write(f"names: error: {error}\n")
        return 1
    sys.stdout.write("".join(f"{it}\n" for it in found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
