"""Checks the promise of a row: what a session that was watched has read, beside what its digest covers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from headworks._observe.places import Places
from headworks._plan.promise import compare

if TYPE_CHECKING:
    from headworks._plan.promise import Findings
    from headworks._run.task import SharedState, Task

__all__ = ["findings_of"]


def findings_of(task: Task, shared: SharedState) -> Findings | None:
    """Return what a session that has ended read, beside what its digest covers; None if it was not watched."""
    if task.watch is None:
        return None
    snapshot, root = shared.digester.snapshot, os.path.realpath(shared.root)
    places = Places.of(snapshot, shared.environ)
    outputs = [*task.planned.session.outputs, *(path for contents in task.needs.values() for path in contents)]
    return compare(
        task.watch.reads(places, root),
        task.watch,
        top=places.top,
        known={os.fsdecode(path) for path in snapshot.listing.paths()},
        declared=shared.digester.files(task.planned.session),
        outputs=[os.path.realpath(os.path.join(root, path)) for path in outputs],
    )
