"""The noxfile and the files of the repository that it imports: the code in them that each session uses."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, KeysView
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from headworks._hashes import digest, digest_texts
from headworks.errors import UsageError

if TYPE_CHECKING:
    from headworks._noxfile.mentions import Mentions
    from headworks._noxfile.parts import ModuleFacts, PackedReads, SessionFacts
    from headworks._quick.memory import Memory
    from headworks._tree.snapshot import Snapshot

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
        code: Returns the code that a session uses, by the name that nox knows its function by.
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
        self._found: dict[tuple[str, str], list[str]] = {}
        self.code = cache(self._code_of)
        self._main = self._read(self._prefix + _FILE)
        self._helpers = dict(self._imported())
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

    def modules(self) -> list[str]:
        """Return the files of the repository that are imported."""
        return list(self._helpers)

    def on_load(self) -> SessionCode:
        """Return the code that decides about the list of sessions."""
        return _code({}, [self._main["load"], *(helper["all"] for helper in self._helpers.values())], None)

    def _code_of(self, name: str) -> SessionCode:
        session = self._main["sessions"].get(name)
        if session is None or session["notifies"] or self._main["dynamic"] or self._is_imported:
            whole = {_FILE: self._ids[self._prefix + _FILE]}
            return self._joined(session, whole, self._main["all"], notifies=self._main["notifies"])
        parts = {f"{_FILE}: {part}": value for part, value in session["parts"].items()}
        return self._joined(session, parts, session["reads"], uses=session["uses"])

    def _joined(
        self,
        session: SessionFacts | None,
        parts: dict[str, str],
        reads: PackedReads,
        *,
        uses: Iterable[str] | None = None,
        notifies: bool = False,
    ) -> SessionCode:
        """Return code of the noxfile with the code of imported files that it uses: all of it where `uses` is None."""
        all_reads = [reads]
        is_dynamic = any(helper["dynamic"] for helper in self._helpers.values())  # it may reach any name of the others
        nodes = ((it, None) for it in self._helpers) if uses is None or is_dynamic else self._reached(uses)
        for path, name in nodes:
            helper = self._helpers[path]
            if name is None:
                parts = parts | {f"{_FILE} imports {path}": self._ids[path]}
                all_reads.append(helper["all"])
                notifies = notifies or helper["notifies"]
                continue
            code = helper["names"][name] if name else helper["loaded"]
            parts = parts | {f"{path}: {part}": value for part, value in code["parts"].items()}
            all_reads.append(code["reads"])
            notifies = notifies or code["notifies"]
            if any(use == "nox" or use.startswith("nox.options") for use in code["uses"]):
                parts = parts | {f"{_FILE}: {part}": value for part, value in self._main["loaded"]["parts"].items()}
                all_reads.append(self._main["load"])
        return _code(parts, all_reads, session, notifies=notifies)

    def _reached(self, uses: Iterable[str]) -> Iterator[tuple[str, str | None]]:
        """Yield each imported file with each name in it that is used; see `_targets`.

        Args:
            uses: The names that the noxfile uses, with the modules that they come from.
        """
        waiting: list[tuple[str, str | None]] = [(path, "") for path in self._helpers]
        waiting += [it for use in uses for it in self._targets(use, self._prefix + _FILE)]
        seen = set()
        for path, name in waiting:  # grows while it is read
            if (path, name) in seen:
                continue
            seen.add((path, name))
            yield path, name
            helper = self._helpers[path]
            if name is None:
                waiting += [(path, it) for it in helper["names"]]
            else:
                code = helper["names"][name] if name else helper["loaded"]
                waiting += [it for use in code["uses"] for it in self._targets(use, path)]

    def _targets(self, use: str, importer: str) -> Iterator[tuple[str, str | None]]:
        """Yield each file and name that a name with its module may mean; no name where all of a file may be used."""
        level = len(use) - len(use.lstrip("."))
        names = use[level:].split(".")
        for number in range(not level, len(names) + 1):
            module = use[:level] + ".".join(names[:number])
            following = ".".join(names[number : number + 1])
            below = f"{module}.{following}" if number else module + following
            is_below = bool(following) and not self._helpers.keys().isdisjoint(self._files(below, importer))
            for path in filter(self._helpers.__contains__, self._files(module, importer)):
                if following in self._helpers[path]["names"]:
                    yield path, following
                elif not is_below:
                    yield path, None

    def _read(self, path: str) -> ModuleFacts:
        """Return the facts about a module."""
        name = os.fsencode(path)
        mode, oid = self._snapshot.listing.get(name) or (b"", b"")
        self._ids[path] = oid.decode()
        is_imported = path != self._prefix + _FILE
        key = digest(name, mode, oid, str(is_imported).encode(), *map(os.fsencode, self._in_digest))
        facts: ModuleFacts | None = self._memory.get("module", key)
        if facts is None:
            from headworks._noxfile.parts import read_module  # it takes 3 ms, and not where the noxfile is known

            content, place = self._snapshot.read([name])[name], path.removeprefix(self._prefix)
            facts = read_module(content, place, self._in_digest, is_imported=is_imported)
            self._memory.put("module", key, facts)
        return facts

    def _imported(self) -> Iterator[tuple[str, ModuleFacts]]:
        """Yield every file of the repository that is imported, directly or by another one, with its facts."""
        seen = {self._prefix + _FILE}
        waiting = [(self._prefix + _FILE, self._main)]
        while waiting:
            importer, module = waiting.pop()
            for path in [path for name in module["imports"] for path in self._executed(name, importer)]:
                self._is_imported |= path == self._prefix + _FILE  # an importer may use any name of it
                if path not in seen:
                    seen.add(path)
                    waiting.append((path, self._read(path)))
                    yield waiting[-1]

    def _executed(self, name: str, importer: str) -> Iterator[str]:
        """Yield every file of the repository that the import of a module may execute."""
        level = len(name) - len(name.lstrip("."))
        dots = [place for place, letter in enumerate(name) if letter == "." and place >= level]
        for end in (*dots, len(name)):
            yield from self._files(name[:end], importer)

    def _files(self, name: str, importer: str) -> list[str]:
        """Return every file of the repository that a module may be made of."""
        level = len(name) - len(name.lstrip("."))
        if not level and name.partition(".")[0] in sys.stdlib_module_names | {"nox"}:
            return []
        folder = importer.rsplit("/", level)[0] + "/" if importer.count("/") >= level > 0 else self._prefix
        if (folder, name) not in self._found:
            below = name[level:].replace(".", "/")
            found: list[str] = []
            for file in (f"{below}.py", f"{below}/__init__.py") if below else ("__init__.py",):
                if self._snapshot.listing.get(os.fsencode(folder + file)):
                    found.append(folder + file)
                elif not level:
                    # A noxfile can put any folder on Python's path.
                    found += map(os.fsdecode, self._snapshot.listing.ending(os.fsencode(f"/{file}")))
            self._found[folder, name] = found
        return self._found[folder, name]


def _code(
    parts: dict[str, str], reads: list[PackedReads], session: SessionFacts | None, *, notifies: bool = False
) -> SessionCode:
    requires = session["requires"] if session else None
    return SessionCode(
        parts=parts,
        content=frozenset(path for content, *_ in reads for path in content),
        names=frozenset(path for _, names, *_ in reads for path in names),
        unstable=next((unstable for *_, unstable, _ in reads if unstable), ""),
        unseen=next((unseen for *_, unseen in reads if unseen), ""),
        requires=None if requires is None else tuple(requires),
        is_default=session is None or session["default"],
        is_exclusive=session is not None and session["exclusive"],
        notifies=notifies,
    )
