"""A call to something elsewhere ends in time, and what comes well may take its time."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from headworks._store import patience
from headworks._store.patience import Patience


@pytest.fixture
def ends() -> threading.Event:
    """Return what a call waits for that gets no answer."""
    return threading.Event()


def test_an_answer_is_passed_on(ends: threading.Event) -> None:
    """And so is an error, of any kind."""
    assert Patience().call(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        Patience().call(lambda: 1 // 0)
    with pytest.raises(SystemExit):
        Patience().call(lambda: sys.exit(3))
    assert not patience.has_abandoned()
    assert not ends.is_set()


def test_a_call_without_an_answer_is_left(ends: threading.Event) -> None:
    """And after it every other that has none, at once."""
    little = Patience(0.1)
    for _ in range(3):
        with pytest.raises(TimeoutError, match=r"it kept this run waiting for 0\.1 s"):
            little.call(lambda: ends.wait(60))
    assert patience.has_abandoned()
    ends.set()


def test_slow_answers_use_up_one_patience(ends: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit for each call would be paid as often as there are calls."""
    monkeypatch.setattr(patience, "_LATENCY", 0.0)
    little = Patience(0.2)
    answers: list[bool] = []

    def ask_often() -> None:
        answers.extend(little.call(lambda: ends.wait(0.05)) for _ in range(100))

    with pytest.raises(TimeoutError):
        ask_often()
    assert len(answers) < 4


def test_usual_answers_cost_nothing(ends: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are."""
    monkeypatch.setattr(patience, "_LATENCY", 30.0)
    little = Patience(0.01)
    for _ in range(5):
        assert not little.call(lambda: ends.wait(0.01))
    assert little._left == 0.01


def test_what_comes_well_may_take_long(ends: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is slower than its data may be uses up the patience."""
    monkeypatch.setattr(patience, "_LATENCY", 0.0)
    monkeypatch.setattr(patience, "_LOOK", 0.01)
    begin = time.monotonic()

    def size() -> int:
        return int((time.monotonic() - begin + 5) * patience._RATE)

    assert not Patience(0.01).call(lambda: ends.wait(0.3), size)
    with pytest.raises(TimeoutError):
        Patience(0.01).call(lambda: ends.wait(60), lambda: 1_000)
    ends.set()


LEAVE = """
import concurrent.futures, sys, time
from headworks import _cli
from headworks._store.patience import Patience

def ask():
    # As the loop of a client does that looks a name up: the interpreter waits for such threads.
    return concurrent.futures.ThreadPoolExecutor().submit(time.sleep, 300).result()

try:
    Patience(0.1).call(ask)
except TimeoutError:
    sys.argv = ["headworks", "--version"]
    sys.exit(_cli.program())
"""


def test_what_was_left_does_not_keep_the_process() -> None:
    """It ends with its exit code and all that it printed."""
    command = [sys.executable, "-c", LEAVE]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("headworks ")
