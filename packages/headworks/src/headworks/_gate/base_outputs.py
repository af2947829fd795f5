"""Outputs of the base's sessions: restored from the store, or made in a work tree of the base."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from headworks._project.needs import in_order
from headworks._quantities import duration_text
from headworks._run.file_lock import INSIDE
from headworks._tree.patterns import is_at
from headworks.errors import CannotDecideError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from headworks._digest.digest import Digester
    from headworks._gate.base import GateBase
    from headworks._project.session import Session
    from headworks._store.store import Store
    from headworks._store.verdict import Verdict

__all__ = ["BaseOutputs", "NoBaseError", "StoredOutputs"]

_PATIENCE = 6.0  # seconds that a run gets to end its sessions, which it does within 5
_FIRST = "If there never was one, --bootstrap records what this work tree predicts as the first."


class NoBaseError(CannotDecideError):
    """There is nothing to compare with.

    Attributes:
        reason: why, without advice.
    """

    def __init__(self, reason: str) -> None:
        """Add to the reason the way to a first base."""
        super().__init__(f"{reason} {_FIRST}")
        self.reason = reason


class StoredOutputs:
    """Outputs of a commit's sessions, as far as the store has them.

    Attributes:
        now: the digester of the work tree.
    """

    def __init__(self, now: Digester, store: Store, commit: str, folder: str) -> None:
        """Take an empty folder, into which outputs are restored."""
        self.now = now
        self._store = store
        self._commit = commit
        self._folder = folder
        self._sessions = {session.name: session for session in now.sessions()}
        self._then: Digester | None = None
        self._places: dict[str, str] = {}

    def then(self) -> Digester:
        """Return the digester of the commit."""
        self._then = self._then or self.now.for_commit(self._commit)
        return self._then

    def writers(self, path: str) -> list[Session]:
        """Return the sessions whose outputs are a file or folder, or hold it."""
        return [
            session for session in self._sessions.values() if any(is_at(path, output) for output in session.outputs)
        ]

    def chain(self, session: Session) -> list[str]:
        """Return all that a session needs, in an order in which it can run, and the session itself."""
        names = [session.name]
        for name in names:  # grows while it is read
            names += [it for it in self._sessions[name].needs if it not in names]
        return in_order({name: self._sessions[name].needs for name in names})

    def verdict(self, session: Session, tree: Digester) -> Verdict | None:
        """Return the verdict that covers a session of a tree, after those of all that it needs."""
        verdict: Verdict | None = None
        outputs: dict[str, Mapping[str, str]] = {}
        for name in self.chain(session):
            verdict = self._store.verdict(tree.digest(self._sessions[name], outputs).value)
            if verdict is not None:
                outputs[name] = verdict.outputs
            elif self._sessions[name].uncached and tree is self.now:
                # It always runs, and so has no verdict: its outputs in the work tree stand for themselves.
                left = self._store.outputs(self.now.snapshot.repository.root)
                contents = {path: left.content(path) for path in self._sessions[name].outputs}
                outputs[name] = {path: content for path, content in contents.items() if content is not None}
            else:
                return None
        return verdict

    def restored(self, session: Session) -> str:
        """Return the folder that a session's outputs were restored into; empty where the store lacks them."""
        if session.name not in self._places:
            self._places[session.name] = ""
            verdict = self.verdict(session, self.then())
            if verdict is not None:
                place = os.path.join(self._folder, str(len(self._places)))
                os.mkdir(place)
                if self._store.restore(verdict, place) is not None:
                    self._store.mark_used([verdict.digest])
                    self._places[session.name] = place
        return self._places[session.name]


class BaseOutputs:
    """Outputs of the base's sessions, and whether those of the work tree are as its sessions leave them.

    Attributes:
        base: the base.
        notes: the origin of the outputs, for people.
        unproven: files of the work tree that were read, and whose origin no verdict proves.
    """

    def __init__(self, now: Digester, store: Store, folder: str, base: GateBase, say: Callable[[str], None]) -> None:
        """Find and make nothing yet.

        Args:
            now: The digester of the work tree.
            store: Where verdicts and outputs are.
            folder: An empty folder for what is restored.
            base: The base.
            say: Takes a message for the person who waits.
        """
        self.base = base
        self.notes = [base.note] if base.note else []
        self.unproven: list[str] = []
        self._now = now
        self._repository = now.snapshot.repository
        self._store = store
        self._stored = StoredOutputs(now, store, base.commit, folder)
        self._folder = folder
        self._say = say
        self._places: dict[str, str] = {}
        self._tree = ""

    def is_unchanged(self, path: str) -> bool:
        """Tell whether the session that writes a file is at the base just as it is now, with all that it reads."""
        session, stored = self._writer(path), self._stored
        now, then = (stored.verdict(session, tree) for tree in (self._now, stored.then()))
        return now is not None and then is not None and now.digest == then.digest

    def find(self, path: str) -> str:
        """Return the place of a file that a session of the base wrote, by its path in the work tree.

        Raises:
            ConfigurationError: No session declares that it writes it.
            NoBaseError: There is no base, or it does not have the file and cannot make it.
        """
        session, base = self._writer(path), self.base
        if not base.commit:
            message = f"There is no commit to compare with: this is {base.name}."
            raise NoBaseError(message)
        if session.name not in self._places:
            place = self._stored.restored(session)
            how = "restored from the store" if place else "run in a work tree of its own"
            self._places[session.name] = place or self._made(session)
            self.notes.append(f"the base is what {session.name} gave at {base.name}, {how}")
        place = os.path.join(self._places[session.name], path)
        if not os.path.isfile(place):
            message = (
                f"{session.name} of the base, {base.name}, does not write {path}, so that there is nothing to"
                f" compare with."
            )
            raise NoBaseError(message)
        return place

    def is_output(self, path: str) -> bool:
        """Tell whether a session declares that it writes a file."""
        return bool(self._stored.writers(path))

    def _writer(self, path: str) -> Session:
        """Return the one session that writes a file."""
        writers = self._stored.writers(path)
        if len(writers) != 1:
            message = (
                f"[tool.headworks.gate] reads {path}, which {len(writers)} sessions write. Name its folder in the"
                " `outputs` of one session in [tool.headworks.sessions]."
            )
            raise ConfigurationError(message)
        return writers[0]

    def check_current(self, path: str) -> None:
        """Refuse a file of the work tree that its session, as it is now, did not write.

        Where the session has no verdict, as after a bare `nox`, nobody can tell; that is noted.

        Raises:
            CannotDecideError: The session passed as it is now, and wrote something else.
        """
        session, is_current = self._writer(path), self.is_current(path)
        if is_current is None:
            self.unproven += [path] if session.cache else []  # one that always runs never has a verdict
            self.notes.append(f"no verdict says that {path} is what {session.name} gives as it is now")
        elif not is_current:
            message = f"{path} is not what {session.name} gives as it is now. Run `headworks run {session.name}`."
            raise CannotDecideError(message)

    def is_current(self, path: str) -> bool | None:
        """Tell whether a file of the work tree is as its session, as it is now, wrote it; None without a verdict.

        Raises:
            ConfigurationError: No session declares that it writes it.
        """
        verdict = self._stored.verdict(self._writer(path), self._now)
        if verdict is None:
            return None
        outputs = self._store.outputs(self._repository.root)
        return all(outputs.is_in_place(output, content) for output, content in verdict.outputs.items())

    def _made(self, session: Session) -> str:
        """Return the work tree of the base, after the session has run in it."""
        times = [self._store.seconds(name) for name in self._stored.chain(session)]
        known = sum(seconds for seconds in times if seconds is not None)
        self._say(
            f"The store lacks what {session.name} gave at {self.base.name}: running it there, which should take"
            f" {f'about {duration_text(known)}' if known else 'a time that is not known yet'}."
        )
        if not self._tree:
            self._tree = os.path.join(self._folder, "tree")
            self._repository.run("worktree", "add", "--quiet", "--detach", self._tree, self.base.commit)
        root = os.path.join(self._tree, self._repository.prefix)
        environ = {name: value for name, value in self._repository.environ.items() if name != INSIDE}
        environ |= {"HEADWORKS_STORE": self._store.root}
        if self._store.remote is not None:
            environ |= {"HEADWORKS_REMOTE": self._store.remote.url}
        code = _run_to_end([sys.executable, "-m", "headworks", "run", session.name], root, environ)
        if code:
            message = (
                f"{session.name} does not pass at the base, {self.base.name} (exit code {code}), so that"
                f" there is nothing to compare with. Name another base with --base."
            )
            raise NoBaseError(message)
        return root

    def close(self) -> None:
        """Remove the work tree, if one was made, wholly or in part."""
        if self._tree and self._repository.ask("worktree", "remove", "--force", self._tree) is None:
            shutil.rmtree(self._tree, ignore_errors=True)
            self._repository.ask("worktree", "prune")


def _run_to_end(command: list[str], folder: str, environ: Mapping[str, str]) -> int:
    """Run a command and return its exit code; an interrupt reaches it first, so that it can clear up."""
    with subprocess.Popen(command, cwd=folder, env=environ, stdout=sys.stderr) as process:  # noqa: S603  # ourselves
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE)
            process.kill()
            raise
