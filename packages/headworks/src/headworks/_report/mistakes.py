"""The section of the report with the most confident new mistakes, as images where there are any."""

from __future__ import annotations

import base64
import io
import os
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import compute, parquet

from headworks._report.model import mistakes
from headworks._report.page import Column, Gallery, Picture, Section, Table, Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headworks._metrics.predictions import Predictions
    from headworks._report.model import Mistake
    from headworks._report.page import Block
    from headworks._report.source import Sources

__all__ = ["mistakes_section"]

_MOST = 12
_SIDE = 512  # pixels; a page that a reviewer opens shall stay small


def mistakes_section(
    name: str, candidate: Predictions, base: Predictions | None, sources: Sources, pattern: str
) -> Section:
    """Return the most confident mistakes that the base does not make, or of all where there is no base."""
    found, count = mistakes(candidate, base, _MOST)
    kind = "mistakes" if base is None else "new mistakes"
    title = f"Most confident {kind}{f' of {name}' if name else ''}"
    if not found:
        return Section(title=title, blocks=(Text(text=f"There are no {kind}."),))
    pictures = _pictures([it.id for it in found], sources, pattern)
    shown = f"{len(found)} of {count:,}" if count > len(found) else f"{count} in all"
    seed = f", of seed {candidate.seeds[0]}" if len(candidate.seeds) > 1 else ""
    blocks: list[Block] = [Text(text=f"{shown}{seed}, the most confident first.")]
    drawn = [_picture(it, pictures[it.id]) for it in found if it.id in pictures]
    if drawn:
        blocks.append(Gallery(caption=title, pictures=tuple(drawn)))
    else:
        blocks.append(Text(text=f"There are no images of these rows: {pattern} has none by their ids."))
    columns = [Column(title="row", kind="code"), Column(title="label"), Column(title="predicted")]
    columns += [Column(title="confidence", kind="number")]
    rows = tuple((it.id[:16], it.label, it.predicted, _sure(it)) for it in found)
    blocks.append(Table(caption="The same rows in words", columns=tuple(columns), rows=rows, folded=bool(drawn)))
    return Section(title=title, blocks=tuple(blocks))


def _sure(it: Mistake) -> str:
    """Return how sure the candidate is."""
    return "" if it.confidence is None else f"{it.confidence:.4f}"


def _picture(it: Mistake, source: str) -> Picture:
    """Return an image with what is said about it."""
    lines = (f"{it.label} taken for {it.predicted}", *([f"sure: {_sure(it)}"] if _sure(it) else []), it.id[:12])
    return Picture(source=source, alt=f"Row {it.id[:12]}: labelled {it.label}, predicted {it.predicted}", lines=lines)


def _pictures(ids: Sequence[str], sources: Sources, pattern: str) -> Mapping[str, str]:
    """Return the images of rows as `data:` URLs, by id; without those that are no small images of bytes."""
    found: dict[str, str] = {}
    for name in sources.names(pattern):
        file = parquet.ParquetFile(os.path.join(sources.root, name))
        if not {"id", "image"} <= set(file.schema_arrow.names):
            continue
        table = file.read(columns=["id", "image"])
        table = table.filter(compute.is_in(table["id"], pa.array(ids)))
        if table.num_rows and isinstance(table.schema.field("image").type, pa.FixedShapeTensorType):
            pixels = table["image"].combine_chunks().to_numpy_ndarray()
            if pixels.dtype == np.uint8 and max(pixels.shape[1:3]) <= _SIDE:
                found |= zip(table["id"].to_pylist(), map(_url, pixels), strict=True)
    return found


def _url(pixels: NDArray[np.uint8]) -> str:
    """Return an image, (H, W, C) or (H, W), as a `data:` URL of a PNG file."""
    from matplotlib.image import imsave

    content = io.BytesIO()
    shown = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels  # noqa: PLR2004  # the channels
    imsave(content, shown, format="png", cmap="gray", vmin=0, vmax=255)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
