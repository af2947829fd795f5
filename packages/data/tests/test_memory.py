"""What a dataset takes in memory, beside itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from headworks_data import BuildSettings, Rows, split_rows, write

ROWS, SIDE = 96, 256
MEBIBYTES = ROWS * SIDE * SIDE * 3 / 2**20  # 18 of pixels
# The highest use of memory is that of this process alone: what `getrusage` gives is handed down from its parent. A
# dataset of a few rows comes first, which takes what does not grow with the rows, such as what is imported meanwhile.
CODE = """
import re, sys
from pathlib import Path
import headworks_data as data
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
contract = data.Contract(classes=("a", "b"), image_shape=(SIDE, SIDE, 3))
commands = {
    "load": data.load,
    "check": lambda folder: data.check(folder, contract),
    "diff": lambda folder: data.diff(folder, folder),
}
command, few, many = sys.argv[1:]
commands[command](few)
before = peak()
commands[command](many)
print(peak() - before)
""".replace("SIDE", str(SIDE))
# Arrow's own allocator, and one of the C library with an arena for each thread, keep freed memory as threads happen to
# meet: the same diff took 62 to 85 MB. With one arena that gives large blocks back at once, it takes 56 to 57.
EXACT = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "65536"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the folders of two datasets of noise, which no compression makes small: of a few rows, and of all."""
    images = np.random.default_rng(0).integers(0, 256, (ROWS, SIDE, SIDE, 3), np.uint8)
    folders = []
    for number in (20, ROWS):
        labels = np.arange(number) % 2
        rows = Rows(images=images[:number], labels=labels, classes=("a", "b"), slices={}, source="noise")
        folders.append(tmp_path_factory.mktemp("photos") / "dataset")
        write(folders[-1], split_rows(rows, BuildSettings()))
    return folders


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the memory of one process")
@pytest.mark.parametrize(("command", "most"), [("load", 1.5), ("check", 2.5), ("diff", 4)])
def test_a_command_takes_few_times_the_pixels(photos: list[Path], command: str, most: float) -> None:
    """Parquet has no byte: were a split unpacked at once, that alone would take ten times its pixels."""
    arguments = [sys.executable, "-c", CODE, command, *map(str, photos)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, env=os.environ | EXACT)
    assert float(done.stdout) < most * MEBIBYTES
