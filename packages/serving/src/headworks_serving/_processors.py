"""The processors that this process is granted, which in a container are fewer than the machine has."""

import os
from collections.abc import Iterator
from pathlib import Path


def count_processors(root: Path = Path("/")) -> int:
    """Return how many processors may be used all the time: those of the affinity, or the quota of a cgroup if less.

    Args:
        root: The folder that `proc` and `sys` lie in.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min([allowed, *_quotas(root)])))


def _quotas(root: Path) -> Iterator[float]:
    """Yield the quota of each cgroup around this process, in processors.

    A line is `0::/GROUP` (version 2) or `4:cpu,cpuacct:/GROUP` (version 1). What a container sees mounted may begin at
    its own group, so that every folder up to the mount point is asked.
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
                quota, _, period = limits.partition(" ")
                if quota.strip().isdecimal():  # Without a quota it is "max", or -1.
                    yield int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeError):
        return ""
