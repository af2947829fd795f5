"""The noxfile and the files of the repository that it imports: the code in them that each session uses."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headworks._hashes import digest, digest_texts
from headworks.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, KeysView

    from headworks._noxfile.mentions import Mentions
    from headworks._noxfile.parts import ModuleFacts, PackedReads, SessionFacts
    from headworks._quick.memory import Memory
    from headworks._tree.snapshot import Snapshot

__all__ = ["Noxfile", "SessionCode"]

_FILE = "noxfile.py"


@dataclass(frozen=True, kw_only=True)
class SessionCode:
    """The code of the noxfile that a session uses.

    Attributes:
        parts: A hash for each part of the noxfile that it reaches, by the part's name.
        content: The paths whose content that code reads; NUL in one stands for anything.
        names: The paths that it lists.
        unstable: The first thing in it that nothing in the repository decides; empty where there is none.
        unseen: The first thing in it of which only who watches can tell what decides it; empty where there is none.
        requires: The sessions that nox runs before it; None where they are not written out.
        is_default: Whether a bare nox runs it.
        is_exclusive: Whether nothing may run beside it.
        notifies: Whether it may have nox run other sessions after it.
    """

    parts: dict[str, str]
    content: frozenset[str]
    names: frozenset[str]
    unstable: str
    unseen: str
    requires: tuple[str, ...] | None = None
    is_default: bool = True
    is_exclusive: bool = False
    notifies: bool = False


class Noxfile:
    """The noxfile of a snapshot.

    Attributes:
        key: Changes with any of the files that make it up.
    """

    def __init__(self, snapshot: Snapshot, memory: Memory, in_digest: Iterable[str] = ()) -> None:
        """Read the noxfile and its imports, or remember them.

        Args:
            snapshot: The tree.
            memory: Remembers the facts about each module.
            in_digest: Files of which every session has its part in the digest.

        Raises:
            UsageError: There is no noxfile.
        """
        self._snapshot = snapshot
        self._memory = memory
        self._prefix = snapshot.repository.prefix
        self._in_digest = sorted(in_digest)
        if snapshot.listing.get(os.fsencode(self._prefix + _FILE)) is None:
            message = (
                f"There is no noxfile.py in {snapshot.repository.root} that git knows: it is missing or ignored. "
                "Headworks plans the sessions of nox; https://nox.thea.codes tells how to write some."
            )
            raise UsageError(message)
        self._is_imported = False
        self._ids: dict[str, str] = {}
        self._codes: dict[str, SessionCode] = {}
        self._main = self._read(self._prefix + _FILE)
        self._helpers = [self._read(path) for path in self._imported()]
        self.key = digest_texts(f"{path}\n{oid}" for path, oid in self._ids.items())

    def sessions(self) -> KeysView[str]:
        """Return the names of the sessions that are written out."""
        return self._main["sessions"].keys()

    def mentions(self, name: str) -> Mentions:
        """Return the names in the code of a session, by the name that nox knows its function by."""
        from headworks._noxfile.mentions import read_mentions  # only `headworks init` asks

        paths = [os.fsencode(path) for path in self._ids]
        contents = self._snapshot.read(paths)
        return read_mentions({os.fsdecode(it).removeprefix(self._prefix): contents[it] for it in paths}, name)

    def on_load(self) -> SessionCode:
        """Return the code that decides about the list of sessions."""
        return self._code({}, [self._main["load"]], None)

    def code(self, name: str) -> SessionCode:
        """Return the code that a session uses, by the name that nox knows its function by."""
        if name not in self._codes:  # every instance of the function asks
            session = self._main["sessions"].get(name)
            if session is None or session["notifies"] or self._main["dynamic"] or self._is_imported:
                parts = {_FILE: self._ids[self._prefix + _FILE]}
                code = self._code(parts, [self._main["all"]], session, notifies=self._main["notifies"])
            else:
                parts = {f"{_FILE}: {part}": value for part, value in session["parts"].items()}
                code = self._code(parts, [session["reads"]], session)
            self._codes[name] = code
        return self._codes[name]

    def _code(
        self, parts: dict[str, str], reads: list[PackedReads], session: SessionFacts | None, *, notifies: bool = False
    ) -> SessionCode:
        """Return code of the noxfile together with all code of the imported files."""
        main = self._prefix + _FILE
        helpers = {f"{_FILE} imports {path}": oid for path, oid in self._ids.items() if path != main}
        reads = [*reads, *(helper["all"] for helper in self._helpers)]
        requires = session["requires"] if session else None
        return SessionCode(
            parts=parts | helpers,
            content=frozenset(path for content, *_ in reads for path in content),
            names=frozenset(path for _, names, *_ in reads for path in names),
            unstable=next((unstable for *_, unstable, _ in reads if unstable), ""),
            unseen=next((unseen for *_, unseen in reads if unseen), ""),
            requires=None if requires is None else tuple(requires),
            is_default=session is None or session["default"],
            is_exclusive=session is not None and session["exclusive"],
            notifies=notifies or any(helper["notifies"] for helper in self._helpers),
        )

    def _read(self, path: str) -> ModuleFacts:
        """Return the facts about a module."""
        name = os.fsencode(path)
        mode, oid = self._snapshot.listing.get(name) or (b"", b"")
        self._ids[path] = oid.decode()
        key = digest(name, mode, oid, *map(os.fsencode, self._in_digest))
        facts: ModuleFacts | None = self._memory.get("module", key)
        if facts is None:
            from headworks._noxfile.parts import read_module  # it takes 3 ms, and not where the noxfile is known

            facts = read_module(self._snapshot.read([name])[name], path.removeprefix(self._prefix), self._in_digest)
            self._memory.put("module", key, facts)
        return facts

    def _imported(self) -> Iterator[str]:
        """Yield every file of the repository that is imported, directly or by another one."""
        seen = {self._prefix + _FILE}
        waiting = [(self._prefix + _FILE, self._main)]
        while waiting:
            importer, module = waiting.pop()
            for path in [path for name in module["imports"] for path in self._files(name, importer)]:
                self._is_imported |= path == self._prefix + _FILE  # an importer may use any name of it
                if path not in seen:
                    seen.add(path)
                    waiting.append((path, self._read(path)))
                    yield path

    def _files(self, name: str, importer: str) -> Iterator[str]:
        """Yield every file of the repository that the import of a module may execute."""
        level = len(name) - len(name.lstrip("."))
        parts = name[level:].split(".")
        if not level and parts[0] in sys.stdlib_module_names | {"nox"}:
            return
        folder = importer.rsplit("/", level)[0] + "/" if importer.count("/") >= level > 0 else self._prefix
        for number in range(1, len(parts) + 1):
            below = "/".join(parts[:number])
            for file in (f"{below}.py", f"{below}/__init__.py"):
                if self._snapshot.listing.get(os.fsencode(folder + file)):
                    yield folder + file
                elif not level:
                    yield from self._anywhere(file)

    def _anywhere(self, file: str) -> Iterator[str]:
        """Yield the files of a name in any folder, since a noxfile can put folders on Python's path."""
        raw, mark, position = self._snapshot.listing.raw, os.fsencode(f"/{file}\0"), -1
        while (position := raw.find(mark, position + 1)) >= 0:
            start = raw.rfind(b"\0", 0, position) + 1
            yield os.fsdecode(raw[raw.index(b"\t", start) + 1 : position + len(mark) - 1])
