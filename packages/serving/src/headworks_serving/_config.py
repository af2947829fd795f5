"""The settings of the server."""

from dataclasses import dataclass, field

from headworks_serving._processors import count_processors
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
        max_head: Most bytes in the head of one request.
        max_pending: Most requests that may wait for an answer at a time; further ones are refused at once.
        max_connections: Most connections that are open at a time; further ones wait until one ends.
        workers: Inferences that run at a time, each in a thread of its own; one for each processor, at most four.
        threads: Threads that one inference may use inside ONNX Runtime.
        head_seconds: Time in which the head of a request must have arrived, from the connection or its first byte on.
        body_seconds: Time in which the body of a request must have arrived.
        answer_seconds: Time in which a client must have taken an answer.
        idle_seconds: Time that a connection may be silent between two requests. Proxies keep theirs for 60 s, and the
            one that closes later must be the server: a request may be on its way to a connection that it closes.
        drain_seconds: Time that open but idle connections are still listened to after a stop was asked for.
        stop_seconds: Time that running requests are given to end after that.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    max_batch: int = 1024
    max_body: int = 16 * 2**20
    max_head: int = 16 * 2**10
    max_pending: int = 64
    max_connections: int = 1000
    workers: int = field(default_factory=lambda: min(4, count_processors()))
    threads: int = 1
    head_seconds: float = 10.0
    body_seconds: float = 10.0
    answer_seconds: float = 30.0
    idle_seconds: float = 75.0
    drain_seconds: float = 0.5
    stop_seconds: int = 15

    def __post_init__(self) -> None:
        """Refuse values that no server could work with."""
        if not 0 <= self.port <= _MAX_PORT:
            msg = f"port is {self.port}; give a number from 0 (any free port) to {_MAX_PORT}"
            raise ConfigError(msg)
        for name in ("max_batch", "max_body", "max_head", "max_pending", "max_connections", "workers", "threads"):
            if getattr(self, name) < 1:
                msg = f"{name} is {getattr(self, name)}; give at least 1"
                raise ConfigError(msg)
        for name in (it for it in vars(self) if it.endswith("_seconds")):
            if not getattr(self, name) > 0:
                msg = f"{name} is {getattr(self, name)}; give a time above 0"
                raise ConfigError(msg)
