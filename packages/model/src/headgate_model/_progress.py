"""Shows how far a training is: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

if TYPE_CHECKING:
    from headgate_model._state import Epoch
    from rich.console import Console

__all__ = ["Bar", "Lines", "Progress", "progress_on"]


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
        at_most = TextColumn("at most")
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), at_most, TimeRemainingColumn())
        self.bar = RichProgress(*columns, console=console)

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


def progress_on(console: Console) -> Progress:
    """Return the kind of progress that suits a console."""
    return Bar(console) if console.is_terminal else Lines(console)
