"""Interpreters are found as nox finds them, and asked only when they may have changed."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from headworks._machine.machine import Machine, platform_name
from headworks._machine.nox import Nox
from headworks._machine.programs import Programs, head
from headworks._quick.memory import Memory

if TYPE_CHECKING:
    from pathlib import Path


def script(path: Path, content: str) -> Path:
    """Write a script that can be started."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(0o755)
    return path


def programs(tmp_path: Path, **environ: str) -> Programs:
    """Return what can be found on the PATH of a test."""
    path = os.pathsep.join([str(tmp_path / "bin"), str(tmp_path / "pyenv/shims"), "/usr/bin", "/bin"])
    return Programs(str(tmp_path / "project"), {"PATH": path, **environ}, Memory(str(tmp_path / "memory")))


def count(tmp_path: Path) -> int:
    """Return how often the scripts of a test were started."""
    path = tmp_path / "started"
    return len(path.read_text().splitlines()) if path.exists() else 0


def answering(tmp_path: Path, answer: str) -> str:
    """Return a script that writes a line and keeps count."""
    return f"#!/bin/sh\necho started >> {tmp_path}/started\necho {answer}\n"


def test_an_interpreter_says_its_version(tmp_path: Path) -> None:
    """Implementation and version, down to the patch release; one that does not answer has none."""
    found = programs(tmp_path).version(sys.executable)
    assert found == f"{sys.implementation.name} {sys.version.split()[0]}{sys.abiflags}"
    assert programs(tmp_path).version("/nowhere") == ""
    assert programs(tmp_path).version(str(script(tmp_path / "bin/broken", "#!/bin/sh\nexit 1\n"))) == ""


def test_a_version_is_remembered_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as the file is the same, nothing is started."""
    expected = programs(tmp_path).version(sys.executable)
    monkeypatch.setattr("headworks._machine.programs.Process", None)
    assert programs(tmp_path).version(sys.executable) == expected


def test_a_script_in_its_place_is_asked_each_time(tmp_path: Path) -> None:
    """The file does not show which programs it starts."""
    path = str(script(tmp_path / "bin/python9", answering(tmp_path, "cpython 9.1")))
    assert [programs(tmp_path).version(path) for _ in range(2)] == ["cpython 9.1", "cpython 9.1"]
    assert count(tmp_path) == 2
    both = programs(tmp_path)
    assert both.version(path) == both.version(path)
    assert count(tmp_path) == 3


def test_programs_are_found_on_path(tmp_path: Path) -> None:
    """The first that can be started."""
    script(tmp_path / "bin/tool", "").chmod(0o644)
    expected = script(tmp_path / "pyenv/shims/tool", "#!/bin/sh\n")
    assert programs(tmp_path).find("tool") == str(expected)
    assert programs(tmp_path).find("none") == ""
    assert head(str(tmp_path / "none")) == b""


def test_behind_a_stand_in_of_pyenv_is_what_it_would_start(tmp_path: Path) -> None:
    """Which is asked again when the settings of pyenv change."""
    script(tmp_path / "pyenv/shims/python9", "#!/bin/sh\nexec pyenv exec\n")
    script(tmp_path / "bin/pyenv", answering(tmp_path, "/versions/$PYENV_VERSION/$2 $PYENV_DIR"))
    expected = f"/versions/9.1/python9 {tmp_path}/project"
    assert [programs(tmp_path, PYENV_VERSION="9.1").find("python9") for _ in range(3)] == [expected] * 3
    assert count(tmp_path) == 1
    assert programs(tmp_path, PYENV_VERSION="9.2").find("python9").startswith("/versions/9.2")
    script(tmp_path / "project/.python-version", "9.3")
    programs(tmp_path, PYENV_VERSION="9.1").find("python9")
    (tmp_path / "pyenv/version").write_text("9.4")
    programs(tmp_path, PYENV_VERSION="9.1").find("python9")
    assert count(tmp_path) == 4
    (tmp_path / "bin/pyenv").unlink()
    assert programs(tmp_path, PYENV_VERSION="9.5").find("python9") == ""


def test_a_session_gets_the_python_that_it_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By version, by name, by path, or that of nox; where there is none, uv's may be taken."""
    path = str(script(tmp_path / "bin/python9.9", answering(tmp_path, "cpython 9.9.1")))
    script(tmp_path / "bin/pypy9", answering(tmp_path, "pypy 9"))
    uv = tmp_path / "uv"
    (uv / "cpython-9.8.1-linux").mkdir(parents=True)
    environ = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "UV_PYTHON_INSTALL_DIR": str(uv), "HOME": str(tmp_path)}
    machine = Machine(str(tmp_path), environ, Memory(str(tmp_path / "memory")))
    assert [machine.python(it) for it in ("9.9", "pypy9", path, "9.9")] == [
        "cpython 9.9.1",
        "pypy 9",
        "cpython 9.9.1",
        "cpython 9.9.1",
    ]
    assert machine.python("9.8") == "managed by uv: cpython-9.8.1-linux"
    assert machine.python("") == machine.nox.python == programs(tmp_path).version(sys.executable)
    del environ["UV_PYTHON_INSTALL_DIR"]
    assert Machine(str(tmp_path), environ, Memory(str(tmp_path))).python("9.8") == "managed by uv:"
    assert platform_name().startswith(sys.platform)
    monkeypatch.delattr(os, "confstr_names")
    assert "libc" not in platform_name()
    monkeypatch.delattr(os, "uname")
    monkeypatch.setenv("PROCESSOR_ARCHITECTURE", "AMD64")
    assert platform_name() == f"{sys.platform} AMD64"


def installed(tmp_path: Path, first_lines: str) -> Nox:
    """Return a nox that is on PATH alone, with the script that pip would have written."""
    library = tmp_path / "env/lib/python9/site-packages"
    (library / "nox-2030.1.2.dist-info").mkdir(parents=True, exist_ok=True)
    (library / "other").mkdir(exist_ok=True)
    script(tmp_path / "env/bin/python9", answering(tmp_path, "cpython 9.0"))
    script(tmp_path / "bin/nox", first_lines.replace("PYTHON", str(tmp_path / "env/bin/python9")))
    return Nox(programs(tmp_path))


@pytest.mark.parametrize(
    "lines", ["#!PYTHON\nimport nox\n", "#!/bin/sh\n'''exec' \"PYTHON\" \"$0\"\n", "#!/usr/bin/env -S PYTHON -E\n"]
)
def test_which_nox_it_is_comes_from_its_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str) -> None:
    """Without starting it: the interpreter in its first lines, and what is installed for that."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "alone/python"))
    found = installed(tmp_path, lines)
    assert (found.version, found.python) == ("2030.1.2", "cpython 9.0")


def test_a_nox_of_which_nothing_can_be_told_is_taken_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script of another kind, or a program of Windows with its interpreter beside it or above."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "alone/python"))
    found = installed(tmp_path, "#!/bin/sh\nexec something\n")
    assert (found.version, found.python) == ("", "")
    found = installed(tmp_path, "#!/usr/bin/env python8\n")
    assert (found.version, found.python) == ("", "")
    script(tmp_path / "python.exe", answering(tmp_path, "cpython 9.0"))
    (tmp_path / "Lib/site-packages/nox-2031.dist-info").mkdir(parents=True)
    found = installed(tmp_path, "MZ")
    assert (found.version, found.python) == ("2031", "cpython 9.0")
