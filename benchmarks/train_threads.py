#!/usr/bin/env python
"""Times the committed training on one and on several threads."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
import time
from pathlib import Path

import headworks_data
import headworks_model

PACKAGES = Path(__file__).parents[1] / "packages"


def main() -> None:
    """Print the seconds per epoch for each number of threads, the best of several runs in turn."""
    parser = argparse.ArgumentParser(description="Time the committed training on one and on several threads.")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="numbers of threads to compare")
    parser.add_argument("--epochs", type=int, default=5, help="epochs per run")
    parser.add_argument("--runs", type=int, default=3, help="runs for each number of threads")
    arguments = parser.parse_args()
    settings = headworks_data.read_settings(PACKAGES / "data" / "dataset.toml", headworks_data.BuildSettings)
    dataset = headworks_data.split_rows(headworks_data.read_source(settings.source), settings)
    config = headworks_model.load_config(PACKAGES / "model" / "train.toml")
    seconds: dict[int, list[float]] = {threads: [] for threads in arguments.threads}
    with tempfile.TemporaryDirectory() as folder:  # the first steps of a process are slow with any number of threads
        headworks_model.train(dataset, folder, config=dataclasses.replace(config, epochs=1))
    for _ in range(arguments.runs):
        for threads, times in seconds.items():
            chosen = dataclasses.replace(config, threads=threads, epochs=arguments.epochs)
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                headworks_model.train(dataset, folder, config=chosen)
                times.append((time.perf_counter() - start) / arguments.epochs)
    sys.stdout.write(f"{len(dataset.splits['train'].labels)} rows, {os.cpu_count()} processors\n")
    for threads, times in seconds.items():
        spread = ", ".join(f"{it:.3f}" for it in sorted(times))
        sys.stdout.write(f"{threads} thread(s): {min(times):.3f} s per epoch at best ({spread})\n")


if __name__ == "__main__":
    main()
