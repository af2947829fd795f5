"""What is measured of the model that is here now."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from headworks._gate.measurements import measurements_of

if TYPE_CHECKING:
    from headworks._project.gate_settings import GateSettings
    from headworks._report.source import Sources

__all__ = ["measured_here"]


def measured_here(sources: Sources, settings: GateSettings) -> dict[str, tuple[float, ...]]:
    """Return the measurements that the table names a file for, and the size of the model; without what is not there."""
    here = [os.path.join(sources.root, it) for it in (settings.measurements, settings.model)]
    is_there = settings.measurements and os.path.isfile(here[0])
    return measurements_of(here[0] if is_there else "", here[1] if settings.model else "")
