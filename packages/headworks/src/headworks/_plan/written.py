"""Outputs and needs: the files that sessions wrote in folders that git ignores, and that other sessions read there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from headworks._plan.covering import escaped, parametrised
from headworks._plan.ignored import refuse_visible_outputs
from headworks._project.needs import in_order
from headworks._project.session import Session, filled
from headworks._project.starter import by_function
from headworks._tree.patterns import is_at
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from headworks._digest.digest import Digester
    from headworks._observe.reads import Reads


class Written:
    """The files that sessions wrote for each other.

    Attributes:
        needs: The functions that each function is found to need.
        outputs: The outputs of each function that others are found to need, with the names of parameters in braces.
    """

    def __init__(self, digester: Digester, seen: Iterable[tuple[Session, Reads]]) -> None:
        """Take what sessions of the work tree read and wrote."""
        self.needs: dict[str, list[str]] = {}
        self.outputs: dict[str, list[str]] = {}
        self._snapshot = digester.snapshot
        self._root = os.path.realpath(digester.snapshot.repository.root)
        pairs = list(seen)
        self._own = {session.name: reads.own for session, reads in pairs}
        self._functions = by_function(session for session, _ in pairs)
        every = {it.name: it for it in digester.sessions()}
        self._before: dict[str, set[str]] = {}
        self._declared: dict[str, list[str]] = {}
        for session in every.values():
            self._declared.setdefault(session.function, []).extend(self._at(it) for it in session.outputs)
            self._before.setdefault(session.function, set()).update(every[it].function for it in session.needs)

    def give(self, reader: str, places: Iterable[str]) -> None:
        """Note that a function read files that git ignores, which others may have written."""
        for place in sorted(places):
            depths = {name: max(self._depth(it, place) for it in them) for name, them in self._functions.items()}
            deepest = max(depths.values())
            writers = [name for name, depth in depths.items() if depth == deepest > 0]
            if len(writers) == 1 and writers != [reader] and not self.is_given(reader, place):
                self._join(reader, writers[0], self._output(writers[0], place))

    def is_given(self, reader: str, place: str) -> bool:
        """Return whether a file lies in an output of a function that another one is found to need."""
        needs = self.needs.get(reader, ())
        return any(is_at(place, it) for need in needs for it in self._filled(need, self.outputs[need]))

    def _join(self, reader: str, writer: str, output: str) -> None:
        needs = {name: list(them) for name, them in self.needs.items()}
        needs[reader] = list(dict.fromkeys([*needs.get(reader, ()), writer]))
        places = self._places(writer, output)
        others = [place for name, them in self._declared.items() if name != writer for place in them]
        others += [place for name, them in self.outputs.items() if name != writer for place in self._filled(name, them)]
        if not output or any(is_at(it, place) or is_at(place, it) for it in others for place in places):
            return
        try:
            in_order({name: [*before, *needs.get(name, ())] for name, before in self._before.items()})
        except ConfigurationError:  # they need each other, as sessions do that share a cache
            return
        self.needs = needs
        kept = [it for it in self.outputs.get(writer, ()) if not is_at(it, output)]
        self.outputs[writer] = [*kept, output]

    def _depth(self, session: Session, place: str) -> int:
        """Return the length of the path that a session made of a file or of the folders above it; 0 if it made none."""
        own = self._own[session.name]
        while place not in own and len(place) > len(self._root):
            place = os.path.dirname(place)
        return len(place) if place in own else 0

    def _wrote(self, session: Session, place: str) -> bool:
        """Return whether a session made a file or folder, or anything in it."""
        return self._depth(session, place) > 0 or any(is_at(it, place) for it in self._own[session.name])

    def _output(self, writer: str, place: str) -> str:
        """Return the output in which a file of a function lies, with its parameters in braces; empty if none can be."""
        if not is_at(place, self._root):
            return ""
        instances = self._functions[writer]
        owner = max(instances, key=lambda it: self._depth(it, place))
        path = self._widest(owner, place)
        if path != escaped(path):
            return ""
        output = parametrised(path, owner) if len(instances) > 1 else path
        places = self._places(writer, output)
        is_complete = all(self._wrote(it, at) and os.path.exists(at) for it, at in zip(instances, places, strict=True))
        if not is_complete or len({*places}) < len(places):
            return ""
        try:
            refuse_visible_outputs({at[len(self._root) + 1 :]: writer for at in places}, self._snapshot)
        except ConfigurationError:
            return ""
        return output

    def _widest(self, owner: Session, place: str) -> str:
        """Return the widest folder around a file where no other session writes; in the root only the one it lies in."""
        others = [it for name, own in self._own.items() if name != owner.name for it in own]
        widest, folder = place, os.path.dirname(place)
        while folder != self._root and not any(is_at(it, folder) for it in others):
            if os.path.dirname(folder) == self._root and widest != place:
                break
            widest, folder = folder, os.path.dirname(folder)
        return widest[len(self._root) + 1 :]

    def _places(self, function: str, output: str) -> list[str]:
        """Return where an output of each session of a function lies."""
        return [self._at(filled(output, it.values)) for it in self._functions[function]]

    def _filled(self, function: str, outputs: Iterable[str]) -> list[str]:
        return [place for output in outputs for place in self._places(function, output)]

    def _at(self, path: str) -> str:
        return os.path.join(self._root, path)
