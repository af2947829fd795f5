"""The nox that is installed: which it is, and which sessions it finds."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headworks._machine.programs import Programs, head, names_in
from headworks._quick.answers import doubt, note_file
from headworks._quick.process import Process, complaint
from headworks.errors import ConfigurationError, UsageError

_MAX_ANSWER = 64 * 2**20  # bytes


@dataclass(frozen=True, kw_only=True)
class ListedSession:
    """A session as nox lists it.

    Attributes:
        name: the name of the instance as nox shows it.
        function: the name of its function, which all instances share.
        python: the Python that it asks for; empty where it runs on nox's own.
        tags: its tags.
        parameters: the values of its parameters, as text.
        is_default: whether a bare `nox` runs it.
    """

    name: str
    function: str
    python: str = ""
    tags: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    is_default: bool = True


class Nox:
    """An installed nox.

    Attributes:
        path: the program.
        version: its version; empty where it cannot be told.
        python: implementation and version of the interpreter that runs it; empty where it cannot be told.
    """

    def __init__(self, programs: Programs) -> None:
        """Find nox: the one installed beside Headworks, else the first on PATH.

        Raises:
            UsageError: there is none.
        """
        beside = os.path.join(os.path.dirname(sys.executable), "nox.exe" if os.name == "nt" else "nox")
        note_file(beside)
        self.path = beside if os.path.isfile(beside) else programs.find("nox")
        if not self.path:
            message = (
                "There is no nox, neither beside Headworks nor on PATH. Install it, for example with `pip install nox`."
            )
            raise UsageError(message)
        interpreter = _interpreter(self.path, programs)
        self.version = _installed_version(interpreter)
        self.python = programs.version(interpreter) if interpreter else ""

    def list_sessions(self, root: str, environ: Mapping[str, str]) -> list[ListedSession]:
        """Return all sessions of a project, in the order in which nox lists them.

        Args:
            root: the project's folder.
            environ: the environment that the noxfile is loaded in.

        Raises:
            ConfigurationError: nox failed; the message is its own.
        """
        command = [self.path, "--noxfile", os.path.join(root, "noxfile.py"), "--list", "--json"]
        doubt()
        everything, default = Process([*command, "--keywords", "True"], environ), Process(command, environ)
        chosen = {fields["name"] for fields in _read(default, root)}
        return [ListedSession(**fields, is_default=fields["name"] in chosen) for fields in _read(everything, root)]


def _interpreter(path: str, programs: Programs) -> str:
    """Return the interpreter that runs a program; empty where that cannot be told."""
    lines = head(path).splitlines()
    if not lines or not lines[0].startswith(b"#!"):  # a program of Windows, which has its interpreter beside it
        folder = os.path.dirname(path)
        beside = (os.path.join(it, "python.exe") for it in (folder, os.path.dirname(folder)))
        return next(filter(os.path.isfile, beside), "")
    # Behind `env` stands a name; a path too long for the first line stands in the second, in quotes or not.
    words = b" ".join(lines[:2]).removeprefix(b"#!").replace(b'"', b" ").replace(b"'", b" ").split()
    found = os.fsdecode(next((it for it in words if b"python" in it or b"pypy" in it), b""))
    return found if not found or os.path.isabs(found) else programs.find(found)


def _installed_version(interpreter: str) -> str:
    """Return which nox is installed for an interpreter, from the folder with its metadata."""
    prefix = os.path.dirname(os.path.dirname(interpreter))
    places = [os.path.join(os.path.dirname(interpreter), "Lib", "site-packages")]
    places.append(os.path.join(prefix, "Lib", "site-packages"))
    library = os.path.join(prefix, "lib")
    places += [os.path.join(library, name, "site-packages") for name in names_in(library) if name.startswith("py")]
    found = [
        name for place in places for name in names_in(place) if name.startswith("nox-") and name.endswith(".dist-info")
    ]
    return ", ".join(name[len("nox-") : -len(".dist-info")] for name in found)


def _read(process: Process, root: str) -> list[dict[str, Any]]:
    """Return the fields of the sessions that nox lists, but for `is_default`."""
    code, output = process.output()
    if code:
        message = f"nox cannot list the sessions of {root}:\n{complaint(process)}"
        raise ConfigurationError(message)
    # A noxfile may print, so that the list is the last line.
    line = output.rstrip().rpartition(b"\n")[2]
    try:
        return [_session(it) for it in _parsed(line)]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        message = (
            f"nox answered for {root} with something else than its sessions: {error}. The answer begins: {line[:80]!r}"
        )
        raise ConfigurationError(message) from None


def _parsed(line: bytes) -> list[dict[str, Any]]:
    """Return the parsed list."""
    if len(line) > _MAX_ANSWER:
        message = f"it has {len(line):,} bytes"
        raise ValueError(message)
    import json  # which takes 2 ms, where the answer of nox is not known

    parsed = json.loads(line)
    if not isinstance(parsed, list) or not all(isinstance(it, dict) for it in parsed):
        message = "it is no list of sessions"
        raise TypeError(message)
    return parsed


def _session(listed: dict[str, Any]) -> dict[str, Any]:
    name, function, parameters = listed["session"], listed["name"], listed["call_spec"]
    if not (isinstance(name, str) and isinstance(function, str) and isinstance(parameters, dict)):
        message = f"a session is {listed!r}"
        raise TypeError(message)
    return {
        "name": name,
        "function": function,
        "python": str(listed["python"] or ""),
        "tags": tuple(map(str, listed["tags"])),
        "parameters": tuple((str(key), str(value)) for key, value in parameters.items()),
    }
