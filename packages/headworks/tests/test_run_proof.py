"""A required session is proven by signs in its log that its tests ran, in whatever form pytest and unittest give."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from headworks._run.proof import unproven

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

    Fork = Callable[..., ForkServerProcess]

TESTS = {
    "passed": "def test_a(): pass",
    "skipped": "import pytest\n@pytest.mark.skip\ndef test_b(): pass\n@pytest.mark.skip\ndef test_c(): pass",
    "module": "import pytest\npytest.skip('all of it', allow_module_level=True)",
    "xfailed": "import pytest\n@pytest.mark.xfail\ndef test_d(): assert False",
    "unittest": "import unittest\nclass TestE(unittest.TestCase):\n  @unittest.skip('no')\n  def test_e(self): pass",
    "subtests": "def test_f(subtests):\n    with subtests.test(): pass",
    "none": "",
}
SKIPPED = "pytest skipped all its tests"
NONE = "pytest ran no test"


def said(fork: Fork, folder: Path, module: str, *options: str) -> bytes:
    """Return what a module prints."""
    log = folder / "said"
    log.touch()
    plain = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PATH": os.environ["PATH"]}
    fork(module, [module, *options], str(folder), plain, str(log)).join()
    return log.read_bytes()


def judged(folder: Path, *printed: bytes | str) -> str:
    """Return what is made of some log."""
    log = folder / "log"
    log.write_bytes(b"".join(it.encode() if isinstance(it, str) else it for it in printed))
    return unproven(log)


@pytest.mark.parametrize(
    ("kinds", "options", "why"),
    [
        ("passed", "-v", ""),
        ("passed skipped", "-q", ""),
        ("passed skipped", "-qq", ""),
        ("passed", "-q -q -q", ""),
        ("xfailed skipped", "--color=yes", ""),
        ("xfailed", "-qq", ""),
        ("subtests", "", ""),
        ("skipped module", "-v", SKIPPED),
        ("module", "-q", SKIPPED),
        ("skipped", "--color=yes", SKIPPED),
        ("skipped", "-qq", "no test was seen to run in `pytest -qq`"),
        ("skipped", "-qq --color=yes", "no test was seen to run in `pytest -qq --color=yes`"),
        ("passed", "-qq -p no:terminal", "no test was seen to run in `pytest -qq -p no:terminal`"),
        ("none", "", NONE),
        ("passed", "-k nothing", NONE),
        ("passed", "-q -k nothing", NONE),
        ("passed skipped", "-k test_b", SKIPPED),
        ("passed", "--collect-only", ""),
        ("passed", "--version", ""),
    ],
)
def test_a_pytest_that_ran_nothing_is_seen(fork: Fork, tmp_path: Path, kinds: str, options: str, why: str) -> None:
    """From the real one's output, behind nox's line with the command."""
    for kind in kinds.split():
        (tmp_path / f"test_{kind}.py").write_text(TESTS[kind])
    printed = said(fork, tmp_path, "pytest", "-p", "no:cacheprovider", *options.split())
    after = "nox > Session tests was successful.\n"
    assert judged(tmp_path, "nox > Running session tests\n", f"nox > pytest {options}\n", printed, after) == why
    if why in {"", SKIPPED, NONE}:  # even where nox was told not to print the command
        assert judged(tmp_path, printed) == why


# There, one skipped test and one that passed are "Ran 1 test" with "skipped=1", as one skipped test is elsewhere.
COUNTED = pytest.mark.skipif(
    sys.version_info[:3] == (3, 12, 1), reason="Python 3.12.1 alone counts no skipped test as run"
)


@pytest.mark.parametrize(
    ("kinds", "why"),
    [
        ("unittest", "unittest skipped all its tests"),
        pytest.param("unittest passing", "", marks=COUNTED),
        ("none", "unittest ran no test"),
    ],
)
def test_a_unittest_that_ran_nothing_is_seen(fork: Fork, tmp_path: Path, kinds: str, why: str) -> None:
    """As with pytest."""
    tests = TESTS | {"passing": TESTS["unittest"].replace("@unittest.skip('no')", "")}
    for kind in kinds.split():
        (tmp_path / f"test_{kind}.py").write_text(tests[kind])
    printed = said(fork, tmp_path, "unittest")
    assert judged(tmp_path, "nox > python -m unittest\n", printed, "nox > python -c 1\nOK\n") == why


@pytest.mark.parametrize(
    ("log", "why"),
    [
        ("=== 1 passed in 0.10s ===\n=== 2 skipped in 3.00s (0:00:03) ===\r\n", SKIPPED),
        ("nox > pytest a\n1 passed in 0.10s\nnox > pytest -qq b\nss   [100%]\nnox > pytest c\n1 passed in 0.1s", "b"),
        ("nox > pytest -qq a\n.s   [100%]\nnox > pytest -qq b\n.\nnox > Session was successful.\n", ""),
        ("printed without an end=== 2 skipped in 3.00s ===\n", SKIPPED),
        ("=== 2 warnings in 0.10s ===\n", NONE),
        ("=== 1 passed, 2 warnings, 1 rerun in 0.10s ===\n", ""),
        ("3 files in 0.10s\nnothing of pytest\nOK\n", ""),
        ("Ran 3 tests in 0.1s\n\nFAILED (failures=1, skipped=2)\nNO TESTS RAN\n", ""),
        ("Ran 3 tests in 0.1s\n\nOK (skipped=3)\n", "unittest skipped all its tests"),
        ("nox > uv pip install pytest\nnox > uv run pip install pytest\nnox > uv run --with x pytest --version\n", ""),
        ("nox > uv run --with x pytest tests\n", "pytest tests"),
        ("nox > C:\\py\\pytest.exe tests\n", "pytest.exe tests"),
        ("nox > coverage run -m pytest tests\n", "-m pytest tests"),
        ("", ""),
    ],
)
def test_every_command_has_to_run_a_test(tmp_path: Path, log: str, why: str) -> None:
    """One that ran nothing is not made good by another one; what is no test need not run any."""
    found = judged(tmp_path, log)
    assert (found == "") == (why == "")
    assert why in found


@pytest.mark.parametrize("filler", ["a line of some length\n", "no end of it"])
def test_a_log_of_any_length_is_read(tmp_path: Path, filler: str) -> None:
    """In pieces, of which none is longer than a line, or than what is kept of one."""
    filling = filler * (3_000_000 // len(filler))
    assert judged(tmp_path, filling, "=== 2 skipped in 0.10s ===\n", filling, "\n=== 2 passed in 0.10s ===") == SKIPPED
    assert judged(tmp_path, "nox > pytest -qq ", filling, "\nss  [100%]\n", filling).startswith("no test was seen")
    assert judged(tmp_path, "nox > pytest -qq\n", filling, "\n..  [100%]\n", filling) == ""
