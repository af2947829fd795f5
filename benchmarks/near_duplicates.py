#!/usr/bin/env python
"""Times the search for near-duplicates across splits, on random images."""

from __future__ import annotations

import argparse
import sys
import time
from itertools import combinations

import headworks_data
import numpy as np
from headworks_data._nearest import between_splits


def main() -> None:
    """Print how many pairs were compared, and the processor time that it took."""
    parser = argparse.ArgumentParser(description="Time the search for near-duplicates across splits.")
    parser.add_argument("--rows", type=int, nargs=3, default=[12_000, 4_000, 4_000], help="images in each split")
    parser.add_argument("--shape", type=int, nargs=3, default=[28, 28, 1], help="height, width and channels")
    parser.add_argument("--measure", choices=("pixels", "hash"), default="pixels", help="how they are compared")
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    counts = dict(zip(headworks_data.SPLITS, arguments.rows, strict=True))
    images = {
        name: random.integers(0, 256, (count, *arguments.shape), np.uint8, endpoint=False)
        for name, count in counts.items()
    }
    ids = {name: headworks_data.content_ids(it) for name, it in images.items()}
    start = time.process_time()
    between_splits(ids, images, arguments.measure)
    pairs = sum(one * other for one, other in combinations(arguments.rows, 2))
    sys.stdout.write(f"{pairs:,} pairs by {arguments.measure}: {time.process_time() - start:.1f} seconds\n")


if __name__ == "__main__":
    main()
