"""Sources of datasets by name: the rows that they give, and their readers."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from headworks_data._dataset import require_images, require_label_column, require_labels
from headworks_data._settings import unknown_name
from headworks_data.errors import DataError, DatasetInvalidError, SourceError, UnknownSourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

ENTRY_POINTS = "headworks_data.datasets"
BUILT_IN = {
    "digits": "headworks_data._digits:read",
    "folder": "headworks_data._folder:read",
    "folder-grey": "headworks_data._folder:read_grey",
    "folder-rgb": "headworks_data._folder:read_rgb",
}
MIN_CLASSES = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Rows of a source: labelled images before the split.

    Attributes:
        images: Pixels, uint8 of shape (N, H, W, C).
        labels: Index of each row's class, int64 of shape (N,).
        classes: Names of the classes.
        slices: Columns beside `class`, which is added to every dataset: name to (N,) strings.
        source: Name of the source in the dataset, if other than the one asked for. A reader whose argument is a place
            gives its name alone, so that the same data is the same dataset wherever it lies.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    slices: Mapping[str, NDArray[np.str_]]
    source: str = ""

    def __post_init__(self) -> None:
        """Refuse rows that no classifier can be trained on."""
        try:
            require_images(self.images)
            require_label_column(self.labels, len(self.images))
            require_labels(self.labels, len(self.classes), "the source")
        except DatasetInvalidError as error:
            raise SourceError(str(error)) from error
        if len(self.classes) < MIN_CLASSES:
            known = f"{len(self.classes)} ({', '.join(self.classes)})"
            message = f"a dataset needs at least {MIN_CLASSES} classes, and has {known}: add another"
            raise SourceError(message)


def sources() -> dict[str, Callable[[str], Rows]]:
    """Return the readers by the name of their source.

    Those of this package come first; other packages add theirs as entry points of the group
    ``headworks_data.datasets``. A reader takes the argument in ``name:argument``, or an empty string.
    """
    added = {point.name: point.load for point in entry_points(group=ENTRY_POINTS)}
    own = {name: _loader(target) for name, target in BUILT_IN.items()}
    return {name: _lazy(load) for name, load in (added | own).items()}


def _loader(target: str) -> Callable[[], Callable[[str], Rows]]:
    module, _, function = target.partition(":")
    return lambda: getattr(importlib.import_module(module), function)


def _lazy(load: Callable[[], Callable[[str], Rows]]) -> Callable[[str], Rows]:
    """Return a reader that imports the real one only when it is called."""

    def read(argument: str) -> Rows:
        return load()(argument)

    return read


def read_source(source: str) -> Rows:
    """Read all rows of a source.

    Args:
        source: Its name, with an argument after a colon where it takes one, as ``digits`` or ``folder:PATH``.

    Raises:
        UnknownSourceError: No source has this name.
        SourceError: Its data cannot become a dataset.
    """
    name, _, argument = source.partition(":")
    known = sources()
    if name not in known:
        raise UnknownSourceError(unknown_name("source", name, known))
    if name in BUILT_IN:
        return known[name](argument)
    try:
        rows: object = known[name](argument)
    except DataError:
        raise
    except Exception as error:
        # Code of another package may raise anything.
        why = " ".join(str(error).split())
        message = f"the source {name!r} fails: {type(error).__name__}: {why}: see the package that adds it"
        raise SourceError(message) from error
    if not isinstance(rows, Rows):
        message = f"the source {name!r} gives a {type(rows).__name__}, and must give headworks_data.Rows"
        raise SourceError(message)
    return rows
