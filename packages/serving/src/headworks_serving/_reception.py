"""Accepts connections from the port while there is room."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from headworks_serving._connection import Connection
from headworks_serving._log import Seldom
from headworks_serving._newcomers import ignore_newcomers

_PAUSE_SECONDS: Final = 1.0
_IDLE_SECONDS: Final = 1.0  # A client that is silent for longer is hardly sending its next request.
_TICK: Final = 0.02


class Reception:
    """Accepts connections while there is room, and leaves others waiting in the kernel.

    The server of asyncio has no limit; when no more files can be opened, it tries and logs once a second for each
    connection that may wait, which are thousands.
    """

    def __init__(
        self, listener: socket.socket, make: Callable[[Callable[[Connection], None]], Connection], limit: int
    ) -> None:
        """Begin to accept connections.

        Args:
            listener: A socket that listens.
            make: Makes a connection, given the function to call at its end.
            limit: Most open connections.
        """
        self._listener, self._make, self._limit = listener, make, limit
        self._loop = asyncio.get_running_loop()
        self._open: set[Connection] = set()
        self._arriving: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._crowded = Seldom()
        listener.setblocking(False)  # noqa: FBT003 - as the standard library has it
        self._loop.add_reader(listener, self._take_waiting)

    async def close(self) -> None:
        """Accept each connection that is being set up or waits in the kernel, and then stop listening."""
        ignore_newcomers(self._listener)
        await asyncio.sleep(_TICK)  # for half-made connections
        self._end_pause()
        self._loop.remove_reader(self._listener)
        with suppress(OSError):  # No connection is left waiting, or no more files may be open.
            while True:
                self._take(self._listener.accept()[0])
        self._listener.close()
        await asyncio.gather(*self._arriving)

    def _take_waiting(self) -> None:
        """Accept waiting connections while there is room."""
        if len(self._open) >= self._limit:
            self._wait_for_room(f"--max-connections is {self._limit}")
        try:
            while len(self._open) < self._limit:
                self._take(self._listener.accept()[0])
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            self._wait_for_room(error.strerror or str(error))

    def _take(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)  # noqa: FBT003 - as the standard library has it
        connection = self._make(self._forget)
        self._open.add(connection)
        task = self._loop.create_task(self._set_up(connection, accepted))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    async def _set_up(self, connection: Connection, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: connection, accepted)
        except OSError:  # The client has left.
            accepted.close()
            self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._end_pause()

    def _wait_for_room(self, reason: str) -> None:
        """Pause until a connection ends, or for a while, and end the one that is idle for longest."""
        self._crowded.warn("crowded", connections=len(self._open), reason=reason)
        self._loop.remove_reader(self._listener)
        self._pause = self._loop.call_later(_PAUSE_SECONDS, self._end_pause)
        idlest = max(self._open, key=lambda connection: connection.idle_seconds, default=None)
        if idlest is not None and idlest.idle_seconds > _IDLE_SECONDS:
            idlest.shutdown()

    def _end_pause(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
            self._loop.add_reader(self._listener, self._take_waiting)
