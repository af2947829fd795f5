"""What a dataset takes in memory, beside itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from headworks_data import BuildSettings, Rows, split_rows, write

ROWS, SIDE = 320, 256
MEBIBYTES = ROWS * SIDE * SIDE * 3 / 2**20  # 60 of pixels
# The highest use of memory is that of this process alone: what `getrusage` gives is handed down from its parent.
CODE = """
import re, sys
from pathlib import Path
import PIL.Image, scipy.fft, scipy.stats, headworks_data as data
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
before = peak()
folder = sys.argv[2]
contract = data.Contract(classes=("a", "b"), image_shape=(SIDE, SIDE, 3))
if sys.argv[1] == "load":
    data.load(folder)
elif sys.argv[1] == "check":
    data.check(folder, contract)
else:
    data.diff(folder, folder)
print(peak() - before)
""".replace("SIDE", str(SIDE))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a dataset of noise, which no compression makes small."""
    images = np.random.default_rng(0).integers(0, 256, (ROWS, SIDE, SIDE, 3), np.uint8)
    rows = Rows(images=images, labels=np.arange(ROWS) % 2, classes=("a", "b"), slices={}, source="noise")
    folder = tmp_path_factory.mktemp("photos") / "dataset"
    write(folder, split_rows(rows, BuildSettings()))
    return folder


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the memory of one process")
@pytest.mark.parametrize(("command", "most"), [("load", 4), ("check", 5), ("diff", 6)])
def test_a_command_takes_few_times_the_pixels(photos: Path, command: str, most: float) -> None:
    """Parquet has no byte: were a split unpacked at once, that alone would take ten times its pixels."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, command, str(photos)], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < most * MEBIBYTES
