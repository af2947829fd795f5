"""Judge whether a candidate model is no worse than its base, on what, and how sure that is.

With --candidate it judges files, and with --candidate-measurements alone what was measured; without either, the
predictions of the work tree by those of the merge base, or of the last release where that is HEAD itself. With --plan
it judges nothing and says how many rows the conditions need.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from headworks._lines import complain, say
from headworks.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headworks._gate.result import GateResult
    from headworks._project.gate_settings import GateSettings

__all__ = ["add_arguments", "run"]

_CONFIG = "pyproject.toml"
_WAYS = {  # to ask the gate, for messages
    "plan": "with --plan",
    "files": "with --candidate",
    "measured": "with --candidate-measurements",
    "work tree": "where the work tree is judged, without --candidate and --plan",
}
_GOES = {  # the ways that an option goes with; all others go with every one
    "rows": ("plan",),
    "candidate": ("files", "plan"),
    "baseline": ("files",),
    "candidate_measurements": ("files", "measured"),
    "base_measurements": ("files", "measured"),
    "base": ("work tree",),
    "bootstrap": ("work tree",),
    "save": ("work tree",),
    "remote": ("work tree",),
    "write_remote": ("work tree",),
}


def add_arguments(parser: Any) -> None:  # noqa: ANN401  # argparse's, or what stands in for it
    """Declare what can be asked for."""
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


def run(arguments: Any) -> int:  # noqa: ANN401  # argparse's, or what stands in for it
    """Judge and return the exit code."""
    way = _way(arguments)
    settings = _settings(arguments, way)
    if way == "plan":
        say(_plan(arguments, settings))
        return 0
    result = _judge(arguments, settings, way)
    say(_rendered(result, arguments.format))
    return result.exit_code


def _way(arguments: Any) -> str:  # noqa: ANN401  # argparse's
    """Return in which of the ways the gate is asked.

    Raises:
        UsageError: an option would be ignored, which goes with another way.
    """
    asked = {"plan": arguments.plan, "files": arguments.candidate, "measured": arguments.candidate_measurements}
    way = next((it for it, given in asked.items() if given), "work tree")
    for name, ways in _GOES.items():
        given = getattr(arguments, name)
        if way not in ways and given is not None and given is not False:
            goes = " or ".join(_WAYS[it] for it in ways)
            message = f"--{name.replace('_', '-')} goes {goes}. It means nothing {_WAYS[way]}."
            raise UsageError(message)
    return way


def _settings(arguments: Any, way: str) -> GateSettings:  # noqa: ANN401  # argparse's
    """Return the table: of the file that was named, of the working folder, or of the project that it is in."""
    from headworks._project.gate_file import project_settings, read_settings

    if arguments.config is not None:
        return read_settings(arguments.config, is_named=True)
    if way != "work tree":
        return read_settings(_CONFIG)
    return project_settings()


def _plan(arguments: Any, settings: GateSettings) -> str:  # noqa: ANN401  # argparse's
    """Return how many rows the conditions need."""
    from headworks._gate.rows_needed import as_data, as_text, needs
    from headworks._project.gate_settings import named_conditions

    if arguments.rows is not None and arguments.rows <= 0:
        message = f"--rows is {arguments.rows}; it has to be 1 or more."
        raise UsageError(message)
    if arguments.rows is not None and arguments.candidate:
        message = "--rows stands in for the rows of --candidate. Give one of the two."
        raise UsageError(message)
    conditions = named_conditions(arguments.condition) if arguments.condition else settings.conditions
    at_hand = {it.name: arguments.rows for it in conditions if not it.condition.subject.is_measurement}
    if arguments.rows is None:
        files = _files(arguments.candidate) if arguments.candidate else dict(settings.predictions)
        with _extra():
            from headworks._gate.rows import rows_at_hand
        at_hand = rows_at_hand(conditions, files, settings)
    found = needs(conditions, settings, at_hand)
    if arguments.format == "text":
        return as_text(found, settings)
    import json

    return json.dumps({"format": 1, "reliability": settings.reliability, "needs": as_data(found)}, indent=2) + "\n"


@contextlib.contextmanager
def _extra() -> Iterator[None]:
    """Say what to install where an import fails."""
    try:
        yield
    except ModuleNotFoundError as error:
        message = f"The gate needs {error.name}, which is not installed: pip install 'headworks[gate]'"
        raise UsageError(message) from None


def _judge(arguments: Any, settings: GateSettings, way: str) -> GateResult:  # noqa: ANN401  # argparse's
    """Return what the gate finds."""
    with _extra():
        from headworks._gate.compare import gate
        from headworks._gate.measurements import measurements_of
    if way == "work tree":
        return _in_repository(arguments, settings)
    base = arguments.base_measurements
    return gate(
        _files(arguments.candidate) if arguments.candidate else {},
        _files(arguments.baseline) if arguments.baseline else None,
        conditions=arguments.condition,
        settings=settings,
        measurements=measurements_of(arguments.candidate_measurements or "", ""),
        base_measurements=measurements_of(base, "") if base else None,
    )


def _in_repository(arguments: Any, settings: GateSettings) -> GateResult:  # noqa: ANN401  # argparse's
    """Return what the gate finds about the work tree."""
    from headworks._gate.repository import gate_repository
    from headworks._project.gate_settings import named_conditions

    return gate_repository(
        named_conditions(arguments.condition) if arguments.condition else settings.conditions,
        settings,
        base=arguments.base,
        bootstrap=arguments.bootstrap,
        save=arguments.save or "",
        remote=arguments.remote,
        write_remote=arguments.write_remote,
        is_table=not (arguments.condition or arguments.config),
        say=complain,
    )


def _files(given: list[str]) -> str | dict[str, str]:
    """Return files by the names they were given for; one without a name stands for all names."""
    pairs = [it.partition("=") for it in given]
    if len(given) == 1 and (not all(pairs[0]) or os.path.exists(given[0])):
        return given[0]
    if not all(map(all, pairs)):
        message = "Where there are several files, each needs a name, as in crossfit=FILE."
        raise UsageError(message)
    return {name: file for name, _, file in pairs}


def _rendered(result: GateResult, form: str) -> str:
    """Return a result in one of the forms."""
    if form == "json":
        from headworks._gate.as_json import as_json

        return as_json(result)
    from headworks._gate.as_text import as_text

    return as_text(result)
