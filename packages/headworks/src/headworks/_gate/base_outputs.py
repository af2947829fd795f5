"""Outputs of the base's sessions: restored from the store, or made in a work tree of the base."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING

from headworks._project.needs import in_order, with_all_needs
from headworks._quantities import duration_text
from headworks._run.file_lock import INSIDE
from headworks._tree.patterns import is_at
from headworks.errors import CannotDecideError, ConfigurationError, HeadworksError

if TYPE_CHECKING:
    from headworks._digest.digest import Digester
    from headworks._gate.base import GateBase
    from headworks._project.session import Session
    from headworks._store.store import Store
    from headworks._store.verdict import Verdict

_PATIENCE = 6.0  # seconds that a run gets to end its sessions, which it does within 5
_FIRST = "If there never was one, --bootstrap records what this work tree predicts as the first."


class NoBaseError(CannotDecideError):
    """There is nothing to compare with.

    Attributes:
        reason: why, without advice.
    """

    def __init__(self, reason: str, advice: str = _FIRST) -> None:
        """Add to the reason the way to a first base, or other advice."""
        super().__init__(f"{reason} {advice}")
        self.reason = reason


class StoredOutputs:
    """Outputs of a commit's sessions, as far as the store has them.

    Attributes:
        now: the digester of the work tree.
        root: the folder of its project.
        store: where verdicts and outputs are.
        folder: where outputs are restored into.
    """

    def __init__(self, now: Digester, store: Store, commit: str, folder: str) -> None:
        """Take an empty folder, into which outputs are restored."""
        self.now = now
        self.root = now.snapshot.repository.root
        self.store = store
        self.folder = folder
        self._commit = commit
        self._sessions = {session.name: session for session in now.sessions()}
        self._restored: dict[str, str] = {}

    @cached_property
    def _then(self) -> Digester:
        """The digester of the commit."""
        return self.now.for_commit(self._commit)

    def writers(self, path: str) -> list[Session]:
        """Return the sessions whose outputs are a file or folder, or hold it."""
        return [it for it in self._sessions.values() if any(is_at(path, output) for output in it.outputs)]

    def _chain(self, session: Session) -> list[str]:
        """Return all that a session needs, in an order in which it can run, and the session itself."""
        needs = {name: it.needs for name, it in self._sessions.items()}
        return in_order({name: needs[name] for name in with_all_needs([session.name], needs)})

    def _verdict(self, session: Session, tree: Digester) -> Verdict | None:
        """Return the verdict that covers a session of a tree, after those of all that it needs."""
        verdict: Verdict | None = None
        outputs: dict[str, Mapping[str, str]] = {}
        for name in self._chain(session):
            verdict = self.store.verdict(tree.digest(self._sessions[name], outputs).value)
            if verdict is not None:
                outputs[name] = verdict.outputs
            elif self._sessions[name].uncached and tree is self.now:
                # It always runs, and so has no verdict: its outputs in the work tree stand for themselves.
                left = self.store.outputs(self.root)
                contents = {path: left.content(path) for path in self._sessions[name].outputs}
                outputs[name] = {path: content for path, content in contents.items() if content is not None}
            else:
                return None
        return verdict

    def _restore(self, session: Session) -> str:
        """Return the folder that a session's outputs were restored into; empty where the store lacks them."""
        if session.name not in self._restored:
            self._restored[session.name] = ""
            verdict = self._verdict(session, self._then)
            if verdict is not None:
                place = os.path.join(self.folder, str(len(self._restored)))
                os.mkdir(place)
                if self.store.restore(verdict, place) is not None:
                    self.store.mark_used([verdict.digest])
                    self._restored[session.name] = place
        return self._restored[session.name]

    def look_up(self, path: str) -> str:
        """Return the place of a file or folder, by its path in the work tree; empty where the store has none."""
        if not path:
            return ""
        try:
            folders = [self._restore(session) for session in self.writers(path)]
        except HeadworksError:  # the commit cannot be read, so that nothing can be said about it
            return ""
        places = [os.path.join(folder, path) for folder in folders if folder]
        return next((place for place in places if os.path.exists(place)), "")


class BaseOutputs(StoredOutputs):
    """Outputs of the base's sessions, and whether those of the work tree are as its sessions leave them.

    Attributes:
        base: the base.
        notes: notes for people, as about the origin of the outputs.
        unproven: files of the work tree that were read, and whose origin no verdict proves.
    """

    def __init__(self, now: Digester, store: Store, folder: str, base: GateBase, say: Callable[[str], None]) -> None:
        """Make the folder, and nothing else yet; `say` takes a message for the person who waits."""
        super().__init__(now, store, base.commit, folder)
        self.base = base
        self.notes = [base.note] if base.note else []
        os.makedirs(folder, exist_ok=True)
        self.unproven: list[str] = []
        self._say = say
        self._places: dict[str, str] = {}
        self._tree = ""

    def is_unchanged(self, path: str) -> bool:
        """Tell whether the session that writes a file is at the base just as it is now, with all that it reads."""
        now, then = (self._verdict(self._writer(path), tree) for tree in (self.now, self._then))
        return now is not None and then is not None and now.digest == then.digest

    def find(self, path: str) -> str:
        """Return the place of a file or folder that a session of the base wrote, by its path in the work tree.

        Raises:
            ConfigurationError: No session declares that it writes it.
            NoBaseError: There is no base, or it does not have the file and cannot make it.
        """
        session, base = self._writer(path), self.base
        if not base.commit:
            message = f"There is no commit to compare with: this is {base.name}."
            raise NoBaseError(message)
        if session.name not in self._places:
            place = self._restore(session)
            how = "restored from the store" if place else "run in a work tree of its own"
            self._places[session.name] = place or self._made(session)
            self.notes.append(f"the {base.rival} is what {session.name} gave at {base.name}, {how}")
        place = os.path.join(self._places[session.name], path)
        if not os.path.exists(place):
            message = (
                f"{session.name} of the {base.rival}, {base.name}, does not write {path}, so that there is nothing to"
                f" compare with."
            )
            raise NoBaseError(message)
        return place

    def _writer(self, path: str) -> Session:
        """Return the one session that writes a file."""
        writers = self.writers(path)
        if len(writers) != 1:
            message = (
                f"The base is asked for {path}, which {len(writers)} sessions write. Name its folder in the `outputs`"
                " of one session in [tool.headworks.sessions]."
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
        if is_current is None and session.cache:  # one that always runs never has a verdict
            self.unproven.append(path)
            self.notes.append(f"no verdict says that {path} is what {session.name} gives as it is now")
        if is_current is False:
            message = f"{path} is not what {session.name} gives as it is now. Run `headworks run {session.name}`."
            raise CannotDecideError(message)

    def is_current(self, path: str) -> bool | None:
        """Tell whether a file of the work tree is as its session, as it is now, wrote it; None without a verdict.

        Raises:
            ConfigurationError: No session declares that it writes it.
        """
        verdict = self._verdict(self._writer(path), self.now)
        if verdict is None:
            return None
        outputs = self.store.outputs(self.root)
        return all(outputs.is_in_place(output, content) for output, content in verdict.outputs.items())

    def _made(self, session: Session) -> str:
        """Return the work tree of the base, after the session has run in it."""
        repository = self.now.snapshot.repository
        known = sum(self.store.seconds(name) or 0.0 for name in self._chain(session))
        self._say(
            f"The store lacks what {session.name} gave at {self.base.name}: running it there, which should take"
            f" {f'about {duration_text(known)}' if known else 'a time that is not known yet'}."
        )
        if not self._tree:
            self._tree = os.path.join(self.folder, "tree")
            repository.run("worktree", "add", "--quiet", "--detach", self._tree, self.base.commit)
        root = os.path.join(self._tree, repository.prefix)
        environ = {name: value for name, value in repository.environ.items() if name != INSIDE}
        environ |= {"HEADWORKS_STORE": self.store.root}
        if self.store.remote is not None:
            environ |= {"HEADWORKS_REMOTE": self.store.remote.url}
        code = run_to_end([sys.executable, "-m", "headworks", "run", session.name], root, environ, out=sys.stderr)
        if code:
            message = (
                f"{session.name} does not pass at the {self.base.rival}, {self.base.name} (exit code {code}), so that"
                f" there is nothing to compare with. Name another base with --base."
            )
            raise NoBaseError(message)
        return root

    def close(self) -> None:
        """Remove the work tree, if one was made, wholly or in part."""
        ask = self.now.snapshot.repository.ask
        if self._tree and ask("worktree", "remove", "--force", self._tree) is None:
            shutil.rmtree(self._tree, ignore_errors=True)
            ask("worktree", "prune")


class PromotedOutputs(BaseOutputs):
    """Files of a promoted model, and those of the work tree."""

    def is_unchanged(self, path: str) -> bool:
        """Tell that a file may have changed: no session of the work tree is compared."""
        del path
        return False

    def find(self, path: str) -> str:
        """Return the place of a file of the promoted model, by its path in the work tree.

        Raises:
            NoBaseError: The store lacks it.
        """
        content = self.base.files.get(path)
        place = os.path.join(self.folder, f"{content}{os.path.splitext(path)[1]}")
        if content is None or not (os.path.isfile(place) or self.store.blobs.copy_out(content, Path(place))):
            reason = f"The store lacks {path} of {self.base.name}."
            raise NoBaseError(reason, "Promote another model, or go back by `headworks rollback`.")
        return place


def run_to_end(
    command: list[str], folder: str, environ: Mapping[str, str] | None = None, *, out: IO[str] | None = None
) -> int:
    """Run a command and return its exit code; an interrupt reaches it first, so that it can clear up.

    Args:
        command: A program and its arguments.
        folder: Where it runs.
        environ: Its environment; that of this process unless given.
        out: Where its output goes; to that of this process unless given.

    Raises:
        OSError: It cannot be started.
    """
    with subprocess.Popen(command, cwd=folder, env=environ, stdout=out) as process:  # noqa: S603  # ours, or the table's
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE)
            process.kill()
            raise
