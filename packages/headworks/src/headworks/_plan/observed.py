"""Makes rows of [tool.headworks.sessions] from what sessions were seen to read and to write."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from headworks._noxfile.paths import HOLE
from headworks._plan.covering import Tree, common, covering, escaped
from headworks._plan.written import Written
from headworks._project.metadata import FILES
from headworks._project.package import enclosing
from headworks._project.session import Session, filled
from headworks._project.starter import UNKNOWN_NEEDS, asks, by_function
from headworks._project.table import Row
from headworks._project.table_text import Draft
from headworks._quantities import few
from headworks._tree.patterns import matcher

if TYPE_CHECKING:
    from headworks._digest.digest import Digester
    from headworks._noxfile.mentions import Mentions
    from headworks._observe.reads import Reads
    from headworks._plan.promise import Findings

_NEARLY_ALL = 0.9  # of the files of a repository; a row that covers as many says no more than one for all files
_KEYS = ("packages", "inputs", "needs", "outputs", "groups", "tools", "env", "ignore", "cache", "observe", "required")
_BARE = Row()


def drafts(digester: Digester, findings: Mapping[str, Findings], functions: Collection[str]) -> list[Draft]:
    """Return a row for each function, as a comment where no row can promise what its sessions read.

    Args:
        digester: The digester of the work tree in which the sessions ran.
        findings: What each session that was watched has read; of a function that gets a row, all its sessions.
        functions: The functions that get a row. Those that these are found to need get one too, unless they have one.
    """
    return _Maker(digester, findings).drafts(functions)


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """The reads of a session; paths are relative to the folder of the project.

    Attributes:
        session: The session.
        reads: All that it read.
        files: The files that git lists.
        beyond: Those of them, relative to the top of the repository, that lie outside the project's folder.
        listed: The folders whose names were read, without those that every nox reads that loads the noxfile.
    """

    session: Session
    reads: Reads
    files: frozenset[str]
    beyond: frozenset[str]
    listed: frozenset[str]


class _Maker:
    """Makes the rows of one repository."""

    def __init__(self, digester: Digester, findings: Mapping[str, Findings]) -> None:
        self._digester = digester
        self._project = digester.project
        self._workspace = self._project.workspace
        self._prefix = self._project.prefix
        self._top = os.path.realpath(digester.snapshot.repository.top)
        self._all = {os.fsdecode(path) for path in self._project.listing.paths()}
        self._known = self._own(self._all)
        self._root = self._prefix.rstrip("/")
        loaded = self._project.noxfile.on_load().names
        self._loaded = {it.partition(HOLE)[0].rpartition("/")[0] for it in loaded if HOLE in it}
        folders = {above for it in self._workspace.packages for above in enclosing(it)} - {*self._workspace.packages}
        self._parted = self._own(folders)
        self._findings = findings
        sessions = [it for it in digester.sessions() if it.name in findings]
        self._seen = {it.name: self._seen_of(it, findings[it.name]) for it in sessions}
        self._functions = by_function(sessions)
        self._written = Written(digester, ((it.session, it.reads) for it in self._seen.values()))

    def drafts(self, functions: Collection[str]) -> list[Draft]:
        chosen = [it for it in self._functions if it in functions]
        hidden = {
            name: {path for it in self._functions[name] for path in self._findings[it.name].ignored} for name in chosen
        }
        for name in chosen:
            self._written.give(name, [self._place(path) for path in hidden[name]])
        rows = self._project.pyproject.table.rows
        chosen += [it for it in self._functions if it in self._written.outputs and it not in {*chosen, *rows}]
        return [self._draft(name, sorted(hidden.get(name, ()))) for name in chosen]

    def _place(self, path: str) -> str:
        return os.path.join(self._top, path)

    def _own(self, paths: Iterable[str]) -> set[str]:
        """Return those of some paths that lie in the project, relative to its folder."""
        return {it[len(self._prefix) :] for it in paths if it.startswith(self._prefix)}

    def _seen_of(self, session: Session, findings: Findings) -> _Seen:
        reads = findings.reads
        places = reads.opened | reads.looked | reads.links
        files = {it[len(self._top) + 1 :] for it in places} & self._all
        listed = self._own(it[len(self._top) + 1 :] for it in reads.listed)
        return _Seen(
            session=session,
            reads=reads,
            files=frozenset(self._own(files)),
            beyond=frozenset(it for it in files if not it.startswith(self._prefix)),
            listed=frozenset(it for it in listed if it and not self._loaded & {it, it.rpartition("/")[0]}),
        )

    def _draft(self, name: str, hidden: list[str]) -> Draft:
        """Return the row of a function."""
        instances = self._functions[name]
        seen = [self._seen[it.name] for it in instances]
        mentions = self._project.noxfile.mentions(name)
        old = self._project.pyproject.table.rows.get(name, Row())
        settings: dict[str, tuple[str, ...] | bool] = {
            key: value
            for key in ("env", "groups", "tools", "observe", "required")
            if (value := getattr(old, key)) != getattr(_BARE, key)
        }
        for key, added in (("needs", self._written.needs), ("outputs", self._written.outputs)):
            value = tuple(dict.fromkeys((*(getattr(old, key) or ()), *added.get(name, ()))))
            settings |= {key: value} if value else {}
        hidden = [it for it in hidden if not self._written.is_given(name, self._place(it))]
        always = self._always(seen, mentions.asking)
        is_unknown = any(it.has_unknown_needs for it in instances)
        is_row = bool(always) or not hidden or "outputs" in settings or name in self._project.pyproject.table.rows
        settings |= {"cache": False} if always or not old.cache else {}
        remarks = [*always, *([UNKNOWN_NEEDS] if is_unknown else [])]
        if not always:
            if hidden:
                settings |= {"observe": True} if is_row else {}
                remarks.append(
                    f"{'observed' if is_row else 'no row'}, since it reads {few(hidden)}, which git ignores: commit a"
                    f" list of hashes, name it in inputs{', and take observe = true out' if is_row else ''}"
                )
            whole = self._whole(seen)
            settings |= {} if whole else self._reads(seen, mentions, old)
            remarks += [f"all files, since {whole}"] if whole else []
            if outside := sorted({path for it in seen for path in it.reads.outside if not os.path.isdir(path)}):
                remarks.append(
                    f"it also reads {few(outside)}, which no verdict covers: say cache = false if that changes"
                )
        return Draft(
            name=name,
            settings={key: settings[key] for key in _KEYS if key in settings},
            remark="; ".join(remarks),
            is_row=is_row and not is_unknown,
        )

    def _always(self, seen: Iterable[_Seen], asking: str) -> list[str]:
        """Return why a session has to run always."""
        history = {it for one in seen for it in one.reads.history}
        found = [f"it reads git's history through {few(sorted(history))}, which no verdict covers"] if history else []
        if not asking and any(it.reads.network for it in seen):
            found.append("it reached another machine, whose answers change without a commit")
        return [*found, asks(asking)] if asking else found

    def _whole(self, seen: Iterable[_Seen]) -> str:
        """Return why a session has to depend on all files; empty where it has not."""
        for it in seen:
            if it.reads.unseen:
                return f"it may have read more than was seen: {it.reads.unseen}"
            if it.reads.index:
                return "it asked git which files there are"
            if beyond := sorted(it.beyond - self._digester.files(self._bare(it.session))):
                return f"it reads {few(beyond)} beyond the folder of this file"
        return ""

    def _bare(self, session: Session) -> Session:
        return replace(session, packages=(), inputs=(), ignore=())

    def _reads(self, seen: list[_Seen], mentions: Mentions, old: Row) -> dict[str, tuple[str, ...]]:
        """Return the settings that cover what the sessions of a function read; without any, all files."""
        shared = self._shared(seen, mentions) if old.groups is None and old.tools is None else {}
        fields: dict[str, Any] = shared
        bare = [replace(self._bare(it.session), **fields) for it in seen]
        packages, narrowed = self._packaged(seen, bare)
        inputs = [*self._inputs(seen, narrowed), *self._locked(seen, packages)]
        covered = [
            self._files(replace(session, inputs=tuple(filled(text, it.session.values) for text in inputs)))
            for it, session in zip(seen, narrowed, strict=True)
        ]
        if "{" not in "".join(packages) and all(len(it) >= _NEARLY_ALL * len(self._known) for it in covered):
            return self._ignore(seen, old.ignore)
        inputs += sorted({escaped(path) for it, files in zip(seen, covered, strict=True) for path in it.files - files})
        settings = shared | ({"inputs": tuple(inputs)} if inputs else {"packages": ()})
        settings |= {"packages": packages} if packages else {}
        table = self._project.pyproject.table.ignore if packages else ()
        return settings | self._ignore(seen, old.ignore, table)

    def _packaged(self, seen: list[_Seen], bare: list[Session]) -> tuple[tuple[str, ...], list[Session]]:
        """Return the packages for a row, and each session with its own of them."""
        own = [self._packages(it, session) for it, session in zip(seen, bare, strict=True)]
        parameter = self._parameter(seen, own)
        means = [self._means(it, parameter) for it in seen]
        constant = {folder for folders, used in zip(means, own, strict=True) for folder in used - folders}
        names = tuple(map(self._workspace.name, sorted(constant)))
        narrowed = [
            replace(session, packages=tuple(sorted(folders | constant)))
            for session, folders in zip(bare, means, strict=True)
        ]
        return (f"{{{parameter}}}",) * bool(parameter) + names, narrowed

    def _locked(self, seen: Iterable[_Seen], packages: Collection[str]) -> list[str]:
        """Return the lock, where uv read it for something else than packages of the row."""
        lock = self._project.lock.file
        is_read = any(self._place(self._prefix + lock) in it.reads.opened for it in seen)
        return [lock] if is_read and (self._root in self._workspace.packages or not packages) else []

    def _ignore(
        self, seen: Iterable[_Seen], own: tuple[str, ...] | None, table: tuple[str, ...] = ()
    ) -> dict[str, tuple[str, ...]]:
        """Return the patterns of files that the sessions do not depend on, without those that name what was read."""
        read = {path for it in seen for path in it.files}
        patterns = table if own is None else own
        kept = tuple(it for it in patterns if not any(map(matcher(it), read)))
        return {} if own is None and kept == patterns else {"ignore": kept}

    def _shared(self, seen: Collection[_Seen], mentions: Mentions) -> dict[str, tuple[str, ...]]:
        """Return the tables and dependency groups that count, where nobody but nox and uv read the root's files."""
        pyproject, lock = (self._place(self._prefix + it) for it in ("pyproject.toml", self._project.lock.file))
        asked = mentions.groups
        if asked is None or "pyproject.toml" in mentions.paths or not asked <= self._project.pyproject.groups.keys():
            return {}
        if any(pyproject in it.reads.by_others for it in seen):
            return {}
        if self._project.lock.file and any(lock in it.reads.opened for it in seen):
            return {}
        has_tools = any(it.startswith("[tool.") for it in self._project.pyproject.tables)
        found = {"groups": tuple(sorted(asked))} if self._project.pyproject.groups else {}
        return found | ({"tools": ()} if has_tools else {})

    def _packages(self, seen: _Seen, bare: Session) -> frozenset[str]:
        """Return the packages of which a session read more than their metadata, without those that others need."""
        read: dict[str, set[str]] = {}
        for path in seen.files:
            read.setdefault(self._owner(path), set()).add(self._prefix + path)
        used = {owner for owner, paths in read.items() if any(os.path.basename(it) not in FILES for it in paths)}
        used |= {self._owner(f"{it}/") for it in seen.listed}
        used -= {self._root}
        for folder in sorted(used, key=lambda it: (len(self._workspace.closure([it], ())), it)):
            others = replace(bare, packages=tuple(sorted(used - {folder})))
            if len(used) > 1 and read.get(folder, set()) <= self._digester.files(others):
                used.discard(folder)
        return frozenset(used)

    def _owner(self, path: str) -> str:
        """Return the folder of the package that a path lies in; that of the project where it lies in none."""
        folders = enclosing(os.path.dirname(self._prefix + path))
        return next((it for it in folders if it in self._workspace.packages), self._root)

    def _parameter(self, seen: list[_Seen], own: list[frozenset[str]]) -> str:
        """Return the parameter whose value means a package that the session read, in every session of a function."""
        for name in seen[0].session.parameters:
            means = [self._means(it, name) for it in seen]
            if all(folders and folders <= used for folders, used in zip(means, own, strict=True)):
                return name
        return ""

    def _means(self, seen: _Seen, parameter: str) -> frozenset[str]:
        value = seen.session.parameters.get(parameter, "")
        return frozenset(self._workspace.find(value, self._prefix) if value else ())

    def _inputs(self, seen: list[_Seen], sessions: list[Session]) -> list[str]:
        """Return patterns of the files that the sessions read and that are not covered yet."""
        covered = {it.name: self._files(it) for it in sessions}
        listed = [self._elsewhere(it, session) for it, session in zip(seen, sessions, strict=True)]
        patterns = [
            (it.session, self._covering(it.files, them, covered[it.session.name]))
            for it, them in zip(seen, listed, strict=True)
        ]
        if len(seen) > 1 and (alike := common(patterns)) is not None:
            return alike
        files = {path for it in seen for path in it.files - covered[it.session.name]}
        everywhere = set.intersection(*covered.values())
        return self._covering(files, {path for them in listed for path in them}, everywhere)

    def _elsewhere(self, seen: _Seen, session: Session) -> list[str]:
        """Return the folders that a session listed, without those of its packages and of what these need."""
        packages = session.packages or ()
        covered = {*packages, *self._workspace.closure(packages, self._project.groups(session))}
        return [it for it in seen.listed if self._owner(f"{it}/") not in covered]

    def _covering(self, files: Collection[str], listed: Collection[str], covered: Collection[str]) -> list[str]:
        left = {*covered}
        tree = Tree(
            known=sorted(self._known - left),
            read=sorted({*files} - left),
            listed=sorted(listed),
            parted=["", *self._parted],
        )
        return covering(tree)

    def _files(self, session: Session) -> set[str]:
        """Return the files that the digest of a session covers, relative to the project's folder."""
        return self._own(self._digester.files(session) & self._all)
