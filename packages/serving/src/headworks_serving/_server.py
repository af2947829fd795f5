"""The process of a server: one socket, one model, one event loop, and a stop that loses no request."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Final

import uvicorn
from headworks_serving._app import create_app
from headworks_serving._config import ServingConfig
from headworks_serving._connection import Connection
from headworks_serving._log import LOGGER, line
from headworks_serving._reception import Reception
from headworks_serving._signals import SIGNALS, ending_on_signals
from headworks_serving._source import Source
from headworks_serving.errors import AddressError
from starlette.applications import Starlette

_BACKLOG: Final = 2048
_TICK: Final = 0.02
_LOOK_SECONDS: Final = 1.0


def serve(model: str | Path, config: ServingConfig) -> None:
    """Serve a model until SIGTERM or SIGINT.

    The port is bound first, but connections are refused until the model has been loaded and has predicted once, so
    that a server that answers is ready.

    Args:
        model: The ONNX file; or `alias:NAME`, or `alias:NAME@sha256:DIGEST`, in the store HEADWORKS_STORE.
        config: Address and limits.

    Raises:
        AddressError: The address cannot be listened on.
        ConfigError: The public key cannot be used, or the model cannot be followed.
        ModelError: The model cannot be served, or is not signed as it has to be.
        SystemExit: A signal came before the model was ready; the exit code is 0.
    """
    source = Source(model, config)
    with ending_on_signals() as stop, _bind(config) as listener:
        _serve_on(listener, source, config, stop)


def _serve_on(listener: socket.socket, source: Source, config: ServingConfig, stop: Event) -> None:
    host, port = listener.getsockname()[:2]
    LOGGER.info(line("loading", model=source.given, host=host, port=port))
    start = time.perf_counter()
    model = source.load()
    server = _Server(create_app(model, config), config, source)
    for number in SIGNALS:
        signal.signal(number, server.handle_exit)
    if stop.is_set():
        raise SystemExit(0)
    with _address_errors(config):
        listener.listen(_BACKLOG)
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    seconds = time.perf_counter() - start
    LOGGER.info(line("ready", model=model.name, url=url, classes=len(model.labels), load_seconds=seconds))
    server.run([listener])
    LOGGER.info(line("stopped", requests=server.server_state.total_requests))


@contextmanager
def _address_errors(config: ServingConfig) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeError) as error:  # UnicodeError: an impossible name of a host
        reason = getattr(error, "strerror", None) or error
        message = f"cannot listen on {config.host} port {config.port}: {reason}; give another --host or --port"
        raise AddressError(message) from error


def _bind(config: ServingConfig) -> socket.socket:
    """Bind the address without listening yet, so that connections are refused until the model is ready."""
    with _address_errors(config):
        addresses = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = addresses[0]
        listener = socket.socket(family, kind, protocol)
        try:
            # Except on POSIX, the option would allow two servers on the port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(os.name == "posix"))
            listener.bind(address)
        except OSError:
            listener.close()
            raise
        return listener


class _Server(uvicorn.Server):
    """Uvicorn, except that it accepts connections within limits, and answers all requests at the port before a stop."""

    def __init__(self, app: Starlette, config: ServingConfig, source: Source) -> None:
        self._app = app
        self._source = source
        self._settings = config
        # Other installed packages, and variables such as WEB_CONCURRENCY, must not change the settings.
        super().__init__(
            uvicorn.Config(
                app,
                http="h11",
                loop="asyncio:SelectorEventLoop",  # which has readers on every system
                ws="none",
                lifespan="off",
                interface="asgi3",
                workers=1,
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=config.stop_seconds,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections from the one socket, within the limits."""
        self.servers = []
        self._reception = Reception((sockets or [])[0], self._make_connection, self._settings.max_connections)
        self._following = asyncio.create_task(self._follow()) if self._settings.follow else None
        self.started = True

    async def _follow(self) -> None:
        """Take up a model that the alias is moved to."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if model := await asyncio.to_thread(self._source.newer):
                self._app.state.replace_model(model)
                LOGGER.info(line("switched", model=model.name, digest=self._source.served))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Continue for a while and ask clients to leave, stop listening, wait for the others, and stop uvicorn."""
        connections = self.server_state.connections
        LOGGER.info(line("stopping", connections=len(connections)))
        if self._following:
            self._following.cancel()
        self._app.state.draining = True
        await self._drain(lambda: True)
        await self._reception.close()
        await self._drain(lambda: bool(connections))
        await super().shutdown(sockets)

    async def _drain(self, is_wanted: Callable[[], bool]) -> None:
        """Give clients their time, unless a second signal cuts it short."""
        end = time.monotonic() + self._settings.drain_seconds
        while is_wanted() and not self.force_exit and time.monotonic() < end:  # noqa: ASYNC110 - there are no events
            await asyncio.sleep(_TICK)

    def _make_connection(self, on_end: Callable[[Connection], None]) -> Connection:
        return Connection(
            self._settings,
            count=self._app.state.count_answer,
            on_end=on_end,
            config=self.config,
            server_state=self.server_state,
            app_state={},
        )
