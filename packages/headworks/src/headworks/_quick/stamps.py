"""How a file is known to be the same without being read: by its times, as git knows the files of its index."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["are_settled"]

_TICK = 2_000_000_000  # nanoseconds; the coarsest clock of a common file system, FAT's


def are_settled(times: Iterable[int], now: int) -> bool:
    """Tell whether any later change of a file would show in its times.

    A time that is about now could stay as it is although the file changes within the same tick of the clock. One in the
    future, as an archive or another machine's clock may leave it, could not: a change would set it to now.

    Args:
        times: when the content and when anything of the file last changed, in nanoseconds since the epoch.
        now: the time at which the file was looked at.
    """
    return all(abs(now - it) > _TICK for it in times)
