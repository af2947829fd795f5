"""The commands `train`, `evaluate`, `crossfit` and `export`."""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import headworks_model as api  # It loads torch when it is needed, not before the arguments are known to be right.
from headworks_data import load, run_command
from headworks_data.errors import DataError
from headworks_model._files import CHECKPOINT, PARTIAL
from headworks_model._progress import ConsoleProgress
from headworks_model._settings import PEER_CHOICES
from headworks_model.errors import ModelError
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 1000  # Far more seeds or jobs are a mistake.


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m headworks_model", description="Train, judge and export a network.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    training = commands.add_parser("train", help="train a network on a dataset")
    training.set_defaults(run=_run_train)
    fitting = commands.add_parser("crossfit", help="predict every row by a network that was not trained on it")
    fitting.add_argument("--seeds", type=_count, default=1, metavar="N", help="number of seeds (default: 1)")
    fitting.add_argument(
        "--jobs", type=_count, metavar="N", help="trainings side by side (default: one for each processor granted)"
    )
    fitting.set_defaults(run=_run_crossfit)
    judging = commands.add_parser("evaluate", help="predict the test split; exit 1 below a floor")
    judging.add_argument("--floors", help="a TOML file with the least accuracy and recall")
    judging.set_defaults(run=_run_evaluate)
    exporting = commands.add_parser("export", help="write model.onnx, verified against torch")
    exporting.set_defaults(run=_run_export)
    for command in (training, fitting):
        _add_settings(command)
    for command in (fitting, judging):
        helped = "fit simple models beside the network; auto fits all if that takes seconds (default: auto)"
        command.add_argument("--peers", choices=PEER_CHOICES, default=PEER_CHOICES[0], help=helped)
    for command in (judging, exporting):
        command.add_argument("dataset", help="folder of the dataset")
        command.add_argument("trained", help="folder that `train` wrote")
        command.add_argument("out", help="folder for the result")
    return top


def _add_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument("dataset", help="folder of the dataset")
    command.add_argument("out", type=Path, help="folder for the result")
    command.add_argument("--config", help="a TOML file of settings")
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting; may be repeated")
    command.add_argument("--resume", action="store_true", help="continue an interrupted run")


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        message = f"{text!r} is not a whole number from 1 to {MOST:,}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def granted() -> int:
    """Count the processors that this process may use: those of its affinity, within the quota of its container."""
    from joblib import cpu_count  # noqa: PLC0415 - only cross-fitting needs it

    count: int = cpu_count()
    return count


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _complain(text: str) -> None:
    sys.stderr.write(f"headworks_model: {text}\n")


def _run_train(args: argparse.Namespace) -> int:
    from headworks_model._parallel import process_group  # noqa: PLC0415 - it loads torch

    config = api.load_config(args.config, overrides=args.set)
    with process_group() as shard, ConsoleProgress(Console(stderr=True, quiet=not shard.first)) as progress:
        trained = api.train(load(args.dataset), args.out, config=config, resume=args.resume, progress=progress)
    if shard.first:
        epochs = f"epoch {trained.best_epoch} of {trained.epochs} was best"
        say(f"{args.out}: {epochs}, weights {trained.weights_digest[:12]}")
    return 0


def _run_crossfit(args: argparse.Namespace) -> int:
    config = api.load_config(args.config, overrides=args.set)
    jobs = args.jobs or max(1, granted() // config.threads)
    chosen = {"config": config, "seeds": args.seeds, "jobs": jobs, "resume": args.resume, "peers": args.peers}
    with ConsoleProgress(Console(stderr=True)) as progress:
        metrics = api.crossfit(load(args.dataset), args.out, **chosen, progress=progress)
    say(table(metrics, what="rows, each out of its fold"))
    if args.seeds > 1:
        each = [seed["accuracy"] for seed in metrics["seeds"]]
        say(f"accuracy of {len(each)} seeds: {min(each):.4f} to {max(each):.4f}, mean {statistics.mean(each):.4f}")
    return 0


def _run_evaluate(args: argparse.Namespace) -> int:
    floors = api.load_floors(args.floors)
    metrics = api.evaluate(load(args.dataset), api.load_trained(args.trained), args.out, peers=args.peers)
    say(table(metrics, what="test rows"))
    missed = api.shortfalls(metrics, floors)
    for line in missed:
        _complain(f"too low: {line}: look at the dataset's labels and the training's log")
    return int(bool(missed))


def _run_export(args: argparse.Namespace) -> int:
    difference = api.export(load(args.dataset), api.load_trained(args.trained), args.out)
    say(f"{args.out}/model.onnx differs from torch by {difference:.1e} at most")
    return 0


def table(metrics: dict[str, Any], *, what: str) -> str:
    """Return the metrics, those of the peers, and the accuracy of every slice as two small tables.

    Args:
        metrics: The content of `metrics.json`.
        what: The rows that were judged, such as "test rows".
    """
    rows = [("this network", metrics), *metrics["peers"].items()]
    lines = [f"{'':<20} {'accuracy':>9} {'macro F1':>9}"]
    lines += [f"{name:<20} {_figures(model)}" for name, model in rows]
    slices = {f"{name}={value}": row for name, values in metrics["slices"].items() for value, row in values.items()}
    if slices:
        width = max(20, *map(len, slices))
        lines += ["", f"{'slice':<{width}} {'accuracy':>9} {'rows':>9}  95% interval"]
        lines += [
            f"{name:<{width}} {row['accuracy']:>9.4f} {row['rows']:>9}  {_between(row['accuracy_interval'])}"
            for name, row in slices.items()
        ]
    low_and_high = _between(metrics["accuracy_interval"])
    return "\n".join([*lines, "", f"accuracy on {metrics['rows']} {what}: {low_and_high} (95% score interval)"])


def _figures(model: dict[str, Any]) -> str:
    if "left_out" in model:
        return f"left out: {model['left_out']}"
    return f"{model['accuracy']:>9.4f} {model['macro_f1']:>9.4f}"


def _between(interval: list[float]) -> str:
    low, high = interval
    return f"{low:.4f} to {high:.4f}"


def _kept_files(args: argparse.Namespace) -> str:
    """Describe what an interrupted command left to continue with."""
    if args.run not in {_run_train, _run_crossfit}:
        return "nothing was written"
    partial = args.out / PARTIAL
    if [*partial.rglob(CHECKPOINT), *partial.rglob("train.json")]:
        return "every whole epoch is kept: the same command with --resume continues after the last one"
    return "no epoch was finished yet, so there is nothing to continue"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: Arguments; those of the process when left out.

    Returns:
        0 passed, 1 a check failed, 2 bad input, 130 interrupted, 141 nobody reads the output.
    """
    args = _parser().parse_args(argv)
    return run_command(
        "headworks_model",
        lambda: args.run(args),
        errors=(ModelError, DataError),
        interrupted=lambda: _kept_files(args),
    )
