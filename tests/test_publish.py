"""A release is published under its own names only."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Scratch

GITHUB = {"GITHUB_SERVER_URL": "https://github.example", "GITHUB_REPOSITORY": "acme/vision"}


class Stranger(BaseHTTPRequestHandler):
    """An index on which every name is a stranger's."""

    def do_GET(self) -> None:
        """Answer with a page or with metadata."""
        page = json.dumps({"files": [{"url": f"{self.path}a.whl", "core-metadata": True}]})
        text = "Project-URL: Source, https://github.example/stranger" if self.path.endswith(".metadata") else page
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def index() -> Iterator[str]:
    """Return the address of an index."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/simple"
        server.shutdown()
        thread.join()


def test_nothing_is_uploaded_under_a_strangers_name(scratch: Scratch, index: str) -> None:
    """The session asks the index before it publishes, and leaves out packages that another repository publishes."""
    files = [file.relative_to(scratch.root) for file in scratch.root.glob("packages/*/pyproject.toml")]
    scratch.name_source("https://github.example/acme/vision")
    for file in files:
        folder = scratch.root / "dist" / file.parent.name
        folder.mkdir(parents=True)
        (folder / "a.whl").write_bytes(b"")
    result = scratch.nox("publish", check=False, UV_PUBLISH_CHECK_URL=index, **GITHUB)
    assert result.red == {"publish"}
    assert "is somebody else's on the index" in result.output
    assert "uv publish" not in result.output
    for file in files:
        scratch.replace(str(file), "classifiers = [\n", 'classifiers = [\n  "Private :: Do Not Upload",\n')
    result = scratch.nox("publish", check=False, UV_PUBLISH_CHECK_URL=index, **GITHUB)
    assert "There is nothing in dist to publish" in result.output
