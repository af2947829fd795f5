"""A connection: that of uvicorn, with a time limit on each wait for a client, and errors in our own form."""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

import h11
import orjson
from headworks_serving._config import ServingConfig
from headworks_serving._log import LOGGER, Seldom, line
from headworks_serving._metrics import REFUSED
from uvicorn.protocols.http.h11_impl import H11Protocol

_SLOW_HEADS: Final = Seldom()
_VERSIONS: Final = (b"1.0", b"1.1")
_ORIGIN: Final = re.compile(rb"https?://[^/?]*", re.IGNORECASE)
_LINGER_SECONDS: Final = 2.0


class _Refusal(Exception):  # noqa: N818 - it ends one request, and no caller gets it
    """The bytes of a client are not a readable request."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class _Parser(h11.Connection):
    """Reads requests by RFC 9112; uvicorn does not handle its errors, so that the connection can."""

    def __init__(self, max_head: int) -> None:
        super().__init__(h11.SERVER, max_head)
        self._max_head = max_head

    def next_event(self) -> Any:  # noqa: ANN401 - h11 lists seven types, of which two are marks and not classes
        try:
            event = super().next_event()
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
                raise self._too_large() from error
            raise _Refusal(error.error_status_hint, f"this is not an HTTP request: {error}") from error
        return self._read(event) if isinstance(event, h11.Request) else event

    def _too_large(self) -> _Refusal:
        text = f"the head of the request has more than {self._max_head} bytes"
        return _Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, text)

    def _read(self, request: h11.Request) -> h11.Request:
        # h11 does not measure a head that arrives in one piece.
        size = len(request.target) + sum(len(name) + len(value) + 4 for name, value in request.headers)
        if size > self._max_head:
            raise self._too_large()
        if request.http_version not in _VERSIONS:
            message = f"HTTP/{request.http_version.decode()} is not supported, only HTTP/1.1 is"
            raise _Refusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, message)
        if {b"content-length", b"transfer-encoding"} <= {name for name, _ in request.headers}:
            message = "a request has either Content-Length or Transfer-Encoding, not both"  # RFC 9112, 6.1: an attack
            raise _Refusal(HTTPStatus.BAD_REQUEST, message)
        target = _origin_form(request.target)
        if target == request.target:
            return request
        return h11.Request(
            method=request.method, headers=request.headers.raw_items(), target=target, http_version=request.http_version
        )


def _origin_form(target: bytes) -> bytes:
    """Return path and query of a target in absolute form, as clients send it to proxies (RFC 9112, 3.2.2)."""
    origin = _ORIGIN.match(target)
    rest = target[origin.end() :] if origin else target
    return b"/" + rest if origin and not rest.startswith(b"/") else rest


class Connection(H11Protocol):
    """A connection that is closed when its client is silent for too long, but not before it has its answers."""

    def __init__(
        self,
        settings: ServingConfig,
        *,
        count: Callable[[int], None],
        on_end: Callable[["Connection"], None],
        **uvicorn: Any,  # noqa: ANN401 - the arguments of its base class
    ) -> None:
        """Make a connection.

        Args:
            settings: The limits.
            count: Called with the status of each answer that is not from the application.
            on_end: Called with the connection when it has ended.
            uvicorn: The arguments of uvicorn's own connection.
        """
        super().__init__(**uvicorn)
        self.conn = _Parser(settings.max_head)
        self._settings, self._count, self._on_end = settings, count, on_end
        self._answers = 0
        self._awaited: tuple[str, int] = ("", 0)
        self._timer: asyncio.TimerHandle | None = None
        self._is_half_closed = self._is_refused = False

    @property
    def idle_seconds(self) -> float:
        """Seconds since the client received its last answer; 0 while it waits or sends."""
        if self._timer is None or self._awaited[0] != "idle":
            return 0
        return self.loop.time() - self._timer.when() + self._settings.idle_seconds

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Start to wait for the head of the first request."""
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()
        self._on_end(self)

    def data_received(self, data: bytes) -> None:
        """Read more, or drop it after an unreadable request."""
        if not self._is_refused:
            super().data_received(data)
            self._watch()

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn says no more than to close
        """Keep the connection of a client that sends no more until it has its answers."""
        self._is_half_closed = True
        return self._is_answering()

    def handle_events(self) -> None:
        """Handle received requests, or refuse them."""
        try:
            super().handle_events()
        except _Refusal as refusal:
            if self._refuse(refusal.status, str(refusal)):
                LOGGER.warning(line("refused", status=int(refusal.status), error=refusal))

    def on_response_complete(self) -> None:
        """Continue with the next request."""
        self._answers += 1
        super().on_response_complete()
        self._unset_keepalive_if_required()  # One byte lifts the limit of uvicorn for good.
        if self._is_half_closed and not self._is_answering():
            self.transport.close()
        self._watch()

    def _should_upgrade(self) -> bool:
        """Stay with HTTP/1.1, as any server may."""
        return False

    def _is_answering(self) -> bool:
        """Return whether a whole request was received, but not answered yet."""
        is_asked = self.conn.our_state in {h11.SEND_RESPONSE, h11.SEND_BODY}
        return is_asked and self.conn.their_state is not h11.SEND_BODY

    def _watch(self) -> None:
        """Start a timer for the next part from the client, unless it runs already."""
        awaited = (self._find_awaited(), self._answers)
        if awaited == self._awaited:
            return
        self._awaited = awaited
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if awaited[0]:
            seconds = getattr(self._settings, f"{awaited[0]}_seconds", _LINGER_SECONDS)
            self._timer = self.loop.call_later(seconds, self._give_up)

    def _find_awaited(self) -> str:
        """Return the part that the client has to send or receive next, as in the names of the settings."""
        if self.transport.get_write_buffer_size():
            return "answer"
        states = (self.conn.their_state, self.conn.our_state)
        if self._is_refused or self.transport.is_closing():
            return "end"
        if states == (h11.IDLE, h11.IDLE):
            return "idle" if self._answers and not self.conn.trailing_data[0] else "head"
        return "body" if states == (h11.SEND_BODY, h11.DONE) else ""  # The application waits for a body that it reads.

    def _give_up(self) -> None:
        """End the connection of a client that was silent for too long."""
        awaited = self._awaited[0]
        self._awaited, self._timer = ("", 0), None
        if awaited != "answer":
            if awaited == "head" and self.conn.trailing_data[0]:
                text = f"the head of the request did not arrive within {self._settings.head_seconds:g} s"
                _SLOW_HEADS.warn("refused", status=int(HTTPStatus.REQUEST_TIMEOUT), error=text)
                self._refuse(HTTPStatus.REQUEST_TIMEOUT, text)
            self.transport.close()
        elif self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self._watch()

    def _refuse(self, status: int, text: str) -> bool:
        """Answer in place of the application, unless it has answered already, and close the connection."""
        self._is_refused = True
        if self.cycle is not None:
            self.cycle.disconnected, self.cycle.waiting_for_100_continue = True, False
            self.cycle.message_event.set()
            self.cycle.scope[REFUSED] = True  # type: ignore[typeddict-unknown-key]  # an application may add keys
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.close()
            return False
        self._count(status)
        body = orjson.dumps({"error": text})
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        head = h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase.encode())
        for event in (head, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        with suppress(OSError):  # The client did not wait for the rest.
            self.transport.write_eof()  # Closed at once, it would be reset, and the client might not get to read.
        return True
