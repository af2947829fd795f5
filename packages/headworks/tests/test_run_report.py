"""What became of a session is told from nox's report and pytest's summary; anything unclear has failed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from headworks._run.outcome import STATUSES, Outcome, exit_code
from headworks._run.report import log_parts, nox_results, skipped_everything

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("result", ["success", "failed", "skipped", "aborted"])
def test_noxs_word_counts(result: str) -> None:
    """With its reason, if it gives one, under every name that the session has."""
    session = {"signatures": ["tests-3.13(a)", "tests-3.13"], "result": result, "reason": None, "duration": 2}
    other = {"signatures": ["lint"], "result": "failed", "reason": "because", "duration": 1.5}
    assert nox_results(json.dumps({"sessions": [session, other]}).encode()) == {
        "tests-3.13(a)": (result, "", 2.0),
        "tests-3.13": (result, "", 2.0),
        "lint": ("failed", "because", 1.5),
    }


@pytest.mark.parametrize(
    "report", [None, b"", b"{", b"[]", b"3", b'{"sessions": [{}]}', b'{"sessions": 3}', b"[" * 9999]
)
def test_a_report_that_cannot_be_read_says_nothing(report: bytes | None) -> None:
    """Nox writes it last, so that one that is missing or cut short is a sign of trouble."""
    assert nox_results(report) == {}


def test_a_log_is_taken_apart() -> None:
    """Each session has what was printed from its start to the next one's."""
    log = b"before\nnox > Running session a(x='y')\none\ntwo\nnox > Running session \xff\nthree"
    assert log_parts(log) == {
        "a(x='y')": b"nox > Running session a(x='y')\none\ntwo\n",
        "\ufffd": b"nox > Running session \xff\nthree",
    }
    assert log_parts(b"nothing of nox") == {}


TESTS = {
    "passed": "def test_a(): pass",
    "skipped": "import pytest\n@pytest.mark.skip\ndef test_b(): pass\n@pytest.mark.skip\ndef test_c(): pass",
    "module": "import pytest\npytest.skip('all of it', allow_module_level=True)",
    "xfailed": "import pytest\n@pytest.mark.xfail\ndef test_d(): assert False",
}


@pytest.mark.parametrize(
    ("kinds", "option", "is_all"),
    [
        (["passed"], "-v", False),
        (["skipped", "module"], "-v", True),
        (["module"], "-q", True),
        (["skipped"], "--color=yes", True),
        (["passed", "skipped"], "-q", False),
        (["xfailed", "skipped"], "--color=yes", False),
    ],
)
def test_a_pytest_that_skipped_everything_is_seen(
    tmp_path: Path, kinds: list[str], option: str, *, is_all: bool
) -> None:
    """Whatever it looks like, from the real one's output."""
    for kind in kinds:
        (tmp_path / f"test_{kind}.py").write_text(TESTS[kind])
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", option, str(tmp_path)]
    plain = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PATH": os.environ["PATH"]}
    done = subprocess.run(command, check=False, capture_output=True, cwd=tmp_path, env=plain)
    assert skipped_everything(b"before\n" + done.stdout + b"after\n") == is_all


def test_one_pytest_of_several_may_have_skipped_everything() -> None:
    """Then a part of what must run did not."""
    assert skipped_everything(b"=== 1 passed in 0.10s ===\n=== 2 skipped in 3.00s (0:00:03) ===\r\n")
    assert not skipped_everything(b"=== 1 passed in 0.10s ===\n=== 2 warnings in 0.10s ===\n")
    assert not skipped_everything(b"nothing of pytest\n")


@pytest.mark.parametrize(
    ("statuses", "code", "in_ci"),
    [
        ([], 0, 0),
        (["passed", "cached", "flaky", "skipped"], 0, 0),
        (["passed", "unproven"], 0, 3),
        (["blocked", "passed"], 3, 3),
        (["stopped"], 3, 3),
        (["failed", "blocked", "unproven"], 1, 1),
    ],
)
def test_the_worst_outcome_gives_the_exit_code(statuses: list[str], code: int, in_ci: int) -> None:
    """1 where something failed, 3 where something is left open, and in CI also where something is unproven."""
    outcomes = [Outcome(session=status, status=status) for status in statuses]
    assert (exit_code(outcomes, is_ci=False), exit_code(outcomes, is_ci=True)) == (code, in_ci)


def test_only_what_is_proven_is_built_upon() -> None:
    """By this run or by an earlier one."""
    assert {it for it in STATUSES if Outcome(session="", status=it).is_proven} == {"passed", "cached", "flaky"}
