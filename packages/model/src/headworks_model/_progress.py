"""Shows how far a training is: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

if TYPE_CHECKING:
    from headworks_model._state import Epoch
    from rich.console import Console

__all__ = ["Bar", "FoldBar", "FoldLines", "FoldProgress", "Lines", "Progress", "folds_on", "progress_on"]


class Progress:
    """Is told how far a training is, and shows nothing; subclasses do."""

    def __enter__(self) -> Self:
        """Begin to show something."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""

    def start(self, *, epochs: int, done: int, steps: int) -> None:
        """Hear before the first epoch how many there are at most, how many a resumed run has done, and their steps."""

    def step(self) -> None:
        """Hear that one batch was learnt."""

    def epoch(self, epoch: Epoch) -> None:
        """Hear what an epoch came to."""


def summary(epoch: Epoch) -> str:
    """Return the figures of an epoch in words."""
    return (
        f"loss {epoch.train_loss:.4f}, validation loss {epoch.validation_loss:.4f}, "
        f"validation accuracy {epoch.validation_accuracy:.4f}"
    )


class Lines(Progress):
    """Writes one line per epoch, for logs."""

    def __init__(self, console: Console) -> None:
        """Write to a console."""
        self.console = console

    def start(self, *, epochs: int, done: int, steps: int) -> None:
        """Remember what the time left is reckoned from."""
        del steps
        self.epochs, self.done, self.began = epochs, done, time.perf_counter()

    def epoch(self, epoch: Epoch) -> None:
        """Write the figures of an epoch, and the time left if training does not stop early."""
        per_epoch = (time.perf_counter() - self.began) / (epoch.epoch - self.done)
        left = per_epoch * (self.epochs - epoch.epoch)
        text = f"epoch {epoch.epoch}/{self.epochs}: {summary(epoch)}; at most {left:.0f} s left"
        self.console.print(text, soft_wrap=True, highlight=False)


class Bar(Progress):
    """Draws a bar that moves with every batch."""

    def __init__(self, console: Console) -> None:
        """Draw on a console, which is a terminal."""
        self.bar = bar_on(console, before_rest="at most")

    def __enter__(self) -> Self:
        """Begin to draw."""
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last state of the bar on the terminal."""
        self.bar.stop()

    def start(self, *, epochs: int, done: int, steps: int) -> None:
        """Draw the bar."""
        self.epochs = epochs
        total, completed = epochs * steps, done * steps
        self.task = self.bar.add_task(f"epoch {done + 1}/{epochs}", total=total, completed=completed)

    def step(self) -> None:
        """Move on by one batch."""
        self.bar.advance(self.task)

    def epoch(self, epoch: Epoch) -> None:
        """Show the figures of an epoch in front of the bar."""
        self.bar.update(self.task, description=f"epoch {epoch.epoch}/{self.epochs}: {summary(epoch)}")


def bar_on(console: Console, *, before_rest: str) -> RichProgress:
    """Return a bar with a description in front of it, the time it took, some words, and the time left."""
    words = TextColumn(before_rest)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), words, TimeRemainingColumn())
    return RichProgress(*columns, console=console)


class FoldProgress:
    """Is told how far a cross-fitting is, and shows nothing; subclasses do."""

    def __enter__(self) -> Self:
        """Begin to show something."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""

    def start(self, *, folds: int) -> None:
        """Hear how many folds of all seeds there are."""

    def fold(self, text: str) -> None:
        """Hear what one of them came to."""


class FoldLines(FoldProgress):
    """Writes one line per fold, for logs."""

    def __init__(self, console: Console) -> None:
        """Write to a console."""
        self.console = console

    def start(self, *, folds: int) -> None:
        """Remember what the time left is reckoned from."""
        self.folds, self.done, self.began = folds, 0, time.perf_counter()

    def fold(self, text: str) -> None:
        """Write what a fold came to, and about how long the others will take."""
        self.done += 1
        left = (time.perf_counter() - self.began) / self.done * (self.folds - self.done)
        shown = f"{self.done}/{self.folds}: {text}; about {left:.0f} s left"
        self.console.print(shown, soft_wrap=True, highlight=False)


class FoldBar(FoldProgress):
    """Draws a bar that moves with every fold, below what each came to."""

    def __init__(self, console: Console) -> None:
        """Draw on a console, which is a terminal."""
        self.bar = bar_on(console, before_rest="about")

    def __enter__(self) -> Self:
        """Begin to draw."""
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last state of the bar on the terminal."""
        self.bar.stop()

    def start(self, *, folds: int) -> None:
        """Draw the bar."""
        self.task = self.bar.add_task("folds", total=folds)

    def fold(self, text: str) -> None:
        """Show what a fold came to, and move on."""
        self.bar.console.print(text, soft_wrap=True, highlight=False)
        self.bar.advance(self.task)


def folds_on(console: Console) -> FoldProgress:
    """Return the kind of progress of folds that suits a console."""
    return FoldBar(console) if console.is_terminal else FoldLines(console)


def progress_on(console: Console) -> Progress:
    """Return the kind of progress that suits a console."""
    return Bar(console) if console.is_terminal else Lines(console)
