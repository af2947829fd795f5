"""Measures the latency and throughput of a server, or of two models' servers that take turns."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import numpy as np
from headworks_serving.check._client import time_requests, wait_until_ready
from headworks_serving.check._process import started_server
from headworks_serving.errors import CheckInputError
from numpy.typing import NDArray

_FORMAT: Final = 2  # of the file of latencies


class Side(NamedTuple):
    """A model that is measured: as `candidate` or `base`, by its name and file; without a file at an address."""

    role: str
    name: str
    model: Path | None
    address: str = ""

    def server(self, seconds: float) -> AbstractContextManager[str]:
        """Return its server: a new one for each run, since processes differ by chance as requests do."""
        return started_server(self.model, seconds=seconds) if self.model else nullcontext(self.address)


def measure(
    sides: Sequence[Side], images: NDArray[np.uint8], *, runs: int, requests: int, seconds: float
) -> dict[str, Any]:
    """Measure models in turns, so that whatever else the machine does concerns both alike.

    Args:
        sides: One model, or two.
        images: Pixels, shape (N, H, W, C) with N of at least 1.
        runs: Number of runs of each.
        requests: Number of requests of a run, one after the other; as many again, several at a time, for throughput.
        seconds: Longest time until a server is ready.

    Returns:
        The file of latencies, with the SHA-256 of each model, and the runs in the order of time.

    Raises:
        ServerFaultError: A server does not start, or refuses a request.
    """
    measured = []
    for number in range(runs):
        for side in sides if number % 2 == 0 else sides[::-1]:
            with side.server(seconds) as address:
                wait_until_ready(address, side.name, seconds=seconds)
                times, rate = time_requests(address, side.name, images, number=requests)
            latencies = [round(it * 1000, 3) for it in times]
            measured.append({"model": side.role, "latencies_ms": latencies, "requests_per_second": round(rate, 3)})
    models = {it.role: hashlib.sha256(it.model.read_bytes()).hexdigest() for it in sides if it.model}
    return {"format": _FORMAT, "models": models, "runs": measured}


def describe(measured: dict[str, Any]) -> str:
    """Return a line for each model: the medians over its runs."""
    lines = []
    for role in dict.fromkeys(it["model"] for it in measured["runs"]):
        runs = [it for it in measured["runs"] if it["model"] == role]
        times = median(median(it["latencies_ms"]) for it in runs)
        rate = median(it["requests_per_second"] for it in runs)
        lines.append(
            f"serve-check: {role}: {len(runs)} runs of {len(runs[0]['latencies_ms'])} requests of one row took"
            f" {times:.3g} ms each, and {rate:.3g} were answered in a second (medians over the runs)\n"
        )
    return "".join(lines)


def forget_latency(path: Path) -> None:
    """Remove the file of an earlier check, which does not describe this one.

    Raises:
        CheckInputError: The file cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _refused(path, error) from error


def write_latency(path: Path, measured: dict[str, Any]) -> None:
    """Write the latencies as JSON, whole or not at all.

    Raises:
        CheckInputError: The file cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_text(json.dumps(measured) + "\n", "utf-8")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: OSError) -> CheckInputError:
    return CheckInputError(f"the latencies cannot be written to {path}: {error.strerror}; name another file")
