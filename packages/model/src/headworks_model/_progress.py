"""Shows how far a training or a cross-fitting is: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

if TYPE_CHECKING:
    from headworks_model._state import Epoch
    from rich.console import Console


class _Shown:
    """Is shown while its block runs."""

    def __enter__(self) -> Self:
        """Begin to show something."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""


class Progress(_Shown):
    """Is told how far a training is, and shows nothing; subclasses do."""

    def start(self, *, epochs: int, done: int, steps: int) -> None:
        """Hear before the first epoch how many there are at most, how many a resumed run has done, and their steps."""

    def step(self) -> None:
        """Hear that one batch was learnt."""

    def epoch(self, epoch: Epoch) -> None:
        """Hear what an epoch came to."""


class FoldProgress(_Shown):
    """Is told how far a cross-fitting is, and shows nothing; subclasses do."""

    def start(self, *, folds: int) -> None:
        """Hear how many folds of all seeds there are."""

    def fold(self, text: str) -> None:
        """Hear what one of them came to."""


def summary(epoch: Epoch) -> str:
    """Return the figures of an epoch in words."""
    return (
        f"loss {epoch.train_loss:.4f}, validation loss {epoch.validation_loss:.4f}, "
        f"validation accuracy {epoch.validation_accuracy:.4f}"
    )


class Lines(Progress, FoldProgress):
    """Writes one line per epoch or fold, for logs."""

    def __init__(self, console: Console) -> None:
        """Write to a console."""
        self.console = console

    def start(self, *, epochs: int = 0, folds: int = 0, done: int = 0, steps: int = 1) -> None:
        """Remember what the time left is reckoned from."""
        del steps
        self.total, self.before, self.done, self.began = epochs or folds, done, done, time.perf_counter()

    def epoch(self, epoch: Epoch) -> None:
        """Write the figures of an epoch, and the time left if training does not stop early."""
        self._say("epoch ", summary(epoch), "at most")

    def fold(self, text: str) -> None:
        """Write what a fold came to, and about how long the others will take."""
        self._say("", text, "about")

    def _say(self, what: str, text: str, about: str) -> None:
        self.done += 1
        left = (time.perf_counter() - self.began) / (self.done - self.before) * (self.total - self.done)
        shown = f"{what}{self.done}/{self.total}: {text}; {about} {left:.0f} s left"
        self.console.print(shown, soft_wrap=True, highlight=False)


class Bar(Progress, FoldProgress):
    """Draws a bar that moves with every batch or fold."""

    def __init__(self, console: Console) -> None:
        """Draw on a console, which is a terminal."""
        words, about = TextColumn("{task.description}"), TextColumn("{task.fields[about]}")
        self.bar = RichProgress(words, BarColumn(), TimeElapsedColumn(), about, TimeRemainingColumn(), console=console)

    def __enter__(self) -> Self:
        """Begin to draw."""
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last state of the bar on the terminal."""
        self.bar.stop()

    def start(self, *, epochs: int = 0, folds: int = 0, done: int = 0, steps: int = 1) -> None:
        """Draw the bar."""
        self.epochs = epochs
        text, about = (f"epoch {done + 1}/{epochs}", "at most") if epochs else ("folds", "about")
        total = (epochs or folds) * steps
        self.task = self.bar.add_task(text, total=total, completed=done * steps, about=about)

    def step(self) -> None:
        """Move on by one batch."""
        self.bar.advance(self.task)

    def epoch(self, epoch: Epoch) -> None:
        """Show the figures of an epoch in front of the bar."""
        self.bar.update(self.task, description=f"epoch {epoch.epoch}/{self.epochs}: {summary(epoch)}")

    def fold(self, text: str) -> None:
        """Show what a fold came to above the bar, and move on."""
        self.bar.console.print(text, soft_wrap=True, highlight=False)
        self.bar.advance(self.task)


def progress_on(console: Console) -> Bar | Lines:
    """Return the kind of progress that suits a console, of either work."""
    return Bar(console) if console.is_terminal else Lines(console)
