#!/usr/bin/env python
"""Times builds of the serving image after changes, and its start, and counts the bytes that they add.

Run it on a tree whose image was built with `nox -s build-images`, on an idle machine. It builds from a copy.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TARGET = "benchmark"


def main() -> None:
    """Print the seconds of each kind of build and of the start, and the bytes that each build adds."""
    parser = argparse.ArgumentParser(description="Time builds and starts of the serving image.")
    parser.add_argument("--runs", type=int, default=5, help="runs of each kind; the median is shown")
    runs = parser.parse_args().runs
    record = json.loads((ROOT / "artifacts/build-images/serving/image.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        copy_sources(copy)
        first, layers = build(copy, record["variables"])
        report("nothing changed", [build(copy, record["variables"])[0] for _ in range(runs)], 0)
        source, model = copy / "packages/serving/src/headworks_serving/_api.py", copy / "artifacts/export/model.onnx"
        for name, path in (("source changed", source), ("model changed", model)):
            seconds = []
            for number in range(runs):
                change(path, number)
                took, changed = build(copy, record["variables"])
                seconds.append(took)
            report(name, seconds, sum(size for digest, size in changed.items() if digest not in layers))
            layers = changed
    report("start until ready", [start(record["tags"][-1]) for _ in range(runs)], 0)
    sys.stdout.write(f"the first build of the copy took {first:.1f} s\n")


def copy_sources(copy: Path) -> None:
    """Copy the files that the builder reads."""
    for name in ("docker", "packages", "pyproject.toml", "uv.lock", "VERSION", "artifacts/export"):
        source, target = ROOT / name, copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "tests"))
        else:
            shutil.copy2(source, target)


def change(path: Path, number: int) -> None:
    """Change a file so that it still works: by a comment, or by a field that ONNX skips."""
    more = f"# {time.time_ns()} {number}\n".encode()
    if path.suffix == ".onnx":
        more = bytes([0xFA, 0x7F, len(more)]) + more  # field 2047, of the kind bytes
    path.write_bytes(path.read_bytes() + more)


def build(copy: Path, variables: dict[str, str]) -> tuple[float, dict[str, int]]:
    """Build from the copy; return the seconds that it took, and the bytes of each layer by its digest."""
    name = f"headworks-{TARGET}:{TARGET}"
    arguments = [f"--build-arg={key}={value}" for key, value in variables.items()]
    command = ["docker", "buildx", "build", "--load", "--quiet", "--file=docker/serving.Dockerfile", f"--tag={name}"]
    begin = time.perf_counter()
    subprocess.run([*command, *arguments, "."], cwd=copy, check=True, capture_output=True)
    seconds = time.perf_counter() - begin
    told: list[dict[str, Any]] = json.loads(ask("docker", "image", "inspect", name))
    rows = ask("docker", "history", "--human=false", "--format={{.Size}}", name).split()
    sizes = [int(it) for it in reversed(rows) if int(it)]
    return seconds, dict(zip(told[0]["RootFS"]["Layers"], sizes, strict=True))


def start(image: str) -> float:
    """Return the seconds from `docker run` until the server says that it is ready."""
    begin = time.perf_counter()
    container = ask("docker", "run", "--detach", "--read-only", "--network=none", image)
    try:
        while "event=ready" not in ask("docker", "logs", container):
            time.sleep(0.02)
        return time.perf_counter() - begin
    finally:
        ask("docker", "rm", "--force", container)


def ask(*command: str) -> str:
    """Run a command and return its output and errors."""
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout.strip()


def report(name: str, seconds: list[float], size: int) -> None:
    """Print one row: median, least and most seconds, and the bytes that were added."""
    spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
    sys.stdout.write(f"{name:<20} {statistics.median(seconds):>6.2f} s  ({spread})  {size:>9,} bytes added\n")


if __name__ == "__main__":
    main()
