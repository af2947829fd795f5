#!/usr/bin/env python
"""Compares settings of the training around the committed ones, by the validation split alone."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import headworks_data
import headworks_model

if TYPE_CHECKING:
    from headworks_data import Dataset
    from headworks_model import TrainConfig

PACKAGES = Path(__file__).parents[1] / "packages"
AUGMENTATION = ("shift", "rotation", "scale", "noise")
CLEARLY = 2.0
"""A setting is better if its mean is lower by more than so many standard errors of the difference to the committed."""


def candidates(committed: TrainConfig) -> dict[str, dict[str, Any]]:
    """Return the changes of each candidate: one setting at a time, augmentation as a whole."""
    chosen: dict[str, dict[str, Any]] = {}
    chosen |= {f"learning_rate {rate:g}": {"learning_rate": rate} for rate in (0.001, 0.01)}
    chosen |= {f"weight_decay {decay:g}": {"weight_decay": decay} for decay in (0.001, 0.1)}
    chosen |= {f"width {width}": {"width": width} for width in (16, 48)}
    strengths = {factor: {name: factor * getattr(committed, name) for name in AUGMENTATION} for factor in (0, 0.5, 1.5)}
    return chosen | {f"augmentation x {factor:g}": changes for factor, changes in strengths.items()}


def validation_losses(dataset: Dataset, config: TrainConfig, seeds: int) -> list[float]:
    """Train with each seed and return the validation loss of each kept epoch; the test split is not looked at."""
    losses = []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            headworks_model.train(dataset, folder, config=dataclasses.replace(config, seed=seed))
            losses.append(json.loads(Path(folder, "train.json").read_bytes())["validation_loss"])
    return losses


def report(name: str, losses: list[float], base: list[float]) -> bool:
    """Print the row of a candidate, and say whether it is clearly better than the committed settings."""
    differences = [ours - theirs for ours, theirs in zip(losses, base, strict=True)]
    mean, error = statistics.mean(differences), statistics.stdev(differences) / math.sqrt(len(differences))
    better = mean < -CLEARLY * error
    sys.stdout.write(
        f"| {name} | {statistics.mean(losses):.4f} | {mean:+.4f} | {error:.4f} | {'better' if better else ''} |\n"
    )
    sys.stdout.flush()
    return better


def main() -> None:
    """Print a row for each candidate, and one for all together that were clearly better."""
    parser = argparse.ArgumentParser(description="Compare settings by the validation loss, paired over seeds.")
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds, from 0; at least 2")
    seeds = parser.parse_args().seeds
    settings = headworks_data.read_settings(PACKAGES / "data" / "dataset.toml", headworks_data.BuildSettings)
    dataset = headworks_data.split_rows(headworks_data.read_source(settings.source), settings)
    committed = headworks_model.load_config(PACKAGES / "model" / "train.toml")
    sys.stdout.write("| settings | validation loss | difference | standard error | |\n|---|---|---|---|---|\n")
    base = validation_losses(dataset, committed, seeds)
    report("committed", base, base)
    together: dict[str, Any] = {}
    for name, changes in candidates(committed).items():
        if report(name, validation_losses(dataset, dataclasses.replace(committed, **changes), seeds), base):
            together |= changes
    if together:
        losses = validation_losses(dataset, dataclasses.replace(committed, **together), seeds)
        report(f"all better ones: {together}", losses, base)


if __name__ == "__main__":
    main()
