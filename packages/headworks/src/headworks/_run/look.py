"""The work tree as it is when sessions have ended, beside what it was when their run began."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headworks._digest.digest import Digest, Digester
    from headworks._plan.plan import PlannedSession
    from headworks._project.session import Session
    from headworks._tree.snapshot import WorkTreeSnapshot

__all__ = ["Look"]


class Look:
    """One look, taken when it is first asked for."""

    def __init__(self, before: Digester) -> None:
        """Take what computed the digests when the run began."""
        self._before = before
        self._now: Digester | None = None
        self._written: set[str] = set()

    def _look(self) -> Digester:
        """Return what computes digests from the work tree as it is now."""
        if self._now is None:
            self._now = self._before.again()
            earlier, now = (cast("WorkTreeSnapshot", it.snapshot) for it in (self._before, self._now))
            self._written = set(map(os.fsdecode, now.written_since(earlier)))
        return self._now

    def digest(self, planned: PlannedSession, needs: Mapping[str, Mapping[str, str]]) -> Digest:
        """Return the digest that a session has now."""
        return self._look().digest(planned.session, needs)

    def written(self, session: Session) -> list[str]:
        """Return the files that count for a session and were written to, although they are again what they were."""
        now = self._look()
        if not self._written:
            return []
        from headworks._audit.compare import declared_files

        return sorted(self._written & declared_files(now, session))
