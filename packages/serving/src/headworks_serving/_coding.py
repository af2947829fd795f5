"""Compressed bodies: gzip and deflate, in requests and in answers (RFC 9110, 8.4)."""

import asyncio
import re
import zlib
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Final

from headworks_serving.errors import EncodingError, RequestError, TooLargeError
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CODINGS: Final = "gzip, deflate"
_WINDOWS: Final = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_MAX_MEMBERS: Final = {"gzip": 10, "x-gzip": 10, "deflate": 1}  # Each one costs a copy of those that follow it.
_MAX_CODINGS: Final = 3  # A file may expand to itself for ever.
_QUALITY: Final = re.compile(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", re.IGNORECASE)
_LARGE: Final = 16 * 2**10  # bytes, which take a millisecond


def read_codings(headers: Headers) -> list[str]:
    """Return the codings of a body, in the order in which they were applied.

    Raises:
        EncodingError: One of them is not supported.
    """
    named = [name.strip().lower() for name in ",".join(headers.getlist("Content-Encoding")).split(",")]
    codings = [name for name in named if name not in {"", "identity"}]
    unknown = [name for name in codings if name not in _WINDOWS]
    if unknown or len(codings) > _MAX_CODINGS:
        reason = f"{unknown[0][:100]!r} is not supported" if unknown else f"{len(codings)} codings are too many"
        message = f"Content-Encoding: {reason}; send the body as it is, or by {' or '.join(CODINGS.split(', '))}"
        raise EncodingError(message)
    return codings


def decode(body: bytes, codings: Sequence[str], limit: int) -> bytes:
    """Return a body without its codings.

    Args:
        body: The received body.
        codings: In the order in which they were applied.
        limit: Most bytes of the result, and of each step to it.

    Raises:
        RequestError: The body is not of its coding.
        TooLargeError: The result is larger than the limit; only so much is expanded.
    """
    for coding in reversed(codings):
        body = _expand(body, coding, limit)
    return body


def _expand(body: bytes, coding: str, limit: int) -> bytes:
    parts: list[bytes] = []
    room = limit + 1
    for _ in range(_MAX_MEMBERS[coding]):
        expander = zlib.decompressobj(_WINDOWS[coding])
        try:
            parts.append(expander.decompress(body, room))
        except zlib.error as error:
            message = f"the body is not {coding} data: {error}"
            raise RequestError(message) from error
        room -= len(parts[-1])
        if not room:
            message = f"the body expands to more than {limit} bytes; at most {limit} are taken in one request"
            raise TooLargeError(message)
        if not expander.eof:
            message = f"the body ends before its {coding} data does"
            raise RequestError(message)
        body = expander.unused_data
        if not body:
            return b"".join(parts)
    message = f"{len(body)} bytes follow the {coding} data of the body"
    raise RequestError(message)


def choose_coding(accepted: str) -> str:
    """Return the coding that a client prefers for an answer, or "" for none.

    Args:
        accepted: The header Accept-Encoding, such as `gzip;q=0.5, deflate, *;q=0`.
    """
    likes: dict[str, float] = {}
    for item in accepted.lower().split(","):
        name, mark, parameter = item.partition(";")
        quality = _QUALITY.fullmatch(parameter)
        likes[name.strip()] = float(quality[1]) if quality else float(not mark)
    likes.setdefault("gzip", likes.get("x-gzip", likes.get("*", 0)))
    likes.setdefault("deflate", likes.get("*", 0))
    best = max(("gzip", "deflate"), key=likes.__getitem__)
    return best if likes[best] > 0 and likes[best] >= likes.get("identity", 0) else ""


class Compression:
    """Compresses the answers of an application, each sent in one piece, for clients that accept it."""

    def __init__(self, app: ASGIApp, pool: Executor) -> None:
        """Compress large answers in a pool of threads, so that the event loop stays free."""
        self._app, self._pool = app, pool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        coding = choose_coding(",".join(Headers(scope=scope).getlist("Accept-Encoding")))
        start: Message = {}

        async def send_compressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            headers, body = MutableHeaders(raw=start["headers"]), message["body"]
            headers.add_vary_header("Accept-Encoding")
            if coding and body:
                loop = asyncio.get_running_loop()
                pool = loop.run_in_executor(self._pool, compress, body, coding) if len(body) > _LARGE else None
                compressed = await pool if pool else compress(body, coding)
                if len(compressed) < len(body):
                    message["body"] = compressed
                    headers["Content-Encoding"], headers["Content-Length"] = coding, str(len(compressed))
            await send(start)
            await send(message)

        await self._app(scope, receive, send_compressed)


def compress(body: bytes, coding: str) -> bytes:
    """Return a body in a coding; quickly rather than small, since a client waits for it."""
    compressor = zlib.compressobj(zlib.Z_BEST_SPEED, wbits=_WINDOWS[coding])
    return compressor.compress(body) + compressor.flush()
