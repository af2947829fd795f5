#!/usr/bin/env python
"""Measures how long the gate takes, and how much memory, for many rows, slices and classes."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import parquet

if TYPE_CHECKING:
    from numpy.typing import NDArray

KIBIBYTES = 1024  # of a mebibyte
MEBIBYTES = 1_000  # that the gate may take
WRONG = 0.02  # the share of rows that the base has wrong
DIFFERENT = 0.002  # the share of rows that only one has wrong


class Case(NamedTuple):
    """Files of predictions, and what is asked of them.

    Attributes:
        rows: The number of rows.
        classes: The number of classes.
        slices: The number of values of the slice column.
        seconds: The processor time that the gate may take.
        conditions: The conditions.
    """

    rows: int
    classes: int
    slices: int
    seconds: int
    conditions: tuple[str, ...]


PART = 'slice["part"].accuracy >= base.accuracy - {}'.format
CASES = (
    Case(1_000_000, 10, 10, 10, ("accuracy >= base.accuracy - 0.01", PART(0.01), 'recall["7"] >= 0.9')),
    Case(50_000, 10, 10_000, 30, (PART(0.5),)),
    Case(5_000, 1_000, 10, 5, ("macro_f1 >= base.macro_f1 - 0.05",)),
)


def write(path: Path, case: Case, wrong: NDArray[np.bool_]) -> None:
    """Write the predictions of a model that has some rows wrong, (rows,)."""
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.arange(case.rows) % case.classes)
    columns = {
        "id": pa.array([f"row-{it:07}" for it in range(case.rows)]),
        "label": labels,
        "prediction": (labels + wrong) % case.classes,
        "part": pa.array([f"part-{it % case.slices:05}" for it in range(case.rows)]),
    }
    parquet.write_table(pa.table(columns), path)


def measure(folder: Path, case: Case) -> tuple[float, float, float]:
    """Return the seconds, the processor seconds and the mebibytes at most that the gate takes."""
    generator = np.random.default_rng(1)
    base = generator.random(case.rows) < WRONG
    candidate = base ^ (generator.random(case.rows) < DIFFERENT)
    files = folder / "candidate.parquet", folder / "base.parquet"
    for file, wrong in zip(files, (candidate, base), strict=True):
        write(file, case, wrong)
    config = folder / "gate.toml"
    config.write_text(f"classes = {list(map(str, range(case.classes)))}\n")
    command = [sys.executable, "-m", "headworks", "gate", "--candidate", files[0], "--baseline", files[1]]
    command += ["--config", config]
    for condition in case.conditions:
        command += ["--condition", condition]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603  # our own command
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in {0, 1, 3}:
        sys.exit(process.returncode)
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / KIBIBYTES


def main() -> int:
    """Print the time and memory of each case.

    Returns:
        1 where one takes more than it may, else 0.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    sys.stdout.write(
        "| rows | slices | classes | conditions | seconds | processor seconds | MiB |\n|---|---|---|---|---|---|---|\n"
    )
    is_over = False
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            seconds, processor, memory = measure(Path(folder), case)
        counts = " | ".join(f"{it:,}" for it in (case.rows, case.slices, case.classes, len(case.conditions)))
        sys.stdout.write(f"| {counts} | {seconds:.1f} | {processor:.1f} | {memory:,.0f} |\n")
        sys.stdout.flush()
        is_over |= processor > case.seconds or memory > MEBIBYTES
    return int(is_over)


if __name__ == "__main__":
    sys.exit(main())
