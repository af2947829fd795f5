"""The section of the report about the most confident new mistakes, as images where there are any."""

from __future__ import annotations

import base64
import io
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import compute, parquet

from headworks._report.page import Column, Gallery, Picture, Section, Table, Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headworks._metrics.predictions import Predictions
    from headworks._report.page import Block
    from headworks._report.source import Sources

__all__ = ["mistakes_section"]

_MOST = 12
_SIDE = 512  # pixels; a page that a reviewer opens shall stay small


@dataclass(frozen=True, kw_only=True)
class _Mistake:
    """A row that the candidate gets wrong.

    Attributes:
        id: the row.
        label: its class.
        predicted: the class that the candidate predicts.
        sure: its confidence; empty where the file has none.
    """

    id: str
    label: str
    predicted: str
    sure: str


def mistakes_section(
    name: str, candidate: Predictions, base: Predictions | None, sources: Sources, pattern: str
) -> Section:
    """Return the section with the most confident mistakes that the base does not make, or of all without a base.

    Args:
        name: The predictions' name in the table; empty for those without one.
        candidate: Predictions of a classification, of which the first seed counts.
        base: Those of the base, in the same order; None without.
        sources: Where files are.
        pattern: A pattern of files with images.
    """
    mistakes, count = _mistakes(candidate, base)
    kind = "mistakes" if base is None else "new mistakes"
    title = f"Most confident {kind}{f' of {name}' if name else ''}"
    if not mistakes:
        return Section(title=title, blocks=(Text(text=f"There are no {kind}."),))
    pictures = _pictures([it.id for it in mistakes], sources, pattern)
    shown = f"{len(mistakes)} of {count:,}" if count > len(mistakes) else f"{count} in all"
    seed = f", of seed {candidate.seeds[0]}" if len(candidate.seeds) > 1 else ""
    blocks: list[Block] = [Text(text=f"{shown}{seed}, the most confident first.")]
    drawn = [
        Picture(
            source=pictures[mistake.id],
            alt=f"Row {mistake.id[:12]}: labelled {mistake.label}, predicted {mistake.predicted}",
            lines=(
                f"{mistake.label} taken for {mistake.predicted}",
                *([f"sure: {mistake.sure}"] if mistake.sure else []),
                mistake.id[:12],
            ),
        )
        for mistake in mistakes
        if mistake.id in pictures
    ]
    if drawn:
        blocks.append(Gallery(caption=title, pictures=tuple(drawn)))
    else:
        blocks.append(Text(text=f"There are no images of these rows: {pattern} has none by their ids."))
    columns = [Column(title="row", kind="code"), Column(title="label"), Column(title="predicted")]
    columns += [Column(title="confidence", kind="number")]
    rows = tuple((it.id[:16], it.label, it.predicted, it.sure) for it in mistakes)
    blocks.append(Table(caption="The same rows in words", columns=tuple(columns), rows=rows, folded=bool(drawn)))
    return Section(title=title, blocks=tuple(blocks))


def _mistakes(candidate: Predictions, base: Predictions | None) -> tuple[list[_Mistake], int]:
    """Return the most confident mistakes, and how many there are in all."""
    wrong = candidate.predicted[0] != candidate.labels
    if base is not None:
        wrong &= base.predicted[0] == base.labels
    rows = np.flatnonzero(wrong)
    confidence = None if candidate.confidence is None else candidate.confidence[0]
    if confidence is not None:
        rows = rows[np.argsort(-confidence[rows], kind="stable")]
    return [
        _Mistake(
            id=str(candidate.ids[row]),
            label=str(candidate.labels[row]),
            predicted=str(candidate.predicted[0, row]),
            sure="" if confidence is None else f"{confidence[row]:.4f}",
        )
        for row in rows[:_MOST]
    ], len(rows)


def _pictures(ids: Sequence[str], sources: Sources, pattern: str) -> Mapping[str, str]:
    """Return the images of rows as `data:` URLs, by id; without those that are no small images of bytes."""
    images: dict[str, str] = {}
    for name in sources.names(pattern):
        file = parquet.ParquetFile(os.path.join(sources.root, name))
        if not {"id", "image"} <= set(file.schema_arrow.names):
            continue
        table = file.read(columns=["id", "image"])
        table = table.filter(compute.is_in(table["id"], pa.array(ids)))
        if table.num_rows and isinstance(table.schema.field("image").type, pa.FixedShapeTensorType):
            pixels = table["image"].combine_chunks().to_numpy_ndarray()
            if pixels.dtype == np.uint8 and max(pixels.shape[1:3]) <= _SIDE:
                images |= zip(table["id"].to_pylist(), map(_url, pixels), strict=True)
    return images


def _url(pixels: NDArray[np.uint8]) -> str:
    """Return an image, (H, W, C) or (H, W), as a `data:` URL of a PNG file."""
    from matplotlib.image import imsave

    content = io.BytesIO()
    shown = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels  # noqa: PLR2004  # the channels
    imsave(content, shown, format="png", cmap="gray", vmin=0, vmax=255)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
