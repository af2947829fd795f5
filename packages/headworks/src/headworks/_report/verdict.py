"""The first line of the report: the worst that any section found, and what it is due to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headworks._quantities import count_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headworks._report.page import Outcome, Section

__all__ = ["verdict"]

_RANKED: tuple[Outcome, ...] = ("failed", "cannot tell", "unproven")
_WORDS = {"failed": "Failed", "cannot tell": "Cannot tell", "unproven": "Not everything is proven"}
_SHOWN = 4  # reasons; more are counted


def verdict(sections: Sequence[Section]) -> tuple[Outcome, str]:
    """Return the outcome of a page and the line that says it.

    A page on which nothing was judged has not everything proven: it never passes.
    """
    for outcome in _RANKED:
        reasons = [reason for it in sections if it.outcome == outcome for reason in it.reasons]
        if any(it.outcome == outcome for it in sections):
            return outcome, f"{_WORDS[outcome]}: {_listed(reasons)}"
    passed = [reason for it in sections if it.outcome == "passed" for reason in it.reasons]
    if not passed:
        return "unproven", "Not everything is proven: nothing was judged"
    return "passed", f"Passed: {_listed(passed)}"


def _listed(reasons: Sequence[str]) -> str:
    """Return reasons in one line."""
    more = len(reasons) - _SHOWN
    return "; ".join([*reasons[:_SHOWN], *([f"and {count_text(more, 'more reason')}"] if more > 0 else [])])
