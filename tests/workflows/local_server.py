"""A server on this machine that stands in for GitHub or for a package index."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator


class Handler(BaseHTTPRequestHandler):
    """One request; a subclass answers it by calling `reply`."""

    def do_GET(self) -> None:
        """Answer."""
        self.answer()

    do_POST = do_PATCH = do_GET  # noqa: N815 - the names that http.server wants

    def answer(self) -> None:
        """Answer a request of any method."""
        raise NotImplementedError

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Send an answer."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


class LocalServer(ThreadingHTTPServer):
    """A server on a free port of this machine."""

    def __init__(self, handler: type[Handler]) -> None:
        """Listen, with a handler for requests."""
        super().__init__(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


Server = TypeVar("Server", bound=LocalServer)


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Answer requests in a thread until the block ends."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
