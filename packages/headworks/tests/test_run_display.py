"""What a person sees of a run: lines, or a table that changes; then what it rests on."""

from __future__ import annotations

import io
import os
import pty
import sys
import time
from typing import TYPE_CHECKING

import pytest

from headworks._run.display import Display, make_display, summary
from headworks._run.live_table import RichDisplay
from headworks._run.outcome import STATUSES, Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Stage


class Terminal:
    """A real terminal, and what appears on it."""

    def __init__(self) -> None:
        """Open it."""
        self._ours, theirs = pty.openpty()
        self.stream = os.fdopen(theirs, "w")

    def text(self) -> str:
        """Return what appeared, and close."""
        self.stream.close()
        shown = b""
        while True:
            try:
                shown += os.read(self._ours, 65_536)
            except OSError:  # It says so when the other end is closed.
                os.close(self._ours)
                return shown.decode()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Return a terminal."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    return Terminal()


def test_lines_tell_what_happens() -> None:
    """Each start and end is one, with how far the run is."""
    stream = io.StringIO()
    display = Display(stream)
    display.expect(2)
    display.started("lint", None)
    display.started("train", 75)
    display.tick([("lint", 0, None)], 1, 10)
    display.ended(Outcome(session="lint", status="passed", seconds=2))
    display.ended(Outcome(session="dataset", status="cached", note="restored out"))
    display.ended(Outcome(session="train", status="unproven", seconds=3, note="no interpreter"))
    display.close()
    assert stream.getvalue().splitlines() == [
        "lint: started",
        "train: started, 1 min 15 s expected",
        "lint: passed in 2.0 s (1 of 2)",
        "dataset: covered by an earlier verdict: restored out",
        "train: UNPROVEN in 3.0 s: no interpreter (2 of 2)",
    ]


def test_a_failure_shows_what_was_printed(tmp_path: Path) -> None:
    """To the last lines, whatever bytes they are; where there is no log, there is nothing to show."""
    stream = io.StringIO()
    (tmp_path / "log").write_bytes(b"line\n" * 300 + b"\xff the end\n")
    display = Display(stream)
    display.ended(Outcome(session="lint", status="failed", seconds=1, log=str(tmp_path / "log")))
    display.ended(Outcome(session="lint", status="failed", seconds=1, log=str(tmp_path / "none")))
    display.ended(Outcome(session="lint", status="failed", note="never started"))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "lint: FAILED in 1.0 s (1 of 1)"
    assert lines[1] == f"  | ... what came before is in {tmp_path / 'log'}"
    assert len(lines) == 204
    assert lines[-3:] == ["  | � the end", "lint: FAILED in 1.0 s (2 of 2)", "lint: FAILED: never started"]


@pytest.mark.parametrize(
    ("log", "place"),
    [
        ("tests/test_a.py:7: AssertionError\n", " file=tests/test_a.py,line=7"),
        ("/x/tests/test_a.py:7: in\n  tests/b,c.py:12: error: no\n", " file=tests/b%2Cc.py,line=12"),
        ('Traceback\n  File "ROOT/tests/test_a.py", line 3, in <module>\n', " file=tests/test_a.py,line=3"),
        ("F401 unused\n  --> tests/test_a.py:1:8\n", " file=tests/test_a.py,line=1"),
        (".nox/x.py:1: no\n../x.py:1: no\ntests/none.py:1: no\nat 12:30\n", ""),
        ("::error file=tests/test_a.py,line=1::mine\n", ""),
        (None, ""),
    ],
)
def test_a_failure_is_annotated_on_github(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: str | None, place: str
) -> None:
    """At the first file of the repository that its log names, and nothing in it can command the runner."""
    for name in ("tests/test_a.py", "tests/b,c.py", ".nox/x.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    if log is not None:
        (tmp_path / "log").write_text(log.replace("ROOT", str(tmp_path)))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    stream = io.StringIO()
    Display(stream).ended(
        Outcome(session="tests(a)", status="failed", note="50%\n::debug::x", log=str(tmp_path / "log"))
    )
    commands = [line for line in stream.getvalue().splitlines() if line.startswith("::")]
    assert commands == [f"::error{place}::tests(a): FAILED: 50%25\\n::debug::x"]


@pytest.mark.parametrize(
    ("log", "shown"),
    [
        ("x" * 5_000_000, ["... what came before is in LOG", "[...] " + "x" * 500]),
        ("x" * 5_000_000 + "\nbad\n", ["... what came before is in LOG", "[...] " + "x" * 500, "bad"]),
        ("x" * 30_000 + "\n", ["x" * 500 + " [and 29,500 more characters]"]),
        ("1 %\r50 %\rdone\r\n\x1b[31mred\x1b[0m\n", ["done", "red"]),
        ("\n" * 300, [""]),
    ],
    ids=["endless line", "line after one", "long line", "written over", "empty"],
)
def test_no_line_fills_the_screen(tmp_path: Path, log: str, shown: list[str]) -> None:
    """However long a line is, only a part of it is shown, and only the end of the log is read."""
    (tmp_path / "log").write_bytes(log.encode())
    stream = io.StringIO()
    Display(stream).ended(Outcome(session="s", status="failed", log=str(tmp_path / "log")))
    lines = stream.getvalue().replace(str(tmp_path / "log"), "LOG").splitlines()
    assert lines == ["s: FAILED", *(f"  | {it}" for it in shown)]


def test_every_status_has_words() -> None:
    """And they differ."""
    stream = io.StringIO()
    for status in STATUSES:
        Display(stream).ended(Outcome(session="s", status=status))
    assert len(set(stream.getvalue().splitlines())) == len(STATUSES)


def test_a_terminal_shows_what_runs(terminal: Terminal) -> None:
    """With the time it took and should take, and what is left; lines stay above it, and nothing is left of it."""
    display = RichDisplay(terminal.stream)
    now = time.monotonic()
    display.tick([("train", now - 20, 75.0), ("lint[x]", now - 3, None)], 2, 9)
    display.say("lint[x]: passed in 3.0 s")
    display.say("tests: FAILED in 3.0 s")
    display.say("tests: UNPROVEN")
    display.close()
    display.close()
    text = terminal.text()
    for part in ("about 9.0 s left", "train", "20 s", "of 1 min 15 s", "lint[x]", "3.0 s", "2 waiting"):
        assert part in text
    assert "lint[x]: passed in 3.0 s" in text
    assert "\x1b[2K" in text


def test_a_terminal_without_a_guess_shows_none(terminal: Terminal) -> None:
    """Nothing waits, and nobody knows how long it takes."""
    display = RichDisplay(terminal.stream)
    display.tick([("lint", time.monotonic(), None)], 0, None)
    display.tick([("lint", time.monotonic(), None)], 0, None)
    display.close()
    text = terminal.text()
    assert "lint" in text
    assert "left" not in text
    assert "waiting" not in text


def test_the_display_suits_the_stream(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table where rich is, lines on other terminals and where there is none."""
    assert isinstance(make_display(terminal.stream), RichDisplay)
    monkeypatch.delitem(sys.modules, "headworks._run.live_table")
    monkeypatch.setitem(sys.modules, "rich.live", None)
    assert type(make_display(terminal.stream)) is Display
    monkeypatch.setenv("TERM", "dumb")
    assert type(make_display(terminal.stream)) is Display
    assert type(make_display(io.StringIO())) is Display
    terminal.text()


def test_the_summary_says_on_what_each_outcome_rests(stage: Stage) -> None:
    """What ran, what was covered by which verdict, and the times."""
    verdict = stage.verdict("dataset", commit="c0ffee1234567", seconds=73.5)
    outcomes = [
        Outcome(session="dataset", status="cached", verdict=verdict, note="restored out"),
        Outcome(session="base", status="cached", verdict=stage.verdict("base", commit="")),
        Outcome(session="lint", status="passed", seconds=3),
        Outcome(session="tests-3.13(data)", status="failed", seconds=2, note="exit code 1"),
    ]
    dataset, base = verdict.digest[:12], stage.verdict("base").digest[:12]
    assert summary(outcomes, 6).splitlines() == [
        "lint              passed in 3.0 s",
        "tests-3.13(data)  FAILED in 2.0 s: exit code 1",
        f"dataset           covered by the verdict of 2026-01-31 12:00 at c0ffee1234, {dataset} (restored out)",
        f"base              covered by the verdict of 2026-01-31 12:00, {base}",
        "",
        "1 failed, 1 passed, 2 covered by earlier verdicts; took 6.0 s, saved about 1 min 15 s",
    ]


def test_the_summary_counts_what_would_be_too_long(stage: Stage) -> None:
    """Thousands of covered sessions are one line."""
    outcomes = [Outcome(session=f"s{number}", status="cached", verdict=stage.verdict("s")) for number in range(1000)]
    assert summary(outcomes, 0.25).splitlines() == [
        "1,000 more are covered by earlier verdicts; `headworks explain SESSION` shows one",
        "",
        "1,000 covered by earlier verdicts; took 0.2 s, saved about 25 min 00 s",
    ]
    assert summary([], 0) == "no session; took 0.0 s\n"
