"""Judge whether a candidate model is no worse than its base, on what, and how sure that is.

With --candidate it judges files, and with --candidate-measurements alone measurements; without either, the predictions
of the work tree by those of the merge base, or of the last release where that is HEAD itself. With --plan it judges
nothing and says how many rows the conditions need.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headworks._gate.as_text import as_text
from headworks._gate.rows_needed import as_text as rows_as_text
from headworks._gate.rows_needed import rows_at_hand, rows_needed
from headworks._lines import complain, say
from headworks._project.gate_file import project_settings, read_settings
from headworks._project.gate_settings import named_conditions
from headworks.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from headworks._gate.result import GateResult
    from headworks._project.gate_settings import GateSettings, NamedCondition

_CONFIG = "pyproject.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--candidate", action="append", metavar="[NAME=]FILE", help="its predictions, for a name")
    parser.add_argument("--baseline", action="append", metavar="[NAME=]FILE", help="those of the base")
    parser.add_argument("--candidate-measurements", metavar="FILE", help="JSON with latencies and sizes")
    parser.add_argument("--base-measurements", metavar="FILE", help="the same of the base")
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
    settings = _settings(arguments.config, is_project=way is _WORK_TREE)
    return way.run(arguments, settings)


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
    say(json.dumps({"format": 1, "reliability": settings.reliability, "needs": list(map(vars, needed))}, indent=2))
    return 0


def _judge_files(arguments: argparse.Namespace, settings: GateSettings) -> int:
    """Judge the files that are named, without git, nox or a store."""
    with _extra():
        from headworks._gate.compare import gate
        from headworks._gate.measurements import measurements_of
    base = arguments.base_measurements
    result = gate(
        _files(arguments.candidate) if arguments.candidate else {},
        _files(arguments.baseline) if arguments.baseline else None,
        conditions=arguments.condition,
        settings=settings,
        measurements=measurements_of(arguments.candidate_measurements or "", ""),
        base_measurements=measurements_of(base, "") if base else None,
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


@dataclass(frozen=True)
class _Way:
    """A way to ask the gate.

    Attributes:
        words: when it is asked in this way, for messages.
        options: the options that mean something then, besides those that always do.
        run: answers, given the arguments and the table, and returns the exit code.
    """

    words: str
    options: tuple[str, ...]
    run: Callable[[argparse.Namespace, GateSettings], int]


_MEASUREMENTS = ("candidate_measurements", "base_measurements")
_FILES = _Way("with --candidate", ("candidate", "baseline", *_MEASUREMENTS), _judge_files)
_MEASURED = _Way("with --candidate-measurements", _MEASUREMENTS, _judge_files)
_PLAN = _Way("with --plan", ("rows", "candidate"), _plan_rows)
_WORK_TREE = _Way(
    "where the work tree is judged, without --candidate and --plan",
    ("base", "bootstrap", "save", "remote", "write_remote"),
    _judge_work_tree,
)
_WAYS = (_FILES, _MEASURED, _PLAN, _WORK_TREE)


def _way(arguments: argparse.Namespace) -> _Way:
    """Return the way in which the gate is asked; refuse an option that it would ignore."""
    asked = ((_PLAN, arguments.plan), (_FILES, arguments.candidate), (_MEASURED, arguments.candidate_measurements))
    way = next((it for it, given in asked if given), _WORK_TREE)
    for name in dict.fromkeys(option for it in _WAYS for option in it.options):
        given = getattr(arguments, name)
        if name not in way.options and given is not None and given is not False:
            goes = " or ".join(it.words for it in _WAYS if name in it.options)
            message = f"--{name.replace('_', '-')} goes {goes}. It means nothing {way.words}."
            raise UsageError(message)
    return way


def _settings(config: str | None, *, is_project: bool) -> GateSettings:
    """Return the table: of the file that was named, of the project, or of the working folder."""
    if config is not None:
        return read_settings(config, is_named=True)
    if is_project:
        return project_settings()
    return read_settings(_CONFIG)


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
