"""Programs on PATH and the versions of interpreters, found without asking an interpreter twice.

An interpreter's version is remembered under the identity of its file. A stand-in of pyenv says nothing by its file:
which interpreter it starts depends on pyenv's settings, so those are part of what the answer is remembered under. Any
other script in an interpreter's place is asked each time.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from headworks._quick.answers import doubt, note_file
from headworks._quick.process import Process

if TYPE_CHECKING:
    from headworks._quick.memory import Memory

_VERSION = "import sys; print(sys.implementation.name, sys.version.split()[0] + getattr(sys, 'abiflags', ''))"
_HEAD = 2_048  # bytes of a script that tell what it is
_PYENV = ".python-version"


class Programs:
    """Programs that can be started from a folder, in an environment."""

    def __init__(self, folder: str, environ: Mapping[str, str], memory: Memory) -> None:
        """Look from a folder, on the PATH of an environment."""
        self._folder = folder
        self._environ = environ
        self._memory = memory
        self._versions: dict[str, str] = {}

    def find(self, name: str) -> str:
        """Return the file that a name starts, behind any stand-in of pyenv; empty where there is none."""
        path = self._first(name)
        return self._behind(path) if path and b"pyenv" in head(path) else path

    def _first(self, name: str) -> str:
        """Return the first file of a name on PATH that can be started; empty where there is none."""
        for folder in self._environ.get("PATH", os.defpath).split(os.pathsep):
            for ending in ("", ".exe"):
                path = os.path.join(folder, name + ending)
                note_file(path)
                if os.path.isfile(path) and os.access(path, os.X_OK):
                    return path
        return ""

    def version(self, path: str) -> str:
        """Return implementation and version of an interpreter; empty where it does not answer."""
        if path not in self._versions:
            note_file(path)
            real = os.path.realpath(path)
            is_itself = "py" in os.path.basename(real) and not head(real).startswith(b"#!")
            command = [path, "-I", "-c", _VERSION]
            self._versions[path] = self._ask("interpreter", _stamp(real) if is_itself else "", command)
        return self._versions[path]

    def _behind(self, path: str) -> str:
        """Return the program that a stand-in of pyenv starts; empty where pyenv would start none."""
        settings = [self._environ.get("PYENV_VERSION", ""), *map(_stamp, self._pyenv_files(path))]
        pyenv = self._first("pyenv") or os.path.join(os.path.dirname(os.path.dirname(path)), "bin", "pyenv")
        return self._ask("pyenv", "\n".join(settings), [pyenv, "which", os.path.basename(path)])

    def _pyenv_files(self, path: str) -> list[str]:
        """Return the files and folders that decide which version pyenv starts."""
        root = os.path.dirname(os.path.dirname(path))
        files = [path, os.path.join(root, "version"), os.path.join(root, "versions")]
        folder = self._folder
        while True:
            files.append(os.path.join(folder, _PYENV))
            parent = os.path.dirname(folder)
            if parent == folder:
                return files
            folder = parent

    def _ask(self, kind: str, key: str, command: list[str]) -> str:
        """Return the line that a command writes, remembered where there is a key; empty where it fails."""
        answer: str | None = self._memory.get(kind, key) if key else None
        if answer is not None:
            return answer
        environ = {**self._environ, "PYENV_DIR": self._folder}
        doubt()
        try:
            code, output = Process(command, environ).output()
        except OSError:
            return ""
        answer = "" if code else os.fsdecode(output).partition("\n")[0].strip()
        if key and answer:
            self._memory.put(kind, key, answer)
        return answer


def head(path: str) -> bytes:
    """Return how a file begins."""
    note_file(path)
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(_HEAD)
    except OSError:
        return b""


def names_in(folder: str) -> list[str]:
    """Return the names in a folder, none where there is no such folder."""
    note_file(folder)
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _stamp(path: str) -> str:
    """Return a stamp that changes whenever a file or folder is replaced or written to."""
    note_file(path)
    try:
        found = os.stat(path)
    except OSError:
        return f"{path} is missing"
    return f"{path} {found.st_ino} {found.st_size} {found.st_mtime_ns}"
