"""What the stages of the merge base left behind: restored from the store, or made in a work tree of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from headworks._digest.digest import Digester
from headworks._gate.earlier import FIRST_COMMIT, earlier, is_itself
from headworks._project.needs import in_order
from headworks._quantities import duration_text
from headworks._run.lock import INSIDE
from headworks._tree.merge_base import find_base
from headworks.errors import CannotDecideError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from headworks._project.session import Session
    from headworks._store.store import Store
    from headworks._store.verdict import Verdict
    from headworks._tree.merge_base import Base

__all__ = ["BaseTree", "NoBaseError"]

_PATIENCE = 6.0  # seconds that a run gets to end its sessions, which it does within 5
_FIRST = "If there never was one, --bootstrap records what this work tree predicts as the first."


class NoBaseError(CannotDecideError):
    """There is nothing to compare with.

    Attributes:
        reason: why, without what could be done.
    """

    def __init__(self, reason: str) -> None:
        """Say why, and what to do where there never was anything."""
        super().__init__(f"{reason} {_FIRST}")
        self.reason = reason


class BaseTree:
    """The tree of the merge base, and the outputs of its stages.

    Attributes:
        base: the commit; its id is empty where there is none.
        notes: how the outputs came about, for people.
        unproven: files of the work tree that were asked about, of which no verdict says who wrote them.
        is_head: whether it is the last commit, with changes in the work tree that are not committed yet.
    """

    def __init__(
        self, root: str, store: Store, folder: str, *, asked: str | None, releases: str, say: Callable[[str], None]
    ) -> None:
        """Find the base of a work tree.

        Args:
            root: the project's folder.
            store: where verdicts and outputs are.
            folder: an empty folder for what is restored.
            asked: a revision, or None for the branch to be merged into, and where that is the work tree itself, for the
                last release.
            releases: a pattern of the names of tags.
            say: takes a message for the person who waits.
        """
        self._now = Digester.for_worktree(root)
        self._sessions = {session.name: session for session in self._now.sessions()}
        self._repository = self._now.snapshot.repository
        self._store = store
        self._folder = folder
        self._say = say
        self._places: dict[str, str] = {}
        self._tree = ""
        self.notes: list[str] = []
        self.unproven: list[str] = []
        found = find_base(self._repository, asked)
        is_same = is_itself(self._repository, found)
        self.base = self._apart(found, releases, is_asked=asked is not None) if is_same else found
        head = self._repository.ask("rev-parse", "--verify", "--quiet", "HEAD")
        self.is_head = not is_same and self.base.commit == head

    def _apart(self, itself: Base, releases: str, *, is_asked: bool) -> Base:
        """Return another base than the work tree itself, unless somebody asked for that, and note it."""
        if is_asked:
            self.notes.append("this is the base itself, than which it is never worse, so that a pass says nothing")
            return itself
        base = earlier(self._repository, itself, releases)
        if base.commit:
            self.notes.append(f"nothing is ahead of {itself.name}, so that the base is {base.name}")
        return base

    def is_excused(self, named: str) -> bool:
        """Whether it is known that there is nothing to compare with: at the first commit, and at one that is named.

        Args:
            named: the id of a commit, or how it begins; empty for none.
        """
        if self.base.commit:
            return bool(named) and self.base.commit.startswith(named)
        return self.base.name == FIRST_COMMIT

    def is_unchanged(self, path: str) -> bool:
        """Tell whether the session that writes a file is at the base just what it is now, with all that it reads."""
        session = self._writer(path)
        now, then = (self._verdict(session, it) for it in (self._now, self._now.for_commit(self.base.commit)))
        return now is not None and then is not None and now.digest == then.digest

    def find(self, path: str) -> str:
        """Return where a file lies that a stage of the base wrote, by its path in the work tree.

        Raises:
            ConfigurationError: no session says that it writes it.
            NoBaseError: there is no base, or it does not have the file and cannot make it.
        """
        session = self._writer(path)
        if not self.base.commit:
            message = f"There is no commit to compare with: this is {self.base.name}."
            raise NoBaseError(message)
        if session.name not in self._places:
            self._places[session.name] = self._restored(session) or self._made(session)
        place = os.path.join(self._places[session.name], path)
        if not os.path.isfile(place):
            message = (
                f"{session.name} of the base, {self.base.name}, does not write {path}, so that there is nothing to"
                f" compare with."
            )
            raise NoBaseError(message)
        return place

    def is_output(self, path: str) -> bool:
        """Tell whether a session says that it writes a file."""
        return bool(self._writers(path))

    def _writers(self, path: str) -> list[Session]:
        return [it for it in self._sessions.values() if any(_holds(output, path) for output in it.outputs)]

    def _writer(self, path: str) -> Session:
        """Return the session that writes a file."""
        found = self._writers(path)
        if len(found) != 1:
            message = (
                f"[tool.headworks.gate] reads {path}, which {len(found)} sessions write. Name its folder in the"
                " `outputs` of one session in [tool.headworks.sessions]."
            )
            raise ConfigurationError(message)
        return found[0]

    def _restored(self, session: Session) -> str:
        """Return the folder that the session's outputs were restored into; empty where the store lacks them."""
        verdict = self._verdict(session, self._now.for_commit(self.base.commit))
        if verdict is None:
            return ""
        place = os.path.join(self._folder, str(len(self._places)))
        os.mkdir(place)
        if self._store.restore(verdict, place) is None:
            return ""
        self._store.mark_used([verdict.digest])
        self.notes.append(f"the base is what {session.name} gave at {self.base.name}, restored from the store")
        return place

    def _verdict(self, session: Session, tree: Digester) -> Verdict | None:
        """Return the verdict that covers a session of a tree, after those of all that it needs."""
        found: Verdict | None = None
        outputs: dict[str, Mapping[str, str]] = {}
        for name in self._chain(session):
            found = self._store.verdict(tree.digest(self._sessions[name], outputs).value)
            left = self._left(self._sessions[name], tree) if found is None else found.outputs
            if left is None:
                return None
            outputs[name] = left
        return found

    def _left(self, session: Session, tree: Digester) -> dict[str, str] | None:
        """Return what a session that always runs, and so has no verdict, left in the work tree; None for any other."""
        if session.cache or tree is not self._now:
            return None
        outputs = self._store.outputs(self._repository.root)
        found = {path: outputs.content(path) for path in session.outputs}
        return {path: content for path, content in found.items() if content is not None}

    def _chain(self, session: Session) -> list[str]:
        """Return all that a session needs, in an order in which it can run, and the session itself."""
        names = [session.name]
        for name in names:  # grows while it is read
            names += [it for it in self._sessions[name].needs if it not in names]
        return in_order({name: self._sessions[name].needs for name in names})

    def check_current(self, path: str) -> None:
        """Refuse a file of the work tree that its session, as it is now, did not write.

        Where the session has no verdict, as after a bare `nox`, nobody can tell; that is noted.

        Raises:
            CannotDecideError: the session passed as it is now, and wrote something else.
        """
        session, is_current = self._writer(path), self.is_current(path)
        if is_current is None:
            self.unproven += [path] if session.cache else []  # one that always runs never has a verdict
            self.notes.append(f"no verdict says that {path} is what {session.name} gives as it is now")
        elif not is_current:
            message = f"{path} is not what {session.name} gives as it is now. Run `headworks run {session.name}`."
            raise CannotDecideError(message)

    def is_current(self, path: str) -> bool | None:
        """Tell whether a file of the work tree is what its session, as it is now, wrote; None where no verdict says.

        Raises:
            ConfigurationError: no session says that it writes it.
        """
        verdict = self._verdict(self._writer(path), self._now)
        if verdict is None:
            return None
        outputs = self._store.outputs(self._repository.root)
        return all(outputs.is_in_place(output, content) for output, content in verdict.outputs.items())

    def _made(self, session: Session) -> str:
        """Return the work tree of the base, after the session has run in it."""
        self._say(
            f"The store lacks what {session.name} gave at {self.base.name}: running it there,"
            f" which should take {self._expected(session)}."
        )
        if not self._tree:
            self._tree = os.path.join(self._folder, "tree")
            self._repository.run("worktree", "add", "--quiet", "--detach", self._tree, self.base.commit)
        root = os.path.join(self._tree, self._repository.prefix)
        command = [sys.executable, "-m", "headworks", "run", session.name]
        environ = {name: value for name, value in self._repository.environ.items() if name != INSIDE}
        environ |= {"HEADWORKS_STORE": self._store.root}
        if self._store.remote is not None:
            environ |= {"HEADWORKS_REMOTE": self._store.remote.url}
        code = _finished(command, root, environ)
        if code:
            message = (
                f"{session.name} does not pass at the base, {self.base.name} (exit code {code}), so that"
                f" there is nothing to compare with. Name another base with --base."
            )
            raise NoBaseError(message)
        self.notes.append(f"the base is what {session.name} gave at {self.base.name}, run in a work tree of its own")
        return root

    def _expected(self, session: Session) -> str:
        """Return how long a session takes with all that it needs, in words."""
        times = [self._store.seconds(name) for name in self._chain(session)]
        known = sum(it for it in times if it is not None)
        return f"about {duration_text(known)}" if known else "a time that is not known yet"

    def close(self) -> None:
        """Remove the work tree, if one was made, wholly or in part."""
        if self._tree and self._repository.ask("worktree", "remove", "--force", self._tree) is None:
            shutil.rmtree(self._tree, ignore_errors=True)
            self._repository.ask("worktree", "prune")


def _finished(command: list[str], folder: str, environ: Mapping[str, str]) -> int:
    """Run a command to its end and return its exit code; whoever is told to end lets it put things right first."""
    with subprocess.Popen(command, cwd=folder, env=environ, stdout=sys.stderr) as process:  # noqa: S603  # ourselves
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE)
            process.kill()
            raise


def _holds(output: str, path: str) -> bool:
    """Tell whether a path is an output, or lies in one."""
    return path == output or path.startswith(f"{output}/")
