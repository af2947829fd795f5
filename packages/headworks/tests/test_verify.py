"""What a plan had to prove is counted against what was proven, and nothing that is left open passes."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks._cli import main
from headworks._plan.verify import prove
from headworks._run.outcome import STATUSES, Outcome, as_outcomes

if TYPE_CHECKING:
    from pathlib import Path


def plan(**states: str) -> dict[str, Any]:
    """Return a plan as JSON has it; words behind a state are tags, and with `+` name systems with a verdict."""
    sessions = []
    for name, text in states.items():
        state, *tags = text.split()
        verdict = {"seconds": 1} if state == "cached" else None
        its = {"tags": [tag.strip("+") for tag in tags], "covered_on": [tag[1:] for tag in tags if tag[0] == "+"]}
        sessions.append({"name": name, "tree": "7", "state": state, "verdict": verdict, **its})
    return {"format": 1, "commit": "c0ffee", "sessions": sessions}


def report(system: str = "linux", about: dict[str, Any] | None = None, /, **statuses: str) -> dict[str, Any]:
    """Return what a job wrote, with what is different about it."""
    said = {"commit": "c0ffee", "tree": "7", "extra_arguments": False} | (about or {})
    commit = said.pop("commit")
    its = [{"name": name, "status": it, "seconds": 2.0, "note": "", **said} for name, it in statuses.items()]
    return {"format": 2, "system": system, "commit": commit, "sessions": its}


class Place:
    """A folder with a plan and what jobs wrote."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Take an empty folder."""
        self.folder = folder
        self._capsys = capsys

    def write(self, planned: object, *reports: object) -> None:
        """Write both kinds of file."""
        (self.folder / "outcomes").mkdir(exist_ok=True)
        (self.folder / "plan.json").write_text(json.dumps(planned))
        for number, it in enumerate(reports):
            (self.folder / f"outcomes/{number}.json").write_text(json.dumps(it))

    def verify(self, *more: str) -> tuple[int, str]:
        """Return the exit code, and what is told."""
        code = main(["verify", str(self.folder), "--plan", str(self.folder / "plan.json"), *more])
        captured = self._capsys.readouterr()
        return code, captured.out + captured.err


@pytest.fixture
def place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    """Return an empty place."""
    return Place(tmp_path, capsys)


def test_what_ran_and_what_is_covered_makes_the_whole(place: Place) -> None:
    """Both are counted, on each system."""
    place.write(
        plan(a="run macos", b="waiting", c="cached"), report(a="passed", b="cached"), report("macos", a="flaky")
    )
    code, told = place.verify("--results", "success skipped")
    assert code == 0
    assert told == (
        "linux: 3 sessions planned, 1 ran in 2.0 s, 2 covered by verdicts, 0 not proven\n"
        "macos: 1 session planned, 1 ran in 2.0 s, 0 covered by verdicts, 0 not proven\n"
        "  ran: a, a on macos\n"
    )


def test_what_no_job_speaks_of_is_not_proven(place: Place) -> None:
    """Its job was cancelled, skipped or never started, on any system; that is no failure, and never a pass."""
    place.write(plan(a="run", b="cached windows"), report(b="cached"))
    code, told = place.verify()
    assert code == 3
    assert "a on linux: neither ran nor is covered by a verdict" in told
    assert "b on windows: neither ran nor is covered by a verdict" in told
    assert "1 covered by verdicts, 1 not proven" in told


def test_what_is_not_proven_is_annotated_on_github(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for failures, which the job that ran them has annotated."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    place.write(plan(a="run", b="run"), report(b="failed"))
    _, told = place.verify()
    assert [line for line in told.splitlines() if line.startswith("::")] == [
        "::error::a on linux: neither ran nor is covered by a verdict"
    ]


def test_what_a_verdict_covers_on_another_system_needs_no_job_there(place: Place) -> None:
    """The plan says so."""
    place.write(plan(a="cached +macos windows"), report("windows", a="passed"))
    code, told = place.verify()
    assert code == 0
    assert "macos: 1 session planned, 0 ran in 0.0 s, 1 covered by verdicts, 0 not proven" in told


def test_a_failure_anywhere_counts(place: Place) -> None:
    """Whatever another job says of the session, in either order, and even of one that is not planned."""
    for first, second in (("failed", "passed"), ("passed", "failed")):
        place.write(plan(a="run", b="cached"), report(a=first), report(a=second, other="failed", more="passed"))
        code, told = place.verify()
        assert code == 1
        assert "a on linux: failed" in told
        assert "other on linux: failed" in told
        assert "more" not in told


REFUSED = {
    "of another commit": ({"commit": "decade"}, "is about commit decade, the plan about c0ffee"),
    "of no commit": ({"commit": ""}, "is about commit none, the plan about c0ffee"),
    "of other files": ({"tree": "8"}, "is about other files than the plan (8, not 7)"),
    "with arguments": ({"extra_arguments": True}, "is of a run with arguments after `--`, which proves nothing"),
}


@pytest.mark.parametrize(("about", "why"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("status", ["passed", "failed"])
def test_what_is_about_something_else_counts_for_nothing(
    place: Place, about: dict[str, Any], why: str, status: str
) -> None:
    """A folder that lives on has outcomes of the state before: neither a pass nor a failure of what was planned."""
    place.write(plan(a="run"), report("linux", about, a=status, more="passed"))
    code, told = place.verify()
    assert code == 3
    assert "0 ran" in told
    assert "more" not in told
    assert f"  a on linux: neither ran nor is covered by a verdict\n  left out for a on linux: {place.folder}" in told
    assert f"/outcomes/0.json {why}\n  Run what is left out again" in told
    place.write(plan(a="run"), report("linux", about, a=status), report(a="passed"))
    code, told = place.verify()
    assert code == 0
    assert told.endswith(f"/outcomes/0.json {why}\n")


def test_a_session_that_is_not_planned_has_no_tree_to_compare(place: Place) -> None:
    """Its failure counts on the same commit alone, as that of a session which something planned needs."""
    place.write(plan(a="cached"), report("linux", {"tree": "8"}, other="failed"))
    assert place.verify()[0] == 1
    place.write(plan(a="cached"), report("linux", {"commit": "decade"}, other="failed"))
    assert place.verify()[0] == 0


def test_a_job_that_ended_badly_counts(place: Place) -> None:
    """It may have died before it could write."""
    place.write(plan(a="run"), report(a="passed"))
    assert place.verify("--results", "success cancelled skipped")[0] == 1
    assert "a job before ended with cancelled" in place.verify("--results", "cancelled")[1]


def test_a_file_of_outcomes_can_be_named(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """As well as the folder that it lies in."""
    place.write(plan(a="run"), report(a="passed"))
    assert main(["verify", str(place.folder / "outcomes/0.json"), "--plan", str(place.folder / "plan.json")]) == 0
    assert "1 ran" in capsys.readouterr().out


def test_a_plan_of_nothing_is_no_pass(place: Place) -> None:
    """As where no session runs by default: a merge would wait for a check that checks nothing."""
    place.write(plan())
    assert place.verify() == (3, "The plan has no session, so that nothing was checked: see `nox --list`.\n")


def test_the_summary_is_added_to(place: Place) -> None:
    """As GitHub wants it of the file that it names; nothing in it ends its block."""
    place.write(plan(**{"a```": "run"}), report(a="passed"))
    summary = place.folder / "summary"
    summary.write_text("before\n")
    told = place.verify("--summary", str(summary))[1]
    assert summary.read_text() == f"before\n```text\n{told.replace('```', '')}```\n"


def test_many_open_sessions_are_counted(place: Place) -> None:
    """The first hundred are named."""
    place.write(plan(**{f"s{number}": "run" for number in range(120)}))
    assert place.verify()[1].endswith("s99 on linux: neither ran nor is covered by a verdict\n  and 20 more\n")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (None, "could not be read"),
        ("{", "JSONDecodeError"),
        ("[" * 100_000, "RecursionError"),
        ("[]", "its format is none, and this version of Headworks reads 1"),
        ('{"format": 2, "sessions": []}', "its format is 2, and this version of Headworks reads 1"),
        ('{"format": 1}', "KeyError"),
        ('{"format": 1, "sessions": [1]}', "TypeError"),
        ('{"format": 1, "sessions": 1}', "TypeError"),
    ],
)
def test_a_plan_that_is_none_is_never_a_pass(place: Place, content: str | None, part: str) -> None:
    """It is told what is wrong with it."""
    place.write(plan(a="cached"))
    file = place.folder / "plan.json"
    file.unlink()
    if content is not None:
        file.write_text(content)
    code, told = place.verify()
    assert code == 2
    assert part in told
    assert "plan.json" in told


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("{", "JSONDecodeError"),
        ('{"format": 1, "sessions": []}', "its format is 1, and this version of Headworks reads 2"),
        ('{"format": 3}', "its format is 3, and this version of Headworks reads 2"),
        (json.dumps(report(a="passed") | {"commit": None}), "TypeError"),
        (json.dumps(report(a="passed")).replace("2.0", "NaN"), "a ran for nan s"),
        (json.dumps({it: value for it, value in report().items() if it != "sessions"}), "KeyError: 'sessions'"),
    ],
)
def test_an_outcome_that_is_none_is_named(place: Place, content: str, part: str) -> None:
    """It may be a failure of what was planned, so that nothing passes beside it."""
    place.write(plan(a="cached"), report(a="passed"))
    (place.folder / "outcomes" / "bad.json").write_text(content)
    os.mkfifo(place.folder / "outcomes" / "pipe.json")  # which nobody writes to
    code, told = place.verify()
    assert code == 2
    assert f"{place.folder}/outcomes/bad.json is not what Headworks writes: " in told
    assert part in told
    assert "Remove it, and run again what wrote it." in told


def test_an_outcome_that_is_absurdly_large_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes from a job, which may be anyone's."""
    monkeypatch.setattr("headworks._commands.verify._LIMIT", 100)
    place.write(plan(a="cached"), report(a="passed"))
    code, told = place.verify()
    assert code == 2
    assert "has more than 100 bytes" in told


def test_a_plan_has_to_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing can be counted without it."""
    assert main(["verify"]) == 2
    assert "Name the plan with --plan" in capsys.readouterr().err


@pytest.mark.parametrize(("platform", "system"), [("linux", "linux"), ("darwin", "macos"), ("win32", "windows")])
def test_outcomes_say_where_they_come_from(platform: str, system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words that tags have."""
    monkeypatch.setattr(sys, "platform", platform)
    outcome = Outcome(session="a", status="passed", seconds=1.23456, note="good", log="/a.log")
    assert json.loads(as_outcomes([outcome], "c0ffee", {"a": "7"}, extra=["a"], is_forced=True)) == {
        "format": 2,
        "system": system,
        "commit": "c0ffee",
        "forced": True,
        "sessions": [
            {
                "name": "a",
                "tree": "7",
                "extra_arguments": True,
                "status": "passed",
                "seconds": 1.235,
                "note": "good",
                "log": "/a.log",
            }
        ],
    }


NAMES = st.sampled_from("abc")


@given(
    states=st.dictionaries(NAMES, st.sampled_from(["run", "waiting", "cached"])),
    reports=st.lists(st.dictionaries(NAMES, st.sampled_from(sorted(STATUSES)))),
)
def test_nothing_is_proven_that_no_verdict_covers_and_no_job_passed(
    states: dict[str, str], reports: list[dict[str, str]]
) -> None:
    """Whatever the jobs say, and in whatever order: proven means a pass or a verdict, and no failure."""
    good = {"passed", "flaky", "cached"}
    for it in prove(plan(**states), [("file", report("linux", {}, **found)) for found in reports]):
        said = {found[it.session] for found in reports if it.session in found}
        covered = states.get(it.session) == "cached"
        assert bool(it.how) == ("failed" not in said and (covered or bool(said & good)))
        assert bool(it.problem) != bool(it.how)
        assert it.has_failed == ("failed" in said)
