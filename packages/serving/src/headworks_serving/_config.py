"""The settings of the server."""

import os
from dataclasses import dataclass

from headworks_serving.errors import ConfigError

_MAX_PORT = 65_535


@dataclass(frozen=True, kw_only=True)
class ServingConfig:
    """Settings of the server, each checked when they are made.

    Attributes:
        host: Name or address to listen on.
        port: TCP port; 0 takes a free one.
        max_batch: Most images in one request.
        max_body: Most bytes in the body of one request.
        max_pending: Most requests that may wait for an answer at a time; further ones are refused at once.
        workers: Inferences that run at a time, each in a thread of its own.
        threads: Threads that one inference may use inside ONNX Runtime.
        body_seconds: Time in which the body of a request must have arrived.
        drain_seconds: Time that open but idle connections are still listened to after a stop was asked for.
        stop_seconds: Time that running requests are given to end after that.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    max_batch: int = 1024
    max_body: int = 16 * 2**20
    max_pending: int = 64
    workers: int = min(4, os.cpu_count() or 1)
    threads: int = 1
    body_seconds: float = 10.0
    drain_seconds: float = 0.5
    stop_seconds: int = 15

    def __post_init__(self) -> None:
        """Refuse values that no server could work with."""
        if not 0 <= self.port <= _MAX_PORT:
            msg = f"port is {self.port}; give a number from 0 (any free port) to {_MAX_PORT}"
            raise ConfigError(msg)
        for name in ("max_batch", "max_body", "max_pending", "workers", "threads"):
            if getattr(self, name) < 1:
                msg = f"{name} is {getattr(self, name)}; give at least 1"
                raise ConfigError(msg)
        for name in ("body_seconds", "drain_seconds", "stop_seconds"):
            if not getattr(self, name) > 0:
                msg = f"{name} is {getattr(self, name)}; give a time above 0"
                raise ConfigError(msg)
