"""The result of a session is read from nox's report; anything unclear has failed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from headworks._run.attempt import NoxResult, nox_results, split_log
from headworks._run.outcome import STATUSES, Outcome, exit_code

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("result", ["success", "failed", "skipped", "aborted"])
def test_noxs_word_counts(result: str) -> None:
    """With its reason, if it gives one, under every name that the session has."""
    session = {"signatures": ["tests-3.13(a)", "tests-3.13"], "result": result, "reason": None, "duration": 2}
    other = {"signatures": ["lint"], "result": "failed", "reason": "because", "duration": 1.5}
    tests = NoxResult(name="tests-3.13(a)", word=result, reason="", seconds=2.0)
    assert nox_results(json.dumps({"sessions": [session, other]}).encode()) == {
        "tests-3.13(a)": tests,
        "tests-3.13": tests,
        "lint": NoxResult(name="lint", word="failed", reason="because", seconds=1.5),
    }


@pytest.mark.parametrize(
    "report", [None, b"", b"{", b"[]", b"3", b'{"sessions": [{}]}', b'{"sessions": 3}', b"[" * 9999]
)
def test_a_report_that_cannot_be_read_says_nothing(report: bytes | None) -> None:
    """Nox writes it last, so that one that is missing or cut short is a sign of trouble."""
    assert nox_results(report) == {}


def test_a_log_is_taken_apart(tmp_path: Path) -> None:
    """Each session has what was printed from its start to the next one's, however long it is."""
    name = "a(x='y')"
    start = f"nox > Running session {name}\n"
    said = "one\n" + "x" * 200_000 + "nox > Running session b\n" + start
    (tmp_path / "a.log").write_bytes(
        f"before\n{start}{said}nox > Running session other\ntwo\n".encode()
        + b"nox > Running session \xff\r\nthree\nnox > Running session b\n"
    )
    logs = {it: tmp_path / f"{number}.log" for number, it in enumerate([name, "b", "\ufffd", "never"])}
    split_log(tmp_path / "a.log", logs)
    assert logs[name].read_text() == f"{start}{said}nox > Running session other\ntwo\n"
    assert logs["\ufffd"].read_bytes() == b"nox > Running session \xff\r\nthree\n"
    assert logs["b"].read_text() == "nox > Running session b\n"
    assert logs["never"].read_text() == ""
    assert sorted(it.name for it in tmp_path.glob("*.*")) == sorted(it.name for it in logs.values())


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


def test_only_what_is_proven_is_built_on() -> None:
    """By this run or by an earlier one."""
    assert {it for it in STATUSES if Outcome(session="", status=it).is_proven} == {"passed", "cached", "flaky"}
