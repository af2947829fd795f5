"""The store of verdicts: content-addressed, written atomically, and verified on the way out.

A store is a folder:

    passed/ab/…      the record of a passed verdict, by its digest
    failed/ab…       the record of a failed one; a digest with both is flaky
    observed/ab…/cd… the digests of sessions that were watched, by that of all but files
    blobs/ab/…       the outputs, by the SHA-256 of their content
    index            all passed verdicts in one file, which only saves time
    kept/ab…         when the promise of a row was last checked; broken/ab… when it was last broken
    used/2026-01-31  the digests used on a day
    ledger/ab…/1     each model that asked a test set, in order
    gates/ab…/1      how the gate judged a model, each time
    baselines/ab…/1  the predictions that a project started with
    aliases/NAME/1   the models that were promoted to a name, in order
    promoted/ab/…    in a remote only: the blobs that aliases name, which no rule by age deletes
    exclusive        in a remote only: shows whether it refuses to overwrite a file
    tmp/             files being written

Files are written under another name in `tmp`, forced to the disk and then renamed, the blobs before the record that
names them. So a process may be killed at any point, and any number may write at once.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Self

from headworks._quick.answers import doubt, note_file
from headworks._store.files import UnwritableError, storing
from headworks._store.index import Index
from headworks._store.place import place_of
from headworks._store.promises import Promises
from headworks._store.records import Record, Records, observed_name, read_record
from headworks._store.verdict import Verdict, is_digest
from headworks._store.witness import Witness

if TYPE_CHECKING:
    from pathlib import Path

    from headworks._store.blobs import Blobs
    from headworks._store.gc import Cleared
    from headworks._store.outputs import Outputs
    from headworks._store.remote import Remote


def default_folder(environ: Mapping[str, str], platform: str = sys.platform) -> str:
    """Return the store's folder: HEADWORKS_STORE, else `headworks` in the platform's folder for caches."""
    if chosen := environ.get("HEADWORKS_STORE"):
        return chosen
    home = environ.get("HOME") or os.path.expanduser("~")
    if platform == "win32":
        return os.path.join(environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local"), "headworks", "cache")
    if platform == "darwin":
        return os.path.join(home, "Library", "Caches", "headworks")
    chosen = environ.get("XDG_CACHE_HOME", "")  # by its specification, it counts only if it is absolute
    return os.path.join(chosen if chosen.startswith("/") else os.path.join(home, ".cache"), "headworks")


# Clearing, bundles, blobs and outputs are imported where they are used: a plan needs none, and they take 10 ms.
class Store:
    """A store of verdicts and of the outputs that go with them.

    Anything missing, damaged, doubtful or out of reach is a miss when it is looked up, never an error and never a pass.
    Only a write that fails raises.

    Attributes:
        root: The folder, absolute.
        promises: Whether rows kept their promise.
    """

    def __init__(self, root: str | Path, *, repository: str | Path | None = None, remote: Remote | None = None) -> None:
        """Use a folder, which need not exist yet.

        Args:
            root: The folder.
            repository: The work tree whose history `last` and `seconds` prefer.
            remote: A remote store, which is asked for verdicts that this one lacks.
        """
        self.root = os.path.abspath(root)
        self.remote = remote
        self._repository = repository
        self._records = Records(self.root)
        self._index = Index(self.root, self._records)
        self.promises = Promises(self.root, remote)
        self._outputs: dict[str, Outputs] = {}
        self._unwritten: list[str] = []

    @classmethod
    def default(
        cls, repository: str | Path | None = None, *, remote: str | None = None, write_remote: bool = False
    ) -> Self:
        """Return the store that the environment names.

        Args:
            repository: The work tree whose history is preferred.
            remote: The fsspec URL of a remote; HEADWORKS_REMOTE unless given. An empty text means none.
            write_remote: Whether verdicts recorded here are written there as well.

        Raises:
            ConfigurationError: A package for the remote is missing, or its URL is not valid.
        """
        url = os.environ.get("HEADWORKS_REMOTE", "") if remote is None else remote
        opened = None
        if url:
            doubt()
            from headworks._store.remote import Remote

            opened = Remote(url, write=write_remote)
        return cls(default_folder(os.environ), repository=repository, remote=opened)

    @property
    def problems(self) -> list[str]:
        """The problems with this store and its remote, in words, each once."""
        return [*self._unwritten, *([] if self.remote is None else self.remote.problems)]

    @cached_property
    def blobs(self) -> Blobs:
        """Contents by their SHA-256."""
        from headworks._store.blobs import Blobs

        return Blobs(self.root, self.remote)

    def verdict(self, digest: str) -> Verdict | None:
        """Return the passed verdict for a digest; None if there is none that can be relied on."""
        if self._records.has(digest, passed=False):
            return None
        record = self._records.read(digest, passed=True)
        return self._from_remote([digest]).get(digest) if record is None else record.verdict

    def verdicts(self, digests: Iterable[str]) -> dict[str, Verdict]:
        """Return the passed verdicts for many digests, without those that cannot be relied on."""
        wanted = list(dict.fromkeys(digests))
        try:
            failed = self._records.failed()
        except OSError:
            return {}
        verdicts = self._index.find(wanted)
        lost = [digest for digest in wanted if digest not in verdicts and digest not in failed]
        verdicts |= self._remember(self._records.read(digest, passed=True) for digest in lost)
        verdicts |= self._from_remote([digest for digest in lost if digest not in verdicts])
        return {digest: verdict for digest, verdict in verdicts.items() if digest not in failed}

    def observed(self, core: str) -> list[str]:
        """Return the digests of the verdicts of a session that was watched, by its core, the newest first."""
        return self._records.observed(core)

    def witness(self, digest: str) -> Witness | None:
        """Return what a session was seen to read that has passed or failed; None if there is no such record."""
        record = self._records.read(digest, passed=True) or self._records.read(digest, passed=False)
        return None if record is None else Witness.parse(record.verdict.witness)

    def failed(self, digests: Iterable[str]) -> set[str]:
        """Return those digests that have failed."""
        return {it for it in digests if self._records.has(it, passed=False)}

    def fetch_failed(self, digests: Iterable[str]) -> set[str]:
        """Return those digests that have failed, here or on the remote.

        Raises:
            CannotDecideError: The remote cannot be read.
        """
        asked = list(digests)
        failed = self.failed(asked)
        if self.remote is not None:
            from headworks._store.journal import refuse_unread

            failed |= self.remote.records(asked, passed=False).keys()
            refuse_unread(self.remote)
        return failed

    def fetch_observed(self, cores: Iterable[str]) -> None:
        """Keep here what only the remote has of sessions that were watched, by their cores."""
        if self.remote is None:
            return
        found = [it for core in cores for it in self.remote.names(observed_name(core)) if is_digest(it)]
        lost = [it for it in found if not any(self._records.has(it, passed=passed) for passed in (True, False))]
        for passed in (False, True):  # a failure first, without which a pass would look reliable
            read = self.remote.records(lost, passed=passed).items()
            self._remember((read_record(data, digest, passed=passed) for digest, data in read), write=True)

    def _from_remote(self, digests: list[str]) -> dict[str, Verdict]:
        """Return verdicts that only the remote has, and keep their records here."""
        if self.remote is None:
            return {}
        found = self.remote.passed(digests).items()
        return self._remember((read_record(data, digest, passed=True) for digest, data in found), write=True)

    def _remember(self, read: Iterable[Record | None], *, write: bool = False) -> dict[str, Verdict]:
        """Add records to the index, and to the store if asked to; return their verdicts. Ignore a read-only store."""
        records = [record for record in read if record is not None]
        with contextlib.suppress(OSError):
            for record in records if write else ():
                self._records.write(record)
            if passed := [record for record in records if record.verdict.passed]:
                self._index.add(passed)
        return {record.verdict.digest: record.verdict for record in records}

    @cached_property
    def _place(self) -> str:
        """The name of the repository; see `place_of`."""
        return "" if self._repository is None else place_of(os.fspath(self._repository))

    def last(self, session: str) -> Verdict | None:
        """Return the newest passed verdict of a session, by the name nox shows, or None."""
        return self._index.last(session, self._place)

    def seconds(self, session: str) -> float | None:
        """Return how many seconds a session took when it last passed, or None."""
        last = self.last(session)
        return None if last is None else last.seconds

    def mark_used(self, digests: Iterable[str]) -> None:
        """Note that verdicts were of use, for `gc`."""
        from headworks._store.gc import mark_used

        mark_used(self.root, digests)

    def outputs(self, root: str | Path) -> Outputs:
        """Return the outputs in a work tree."""
        from headworks._store.outputs import Outputs

        folder = os.fspath(root)
        if folder not in self._outputs:
            self._outputs[folder] = Outputs(folder, lambda content: self.blobs.path(content).is_file())
        return self._outputs[folder]

    def record(self, verdict: Verdict, root: str | Path) -> None:
        """Store a verdict, after the outputs of a passed one.

        Args:
            verdict: The verdict. One that failed is never reused, and keeps the digest from being.
            root: The work tree in which the outputs lie.

        Raises:
            StoreError: It cannot be written here, or an output has another content than in the verdict. A remote that
                cannot be written is among the problems instead.
        """
        record = Record(verdict=verdict, place=place_of(os.fspath(root)))
        try:
            with storing(f"The verdict of {verdict.session}", self.root):
                if verdict.passed:
                    self.outputs(root).keep(verdict.outputs, self.blobs)
                data = self._records.write(record)
                if verdict.passed:
                    self._index.add([record])
        except UnwritableError as error:
            self._unwritten = self._unwritten or [f"{error} What is not recorded runs again."]
            raise
        if self.remote is not None:
            self.remote.push(verdict, data, self.blobs)

    def restore(self, verdict: Verdict, root: str | Path) -> list[str] | None:
        """Restore the outputs of a verdict in a work tree, replacing each that differs.

        Returns:
            The paths that were replaced. None if a part is missing or damaged in the store: the work tree is then as
            before, and the useless verdict is forgotten, with others of the session for the same outputs.

        Raises:
            StoreError: The work tree cannot be written.
        """
        restored = self.outputs(root).restore(verdict.outputs, self.blobs)
        if restored is None:
            alike = (it for it in self.ls() if (it.session, it.outputs) == (verdict.session, verdict.outputs))
            digests = {verdict.digest, *(it.digest for it in alike if it.passed)}
            with contextlib.suppress(OSError):  # a read-only store keeps them
                self._index.drop(digests)
                for digest in digests:
                    os.unlink(self._records.path(digest, passed=True))
        return restored

    def ls(self) -> list[Verdict]:
        """Return all readable verdicts, passed and failed, in the order in which their sessions ended."""
        verdicts = [record.verdict for record in self._all() if record is not None]
        return sorted(verdicts, key=lambda verdict: (verdict.finished, verdict.session))

    def is_flaky(self, digest: str) -> bool:
        """Whether a digest has both passed and failed."""
        paths = [self._records.path(digest, passed=passed) for passed in (True, False)]
        for path in paths:
            note_file(path, follow=False)
        return all(map(os.path.lexists, paths))

    def unreadable(self) -> int:
        """Return the number of unreadable records: damaged ones, and those of another version."""
        return sum(record is None for record in self._all())

    def _all(self) -> Iterator[Record | None]:
        """Yield each record, None for an unreadable one."""
        for passed, digests in ((True, self._records.passed()), (False, self._records.failed())):
            for digest in digests:
                yield self._records.read(digest, passed=passed)

    def flaky(self) -> list[Verdict]:
        """Return the passed verdicts of digests that have failed as well, in the order in which they were recorded."""
        failed = self._records.failed()
        return [verdict for verdict in self.ls() if verdict.passed and verdict.digest in failed]

    def forget(self, sessions: Iterable[str]) -> int:
        """Remove all verdicts of some sessions, so that these run again; return the number of verdicts."""
        from headworks._store.gc import drop

        names = set(sessions)
        verdicts = [verdict for verdict in self.ls() if verdict.session in names]
        with storing("What is left", self.root):
            drop({verdict.digest for verdict in verdicts}, self._records, self._index)
        return len(verdicts)

    def gc(self, max_size: int | None = None, max_age: float | None = None) -> Cleared:
        """Remove verdicts that were not used for long, then the longest unused ones until the rest fits.

        Args:
            max_size: The bytes that outputs may take; None for no limit.
            max_age: The seconds since a verdict was last used; None for no limit.
        """
        from headworks._store.gc import gc

        with storing("What is left", self.root):
            return gc(self.root, self._records, self._index, max_size=max_size, max_age=max_age)

    def export(
        self,
        path: str | Path,
        known: Iterable[str | Path] = (),
        has_use: Callable[[Verdict], bool] = lambda _: True,
    ) -> int:
        """Write all verdicts that can be relied on into one file, but those of known bundles; return their number.

        Of verdicts that passed, those without use are left out.
        """
        from headworks._store.bundle import export

        return export(path, self._records, self.blobs, known, has_use)

    def import_(self, path: str | Path) -> int:
        """Import a bundle of another store; return the number of new verdicts.

        Trust a bundle as much as its author, who can write into it that any session passed.

        Raises:
            RefusedBundleError: Any part of the file is not valid; no verdict was taken from it.
            StoreError: There is no such file, or the store cannot be written.
        """
        from headworks._store.bundle import import_

        with storing(f"The bundle {path}", self.root):
            return import_(path, self._records, self.blobs, self._index)
