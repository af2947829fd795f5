"""Read every file of Pillow's own tests as a picture: each is read or refused by a rule, and nothing else happens.

    python packages/data/tests/campaigns/pictures.py
    python packages/data/tests/campaigns/pictures.py FOLDER

The tests of Pillow are in its sdist, which pip fetches from the package index: some 1,300 files of every format, whole
and broken, among them those that once crashed a decoder. They are read under a limit of memory and of time for each.
"""

from __future__ import annotations

import argparse
import faulthandler
import resource
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import PIL
from headworks_data._picture import RULES, PictureError, read_picture

if TYPE_CHECKING:
    from collections.abc import Sequence

MEMORY = 4 * 2**30  # bytes of address space, for all libraries and the largest picture that may be read
SECONDS = 60  # for one file, on a busy machine
FEWEST = 1000  # files in Pillow's tests; fewer are not what this is about


class Late(BaseException):
    """A file takes too long; no `Exception`, which the reader would take for a broken file."""


def late(*_: object) -> NoReturn:
    """Answer the alarm."""
    raise Late


def fetch(folder: Path) -> Path:
    """Return the tests of the Pillow that is installed."""
    pip = ["uv", "tool", "run", f"--python={sys.executable}", "pip", "download", "--quiet", "--no-deps"]
    wanted = ["--no-binary=pillow", f"--dest={folder}", f"pillow=={PIL.__version__}"]
    subprocess.run([*pip, *wanted], check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    (tests,) = folder.glob("*/Tests")
    if len([path for path in tests.rglob("*") if path.is_file()]) < FEWEST:
        message = f"{archive.name} has fewer than {FEWEST} files in Tests"
        raise SystemExit(message)
    return tests


def outcome(path: Path) -> str:
    """Return the outcome for a file: `read` with its kind, or the rule that refuses it."""
    signal.alarm(SECONDS)
    try:
        picture = read_picture(path)
    except PictureError as error:
        return f"refused: {error.rule}"
    except Late:
        return f"UNBOUNDED: more than {SECONDS} s"
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        return f"ESCAPED: {error!r}"
    finally:
        signal.alarm(0)
    return f"read: {picture.mode}"


def main(argv: Sequence[str] | None = None) -> int:
    """Read all files and print how many came out how; return 1 if one came out as none may."""
    parser = argparse.ArgumentParser(description="Read every file of Pillow's own tests as a picture.")
    parser.add_argument("folder", nargs="?", type=Path, help="read the files of this folder instead")
    given = parser.parse_args(argv).folder
    with tempfile.TemporaryDirectory() as scratch:
        folder = given or fetch(Path(scratch))
        faulthandler.enable()
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        signal.signal(signal.SIGALRM, late)
        start = time.monotonic()
        found = {path: outcome(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    known = {"read: L", "read: RGB", *(f"refused: {rule}" for rule in RULES)}
    for name, count in sorted(Counter(found.values()).items()):
        sys.stdout.write(f"{count:6,} {name}\n")
    bad = [f"{path}: {came}\n" for path, came in found.items() if came not in known]
    sys.stdout.writelines(bad)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**10
    taken = f"in {time.monotonic() - start:.0f} s and at most {peak:,} MiB"
    sys.stdout.write(f"{len(found):,} files {taken}: {len(bad)} came out as none may\n")
    return int(bool(bad) or not any(came.startswith("read") for came in found.values()))


if __name__ == "__main__":
    sys.exit(main())
