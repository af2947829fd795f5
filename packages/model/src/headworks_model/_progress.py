"""Progress of a training or a cross-fitting: a line for each epoch or fold, and on a terminal a bar below them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

if TYPE_CHECKING:
    from headworks_model._state import Epoch
    from rich.console import Console


class _Block:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


class Progress(_Block):
    """Receives the progress of a training and shows nothing; subclasses do."""

    def start(self, *, epochs: int, done: int, steps: int) -> None:
        """Begin with at most so many epochs of so many steps, of which a resumed run has done some."""

    def step(self) -> None:
        """Count one batch."""

    def epoch(self, epoch: Epoch) -> None:
        """Count one epoch, with its losses."""


class FoldProgress(_Block):
    """Receives the progress of a cross-fitting and shows nothing; subclasses do."""

    def start(self, *, folds: int) -> None:
        """Begin with so many folds, of all seeds together."""

    def fold(self, text: str) -> None:
        """Count one fold, with its result in words."""


class ConsoleProgress(Progress, FoldProgress):
    """Writes a line for each epoch or fold with the time left; on a terminal, a bar moves with every batch as well."""

    def __init__(self, console: Console) -> None:
        """Write to a console."""
        columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()
        self._bar = RichProgress(*columns, console=console, disable=not console.is_terminal)

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last state of the bar on the terminal."""
        self._bar.stop()

    def start(self, *, epochs: int = 0, folds: int = 0, done: int = 0, steps: int = 1) -> None:
        """Begin with epochs or folds."""
        self._total, self._before, self._done, self._began = epochs or folds, done, done, time.perf_counter()
        name = "epochs" if epochs else "folds"
        self._task = self._bar.add_task(name, total=self._total * steps, completed=done * steps)

    def step(self) -> None:
        """Move the bar on by one batch."""
        self._bar.advance(self._task)

    def epoch(self, epoch: Epoch) -> None:
        """Write the figures of an epoch, and the time left if training does not stop early."""
        losses = f"loss {epoch.train_loss:.4f}, validation loss {epoch.validation_loss:.4f}"
        self._say("epoch ", f"{losses}, validation accuracy {epoch.validation_accuracy:.4f}", "at most")

    def fold(self, text: str) -> None:
        """Write the result of a fold, and the approximate time left."""
        self._bar.advance(self._task)
        self._say("", text, "about")

    def _say(self, kind: str, text: str, about: str) -> None:
        self._done += 1
        left = (time.perf_counter() - self._began) / (self._done - self._before) * (self._total - self._done)
        line = f"{kind}{self._done}/{self._total}: {text}; {about} {left:.0f} s left"
        self._bar.console.print(line, soft_wrap=True, highlight=False, markup=False)
