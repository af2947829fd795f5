"""The commands `build`, `check` and `diff`."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from headworks_data._build import BuildSettings, build
from headworks_data._check import check
from headworks_data._command import run_command
from headworks_data._contract import Contract
from headworks_data._diff import diff
from headworks_data._diff_text import text
from headworks_data._progress import say, say_json
from headworks_data._settings import read_settings
from headworks_data._staging import replace_files
from headworks_data.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m headworks_data", description="Build datasets, hold them against a contract, and compare them."
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    building = commands.add_parser("build", help="read a source, split its rows, and write a dataset")
    building.add_argument("folder", help="folder of the dataset; an earlier one there is replaced by the whole new one")
    building.add_argument("--config", help="a TOML file with source, salt and shares")
    building.add_argument("--source", help="name of the source, as digits or folder:PATH; overrides that of the file")
    building.add_argument("--salt", help="text that the splits depend on; overrides that of the file")
    building.set_defaults(run=_run_build)
    checking = commands.add_parser("check", help="hold a dataset against its contract; exit 1 if a rule is broken")
    checking.add_argument("folder", help="folder of the dataset")
    checking.add_argument("--contract", required=True, help="a TOML file with the rules")
    checking.set_defaults(run=_run_check)
    comparing = commands.add_parser("diff", help="compare two datasets; exit 1 if a limit is broken")
    comparing.add_argument("base", help="folder of the dataset before")
    comparing.add_argument("new", help="folder of the dataset now")
    comparing.add_argument("--contract", help="a TOML file with limits in its table `diff`")
    comparing.add_argument("--save", metavar="FILE", type=Path, help="write the comparison there as JSON, too")
    comparing.set_defaults(run=_run_diff)
    for command in (checking, comparing):
        command.add_argument("--format", choices=("text", "json"), default="text", help="form of the outcome")
    return top


def _run_build(args: argparse.Namespace) -> int:
    settings = read_settings(args.config, BuildSettings) if args.config else BuildSettings()
    given = {key: value for key in ("source", "salt") if (value := getattr(args, key)) is not None}
    dataset = build(args.folder, dataclasses.replace(settings, **given))
    rows = ", ".join(f"{len(split):,} {name}" for name, split in dataset.splits.items())
    say(f"{args.folder}: {rows} rows of {len(dataset.classes)} classes from {dataset.source}, {dataset.digest[:12]}")
    return 0


def _run_check(args: argparse.Namespace) -> int:
    violations = check(args.folder, read_settings(args.contract, Contract))
    if args.format == "json":
        listed = [dataclasses.asdict(violation) for violation in violations]
        say_json({"format": 1, "passed": not violations, "violations": listed})
    elif violations:
        for violation in violations:
            say(str(violation))
        say(f"{args.folder} breaks {args.contract} in {len(violations)} ways")
    else:
        say(f"{args.folder} keeps {args.contract}")
    return int(bool(violations))


def _run_diff(args: argparse.Namespace) -> int:
    if args.save:
        args.save.unlink(missing_ok=True)  # an earlier one is not about these datasets
    contract = read_settings(args.contract, Contract) if args.contract else None
    compared = diff(args.base, args.new, contract)
    if args.save:
        replace_files(args.save.parent, {args.save.name: f"{json.dumps(compared.as_dict(), indent=2)}\n".encode()})
    if args.format == "json":
        say_json(compared.as_dict())
        return int(not compared.passed)
    for line in [*text(compared), *map(str, compared.violations)]:
        say(line)
    if contract is None or not compared.limits:
        say(f"nothing was judged: {args.contract or 'a file given with --contract'} may set limits in a table `diff`")
    elif not compared.violations:
        say(f"{args.new} keeps the limits of {args.contract}")
    else:
        say(f"{args.new} breaks the limits of {args.contract} in {len(compared.violations)} ways")
        if compared.accepted:
            say(f"its table `diff` accepts this change, and no other, from {compared.base.digest}")
        else:
            say("to accept this change, and no other, write this line into the table `diff` there:")
            say(contract.diff.accepting(compared.base.digest, compared.new.digest))
    return int(not compared.passed)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: Arguments; those of the process when left out.

    Returns:
        0 passed, 1 a rule or limit is broken, 2 bad input, 130 interrupted, 141 nobody reads the output.
    """
    args = _parser().parse_args(argv)
    kept = "an earlier dataset is unchanged" if args.run is _run_build else "nothing was judged"
    return run_command("headworks_data", lambda: args.run(args), errors=(DataError,), interrupted=lambda: kept)
