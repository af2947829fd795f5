"""The settings of the server."""

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from headworks_serving.errors import ConfigError

_MAX_PORT = 65_535
_MAX_THREADS = 1024  # Far more threads than processors are a mistake, and take minutes to start.
_MAX_NUMBER = 2**40  # A larger number has no use, and overflows in libraries in C.
_QUOTA = re.compile(r"(\d+)\s+([1-9]\d*)")  # microseconds in each period of microseconds


@dataclass(frozen=True, kw_only=True)
class ServingConfig:
    """Settings of the server, checked when they are made.

    Attributes:
        host: Name or address to listen on.
        port: TCP port; 0 takes a free one.
        max_batch: Most images in one request.
        max_body: Most bytes in the body of one request.
        max_head: Most bytes in the head of one request.
        max_pending: Most requests that may wait for an answer at a time; others are refused at once.
        max_connections: Most open connections at a time; others wait until one ends.
        workers: Inferences that run at a time, each in a thread of its own; one for each processor, at most four.
        threads: Threads that one inference may use inside ONNX Runtime.
        head_seconds: Time in which the head of a request must have arrived, from the connection or its first byte on.
        body_seconds: Time in which the body of a request must have arrived.
        answer_seconds: Time in which a client must have received an answer.
        idle_seconds: Time that a connection may be silent between two requests. Proxies keep theirs for 60 s, and the
            server must close later: a request may be on its way to a connection that it closes.
        drain_seconds: Time after a stop in which the server still accepts connections and asks all clients to leave,
            and time after that in which idle connections may still send a request.
        stop_seconds: Time after both in which running requests may end.
        follow: Whether to take up a model that the alias is moved to while the server runs.
        public_key: The PEM file of the key that each model has to be signed with; None takes any model.
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
    follow: bool = False
    public_key: Path | None = None

    def __post_init__(self) -> None:
        """Refuse values that no server could work with."""
        if not 0 <= self.port <= _MAX_PORT:
            message = f"port is {self.port}; give a number from 0 (any free port) to {_MAX_PORT}"
            raise ConfigError(message)
        numbers = dict.fromkeys((name for name in vars(self) if name.startswith("max_")), _MAX_NUMBER)
        for name, most in {**numbers, "workers": _MAX_THREADS, "threads": _MAX_THREADS}.items():
            if not 1 <= getattr(self, name) <= most:
                message = f"{name} is {getattr(self, name)}; give a number from 1 to {most}"
                raise ConfigError(message)
        for name in (name for name in vars(self) if name.endswith("_seconds")):
            if not 0 < getattr(self, name) < math.inf:
                message = f"{name} is {getattr(self, name)}; give a finite time above 0"
                raise ConfigError(message)


def count_processors(root: Path = Path("/")) -> int:
    """Count the processors granted to this process: those of its affinity, or the quota of a cgroup if less.

    The model package asks joblib, which is too large a dependency of the server for one function.

    Args:
        root: The folder of `proc` and `sys`.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min([allowed, *_quotas(root)])))


def _quotas(root: Path) -> Iterator[float]:
    """Yield the quota of each cgroup around this process, in processors.

    A line is `0::/GROUP` (version 2) or `4:cpu,cpuacct:/GROUP` (version 1). In a container, the mount point may be the
    group itself, so every folder from the group up to the mount point is read.
    """
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        if not controllers or "cpu" in controllers.split(","):
            mounted = root / "sys/fs/cgroup" / controllers
            path = mounted / group.lstrip("/")
            for folder in (path, *path.parents[: len(path.parts) - len(mounted.parts)]):
                limits = _read(folder / "cpu.max") or " ".join(
                    _read(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")
                )
                # Without a quota, it is "max" or -1; sandboxes may have no period.
                if quota := _QUOTA.match(limits):
                    yield int(quota[1]) / int(quota[2])


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeError):
        return ""
