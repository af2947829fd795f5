"""Tell whether every session of a plan ran or is covered by a verdict, from what the jobs of a CI wrote.

It counts both sets: what was planned, and what was proven. A job that was cancelled, skipped or never started leaves
its sessions unproven, so that no rule of a CI about such jobs can make this pass.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from headworks._lines import annotate, say, text_of
from headworks._output_file import append_output
from headworks._plan.as_json import FORM as PLAN_FORM
from headworks._plan.verify import Proof, prove
from headworks._quantities import count_text, duration_text
from headworks._run.outcome import FORM
from headworks.errors import Exit, UsageError

if TYPE_CHECKING:
    import argparse


_ENDED_WELL = {"success", "skipped"}  # of a job, in GitHub's words; what was skipped proves nothing, which is counted
_LIMIT = 64 << 20  # bytes
_SHOWN = 100  # lines of a kind
MALFORMED = (KeyError, TypeError, ValueError, AttributeError, RecursionError)  # of a file that Headworks did not write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument(
        "outcomes", nargs="*", default=[], metavar="FILE", help="files, or folders, of `run --outcomes`"
    )
    parser.add_argument("--plan", metavar="FILE", help="the plan, as `headworks plan --format json` wrote it")
    parser.add_argument(
        "--results", metavar="WORDS", default="", help="the results of the jobs before, as GitHub has them"
    )
    parser.add_argument("--summary", metavar="FILE", help="add what it tells to this file, as GITHUB_STEP_SUMMARY")


def run(arguments: argparse.Namespace) -> int:
    """Count, tell, and return 0 only if nothing is left open."""
    if arguments.plan is None:
        message = "Name the plan with --plan, as `headworks plan --format json --output plan.json` wrote it."
        raise UsageError(message)
    own = os.path.abspath(arguments.plan)
    paths = [path for it in arguments.outcomes for path in _files(it) if os.path.abspath(path) != own]
    file = arguments.plan

    def reports() -> Iterator[tuple[str, dict[str, Any]]]:
        nonlocal file
        for file in paths:  # named where one of them is wrong
            yield file, read_form(file, FORM)

    try:
        proofs = prove(read_form(file, PLAN_FORM), reports())
    except MALFORMED as error:
        raise malformed(file, error) from error
    bad = [it for it in arguments.results.split() if it not in _ENDED_WELL]
    text = _text(proofs, bad)
    say(text)
    # What failed is annotated where it ran.
    for it in proofs:
        if it.problem and not it.has_failed:
            annotate(f"{it.session} on {it.system}: {it.problem}")
    if arguments.summary is not None:
        append_output(arguments.summary, f"```text\n{text.replace('```', '')}```\n")
    if bad or any(it.has_failed for it in proofs):
        return Exit.FAILED
    return Exit.UNDECIDED if not proofs or any(it.problem for it in proofs) else Exit.PASSED


def _files(path: str) -> list[str]:
    """Return a file, or the JSON files in a folder and below it."""
    if not os.path.isdir(path):
        return [path]
    found = (os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
    return sorted(it for it in found if it.endswith(".json") and os.path.isfile(it))


def malformed(file: str, error: Exception) -> UsageError:
    """Return the error about a file that Headworks did not write."""
    return UsageError(
        f"{file} is not what Headworks writes: {type(error).__name__}: {error}. Remove it, and run again what wrote it."
    )


def read_form(path: str, form: int) -> dict[str, Any]:
    """Return the content of a JSON file in one form.

    Raises:
        UsageError: It cannot be read.
        ValueError: It has another form, or is no JSON.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(_LIMIT + 1)
    except OSError as error:
        message = f"{path} could not be read: {error.strerror}. The job that writes it has not come so far."
        raise UsageError(message) from error
    if len(data) > _LIMIT:
        message = f"it has more than {_LIMIT:,} bytes"
        raise ValueError(message)
    found = json.loads(data)
    if not isinstance(found, dict) or found.get("format") != form:
        its = found.get("format", "none") if isinstance(found, dict) else "none"
        message = f"its format is {its!s:.20}, and this version of Headworks reads {form}"
        raise ValueError(message)
    return found


def _some(lines: list[str]) -> list[str]:
    """Return the first of some lines, and how many more there are."""
    return lines[:_SHOWN] + [f"  and {len(lines) - _SHOWN:,} more"] * (len(lines) > _SHOWN)


def _text(proofs: list[Proof], bad: list[str]) -> str:
    """Return the counts, and the sessions that are not proven."""
    lines = []
    for system in dict.fromkeys(it.system for it in proofs):
        here = [it for it in proofs if it.system == system]
        ran = [it for it in here if it.how == "ran"]
        covered = sum(it.how == "covered" for it in here)
        took = duration_text(sum(it.seconds for it in ran))
        lines.append(
            f"{system}: {count_text(len(here), 'session')} planned, {len(ran):,} ran in {took},"
            f" {covered:,} covered by verdicts, {len(here) - len(ran) - covered:,} not proven"
        )
    names = [it.session if it.system == "linux" else f"{it.session} on {it.system}" for it in proofs if it.how == "ran"]
    lines += [f"  ran: {', '.join(names)}"] * bool(names)
    lines += _some([f"  {it.session} on {it.system}: {it.problem}" for it in proofs if it.problem])
    refused = [f"  left out for {it.session} on {it.system}: {why}" for it in proofs for why in it.refused]
    lines += _some(refused)
    if any(it.refused and it.problem for it in proofs):
        lines.append("  Run what is left out again: what was planned, and without arguments after `--`.")
    lines += [f"  a job before ended with {', '.join(sorted(set(bad)))}"] * bool(bad)
    return text_of(lines or ["The plan has no session, so that nothing was checked: see `nox --list`."])
