"""How long a server takes to answer: a bounded number of requests, one row each, one after the other."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

from headworks_serving.errors import CheckInputError

_FORMAT = 1
_PERCENTILES = (50, 95, 99)


def summarise(seconds: Sequence[float]) -> dict[str, float]:
    """Return what was measured, as it is written: `latency_p50_ms`, `latency_p95_ms`, `latency_p99_ms`.

    Args:
        seconds: The time of each request, at least one.

    Returns:
        The format, the number of requests, and the percentiles in milliseconds, each the smallest time that so many
        per cent of the requests did not exceed (nearest rank).
    """
    times = sorted(seconds)
    found: dict[str, float] = {"format": _FORMAT, "requests": len(times)}
    for percent in _PERCENTILES:
        rank = math.ceil(percent / 100 * len(times))
        found[f"latency_p{percent}_ms"] = round(times[rank - 1] * 1000, 3)
    return found


def forget_latency(path: Path) -> None:
    """Remove what an earlier check measured, which says nothing about this one.

    Raises:
        CheckInputError: It cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _refused(path, error) from error


def write_latency(path: Path, measured: dict[str, float]) -> None:
    """Write what was measured as JSON, whole or not at all.

    Raises:
        CheckInputError: The file cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(measured, indent=2) + "\n", "utf-8")
        part.replace(path)
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: OSError) -> CheckInputError:
    return CheckInputError(f"the latencies cannot be written to {path}: {error.strerror}; name another file")
