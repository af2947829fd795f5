"""Checks that the names of the packages to publish are free on the package index, or belong to this repository.

A name is ours if its newest file on the index names an address that the package here names as well, as
`urls.Source = "https://…"` in its pyproject.toml; one of these has to be the repository's. Packages with the classifier
`Private :: Do Not Upload` are not published and not checked. The index is that of UV_PUBLISH_CHECK_URL, or of
`check-url` in [tool.uv], or else the one that uv.lock has its packages from. Reads the variables of GitHub Actions.
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
    """A name belongs to somebody else, or its owner is unknown."""


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return a file's content."""
    return tomllib.loads(Path(path).read_text(encoding="utf-8"))


def own_names(repository: str) -> dict[str, set[str]]:
    """Return the addresses that each published package names.

    Raises:
        NotOursError: A package does not name the repository as its source.
    """
    named = {}
    for file in sorted(Path("packages").glob("*/pyproject.toml")):
        project = read_toml(file)["project"]
        if PRIVATE in project.get("classifiers", ()):
            continue
        named[project["name"]] = {plain(url) for url in project.get("urls", {}).values()}
        if plain(repository) not in named[project["name"]]:
            message = (
                f'{file} does not say whose {project["name"]} is: write `urls.Source = "{repository}"` under [project],'
                f" or, where another repository publishes it, the classifier `{PRIVATE}`. `nox -s adopt` does both."
            )
            raise NotOursError(message)
    return named


def plain(address: str) -> str:
    """Return an address in the form in which two are compared."""
    return address.strip().rstrip("/").removesuffix(".git").lower()


def index() -> str:
    """Return the address at which the index lists its packages.

    Raises:
        NotOursError: No setting says which index it is.
    """
    settings = read_toml("pyproject.toml").get("tool", {}).get("uv", {})
    if configured := os.environ.get("UV_PUBLISH_CHECK_URL") or settings.get("check-url"):
        return str(configured)
    if os.environ.get("UV_PUBLISH_URL") or settings.get("publish-url"):
        message = "Packages are published to an index of your own: say in UV_PUBLISH_CHECK_URL where it lists them."
        raise NotOursError(message)
    registries = Counter(
        package["source"]["registry"] for package in read_toml("uv.lock")["package"] if "registry" in package["source"]
    )
    if not registries:
        message = (
            "uv.lock has no package from an index: say in UV_PUBLISH_CHECK_URL where the index lists its packages."
        )
        raise NotOursError(message)
    return str(registries.most_common(1)[0][0])


def get(url: str, accept: str = "*/*") -> bytes | None:
    """Return the content at a web address, or None for a 404.

    Raises:
        NotOursError: The server did not answer, or with another error.
    """
    place = urllib.parse.urlsplit(url)
    if place.scheme not in {"http", "https"}:
        message = f"The index names {place.geturl()!r}, which is not a web address. See there who published the name."
        raise NotOursError(message)
    host = place.netloc.rpartition("@")[2]
    shown = place._replace(netloc=host).geturl()
    try:
        headers = {"Accept": accept, "User-Agent": "release"}
        request = urllib.request.Request(shown, headers=headers)  # noqa: S310 - the index that people install from
        if place.username:
            login = f"{urllib.parse.unquote(place.username)}:{urllib.parse.unquote(place.password or '')}"
            # Not sent along when the index redirects to another server.
            request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310 - the same
            return bytes(answer.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError) and error.code == http.HTTPStatus.NOT_FOUND:
            return None
        message = f"{shown} does not say whose the name is ({error}). Run the job again; nothing was published."
        raise NotOursError(message) from error


def addresses(page: bytes, at: str) -> set[str]:
    """Return the addresses that the newest file of a package on the index names.

    Args:
        page: The index's page of the package, as JSON.
        at: The address of that page.

    Raises:
        NotOursError: No file says whose it is.
    """
    try:
        files = [
            file
            for file in json.loads(page)["files"]
            if has_metadata(file) or file["url"].partition("#")[0].endswith(".whl")
        ]
        newest = max(files, key=lambda file: str(file.get("upload-time", "")))
        url = urllib.parse.urljoin(at, newest["url"]).partition("#")[0]
        text = (get(f"{url}.metadata") if has_metadata(newest) else metadata_in(get(url))) or b""
    except (AttributeError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        message = f"{at} has no file that says whose it is ({type(error).__name__}). See there who published it."
        raise NotOursError(message) from error
    metadata = email.parser.HeaderParser().parsestr(text.decode(errors="replace"))
    named = [value.partition(",")[2] for value in metadata.get_all("Project-URL", [])]
    return {plain(address) for address in [*named, metadata.get("Home-page", "")] if address}


def has_metadata(file: dict[str, Any]) -> bool:
    """Whether an index serves the metadata of a file as a file of its own, which mirrors often do not."""
    return bool(file.get("core-metadata") or file.get("dist-info-metadata"))


def metadata_in(wheel: bytes | None) -> bytes:
    """Return the metadata inside a wheel."""
    with zipfile.ZipFile(io.BytesIO(wheel or b"")) as archive:
        [name] = [member for member in archive.namelist() if member.endswith(".dist-info/METADATA")]
        return archive.read(name)


def check(name: str, own: set[str], base: str) -> str:
    """Return a sentence that says why a package may be published under its name.

    Raises:
        NotOursError: It may not, or the owner is unknown.
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
    """Check the names of all packages in the working folder; return 1 and print one line if one cannot be used."""
    try:
        server, repository = (os.environ.get(variable, "") for variable in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY"))
        names, base = own_names(f"{server}/{repository}"), index()
        results = [check(name, own, base) for name, own in names.items()]
    except (OSError, NotOursError) as error:
        sys.stderr.write(f"names: error: {error}\n")
        return 1
    sys.stdout.write("".join(f"{line}\n" for line in results))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
