"""The settings of the server."""

import math
from dataclasses import dataclass, field

from headworks_serving._processors import count_processors
from headworks_serving.errors import ConfigError

_MAX_PORT = 65_535
_MAX_THREADS = 1024  # of each kind: what is far more than processors is a slip, and takes minutes to start
_MAX_NUMBER = 2**40  # What is larger counts nothing, and is more than libraries in C can take.


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
        drain_seconds: Time that connections are still taken after a stop was asked for, while all are told to leave,
            and that those which are idle are still listened to after that.
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
            message = f"port is {self.port}; give a number from 0 (any free port) to {_MAX_PORT}"
            raise ConfigError(message)
        numbers = dict.fromkeys((it for it in vars(self) if it.startswith("max_")), _MAX_NUMBER)
        for name, most in {**numbers, "workers": _MAX_THREADS, "threads": _MAX_THREADS}.items():
            if not 1 <= getattr(self, name) <= most:
                message = f"{name} is {getattr(self, name)}; give a number from 1 to {most}"
                raise ConfigError(message)
        for name in (it for it in vars(self) if it.endswith("_seconds")):
            if not 0 < getattr(self, name) < math.inf:
                message = f"{name} is {getattr(self, name)}; give a finite time above 0"
                raise ConfigError(message)
