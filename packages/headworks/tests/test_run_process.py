"""A session's process and all it starts end when they should, and never later than the run."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from headworks._observe.places import Places
from headworks._observe.watch import StraceWatch
from headworks._run.file_lock import INSIDE, FileLock, hold, is_inside, share
from headworks._run.process import _GATE, _STEPS, SessionProcess, Watchdog, end_all
from headworks._run.watchdog import remaining, watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from headworks._observe.reads import Reads

    Start = Callable[..., SessionProcess]


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    """Return a real watchdog."""
    it = Watchdog(None)
    yield it
    it.close()


@pytest.fixture
def start(tmp_path: Path, watchdog: Watchdog) -> Start:
    """Return what starts a shell script as a session; its output goes to `log`."""

    def it(script: str, **environ: str) -> SessionProcess:
        given = {"PATH": os.environ["PATH"]} | environ
        command = ["sh", "-c", script]
        return SessionProcess(command, folder=str(tmp_path), environ=given, log=tmp_path / "log", watchdog=watchdog)

    return it


def waited(process: SessionProcess) -> int:
    """Wait for a process and return its exit code."""
    until(lambda: process.poll() is not None)
    code = process.poll()
    assert code is not None
    return code


def until(is_so: Callable[[], object]) -> None:
    """Wait until something is so, and fail if it does not come about."""
    limit = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < limit
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether a process runs, and is not just waiting to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def patiently() -> bool:
    """Tell that there is no haste."""
    return False


def pid_in(path: Path) -> int:
    """Return the process id that a session wrote into a file."""
    until(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


def test_a_session_runs_in_its_folder_and_environment(start: Start, tmp_path: Path) -> None:
    """It has nothing to read, what it prints on either stream goes to the log, and its exit code is told."""
    process = start('pwd; echo "$SAID" >&2; env | grep -c ^HOME=; cat; exit 3', SAID="something")
    assert waited(process) == 3
    assert (tmp_path / "log").read_text() == f"{tmp_path}\nsomething\n0\n"
    assert 0 < process.seconds < 10


def test_what_a_session_leaves_behind_is_ended(start: Start, tmp_path: Path) -> None:
    """It must not write while others work."""
    process = start("sleep 100 & echo $! > pid")
    assert waited(process) == 0
    pid = pid_in(tmp_path / "pid")
    until(lambda: not is_alive(pid))


@pytest.mark.parametrize(
    ("script", "least"),
    [
        ("sleep 100 & echo $! > pid; wait", 0),
        ("trap '' INT; sleep 100 & echo $! > pid; wait", 0.2),
        ("trap '' INT TERM; sleep 100 & echo $! > pid; wait", 0.4),
    ],
    ids=["plain", "deaf to Ctrl-C", "deaf to all"],
)
def test_sessions_end_however_deaf_they_are(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, least: float
) -> None:
    """And all that they started with them, within five seconds, of which this test makes half a second."""
    assert sum(patience for _, patience in _STEPS) < 4
    monkeypatch.setattr("headworks._run.process._STEPS", [(number, 0.2) for number, _ in _STEPS])
    process = start(script)
    pid = pid_in(tmp_path / "pid")
    begin = time.monotonic()
    end_all([process], patiently)
    assert least <= time.monotonic() - begin < 5
    assert process.poll() is not None
    until(lambda: not is_alive(pid))


def test_in_haste_a_deaf_session_ends_at_once(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever says twice that it shall end does not wait for the patience of the first time."""
    monkeypatch.setattr("headworks._run.process._STEPS", [(number, 60.0) for number, _ in _STEPS])
    process = start("trap '' INT TERM; sleep 100 & echo $! > pid; wait")
    pid = pid_in(tmp_path / "pid")
    begin = time.monotonic()
    hasty = iter([False, False, True])
    end_all([process], lambda: next(hasty, True))
    assert time.monotonic() - begin < 30
    assert process.poll() is not None
    until(lambda: not is_alive(pid))


def test_a_session_hears_what_ctrl_c_would_tell_it(start: Start, tmp_path: Path) -> None:
    """So that it can clean up."""
    process = start("trap 'echo mended; exit 0' INT; touch ready; while :; do sleep 0.01; done")
    until((tmp_path / "ready").exists)
    end_all([process], patiently)
    assert (tmp_path / "log").read_text() == "mended\n"


# It leaves the process group, and lives until somebody kills it.
DAEMON = "setsid sh -c 'echo $$ > pid; exec sleep 100' & while ! test -s pid; do sleep 0.01; done"


@pytest.fixture
def start_watched(tmp_path: Path, watchdog: Watchdog, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Return what starts a shell script that strace watches."""
    monkeypatch.setattr("headworks._run.process._PATIENCE", (1.0, 0.0))

    def it(script: str) -> SessionProcess:
        command = StraceWatch(tmp_path / "notes").wrap(["sh", "-c", script])
        log, folder = tmp_path / "log", str(tmp_path)
        return SessionProcess(command, folder=folder, environ=os.environ, log=log, watchdog=watchdog, is_traced=True)

    return it


def reads_of(folder: Path) -> Reads:
    """Return what the script read."""
    watch = StraceWatch(folder / "notes")
    return watch.reads(Places(str(folder), (str(folder / ".git"),), {}, lambda _path: False), str(folder))


def test_a_daemon_that_a_watched_session_starts_ends_with_it(start_watched: Start, tmp_path: Path) -> None:
    """Strace would watch it for ever; what it did until then was seen, and that it went on is known."""
    process = start_watched(f"{DAEMON}; exit 3")
    assert waited(process) == 3
    assert not is_alive(pid_in(tmp_path / "pid"))
    assert remaining(process._process.pid) == {}
    assert 0 < process.seconds < time.monotonic() - process.started - 1
    assert reads_of(tmp_path).unseen == "a process that it started still ran when nox had ended, and was killed"


def test_processes_that_soon_end_are_waited_for(start_watched: Start, tmp_path: Path) -> None:
    """Then nothing is amiss, and what they read counts."""
    (tmp_path / "late").touch()
    assert waited(start_watched("(sleep 0.2; cat late) & exit 0")) == 0
    reads = reads_of(tmp_path)
    assert str(tmp_path / "late") in reads.opened
    assert reads.unseen == ""


def test_ctrl_c_ends_a_watched_session_with_its_daemon(
    start_watched: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And strace, which goes on while the session cleans up."""
    monkeypatch.setattr("headworks._run.process._STEPS", [(number, 0.2) for number, _ in _STEPS])
    process = start_watched(f"trap 'cat cleaned; trap \"\" INT' INT; {DAEMON}; while :; do sleep 0.01; done")
    pid = pid_in(tmp_path / "pid")
    end_all([process], patiently)
    until(lambda: not is_alive(pid) and not remaining(process._process.pid))
    assert b'"cleaned", O_RDONLY' in (tmp_path / "notes/strace").read_bytes()


def test_a_session_that_cannot_be_ended_is_not_waited_for(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system holds on to some processes; the run ends all the same."""
    process = start("sleep 100")
    monkeypatch.setattr(process, "signal", lambda _number: None)
    monkeypatch.setattr("headworks._run.process._STEPS", ())
    end_all([process], patiently)
    assert process.poll() is None
    monkeypatch.undo()
    end_all([process], patiently)


def test_a_session_whose_gate_closed_never_starts(
    tmp_path: Path, watchdog: Watchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is killed between starting a process and telling the watchdog leaves nothing running."""
    real = watchdog.tell

    def die(sign: str, group: int) -> None:
        """Have the shell end before it hears anything."""
        real(sign, group)
        os.kill(group, signal.SIGKILL)
        until(lambda: not is_alive(group))

    monkeypatch.setattr(watchdog, "tell", die)
    command = ["touch", str(tmp_path / "started")]
    process = SessionProcess(command, folder=str(tmp_path), environ=os.environ, log=tmp_path / "log", watchdog=watchdog)
    monkeypatch.undo()
    assert process.poll() == -signal.SIGKILL
    assert subprocess.run(["sh", "-c", _GATE, "sh", *command], check=False, input=b"").returncode == 1
    assert not (tmp_path / "started").exists()


def test_the_watchdog_ends_what_is_left() -> None:
    """Groups that were said to have ended are not touched, nor those that are gone."""
    kept, left, gone = (subprocess.Popen(["sleep", "100"], start_new_session=True) for _ in range(3))
    gone.kill()
    gone.wait()
    read, write = os.pipe()
    os.write(write, b"+%d\n+%d\n+%d\n-%d\n" % (kept.pid, left.pid, gone.pid, kept.pid))
    os.close(write)
    watch(read)
    assert left.wait() == -signal.SIGKILL
    assert kept.poll() is None
    kept.kill()
    kept.wait()


RUN = """
import os, sys
from pathlib import Path
from headworks._observe.watch import StraceWatch
from headworks._run.file_lock import hold
from headworks._run.process import SessionProcess

with hold(sys.argv[1], {}, print) as watchdog:
    command = ["sh", "-c", "trap '' INT TERM; " + sys.argv[2] + "; sleep 100"]
    is_traced = len(sys.argv) > 3
    command = StraceWatch(Path(sys.argv[1], "notes")).wrap(command) if is_traced else command
    SessionProcess(command, folder=sys.argv[1], environ=os.environ, log=Path(sys.argv[1], "log"), watchdog=watchdog,
        is_traced=is_traced)
    print("started", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("arguments", [["sleep 100 & echo $! > pid; wait"], [DAEMON, "watched"]])
def test_sessions_of_a_killed_run_are_ended(tmp_path: Path, arguments: list[str]) -> None:
    """Even by `kill -9`, and their daemons where they are watched; only then is the work tree free for the next run."""
    (tmp_path / ".git").mkdir()
    command = [sys.executable, "-c", RUN, str(tmp_path), *arguments]
    run = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    assert run.stdout.readline() == "started\n"
    pid = pid_in(tmp_path / "pid")
    assert is_alive(pid)
    run.kill()
    with hold(str(tmp_path), {}, lambda _text: None):
        assert not is_alive(pid)
    run.communicate()


def test_a_second_run_waits_for_the_first(tmp_path: Path) -> None:
    """And says once for whom."""
    (tmp_path / ".git").mkdir()
    said: list[str] = []
    order: list[str] = []

    def second() -> None:
        with hold(str(tmp_path), {}, said.append):
            order.append("second")

    with hold(str(tmp_path), {}, said.append):
        thread = threading.Thread(target=second)
        thread.start()
        until(lambda: said)
        time.sleep(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert said == [f"Another run (process {os.getpid()}) works in this work tree; waiting for it to end."]


def test_a_run_inside_a_session_does_not_wait_for_its_own(tmp_path: Path) -> None:
    """A session may call `headworks run` itself."""
    (tmp_path / ".git").mkdir()
    with hold(str(tmp_path), {}, print), share(str(tmp_path), {}) as claims:
        inside = claims.environ(["tests"])
        with hold(str(tmp_path), inside, print), share(str(tmp_path), inside) as inner:
            assert inner.callers == ("tests",)
            assert (tmp_path / ".git/headworks/run.lock").read_text() == str(os.getpid())
    assert (tmp_path / ".git/headworks/run.lock").read_text() == ""
    assert not is_inside(f"{tmp_path}/other", inside)


@pytest.mark.parametrize("text", ["", "\n", "\n5", "\n[]", "\nnonsense"])
def test_a_run_that_is_told_nothing_of_its_callers_has_none(tmp_path: Path, text: str) -> None:
    """It is within a run all the same."""
    environ = {INSIDE: os.path.realpath(tmp_path) + text}
    assert is_inside(str(tmp_path), environ)
    with share(str(tmp_path), environ) as claims:
        assert claims.callers == ()
        assert claims.take("tests")


def test_a_session_is_claimed_once(tmp_path: Path) -> None:
    """By as many runs as there are; where nothing can be locked any more, nobody waits for that."""
    with share(str(tmp_path), {}) as outer, share(str(tmp_path), outer.environ(["tests"])) as inner:
        assert outer.take("data")
        assert outer.take("data")
        assert not inner.take("data")
        outer.give("data")
        assert inner.take("data")
        inner.give("data")
    assert outer.take("data")
    outer.give("data")


@pytest.mark.parametrize("is_there", [True, False])
def test_another_users_lock_is_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_there: bool) -> None:
    """One that cannot be written to, as after a run as root, is locked as it is; where there is none, its folder is."""
    really = os.open

    def as_another_user(path: str, flags: int, *rest: int) -> int:
        """Open a file as somebody who may write nothing."""
        if flags & os.O_RDWR:
            raise PermissionError(path)
        return really(path, flags, *rest)

    path = tmp_path / "run.lock"
    if is_there:
        path.touch()
    monkeypatch.setattr("headworks._run.file_lock.os.open", as_another_user)
    first, second = FileLock(path, tmp_path / "none", tmp_path), FileLock(path, tmp_path)
    assert first.take()
    assert not second.take()
    assert second.holder() == ""
    second.close()
    first.close()
    with FileLock(path, tmp_path) as third:
        assert third.take()
    assert path.exists() == is_there


def test_a_lock_of_windows_makes_others_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its locks say that a file is taken in another way, and keep what is locked from being read."""
    locked: dict[int, int] = {}

    def locking(file: int, how: int, count: int) -> None:
        """Lock a byte as Windows does."""
        place = os.lseek(file, 0, os.SEEK_CUR)
        assert (how, count) == (7, 1)
        assert place > 1000  # nobody needs to read there
        if locked.setdefault(place, file) != file:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=7))
    with FileLock(tmp_path / "lock") as first, FileLock(tmp_path / "lock") as second:
        monkeypatch.setattr(sys, "platform", "win32")
        assert first.take()
        assert not second.take()
        assert second.holder() == str(os.getpid())
        monkeypatch.undo()


def test_a_work_tree_that_cannot_be_locked_is_used_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside git without a word; elsewhere, as on a file system without locks, it is said."""
    said: list[str] = []
    with hold(str(tmp_path), {}, said.append):
        assert not (tmp_path / ".git").exists()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/headworks").write_text("in the way")
    with hold(str(tmp_path), {}, said.append):
        assert (tmp_path / ".git/headworks").is_file()
    assert said == []

    def refuse(_file: object, _how: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with hold(str(tmp_path), {}, said.append):
        (message,) = said
    assert message.startswith("This work tree cannot be locked ([Errno 95] Operation not supported): see that no other")


def test_a_watchdog_that_was_killed_is_not_missed(start: Start, watchdog: Watchdog) -> None:
    """The run goes on; it only is no longer watched."""
    assert watchdog._process is not None
    watchdog._process.kill()
    watchdog._process.wait()
    assert waited(start("exit 4")) == 4
