"""The command line: ``python -m headgate_model train``, ``evaluate`` and ``export``."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from headgate_data import load
from headgate_data.errors import DataError
from headgate_model._config import load_config
from headgate_model._evaluate import evaluate, load_floors, shortfalls, table
from headgate_model._export import export
from headgate_model._progress import progress_on
from headgate_model._trained import load_trained
from headgate_model._training import train
from headgate_model.errors import ModelError
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(prog="headgate_model", description="Train, judge and export a network.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    training = commands.add_parser("train", help="train a network on a dataset")
    training.add_argument("dataset", help="folder of the dataset")
    training.add_argument("out", help="folder for weights, settings and log")
    training.add_argument("--config", help="a TOML file of settings")
    training.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting; may be repeated")
    training.add_argument("--resume", action="store_true", help="go on where an interrupted training stopped")
    training.set_defaults(run=run_train)
    judging = commands.add_parser("evaluate", help="predict the test split; exit 1 below a floor")
    judging.add_argument("--floors", help="a TOML file with the least accuracy and recall")
    judging.set_defaults(run=run_evaluate)
    exporting = commands.add_parser("export", help="write model.onnx, verified against torch")
    exporting.set_defaults(run=run_export)
    for command in (judging, exporting):
        command.add_argument("dataset", help="folder of the dataset")
        command.add_argument("trained", help="folder that `train` wrote")
        command.add_argument("out", help="folder for the result")
    return top


def run_train(args: argparse.Namespace) -> int:
    """Train and say which epoch was kept."""
    config = load_config(args.config, overrides=args.set)
    with progress_on(Console(stderr=True)) as progress:
        trained = train(load(args.dataset), args.out, config=config, resume=args.resume, progress=progress)
    print(f"{args.out}: epoch {trained.best_epoch} of {trained.epochs} was best, weights {trained.weights_digest[:12]}")
    return 0


def run_evaluate(args: argparse.Namespace) -> int:
    """Evaluate, print a table, and name every metric that is below its floor."""
    floors = load_floors(args.floors)
    metrics = evaluate(load(args.dataset), load_trained(args.trained), args.out)
    print(table(metrics))
    missed = shortfalls(metrics, floors)
    for line in missed:
        print(f"too low: {line}: look at the dataset's labels and the training's log", file=sys.stderr)
    return int(bool(missed))


def run_export(args: argparse.Namespace) -> int:
    """Export and say how close the graph is to the network."""
    difference = export(load(args.dataset), load_trained(args.trained), args.out)
    print(f"{args.out}/model.onnx differs from torch by {difference:.1e} at most")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: arguments; those of the process when left out.

    Returns:
        0 passed, 1 a check failed, 2 bad input, 130 interrupted.
    """
    args = parser().parse_args(argv)
    try:
        code: int = args.run(args)
    except (ModelError, DataError) as error:
        print(f"headgate_model: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 2)
    except OSError as error:
        print(f"headgate_model: {error}: free space or choose another folder", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("headgate_model: interrupted; `train --resume` goes on after the last whole epoch", file=sys.stderr)
        return INTERRUPTED
    return code


if __name__ == "__main__":
    sys.exit(main())
