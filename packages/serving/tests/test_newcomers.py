"""A server that stops lets no connection be made that it does not take."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

import pytest
from headworks_serving._newcomers import ignore_newcomers

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Return a listening socket that nobody accepts from by itself."""
    with socket.create_server(("127.0.0.1", 0)) as it:
        yield it


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has socket filters")
def test_a_listener_ignores_newcomers_and_keeps_what_it_has(listener: socket.socket) -> None:
    """Who was connected before is heard; who comes later is not told to be connected, and is refused at last."""
    address = listener.getsockname()
    with socket.create_connection(address, timeout=5) as before:
        ignore_newcomers(listener)
        with pytest.raises(TimeoutError):
            socket.create_connection(address, timeout=0.3)
        before.sendall(b"hello")
        accepted = listener.accept()[0]
        with accepted:
            assert accepted.recv(5) == b"hello"
            accepted.sendall(b"world")
        assert before.recv(5) == b"world"
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has socket filters")
def test_what_the_kernel_refuses_is_done_without(listener: socket.socket) -> None:
    """A sandbox may have no filters, and a server has to stop there too."""

    class Refusing:
        def setsockopt(self, *_: object) -> None:
            raise PermissionError

    ignore_newcomers(Refusing())  # type: ignore[arg-type]  # as much of a socket as is used
    with socket.create_connection(listener.getsockname(), timeout=5) as newcomer:
        assert newcomer.getpeername() == listener.getsockname()
