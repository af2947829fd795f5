"""The reads of a session that was watched: beside the promise of its row, and as the witness of its verdict."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from headworks._observe.places import Places
from headworks._observe.witness import Tree, make_witness
from headworks._plan.promise import compare

if TYPE_CHECKING:
    from headworks._digest.digest import Digester
    from headworks._observe.watch import StraceWatch
    from headworks._plan.promise import Findings
    from headworks._run.task import SharedState, Task
    from headworks._store.witness import Witness

_DIGESTED = ("noxfile.py", "pyproject.toml")  # digests hold the parts of them that nox and uv take


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


def witness_of(watch: StraceWatch, needs: Iterable[str], shared: SharedState, now: Digester) -> Witness:
    """Return the witness of a session that has ended.

    Args:
        watch: What has watched it.
        needs: The outputs of the sessions that it needs, which digests hold.
        shared: The state that all sessions share.
        now: A digester of the work tree after the session.

    Raises:
        NoWitnessError: Nobody can tell all that it has read.
    """
    snapshot = now.snapshot
    places = Places.of(snapshot, shared.environ, now.project.noxfile.modules())
    reads = watch.reads(places, os.path.realpath(shared.root))
    tree = Tree(snapshot)
    finer = [snapshot.repository.prefix + name for name in _DIGESTED]
    max_age = now.project.pyproject.table.max_age
    given = [snapshot.repository.prefix + path for path in needs]
    return make_witness(reads, shared.before, tree, since=watch.since, finer=finer, given=given, max_age=max_age)
