"""The section of the report about the most confident new mistakes, as images where there are any."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import compute, parquet

from headworks._report.page import Gallery, Picture, Section, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headworks._metrics.predictions import Predictions
    from headworks._report.page import Block, Kind
    from headworks._report.source import Sources

_MOST = 12
_SIDE = 512  # pixels; a page that a reviewer opens shall stay small


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
    kind = "mistakes" if base is None else "new mistakes"
    title = f"Most confident {kind}{f' of {name}' if name else ''}"
    wrong = candidate.predicted[0] != candidate.labels
    if base is not None:
        wrong &= base.predicted[0] == base.labels
    rows = np.flatnonzero(wrong)
    if not rows.size:
        return Section(title, [f"There are no {kind}."])
    confidence = None if candidate.confidence is None else candidate.confidence[0]
    if confidence is not None:
        rows = rows[np.argsort(-confidence[rows], kind="stable")]
    mistakes = [
        (
            *map(str, (candidate.ids[row], candidate.labels[row], candidate.predicted[0, row])),
            "" if confidence is None else f"{confidence[row]:.4f}",
        )
        for row in rows[:_MOST]
    ]
    pictures = _pictures([it for it, *_ in mistakes], sources, pattern)
    drawn = [
        Picture(
            source=pictures[row],
            alt=f"Row {row[:12]}: labelled {label}, predicted {predicted}",
            lines=(f"{label} taken for {predicted}", *([f"sure: {sure}"] if sure else []), row[:12]),
        )
        for row, label, predicted, sure in mistakes
        if row in pictures
    ]
    shown = f"{_MOST} of {len(rows):,}" if len(rows) > _MOST else f"{len(rows)} in all"
    seed = f", of seed {candidate.seeds[0]}" if len(candidate.seeds) > 1 else ""
    kinds: dict[str, Kind] = {"row": "code", "label": "text", "predicted": "text", "confidence": "number"}
    blocks: list[Block] = [
        f"{shown}{seed}, the most confident first.",
        Gallery(title, drawn) if drawn else f"There are no images of these rows: {pattern} has none by their ids.",
        Table("The same rows in words", kinds, [(row[:16], *more) for row, *more in mistakes], folded=bool(drawn)),
    ]
    return Section(title, blocks)


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
