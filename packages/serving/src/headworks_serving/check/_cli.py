"""The command line of the check."""

import argparse
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from headworks_serving.check._client import predict, wait_until_ready
from headworks_serving.check._compare import Comparison, compare
from headworks_serving.check._latency import Side, describe, forget_latency, measure, write_latency
from headworks_serving.check._process import started_server
from headworks_serving.check._robustness import measure_robustness, read_settings
from headworks_serving.check._tables import Split, read_labels, read_predictions, read_split
from headworks_serving.errors import CheckError, CheckInputError

Ask = Callable[[str, str], tuple[int, str]]  # address and name of a model to exit code and report

_MODES = {True: "raw bytes", False: "JSON"}
_SHOWN = 5
_MOST_PORT, _MOST_REQUESTS = 65_535, 10_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print a summary, and return the exit code: 0 equal, 1 different, 2 bad input or output, 130 stopped."""
    options = _parser().parse_args(arguments)
    try:
        code, report = _check(options)
        if sys.stdout is not None:  # It may be closed.
            sys.stdout.write(report)
            sys.stdout.flush()
    except CheckError as error:
        sys.stderr.write(f"serve-check: error: {error}\n")
        return error.exit_code
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # The interpreter would write once more.
        sys.stderr.write(f"serve-check: error: cannot write the report: {error.strerror}; write it elsewhere\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("serve-check: stopped before every row was compared\n")
        return 128 + signal.SIGINT
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m headworks_serving.check",
        description="Send a split to a server: compare the predictions with the evaluation's, or disturb them.",
    )
    add = parser.add_argument
    add("--dataset", type=Path, required=True, help="the dataset folder")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--predictions", type=Path, help="compare with this predictions.parquet of the evaluation")
    kind.add_argument("--robustness", type=Path, metavar="TOML", help="measure against the limits of this file")
    add("--split", default="test", help="the split to send (default: test)")
    add("--name", help="the name of the model (default: the stem of --model, or else model)")
    add("--timeout", type=_seconds, default=30.0, help="seconds until the server must be ready (default: 30)")
    add("--format", choices=["text", "json"], default="text", help="of the measured robustness (default: text)")
    add("--latency", type=Path, metavar="FILE", help="measure requests of single rows, and write them as JSON")
    add("--base-model", type=Path, metavar="ONNX", help="measure this model too, in turns; not if it is the same")
    add("--runs", type=_count, default=11, help="number of runs of each model, each with a new server (default: 11)")
    add("--requests", type=_count, default=100, help="number of requests of a run (default: 100)")
    server = parser.add_mutually_exclusive_group(required=True)
    server.add_argument("--model", type=Path, help="an ONNX file; a server for it is started and stopped")
    server.add_argument("--url", type=_address, metavar="HOST:PORT", help="a running server")
    return parser


def _address(text: str) -> str:
    form = re.fullmatch(r"[^/\s]+:([0-9]{1,5})", text)
    if not form or not 1 <= int(form[1]) <= _MOST_PORT:
        message = f"{text!r} is not of the form HOST:PORT, such as 127.0.0.1:8000"
        raise argparse.ArgumentTypeError(message)
    return text


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        message = f"{text!r} is not a number of seconds"
        raise argparse.ArgumentTypeError(message)
    return float(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_REQUESTS:
        message = f"{text!r} is not a whole number from 1 to {_MOST_REQUESTS:,}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _check(options: argparse.Namespace) -> tuple[int, str]:
    """Return the exit code and the report."""
    if options.base_model and not (options.model and options.latency):
        message = "--base-model is measured beside --model: give that as well, and --latency"
        raise CheckInputError(message)
    if options.base_model and not options.base_model.is_file():
        message = f"there is no {options.base_model}; restore the base's model, or leave it out"
        raise CheckInputError(message)
    if options.latency:
        forget_latency(options.latency)
    split = read_split(options.dataset, options.split)
    ask = _comparison(options, split) if options.predictions else _disturbance(options, split)
    if not split.ids:
        return 1, f"serve-check: failed: the split {options.split} has no rows, so nothing can be compared\n"
    name = options.name or (options.model.stem if options.model else "model")
    server = started_server(options.model, seconds=options.timeout) if options.model else nullcontext(options.url)
    with server as address:
        wait_until_ready(address, name, seconds=options.timeout)
        code, report = ask(address, name)
    if options.latency and not code:
        sides = [Side("candidate", name, options.model, options.url)]
        if options.base_model and options.base_model.read_bytes() != options.model.read_bytes():
            sides.append(Side("base", options.base_model.stem, options.base_model))
        counts = {"runs": options.runs, "requests": options.requests}
        measured = measure(sides, split.images, **counts, seconds=options.timeout)
        write_latency(options.latency, measured)
        report += describe(measured)
    return code, report


def _comparison(options: argparse.Namespace, split: Split) -> Ask:
    """Return what compares the predictions of a server with those of the evaluation."""
    start = time.monotonic()
    predictions = read_predictions(options.predictions, num_classes=len(split.classes))

    def ask(address: str, name: str) -> tuple[int, str]:
        largest = 0.0
        for binary, words in _MODES.items():
            outcome = compare(split, predictions, predict(address, name, split.images, binary=binary))
            if outcome.differences:
                return 1, _describe_failure(outcome, words)
            largest = max(largest, outcome.largest)
        return 0, (
            f'serve-check: passed: {outcome.num_rows} rows of the split {options.split}, sent to model "{name}" at '
            f"{address} as {' and as '.join(_MODES.values())}, are all predicted as in {options.predictions}; the "
            f"largest difference of a probability is {largest:.1e} ({time.monotonic() - start:.1f} s)\n"
        )

    return ask


def _disturbance(options: argparse.Namespace, split: Split) -> Ask:
    """Return what measures the robustness of a served model."""
    settings = read_settings(options.robustness)
    labels = read_labels(options.dataset, options.split, num_classes=len(split.classes))

    def ask(address: str, name: str) -> tuple[int, str]:
        measured = measure_robustness(address, name, split, labels, settings)
        return 0 if measured.is_within else 1, measured.as_json() if options.format == "json" else measured.as_text()

    return ask


def _describe_failure(outcome: Comparison, words: str) -> str:
    shown = outcome.differences[:_SHOWN]
    head = (
        f"serve-check: failed: {len(outcome.differences)} rows differ, of {outcome.num_rows} sent as {words}; "
        f"the largest difference of a probability is {outcome.largest:.1e}; the first {len(shown)}:"
    )
    rows = [f"  {row.id}: evaluation: {row.expected}; server: {row.served}" for row in shown]
    tail = "Does the server run the model that was evaluated, on this dataset? If so, it changes images or labels."
    return "".join(f"{line}\n" for line in (head, *rows, tail))
