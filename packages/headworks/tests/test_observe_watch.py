"""What a session reads is seen, whatever it is written in."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from headworks._observe.places import Places
from headworks._observe.watch import StraceWatch, can_see_all
from headworks._run.watchdog import kill_traced, remaining

READER = """
import os, subprocess, sys, threading
os.mkdir("sub")
os.chdir("sub")
open("../read").close()
open(b"../bytes").close()
os.close(os.open("../flags", os.O_RDONLY))
open("../updated", "r+").close()
open("../written", "w").close()
os.close(os.open("../created", os.O_WRONLY | os.O_CREAT))
try:
    open("../missing")
except FileNotFoundError:
    pass
with open(0, closefd=False):
    pass
subprocess.run([sys.executable, "-c", "open('../child')"], check=True)
thread = threading.Thread(target=lambda: open("../thread").close())
thread.start()
thread.join()
import module
"""
PYTHON_READS = {"read", "bytes", "flags", "updated", "child", "thread"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with files to read."""
    it = tmp_path / "work"
    it.mkdir()
    for name in [*PYTHON_READS, "program", "written", "untouched", "odd ä\n<>\"'\\ name"]:
        (it / name).write_text("")
    (it / "module.py").write_text("")
    (it / "run").write_text("#!/bin/sh\n")
    (it / "run").chmod(0o755)
    return it


def watched(watch: StraceWatch, folder: Path, command: list[str]) -> set[str]:
    """Run a command watched and return the names of the files in the folder that it opened to read."""
    environ = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        watch.wrap(command), start_new_session=True, cwd=folder, env=environ, stdin=subprocess.PIPE
    )
    try:
        process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        kill_traced(process.pid)
        raise
    assert process.returncode == 0
    while remaining(process.pid):  # strace, which ends last
        time.sleep(0.001)
    return opened(watch, folder)


def unseen(watch: StraceWatch, folder: Path) -> str:
    """Return why there may be more reads than were seen."""
    return watch.reads(
        Places(str(folder), (str(folder / ".git"),), os.environ, lambda _path: False), str(folder)
    ).unseen


def opened(watch: StraceWatch, folder: Path) -> set[str]:
    """Return the names of the files in the folder that were opened to read."""
    places = Places(str(folder), (str(folder / ".git"),), os.environ, lambda _path: False)
    reads = watch.reads(places, str(folder))
    return {os.path.relpath(it, folder) for it in reads.opened if Path(it).is_file()}


def test_strace_sees_what_any_program_reads(folder: Path, tmp_path: Path) -> None:
    """Opened or executed, by children too, whatever its name is; not what is only written."""
    (tmp_path / "script.py").write_text(READER)
    script = f"cat program >> other; cat odd*; {folder}/run; PYTHONPATH={folder} {sys.executable} {tmp_path}/script.py"
    read = watched(StraceWatch(tmp_path), folder, ["sh", "-c", script])
    assert read == PYTHON_READS | {"program", "odd ä\n<>\"'\\ name", "run", "module.py"}


@pytest.mark.usefixtures("measured")
def test_within_a_watched_session_nothing_is_watched_again(folder: Path, tmp_path: Path) -> None:
    """The command runs as it is, and the inner watch says that it saw nothing; the outer one sees all."""
    code = f"""
import subprocess
from pathlib import Path
from headworks._observe.watch import StraceWatch
watch = StraceWatch(Path({str(tmp_path / "inner")!r}))
subprocess.run(watch.wrap(["cat", "program"]), check=True)
Path("said").write_text(watch.reads(None, "").unseen)
"""
    assert "program" in watched(StraceWatch(tmp_path / "outer"), folder, [sys.executable, "-c", code])
    said = "it ran in a session that strace watched already, and strace cannot watch both"
    assert (folder / "said").read_text() == said


def test_a_command_that_traces_a_program_is_watched_no_more(folder: Path, tmp_path: Path) -> None:
    """Whether it did is asked once; where nothing was watched, there is nothing to give up."""
    watch = StraceWatch(tmp_path)
    assert not watch.gives_up()
    assert watched(watch, folder, ["cat", "program"]) == {"program"}
    assert not watch.gives_up()
    watched(watch, folder, ["sh", "-c", "strace -o /dev/null true || true"])
    assert watch.gives_up()
    assert not watch.gives_up()
    assert watch.wrap(["cat"]) == ["cat"]
    assert "it traces programs itself" in unseen(watch, folder)


def test_a_port_of_this_machine_is_told_apart_by_who_listens(folder: Path, tmp_path: Path) -> None:
    """A server of the session is watched, and where nobody listens nobody answers; any other may read for it."""
    watch = StraceWatch(tmp_path)
    code = """
import contextlib, socket, sys
with contextlib.suppress(OSError):
    socket.create_connection(("localhost", 1), timeout=5)
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(server.getsockname(), timeout=5).close()
for port in sys.argv[1:]:
    socket.create_connection(("localhost", port), timeout=5).close()
"""
    watched(watch, folder, [sys.executable, "-c", code])
    assert unseen(watch, folder) == ""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        watched(watch, folder, [sys.executable, "-c", code, str(port)])
    assert f"listens at port {port} of this machine, which was not watched" in unseen(watch, folder)


ASK = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"


def test_a_server_that_was_there_before_reads_unwatched(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the daemons of containers and of mypy do for whoever asks them; one of the session's own is watched."""
    watch, path = StraceWatch(tmp_path), "socket"
    # The path of a socket has a hundred letters at most, and a temporary folder may lie deep.
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        watched(watch, folder, [sys.executable, "-c", ASK, path])
    assert f"listens at {folder / path}, which was not watched (say in a row what that reads" in unseen(watch, folder)
    serve = "import socket; s = socket.socket(socket.AF_UNIX); s.bind('own'); s.listen(); s.accept()"
    ask = f'for it in $(seq 100); do {sys.executable} -c "{ASK}" own && exit; sleep 0.1; done'
    script = f'{sys.executable} -c "{serve}" & ({ask}; exit 1) && wait'
    watched(watch, folder, ["sh", "-c", script])
    assert unseen(watch, folder) == ""


@pytest.mark.parametrize(
    ("platform", "place", "expected"),
    [("linux", "/usr/bin/strace", True), ("linux", None, False), ("darwin", "/usr/bin/strace", False)],
)
def test_all_is_seen_through_strace_on_linux(
    monkeypatch: pytest.MonkeyPatch, platform: str, place: str | None, *, expected: bool
) -> None:
    """Elsewhere something else may have its name."""
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr("shutil.which", lambda _name: place)
    assert can_see_all() is expected
