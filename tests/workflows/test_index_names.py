"""Nothing is published under a name that is somebody else's on the package index."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from local_server import Handler, LocalServer, running

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(__file__).parents[2] / ".github/programs/index_names.py"
OURS = "https://github.example/Acme/vision"
PROJECT = '[project]\nname = "{name}"\nclassifiers = [ "Typing :: Typed" ]\nurls.Source = "{url}"\n'
FREE = "works is free.\nworks-data is free.\n"


def wheel(metadata: str) -> bytes:
    """Return a wheel with this metadata."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("works/__init__.py", "")
        archive.writestr("works-1.0.dist-info/METADATA", metadata)
    return content.getvalue()


class Index(LocalServer):
    """A package index: pages of packages, and the metadata of their files."""

    def __init__(self) -> None:
        """Listen on this machine, with no package."""
        super().__init__(Request)
        self.pages: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []

    def add(self, name: str, *projects: str, is_beside: bool = True) -> None:
        """Add a package whose files have this metadata, beside them or inside; the last file is listed first."""
        files: list[dict[str, Any]] = [{"filename": "old.tar.gz", "url": "https://files.example/old.tar.gz"}]
        for number, metadata in enumerate(projects):
            file, text = f"/files/{name}-{number}.whl", f"Metadata-Version: 2.4\n{metadata}\n\nText\n"
            about = {"url": f"../..{file}#sha256=0", "upload-time": f"2026-01-0{number}"}
            files.insert(0, about | ({"core-metadata": True} if is_beside else {}))
            self.pages[f"{file}.metadata" if is_beside else file] = text.encode() if is_beside else wheel(text)
        self.pages[f"/simple/{name}/"] = json.dumps({"files": files}).encode()


class Request(Handler):
    """A request to the index."""

    server: Index

    def answer(self) -> None:
        """Answer with the page."""
        self.server.requests.append((self.path, self.headers.get("Authorization", "")))
        is_page = self.path.startswith("/simple/")
        assert not is_page or self.headers["Accept"] == "application/vnd.pypi.simple.v1+json"
        page = self.server.pages.get(self.path)
        if page and page.startswith(b"http"):
            self.reply(302, Location=page.decode())
        else:
            self.reply(404 if page is None else 503 if page == b"down" else 200, page or b"")


@pytest.fixture
def index() -> Iterator[Index]:
    """Return an index that answers."""
    with running(Index()) as server:
        yield server


@pytest.fixture
def repository(tmp_path: Path, index: Index) -> Path:
    """Return a repository of two packages, whose lock has packages from the index."""
    for name in ("works", "works-data"):
        (tmp_path / "packages" / name).mkdir(parents=True)
        (tmp_path / "packages" / name / "pyproject.toml").write_text(PROJECT.format(name=name, url=f"{OURS}/"))
    (tmp_path / "pyproject.toml").write_text("")
    sources = ['{ editable = "packages/works" }', f'{{ registry = "{index.url}/simple" }}']
    (tmp_path / "uv.lock").write_text("".join(f"[[package]]\nsource = {it}\n" for it in sources))
    return tmp_path


def check(repository: Path, **environ: str) -> tuple[int, str]:
    """Run the program as the workflow does; return its exit code and its output."""
    given = {
        "PATH": os.environ["PATH"],
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_REPOSITORY": "acme/vision",
    }
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(
        [sys.executable, str(PROGRAM)], cwd=repository, check=False, env=given | environ, text=True, **streams
    )  # type: ignore[call-overload]
    return done.returncode, done.stdout


def refused(repository: Path, **environ: str) -> str:
    """Run the program, which has to refuse with one line, and return that line."""
    code, output = check(repository, **environ)
    assert code == 1
    assert output.startswith("names: error: ")
    assert output.count("\n") == 1
    return output


def test_a_name_that_nobody_has_is_free(repository: Path, index: Index) -> None:
    """The program asks about every published package, on the index that the lock names."""
    assert check(repository) == (0, FREE)
    assert [path for path, _ in index.requests] == ["/simple/works/", "/simple/works-data/"]


@pytest.mark.parametrize(
    "metadata",
    [f"Project-URL: Source, {OURS}", f"Home-page: {OURS.lower()}.git", f"Project-URL: A, x:y\nProject-URL: B,{OURS}/"],
)
def test_a_name_whose_newest_file_names_this_repository_is_ours(repository: Path, index: Index, metadata: str) -> None:
    """However the address is spelt."""
    index.add("works", "Author: A stranger", metadata)
    assert check(repository) == (0, FREE.replace("works is free", "works is ours"))


@pytest.mark.parametrize(
    ("metadata", "part"),
    [
        ("Project-URL: Source, https://github.example/stranger/works", "names 'https://github.example/stranger/works'"),
        (f"Project-URL: Source, {OURS}-2", "somebody else's"),
        ("Author: The same", "names no address"),
        ("Project-URL: Source, \x1b[31m\u2028::error::", r"names '\x1b[31m"),
    ],
)
def test_a_strangers_name_is_refused(repository: Path, index: Index, metadata: str, part: str) -> None:
    """Even if an older file named this repository; the message is one line without control characters."""
    index.add("works-data", f"Project-URL: Source, {OURS}", metadata)
    output = refused(repository)
    assert "works-data is somebody else's on the index" in output
    assert "choose another prefix" in output
    assert part in output


def test_metadata_inside_a_wheel_counts_if_the_index_has_none(repository: Path, index: Index) -> None:
    """Mirrors of the index leave it out; a broken wheel gives no answer."""
    index.add("works", f"Project-URL: Source, {OURS}", is_beside=False)
    assert check(repository) == (0, FREE.replace("works is free", "works is ours"))
    index.add("works", "Author: A stranger", is_beside=False)
    assert "works is somebody else's on the index" in refused(repository)
    for broken in (b"", b"no wheel", wheel("")[:40]):
        index.pages["/files/works-0.whl"] = broken
        assert "/simple/works/ has no file that says whose it is" in refused(repository)


@pytest.mark.parametrize("page", [b"down", b"<html></html>", b"{}", b'{"files": []}', b'{"files": [1]}', b"[]"])
def test_an_unreadable_answer_of_the_index_is_no_pass(repository: Path, index: Index, page: bytes) -> None:
    """A page without the expected fields, or no page."""
    index.pages["/simple/works/"] = page
    output = refused(repository)
    assert "/simple/works/ does not say whose" in output or "/simple/works/ has no file that says" in output


def test_a_file_that_is_nowhere_on_the_web_is_not_read(repository: Path, index: Index) -> None:
    """An index could name a file of this machine."""
    files = [{"url": f"file://{repository}/a", "core-metadata": True}]
    index.pages["/simple/works/"] = json.dumps({"files": files}).encode()
    assert "not a web address" in refused(repository)


def test_a_package_has_to_say_whose_it_is(repository: Path, index: Index) -> None:
    """Without it, its next release would look like a stranger's; a private package is not published."""
    file = repository / "packages/works/pyproject.toml"
    file.write_text(PROJECT.format(name="works", url="https://github.example/other/vision"))
    assert 'write `urls.Source = "https://github.example/acme/vision"`' in refused(repository)
    file.write_text(file.read_text().replace("Typing :: Typed", "Private :: Do Not Upload"))
    index.add("works", "Author: A stranger")
    assert check(repository) == (0, "works-data is free.\n")


def test_a_password_is_for_the_index_alone(repository: Path, index: Index) -> None:
    """A server that the index redirects to does not get it."""
    index.pages["/simple/works/"] = f"{index.url.replace('127.0.0.1', 'localhost')}/simple/other/".encode()
    check(repository, UV_PUBLISH_CHECK_URL=index.url.replace("//", "//me:secret@") + "/simple")
    assert [path for path, login in index.requests if login] == ["/simple/works/", "/simple/works-data/"]
    assert ("/simple/other/", "") in index.requests


def test_another_index_is_asked_where_one_is_published_to(repository: Path, index: Index) -> None:
    """Its password is sent, and not printed."""
    secret = {"UV_PUBLISH_CHECK_URL": index.url.replace("//", "//me:p%40ss@") + "/simple"}
    (repository / "uv.lock").write_text("package = []\n")
    assert check(repository, **secret) == (0, FREE)
    assert index.requests[0] == ("/simple/works/", "Basic bWU6cEBzcw==")
    index.pages["/simple/works/"] = b"down"
    output = refused(repository, **secret)
    assert f"{index.url}/simple/works/" in output
    assert "p%40ss" not in output
    assert "say in UV_PUBLISH_CHECK_URL" in refused(repository)
    (repository / "pyproject.toml").write_text(f'[tool.uv]\ncheck-url = "{index.url}/other"\n')
    assert check(repository) == (0, FREE)
    (repository / "pyproject.toml").write_text('[tool.uv]\npublish-url = "https://index.example/upload"\n')
    assert "an index of your own" in refused(repository)
