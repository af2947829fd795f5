#!/usr/bin/env python
"""Measures five seeds of the committed training, and simpler models for comparison."""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import headworks_data
import headworks_model

PACKAGES = Path(__file__).parents[1] / "packages"


def main() -> None:
    """Print accuracy on validation and test split and seconds for each seed, their mean, and the peers' accuracy."""
    parser = argparse.ArgumentParser(description="Measure several seeds of the committed training, and the peers.")
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds, from 0")
    arguments = parser.parse_args()
    settings = headworks_data.read_settings(PACKAGES / "data" / "dataset.toml", headworks_data.BuildSettings)
    dataset = headworks_data.split_rows(headworks_data.read_source(settings.source), settings)
    config = headworks_model.load_config(PACKAGES / "model" / "train.toml")
    accuracies: list[float] = []
    metrics = {}
    for seed in range(arguments.seeds):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            trained = headworks_model.train(dataset, folder, config=dataclasses.replace(config, seed=seed))
            seconds = time.perf_counter() - start
            metrics = headworks_model.evaluate(dataset, trained, folder)
            about = json.loads(Path(folder, "train.json").read_text(encoding="utf-8"))
        accuracies.append(metrics["accuracy"])
        sys.stdout.write(
            f"seed {seed}: test accuracy {accuracies[-1]:.4f}, validation accuracy {about['validation_accuracy']:.4f}, "
            f"validation loss {about['validation_loss']:.4f}, {trained.epochs} epochs in {seconds:.1f} s\n"
        )
    sys.stdout.write(f"mean of {len(accuracies)} seeds: {statistics.mean(accuracies):.4f}\n")
    for name, measures in metrics["peers"].items():
        sys.stdout.write(f"{name}: {measures['accuracy']:.4f}\n")


if __name__ == "__main__":
    main()
