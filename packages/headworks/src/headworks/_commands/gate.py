"""Judge whether a candidate model is no worse than its base, on what, and how sure that is.

With --candidate it judges files, and with --candidate-measurements alone measurements; without either, the predictions
of the work tree by those of the merge base, or of the last release where that is HEAD itself. With --plan it judges
nothing and says how many rows the conditions need.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from headworks._gate.as_text import as_text
from headworks._gate.rows_needed import as_text as rows_as_text
from headworks._gate.rows_needed import rows_at_hand, rows_needed
from headworks._lines import complain, say
from headworks._project.gate_settings import GateSettings, NamedCondition, named_conditions
from headworks._project.gate_table import project_settings, read_settings
from headworks.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from headworks._gate.result import GateResult

_CONFIG = "pyproject.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--candidate", action="append", metavar="[NAME=]FILE", help="its predictions, for a name")
    parser.add_argument("--baseline", action="append", metavar="[NAME=]FILE", help="those of the base")
    parser.add_argument("--anchor", action="append", metavar="[NAME=]FILE", help="those of the anchor")
    parser.add_argument("--peer", action="append", metavar="FILE", help="those of a simpler model; for each one")
    parser.add_argument("--train", metavar="FILE", help="its predictions of the rows that it learnt from")
    parser.add_argument("--candidate-measurements", metavar="FILE", help="JSON with latencies and sizes")
    parser.add_argument("--base-measurements", metavar="FILE", help="the same of the base")
    parser.add_argument("--anchor-measurements", metavar="FILE", help="the same of the anchor")
    parser.add_argument("--condition", action="append", metavar="TEXT", help="in place of those of the table")
    parser.add_argument("--config", metavar="FILE", help="TOML with [tool.headworks.gate]; by default pyproject.toml")
    parser.add_argument("--base", metavar="REF", help="compare with where HEAD parted from this revision")
    parser.add_argument("--bootstrap", action="store_true", help="record the first base where there is none")
    parser.add_argument("--save", metavar="FOLDER", help="write gate.json and the base's predictions there")
    parser.add_argument("--remote", metavar="URL", help="a store elsewhere to look in, as HEADWORKS_REMOTE")
    parser.add_argument("--write-remote", action="store_true", help="count the model there too; for trusted runs only")
    parser.add_argument("--plan", action="store_true", help="say how many rows the conditions need, and judge nothing")
    parser.add_argument("--rows", type=int, metavar="N", help="with --plan: how many rows there are")
    parser.add_argument("--format", choices=["text", "json"], default="text", help="for people or for programs")


def run(arguments: argparse.Namespace) -> int:
    """Judge, or plan, in the one way that the options ask for, and return the exit code."""
    way = _way(arguments)
    if arguments.config is not None:
        settings = read_settings(arguments.config, is_named=True)
    else:
        settings = project_settings() if way == _WORK_TREE else read_settings(_CONFIG)
    return _RUN[way](arguments, settings)


def _plan_rows(arguments: argparse.Namespace, settings: GateSettings) -> int:
    """Write how many rows the conditions need."""
    if arguments.rows is not None and arguments.rows <= 0:
        message = f"--rows is {arguments.rows}; it has to be 1 or more."
        raise UsageError(message)
    if arguments.rows is not None and arguments.candidate:
        message = "--rows stands in for the rows of --candidate. Give one of the two."
        raise UsageError(message)
    conditions = _conditions(arguments, settings)
    if arguments.rows is None:
        files = _files(arguments.candidate) if arguments.candidate else settings.predictions
        with _extra():
            at_hand = rows_at_hand(conditions, files, settings)
    else:
        at_hand = {it.name: arguments.rows for it in conditions if not it.condition.subject.is_measurement}
    needed = [rows_needed(condition, settings, at_hand.get(condition.name)) for condition in conditions]
    if arguments.format == "text":
        say(rows_as_text(needed, settings))
        return 0
    say(json.dumps({"format": 2, "reliability": settings.reliability, "needs": list(map(vars, needed))}, indent=2))
    return 0


def _judge_files(arguments: argparse.Namespace, settings: GateSettings) -> int:
    """Judge the files that are named, without git, nox or a store."""
    with _extra():
        from headworks._gate.compare import gate
        from headworks._gate.measurements import base_measurements_of, measurements_of
    mine, anchor = arguments.candidate_measurements or "", arguments.anchor_measurements
    result = gate(
        _files(arguments.candidate) if arguments.candidate else {},
        _files(arguments.baseline) if arguments.baseline else None,
        anchor=_files(arguments.anchor) if arguments.anchor else None,
        peers=arguments.peer or (),
        train=arguments.train or "",
        conditions=arguments.condition,
        settings=settings,
        measurements=measurements_of(mine, ""),
        base_measurements=base_measurements_of(arguments.base_measurements or "", mine),
        anchor_measurements=base_measurements_of(anchor, "") if anchor else None,
    )
    return _write(result, arguments.format)


def _judge_work_tree(arguments: argparse.Namespace, settings: GateSettings) -> int:
    """Judge the predictions of the work tree by those of its base."""
    with _extra():
        from headworks._gate.repository import gate_repository
    result = gate_repository(
        _conditions(arguments, settings),
        settings,
        base=arguments.base,
        bootstrap=arguments.bootstrap,
        save=arguments.save or "",
        remote=arguments.remote,
        write_remote=arguments.write_remote,
        is_table=not (arguments.condition or arguments.config),
        say=complain,
    )
    return _write(result, arguments.format)


_MEASUREMENTS = ("candidate_measurements", "base_measurements", "anchor_measurements")
_PLAN, _FILES, _MEASURED = "with --plan", "with --candidate", "with --candidate-measurements"
_WORK_TREE = "where the work tree is judged, without --candidate and --plan"
_WAYS: dict[str, tuple[str, ...]] = {  # to ask the gate, and the options that mean something there and not everywhere
    _FILES: ("candidate", "baseline", "anchor", "peer", "train", *_MEASUREMENTS),
    _MEASURED: _MEASUREMENTS,
    _PLAN: ("rows", "candidate"),
    _WORK_TREE: ("base", "bootstrap", "save", "remote", "write_remote"),
}
_RUN = {_PLAN: _plan_rows, _WORK_TREE: _judge_work_tree, _FILES: _judge_files, _MEASURED: _judge_files}


def _way(arguments: argparse.Namespace) -> str:
    """Return the way in which the gate is asked; refuse an option that it would ignore."""
    asked = {_PLAN: arguments.plan, _FILES: arguments.candidate, _MEASURED: arguments.candidate_measurements}
    way = next((it for it, given in asked.items() if given), _WORK_TREE)
    for name in dict.fromkeys(option for options in _WAYS.values() for option in options):
        given = getattr(arguments, name)
        if name not in _WAYS[way] and given is not None and given is not False:
            goes = " or ".join(it for it, options in _WAYS.items() if name in options)
            message = f"--{name.replace('_', '-')} goes {goes}. It means nothing {way}."
            raise UsageError(message)
    return way


def _conditions(arguments: argparse.Namespace, settings: GateSettings) -> tuple[NamedCondition, ...]:
    return named_conditions(arguments.condition) if arguments.condition else settings.conditions


@contextlib.contextmanager
def _extra() -> Iterator[None]:
    """Say what to install where an import fails."""
    try:
        yield
    except ModuleNotFoundError as error:
        message = f"The gate needs {error.name}, which is not installed: pip install 'headworks[gate]'"
        raise UsageError(message) from None


def _files(given: list[str]) -> str | dict[str, str]:
    """Return files by the names they were given for; one without a name stands for all names."""
    pairs = [it.partition("=") for it in given]
    if len(given) == 1 and (not all(pairs[0]) or os.path.exists(given[0])):
        return given[0]
    if not all(map(all, pairs)):
        message = "Where there are several files, each needs a name, as in crossfit=FILE."
        raise UsageError(message)
    return {name: file for name, _, file in pairs}


def _write(result: GateResult, form: str) -> int:
    """Write a result in one of the forms and return its exit code."""
    say(result.as_json() if form == "json" else as_text(result))
    return result.exit_code
