"""The files and commands that the report's facts come from, of the work tree and of its base."""

from __future__ import annotations

import glob
import json
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from headworks._project.needs import in_order
from headworks._report.page import Section, Text
from headworks.errors import HeadworksError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from headworks._digest.digest import Digester
    from headworks._project.session import Session
    from headworks._report.page import Outcome
    from headworks._store.store import Store
    from headworks._store.verdict import Verdict

__all__ = ["ODD", "BaseOutputs", "NotThereError", "Sources", "guarded"]

_SECONDS = 600.0  # that a declared command may take
# What reading and showing a file raises that is not what it should be: a folder, broken Parquet, numbers beyond any.
ODD = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError, pa.ArrowException)


class NotThereError(HeadworksError):
    """A fact of the report is not there, which the report says and is not stopped by.

    Attributes:
        outcome: what that means for the verdict; None for nothing.
    """

    def __init__(self, message: str, outcome: Outcome | None = None) -> None:
        """Take what to say."""
        super().__init__(message)
        self.outcome = outcome


def guarded(title: str, make: Callable[[], Section]) -> Section:
    """Return a section, or one that says why its facts are not there; what cannot be read never passes."""
    try:
        return make()
    except NotThereError as error:
        reasons = (str(error),) if error.outcome else ()
        return Section(title=title, blocks=(Text(text=str(error)),), outcome=error.outcome, reasons=reasons)
    except HeadworksError as error:
        reason = str(error)
    except ODD as error:
        reason = f"The facts are not in the form that is expected here ({type(error).__name__}: {error})."
    told = (f"{title.lower()} cannot be read",)
    return Section(title=title, blocks=(Text(text=reason),), outcome="cannot tell", reasons=told)


class BaseOutputs:
    """What the stages of the base left behind, where the store has it; nothing is run for it."""

    def __init__(self, digester: Digester | None, store: Store | None, commit: str, folder: str) -> None:
        """Take what computes digests, where verdicts are, the base's commit, and an empty folder to restore into."""
        self._digester = digester
        self._store = store
        self._commit = commit
        self._folder = folder
        self._places: dict[str, str] = {}
        self._tree: Digester | None = None

    def find(self, path: str) -> str:
        """Return where a file or folder lies that the base wrote, by its path in the work tree; empty where nowhere."""
        if self._digester is None or self._store is None or not self._commit:
            return ""
        sessions = self._digester.sessions()
        session = next((it for it in sessions if any(_holds(output, path) for output in it.outputs)), None)
        if session is None:
            return ""
        if session.name not in self._places:
            try:
                self._places[session.name] = self._restored(session, self._digester, self._store)
            except HeadworksError:  # the base cannot be read, so that nothing can be said about it
                self._places[session.name] = ""
        place = os.path.join(self._places[session.name], path)
        return place if self._places[session.name] and os.path.exists(place) else ""

    def _restored(self, session: Session, digester: Digester, store: Store) -> str:
        """Return the folder that a session's outputs were restored into; empty where the store lacks them."""
        self._tree = self._tree or digester.for_commit(self._commit)
        verdict: Verdict | None = None
        outputs: dict[str, Mapping[str, str]] = {}
        names = [session.name]
        for name in names:  # grows while it is read
            names += digester.catalog[name].needs
        for name in in_order({name: digester.catalog[name].needs for name in names}):
            verdict = store.verdict(self._tree.digest(digester.catalog[name], outputs).value)
            if verdict is None:
                return ""
            outputs[name] = verdict.outputs
        place = os.path.join(self._folder, str(len(self._places)))
        os.mkdir(place)
        return "" if verdict is None or store.restore(verdict, place) is None else place


def _holds(output: str, path: str) -> bool:
    """Tell whether a path is an output, or lies in one."""
    return path == output or path.startswith(f"{output}/")


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where facts are read.

    Attributes:
        root: the project's folder.
        base: what the base left behind.
    """

    root: str
    base: BaseOutputs

    def path(self, name: str) -> str:
        """Return where a file of the work tree lies.

        Raises:
            NotThereError: there is none.
        """
        place = os.path.join(self.root, name)
        if not name or not os.path.exists(place):
            message = f"There is no {name}." if name else "Nothing is declared for this in [tool.headworks.report]."
            raise NotThereError(message)
        return place

    def names(self, pattern: str) -> list[str]:
        """Return the files of the work tree that a pattern names, relative to its folder, in order."""
        return sorted(glob.glob(pattern, root_dir=self.root, recursive=True))

    def text(self, name: str) -> str:
        """Return the text in a file of the work tree."""
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def json(self, source: str | tuple[str, ...], places: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401  # it may be anything
        """Return what is in a JSON file, or what a command writes.

        Args:
            source: the file, or the program and its arguments.
            places: what stands for the names in curly brackets among the arguments.

        Raises:
            NotThereError: there is no such file, or the command fails.
        """
        if isinstance(source, str):
            return json.loads(self.text(source))
        command = [_filled(it, places or {}) for it in source]
        try:
            done = subprocess.run(  # noqa: S603  # the project's own table names it
                command, cwd=self.root, check=False, capture_output=True, timeout=_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            message = f"{source[0]} cannot be run: {error}"
            raise NotThereError(message, "cannot tell") from None
        if done.returncode not in {0, 1}:  # 1 says that a limit is broken
            last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            message = f"{' '.join(source)} ended with exit code {done.returncode}: {last}"
            raise NotThereError(message, "cannot tell")
        return json.loads(done.stdout)


def _filled(argument: str, places: Mapping[str, str]) -> str:
    """Return an argument with folders in the places of their names."""
    for name, place in places.items():
        argument = argument.replace(f"{{{name}}}", place)
    return argument
