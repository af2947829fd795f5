"""The reads of a session that was watched: beside the promise of its row, and as the witness of its verdict."""

from __future__ import annotations

import glob
import os
import re
from itertools import islice
from typing import TYPE_CHECKING

from headworks._observe.places import Places
from headworks._observe.witness import Tree, make_witness
from headworks._plan.promise import compare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from headworks._plan.promise import Findings
    from headworks._run.task import SharedState, Task
    from headworks._run.verdict import TreeCheck
    from headworks._store.witness import Witness

_DIGESTED = ("noxfile.py", "pyproject.toml")  # digests hold the parts of them that nox and uv take
_MADE = re.compile(r"nox > Creating .* in (.+?)(?: with python\S*)?$")  # virtual environments, and those of conda
_FIRST = 100  # lines of a log, in which nox says where it makes the environment


def findings_of(task: Task, shared: SharedState) -> Findings | None:
    """Return what a session that has ended read, beside what its digest covers.

    None if it was not watched, or if its verdict is bound to what it read.
    """
    if task.watch is None or (task.planned.session.is_observed and not shared.settings.audit):
        return None
    snapshot, root = shared.digester.snapshot, os.path.realpath(shared.root)
    places = Places.of(snapshot, shared.environ, shared.digester.project.noxfile.modules())
    outputs = [*task.planned.session.outputs, *(path for contents in task.needs.values() for path in contents)]
    declared = shared.digester.files(task.planned.session)
    # A link counts with what it leads to, a submodule with all that is checked out in it.
    files = (os.path.join(places.top, it) for it in declared)
    whole = [it for it in files if os.path.islink(it) or os.path.isdir(it)]
    covered = [*(os.path.join(root, it) for it in outputs), *whole]
    return compare(
        task.watch.reads(places, root),
        since=task.watch.since,
        top=places.top,
        known={os.fsdecode(path) for path in snapshot.listing.paths()},
        declared=declared,
        covered=map(os.path.realpath, covered),
    )


def witness_of(task: Task, log: Path, shared: SharedState, check: TreeCheck) -> tuple[Witness | None, str]:
    """Return the witness to which a session's verdict is bound, and why it may have read more than that."""
    if task.watch is None or task.core is None:
        return None, ""
    now, snapshot = check.now, check.now.snapshot
    prefix = snapshot.repository.prefix
    places = Places.of(snapshot, shared.environ, now.project.noxfile.modules())
    reads = task.watch.reads(places, os.path.realpath(shared.root))
    tree, max_age = Tree(snapshot), now.project.pyproject.table.max_age
    finer = [prefix + name for name in _DIGESTED]
    given = [prefix + path for contents in task.needs.values() for path in contents]  # which digests hold
    witness, doubt = make_witness(
        reads,
        shared.before,
        tree,
        since=task.watch.since,
        finer=finer,
        given=given,
        installed=_installed(log, shared.root),
        max_age=max_age,
    )
    return (None if doubt and not task.planned.session.is_observed else witness), doubt


def _installed(log: Path, root: str) -> Iterator[tuple[str, str]]:
    """Yield name and version of each package in the environment that nox made for a session."""
    with log.open(encoding="utf-8", errors="replace") as lines:
        made = next(filter(None, map(_MADE.match, islice(lines, _FIRST))), None)
    if made is not None:
        place = glob.escape(os.path.join(root, made[1]))
        for found in glob.iglob(f"{place}/lib/python*/site-packages/*.dist-info"):
            name, _, version = os.path.basename(found).removesuffix(".dist-info").partition("-")
            yield name, version
