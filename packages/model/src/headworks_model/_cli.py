"""The commands `train`, `evaluate`, `crossfit` and `export`."""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import headworks_model as api  # which loads torch when it is needed, not before arguments have been understood
from headworks_data import advice, load
from headworks_data.errors import DataError
from headworks_model._files import CHECKPOINT, PARTIAL
from headworks_model._progress import progress_on
from headworks_model._table import table
from headworks_model.errors import ModelError
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(prog="python -m headworks_model", description="Train, judge and export a network.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    training = commands.add_parser("train", help="train a network on a dataset")
    training.set_defaults(run=run_train)
    fitting = commands.add_parser("crossfit", help="predict every row by a network that was not trained on it")
    fitting.add_argument("--seeds", type=positive, default=1, metavar="N", help="how many seeds (default: 1)")
    fitting.add_argument(
        "--jobs", type=positive, metavar="N", help="trainings side by side (default: as processors are granted)"
    )
    fitting.set_defaults(run=run_crossfit)
    judging = commands.add_parser("evaluate", help="predict the test split; exit 1 below a floor")
    judging.add_argument("--floors", help="a TOML file with the least accuracy and recall")
    judging.set_defaults(run=run_evaluate)
    exporting = commands.add_parser("export", help="write model.onnx, verified against torch")
    exporting.set_defaults(run=run_export)
    for command in (training, fitting):
        add_settings(command)
    for command in (fitting, judging):
        helped = "fit simple models beside the network; auto does where that takes seconds (default: auto)"
        command.add_argument("--peers", choices=("auto", "all", "none"), default="auto", help=helped)
    for command in (judging, exporting):
        command.add_argument("dataset", help="folder of the dataset")
        command.add_argument("trained", help="folder that `train` wrote")
        command.add_argument("out", help="folder for the result")
    return top


def add_settings(command: argparse.ArgumentParser) -> None:
    """Add the arguments of what trains."""
    command.add_argument("dataset", help="folder of the dataset")
    command.add_argument("out", type=Path, help="folder for the result")
    command.add_argument("--config", help="a TOML file of settings")
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting; may be repeated")
    command.add_argument("--resume", action="store_true", help="go on where an interrupted run stopped")


def positive(text: str) -> int:
    """Return a whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def granted() -> int:
    """Return how many processors this process may use: those of its affinity, within the quota of its container."""
    from joblib import cpu_count  # noqa: PLC0415 - only cross-fitting asks

    count: int = cpu_count()
    return count


def say(text: str) -> None:
    """Write a line to standard output."""
    sys.stdout.write(f"{text}\n")


def complain(text: str) -> None:
    """Write a line to standard error."""
    sys.stderr.write(f"headworks_model: {text}\n")


def run_train(args: argparse.Namespace) -> int:
    """Train and say which epoch was kept."""
    from headworks_model._parallel import joined  # noqa: PLC0415 - it loads torch

    config = api.load_config(args.config, overrides=args.set)
    with joined() as shard, progress_on(Console(stderr=True, quiet=not shard.first)) as progress:
        trained = api.train(load(args.dataset), args.out, config=config, resume=args.resume, progress=progress)
    if shard.first:
        epochs = f"epoch {trained.best_epoch} of {trained.epochs} was best"
        say(f"{args.out}: {epochs}, weights {trained.weights_digest[:12]}")
    return 0


def run_crossfit(args: argparse.Namespace) -> int:
    """Cross-fit, and print a table and the spread over the seeds."""
    config = api.load_config(args.config, overrides=args.set)
    jobs = args.jobs or max(1, granted() // config.threads)
    chosen = {"config": config, "seeds": args.seeds, "jobs": jobs, "resume": args.resume, "peers": args.peers}
    with progress_on(Console(stderr=True)) as progress:
        metrics = api.crossfit(load(args.dataset), args.out, **chosen, progress=progress)
    say(table(metrics, what="rows, each out of its fold"))
    if args.seeds > 1:
        each = [it["accuracy"] for it in metrics["seeds"]]
        say(f"accuracy of {len(each)} seeds: {min(each):.4f} to {max(each):.4f}, mean {statistics.mean(each):.4f}")
    return 0


def run_evaluate(args: argparse.Namespace) -> int:
    """Evaluate, print a table, and name every metric that is below its floor."""
    floors = api.load_floors(args.floors)
    metrics = api.evaluate(load(args.dataset), api.load_trained(args.trained), args.out, peers=args.peers)
    say(table(metrics, what="test rows"))
    missed = api.shortfalls(metrics, floors)
    for line in missed:
        complain(f"too low: {line}: look at the dataset's labels and the training's log")
    return int(bool(missed))


def run_export(args: argparse.Namespace) -> int:
    """Export and say how close the graph is to the network."""
    difference = api.export(load(args.dataset), api.load_trained(args.trained), args.out)
    say(f"{args.out}/model.onnx differs from torch by {difference:.1e} at most")
    return 0


def what_is_kept(args: argparse.Namespace) -> str:
    """Tell someone who interrupted a command what there is to go on with."""
    if args.run not in {run_train, run_crossfit}:
        return "nothing was written"
    partial = args.out / PARTIAL
    if [*partial.rglob(CHECKPOINT), *partial.rglob("train.json")]:
        return "every whole epoch is kept: the same command with --resume goes on after the last one"
    return "no epoch was whole yet, so that there is nothing to go on with"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: Arguments; those of the process when left out.

    Returns:
        0 passed, 1 a check failed, 2 bad input, 130 interrupted.
    """
    args = parser().parse_args(argv)
    try:
        code: int = args.run(args)
    except (ModelError, DataError) as error:
        complain(f"{error}")
        return getattr(error, "exit_code", 2)
    except OSError as error:
        complain(f"{error}: {advice(error)}")
        return 2
    except KeyboardInterrupt:
        complain(f"interrupted; {what_is_kept(args)}")
        return INTERRUPTED
    return code
