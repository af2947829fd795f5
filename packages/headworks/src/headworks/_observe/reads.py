"""The reads of a session, noted place by place: links are followed, and files that it made itself do not count."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headworks._observe.git_calls import reads_refs, reads_settings
from headworks._observe.places import GIT, OUTSIDE, PASSED
from headworks._tree.patterns import is_at

if TYPE_CHECKING:
    from collections.abc import Container

    from headworks._observe.places import Places

__all__ = ["Notes", "Reads", "source_of"]

# Whatever a process has open at the time, or its own folder, which are others than those of this process.
_BYPASS = re.compile(
    r"/proc/(?:self|thread-self|\d+)/(?:task/\d+/)?(?:(?:cwd|root)(?:/|$)|fd/\d+/)|/dev/(?:fd/\d+|std[a-z]+)/"
)
_MAX_LINKS = 40  # as Linux follows links
_COMPILED = re.compile(r"(.*)/__pycache__/([^/.]+)\.[^/]*\.pyc", re.DOTALL)
# Folders whose content stands for files that were read when it was made, and what it means to use such a one.
_KEPT = re.compile(
    r"(?P<packages>.*/lib(?:64)?/[^/]+/site-packages)/"
    r"|(?P<programs>.*/bin)/[^/]+$"
    r"|(?P<wheel>.*/sdists-v\d+/(?:editable|path)/[^/]+/[^/.]+)(?:/?$|(?P<built>/[^/]+))"
    r"|(?P<types>.*/\d\.\d+)/(?:cache\.(?:\d+\.)?db$|.*\.meta\.(?:ff|json)$)",
    re.DOTALL,
)
_USED = {
    "packages": "it used {}, of an environment that it did not make (let it make one)",
    "programs": "it used {}, of an environment that it did not make (let it make one)",
    "wheel": "uv installed a local package that had been built before, from {}",
    "types": "mypy used the cache in {}, which an earlier run had filled (let mypy choose the folder)",
}
# A name of each kind that is judged by more than its folder.
_PROBES = ("x", "x.meta.json", "x.y.pyc")


def source_of(place: str) -> str:
    """Return the source of a compiled module of Python; any other place as it is."""
    found = _COMPILED.fullmatch(place)
    return f"{found[1]}/{found[2]}.py" if found else place


def _links(folder: str) -> set[str]:
    """Return the names of the links in a folder."""
    try:
        with os.scandir(folder) as entries:
            return {it.name for it in entries if it.is_symlink()}
    except OSError:
        return set()


def _lies_in(path: str, places: Container[str]) -> bool:
    """Return whether a path, or a folder that it lies in, is one of some places."""
    while path not in places:
        path, below = os.path.dirname(path), path
        if path == below:
            return False
    return True


@dataclass(kw_only=True)
class Reads:
    """All that a session read; paths are absolute and have no links in them, but for `links` themselves.

    Attributes:
        opened: The files and folders that were opened to read, or executed.
        looked: The places of which only the kind, the size or the times were asked for.
        sought: The places where something was looked for in vain, or where the session made something new.
        listed: The folders whose names were read.
        links: The links on the way to anything.
        own: The places that the session itself made, emptied or removed.
        perhaps_own: The places that it would have made where nothing was: no call says whether something was there.
        by_others: The places that a program opened or looked at of which digests do not hold what it takes from there:
            they hold what nox takes from the noxfile, uv from the root's pyproject.toml, and `uv --frozen`, which takes
            the lock as it is, from any.
        outside: The files and folders outside the repository that nothing passes over.
        installs: Whether an installer was started, which takes what it finds where no lock says what to take.
        network: Whether any other program reached another machine.
        index: Whether git's index was read.
        history: The commands or files through which git's history was read.
        refs: The branches and other refs that were looked for there, and folders of them, by their names.
        git: The places in folders of git that count by what lies there.
        unseen: Why there may be reads that nobody saw; empty if there are none.
    """

    opened: set[str] = field(default_factory=set)
    looked: set[str] = field(default_factory=set)
    sought: set[str] = field(default_factory=set)
    listed: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    perhaps_own: set[str] = field(default_factory=set)
    by_others: set[str] = field(default_factory=set)
    outside: set[str] = field(default_factory=set)
    installs: bool = False
    network: bool = False
    index: bool = False
    history: set[str] = field(default_factory=set)
    refs: set[str] = field(default_factory=set)
    git: set[str] = field(default_factory=set)
    unseen: str = ""

    def is_own(self, path: str) -> bool:
        """Return whether the session itself made a file, or a folder that it lies in."""
        return _lies_in(path, self.own)


class Notes:
    """Notes reads in the order in which they happen.

    Attributes:
        places: The places that count.
        reads: All reads so far.
        generation: Changes whenever the same path may lead elsewhere, since the session made or removed a link.
    """

    def __init__(self, places: Places) -> None:
        """Take the places that count."""
        self.reads = Reads()
        self.generation = 0
        self.places = places
        self._real: dict[str, str] = {}
        self._made_links: dict[str, dict[str, str]] = {}  # by folder and name
        self._idle: dict[str, set[str] | None] = {}
        self._new: set[str] = set()  # what the session made in places that are passed over
        self._named: set[str] = set()  # the same, by nothing but its own name

    def doubt(self, why: str) -> None:
        """Note why there may be reads that nobody saw; the first reason stays, and an empty one says nothing."""
        self.reads.unseen = self.reads.unseen or why

    def resolve(self, path: str, *, follow: bool = True, hops: int = 0) -> str:
        """Return the place that an absolute path leads to, and note the links on the way.

        Args:
            path: The path.
            follow: Whether a link in the last place is followed.
            hops: How many links led here.
        """
        if self.places.is_fixed(path):
            if _BYPASS.match(path):
                self.doubt(f"it went through {path}")
            return path
        parent, name = os.path.split(path if follow else path.rstrip("/") or "/")
        if not follow and name not in {"", ".", ".."}:
            return os.path.join(self.resolve(parent), name)
        if path in self._real or path == parent:
            return self._real.get(path, path)
        place = self.resolve(parent, hops=hops)
        if name == "..":
            place = os.path.dirname(place)
        elif name not in {"", "."}:
            place = os.path.join(place, name)
            target = self._target(place)
            if target is not None and hops < _MAX_LINKS:
                link = place
                place = self.resolve(os.path.join(os.path.dirname(link), target), hops=hops + 1)
                if self.is_input(link) or self._is_far(link, place):
                    self.reads.links.add(link)
        self._real[path] = place
        return place

    def _is_far(self, link: str, place: str) -> bool:
        """Return whether a link elsewhere leads to a place elsewhere, and not to a folder around the repository."""
        is_elsewhere = self.places.kind(link) == OUTSIDE == self.places.kind(place) and not self.reads.is_own(link)
        return is_elsewhere and link != "/var/run" and not f"{self.places.top}/".startswith(f"{place}/")

    def _target(self, place: str) -> str | None:
        """Return where a link leads, one of the session's own or on the disk; None for anything else."""
        if (made := self._made_target(place)) is not None:
            return made
        try:
            return os.readlink(place)
        except (OSError, ValueError):
            return None

    def _made_target(self, place: str) -> str | None:
        """Return where a link of the session's own leads; None for anything else."""
        folder, name = os.path.split(place)
        return self._made_links.get(folder, {}).get(name)

    def is_input(self, place: str) -> bool:
        """Return whether a place in the repository counts, and does so as the session found it."""
        return not self.places.kind(place) and not self.reads.is_own(place)

    def note(
        self,
        place: str,
        into: set[str],
        *,
        git: str = "",
        is_harmless: bool = False,
        is_tool: bool = False,
        is_digested: bool = False,
    ) -> None:
        """Note a read.

        Args:
            place: The path without links.
            into: The set of the reads that it belongs to.
            git: The command of the process, where that is git.
            is_harmless: Whether that command says nothing about the history.
            is_tool: Whether the process is the nox of the session itself, or makes environments for it.
            is_digested: Whether digests hold what the process takes from there.
        """
        if (source := source_of(place)) != place:
            if into is self.reads.sought:
                return
            compiled, place = place, source
            if self.is_input(place) and not os.path.lexists(place):
                self.doubt(f"it read {self.places.relative(compiled)}, whose source is gone (remove it)")
        kind = self.places.kind(place)
        is_read = into is self.reads.opened or into is self.reads.listed
        if kind == GIT:
            self._note_git(place, git, is_read=is_read, is_look=into is self.reads.looked, is_harmless=is_harmless)
        elif kind == OUTSIDE:
            self._note_outside(place, into, is_read=is_read)
        elif kind == PASSED and is_read and (why := self._kept(place, is_tool=is_tool)):
            self.doubt(why)
            self._note_kept(place)
        elif not kind and not self.reads.is_own(place):
            into.add(place)
            if not is_digested:
                self.reads.by_others.add(place)

    def _kept(self, place: str, *, is_tool: bool) -> str:
        """Return what is doubtful about the use of a folder that an earlier run may have made; empty for any other."""
        found = _KEPT.match(place)
        if found is None:
            return ""
        group = next(it for it in _USED if found[it] is not None)
        folder = found[group]
        # Another session that runs meanwhile may build the same package, in the folder that this one has made for it.
        if self.is_new(folder) and (not found["built"] or folder + found["built"] in self._named):
            return ""
        if group == "programs" and not os.path.isfile(os.path.join(os.path.dirname(folder), "pyvenv.cfg")):
            return ""
        # Nox and uv may be installed in the repository; elsewhere, environments are passed over.
        if group in {"packages", "programs"} and (is_tool or not folder.startswith(self.places.top + "/")):
            return ""
        return _USED[group].format(folder.removeprefix(self.places.top + "/"))

    def _note_outside(self, place: str, into: set[str], *, is_read: bool) -> None:
        """Note a read outside the repository, but for a folder that is only there."""
        is_named = into is self.reads.sought or into is self.reads.listed or not os.path.isdir(place)
        if is_named and not self.reads.is_own(place):
            (self.reads.outside if is_read else into).add(place)

    def _note_kept(self, place: str) -> None:
        """Note what an earlier run left in an environment: the names of its packages, or a program."""
        found = _KEPT.match(place)
        self.reads.listed |= {found["packages"]} if found and found["packages"] else set()
        self.reads.looked |= {place} if found and found["programs"] else set()

    def idle_folder(self, folder: str) -> set[str] | None:
        """Return the names of the links in a folder, where to read anything else in it says nothing.

        Returns:
            None for a folder in which something counts.
        """
        if folder not in self._idle:
            probes = [source_of(f"{folder}/{name}") for name in _PROBES]
            is_above = folder == os.path.dirname(self.places.top)  # perhaps a temporary folder
            if is_above or any(self.places.kind(it) != PASSED for it in probes):
                self._idle[folder] = None
            elif self.places.is_fixed(f"{folder}/"):
                self._idle[folder] = set()
            elif self.resolve(folder) != folder or any(self._kept(it, is_tool=False) for it in probes):
                return None  # so far
            else:
                self._idle[folder] = {*self._made_links.get(folder, {})} | _links(folder)
        return self._idle[folder]

    def is_new(self, folder: str) -> bool:
        """Return whether the session made a folder, or one that it lies in."""
        if not _lies_in(folder, self._new):
            return False
        self._new.add(folder)  # so that it is found at once the next time
        return True

    def _note_git(self, place: str, git: str, *, is_read: bool, is_look: bool, is_harmless: bool) -> None:
        """Note what a file of git's own stands for; it may have been looked for in vain."""
        if not is_look and not is_harmless and (name := self.places.ref(place)) and reads_refs(git, name):
            self.reads.refs.add(name)
        part = self.places.git_part(place)
        if part == "index":
            self.reads.index |= is_read
        elif part == "history" and is_read and not is_harmless:
            self.reads.history.add(f"`{git}`" if git else place)
        elif part == "rules" or (part == "other" and not is_harmless) or (part == "settings" and reads_settings(git)):
            self.reads.git.add(place)

    def own(self, place: str) -> None:
        """Note that the session emptied, replaced or removed something."""
        if self.places.kind(place) in {"", OUTSIDE}:
            self.reads.own.add(place)
        folder, name = os.path.split(place)
        if self._made_links.get(folder, {}).pop(name, None) is not None:
            self._changed()

    def made(self, place: str, target: str | None = None) -> None:
        """Note that the session made something where nothing was; `target` is where a link leads."""
        if self.is_input(place):
            self.reads.sought.add(place)
        if self.places.kind(place) == PASSED:
            self._new.add(place)
            self._named.add(place)
        self.own(place)
        self._made_link(place, target)

    def _made_link(self, place: str, target: str | None) -> None:
        if target is not None:
            folder, name = os.path.split(place)
            self._made_links.setdefault(folder, {})[name] = target
            self._changed()
            self._idle = {it: links for it, links in self._idle.items() if not is_at(it, place)}
            links = self._idle.get(folder)
            if links is not None:
                links.add(name)

    def _changed(self) -> None:
        """Forget where paths led."""
        self._real.clear()
        self.generation += 1

    def moved(self, old: str, new: str) -> None:
        """Note that the session gave something another name."""
        if self.is_input(old):
            self.doubt(f"it moved {self.places.relative(old)}, which it had not made")
        if self.is_new(old):
            self._new.add(new)
            self._named.add(new)
        target = self._made_target(old)
        self.own(old)
        self.own(new)
        self._made_link(new, target)
