"""The data contract: the rules that a dataset must keep before anything is trained on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from headworks_data._dataset import COLUMNS, is_shape
from headworks_data._diff_limits import DiffLimits
from headworks_data._nearest import NearDuplicates  # noqa: TC002 - settings are read by the types of their fields
from headworks_data._settings import Range, expect, validate
from headworks_data._splits import Shares

BYTE = 255
_Count = Annotated[int, Range(least=0)]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """A smallest number for each split."""

    train: _Count = 1
    validation: _Count = 1
    test: _Count = 1

    def __post_init__(self) -> None:
        """Refuse negative numbers, which nothing could fall below."""
        validate(self)


@dataclass(frozen=True, kw_only=True)
class Contract:
    """The rules for a dataset; a TOML file gives these keys.

    Attributes:
        classes: Names of all classes, in order; each must occur in every split.
        image_shape: (H, W, C) of every image.
        value_range: Smallest and largest value a pixel may have.
        mean_range: For each channel, smallest and largest mean of a split's pixels; not judged where it is empty.
        slices: Names of the slice columns, in order. `class` must be the name of each row's class.
        shares: Share of the rows in each split.
        share_tolerance: Largest difference between a share and its rule.
        min_rows: Smallest number of rows in each split.
        min_rows_per_class: Smallest number of rows of each class in each split.
        max_duplicates: Most rows that may repeat the content of an earlier row of their split.
        near_duplicates: Limits for rows of two splits that look alike; not judged if left out.
        split_by_content: Whether every row must be in the split that its content, the salt and the shares give it.
        diff: Limits for the differences to another dataset, which only a comparison judges.
    """

    classes: tuple[str, ...]
    image_shape: tuple[int, ...]
    value_range: tuple[int, ...] = (0, BYTE)
    mean_range: tuple[tuple[float, ...], ...] = ()
    slices: tuple[str, ...] = ("class",)
    shares: Shares = field(default_factory=Shares)
    share_tolerance: Annotated[float, Range(least=0, below=1)] = 0.05
    min_rows: Counts = field(default_factory=Counts)
    min_rows_per_class: Counts = field(default_factory=Counts)
    max_duplicates: _Count = 0
    near_duplicates: NearDuplicates | None = None
    split_by_content: bool = True
    diff: DiffLimits = field(default_factory=DiffLimits)

    def __post_init__(self) -> None:
        """Refuse rules that no dataset could keep, or that none could break."""
        validate(self)
        shape = list(self.image_shape)
        expect(is_shape(shape), f"'image_shape' must be [H, W, C], not {shape}")
        expect(_is_range(self.value_range), f"'value_range' must be {_RANGE}, not {list(self.value_range)}")
        self._expect_mean_range()
        reserved = sorted({"", *COLUMNS}.intersection(self.slices))
        expect(not reserved, f"'slices' cannot name a column {', '.join(map(repr, reserved))}")
        for key in ("classes", "slices"):
            names = getattr(self, key)
            expect(len(set(names)) == len(names), f"'{key}' must give each name once")
        expect(bool(self.classes), "'classes' must give at least one name")

    def _expect_mean_range(self) -> None:
        ranges, channels = self.mean_range, self.image_shape[2]
        shown = [list(bounds) for bounds in ranges]
        expect(len(ranges) in {0, channels}, f"'mean_range' must have a range for each of {channels} channels: {shown}")
        expect(all(map(_is_range, ranges)), f"'mean_range' must hold {_RANGE} for each channel, not {shown}")


_RANGE = f"[low, high] within 0 and {BYTE}"


def _is_range(bounds: tuple[float, ...]) -> bool:
    return len(bounds) == len(("low", "high")) and 0 <= bounds[0] <= bounds[1] <= BYTE
