"""A live table of running sessions. It needs rich, which is optional."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from headworks._lines import shown
from headworks._quantities import duration_text
from headworks._run.display import Display, Row


class RichDisplay(Display):
    """Keeps a table of the running sessions at the bottom of a terminal, below the lines that stay."""

    def __init__(self, stream: TextIO) -> None:
        """Print to a terminal."""
        super().__init__(stream)
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def say(self, text: str) -> None:
        """Print a line above the table."""
        self._console.print(Text(shown(text), style=_style(text)))

    def tick(self, running: Sequence[Row], waiting: int, left: float | None) -> None:
        """Draw the table."""
        if not self._live.is_started:
            self._live.start()
        self._live.update(_table(running, waiting, left), refresh=True)

    def close(self) -> None:
        """Remove the table."""
        self._live.stop()


def _style(text: str) -> str:
    """Return the colour of a line, by the words that this package uses for what matters."""
    if ": FAILED" in text or ": FLAKY" in text:
        return "bold red"
    if ": UNPROVEN" in text or ": NOT RUN" in text:
        return "yellow"
    return "green" if ": passed" in text else ""


def _table(running: Sequence[Row], waiting: int, left: float | None) -> Table:
    now = time.monotonic()
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, since, expected in running:
        of = f"of {duration_text(expected)}" if expected else ""
        table.add_row(Text(shown(name)), duration_text(now - since), of)
    parts = [f"about {duration_text(left)} left"] if left is not None else []
    parts += [f"{waiting} waiting"] if waiting else []
    if parts:
        table.add_row(Text(", ".join(parts), style="dim"), "", "")
    return table
