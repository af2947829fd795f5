"""The command line: ``python -m headworks_data build``, ``check`` and ``diff``."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import sys
from typing import TYPE_CHECKING

from headworks_data._build import build
from headworks_data._check import check
from headworks_data._contract import Contract
from headworks_data._diff import diff
from headworks_data._diff_text import text
from headworks_data._progress import note, say
from headworks_data._settings import BuildSettings, read_settings
from headworks_data.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(prog="headworks_data", description="Build datasets and hold them against a contract.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    building = commands.add_parser("build", help="read a source, split its rows, and write a dataset")
    building.add_argument("folder", help="where to; an earlier dataset there is replaced when the new one is whole")
    building.add_argument("--config", help="a TOML file with source, salt and shares")
    building.add_argument("--source", help="name of the source, as digits or folder:PATH; overrides the file's")
    building.add_argument("--salt", help="text that the splits depend on; overrides the file's")
    building.set_defaults(run=run_build)
    checking = commands.add_parser("check", help="hold a dataset against its contract; exit 1 if it does not hold")
    checking.add_argument("folder", help="the dataset")
    checking.add_argument("--contract", required=True, help="a TOML file that says what must hold")
    checking.add_argument("--format", choices=("text", "json"), default="text", help="how to print the outcome")
    checking.set_defaults(run=run_check)
    comparing = commands.add_parser("diff", help="compare two datasets; exit 1 if they differ more than they may")
    comparing.add_argument("base", help="the dataset that was")
    comparing.add_argument("new", help="the dataset that is")
    comparing.add_argument("--contract", help="a TOML file whose table `diff` says how much may differ")
    comparing.add_argument("--format", choices=("text", "json"), default="text", help="how to print the outcome")
    comparing.set_defaults(run=run_diff)
    return top


def run_build(args: argparse.Namespace) -> int:
    """Build a dataset and say what is in it."""
    settings = read_settings(args.config, BuildSettings) if args.config else BuildSettings()
    given = {key: value for key in ("source", "salt") if (value := getattr(args, key)) is not None}
    dataset = build(args.folder, dataclasses.replace(settings, **given))
    rows = ", ".join(f"{len(split):,} {name}" for name, split in dataset.splits.items())
    say(f"{args.folder}: {rows} rows of {len(dataset.classes)} classes from {dataset.source}, {dataset.digest[:12]}")
    return 0


def run_check(args: argparse.Namespace) -> int:
    """Check a dataset and list all violations."""
    violations = check(args.folder, read_settings(args.contract, Contract))
    if args.format == "json":
        shown = {"format": 1, "passed": not violations, "violations": [dataclasses.asdict(it) for it in violations]}
        print(json.dumps(shown, indent=2))
    elif violations:
        for violation in violations:
            say(str(violation))
        say(f"{args.folder} breaks {args.contract} in {len(violations)} ways")
    else:
        say(f"{args.folder} keeps {args.contract}")
    return int(bool(violations))


def run_diff(args: argparse.Namespace) -> int:
    """Compare two datasets and list what differs, and every limit that is broken."""
    found = diff(args.base, args.new, read_settings(args.contract, Contract) if args.contract else None)
    if args.format == "json":
        print(json.dumps(found.as_dict(), indent=2))
        return int(not found.passed)
    for line in [*text(found), *map(str, found.violations)]:
        say(line)
    if not found.limits:
        say(f"nothing was judged: {args.contract or 'a file given with --contract'} may set limits in a table `diff`")
    elif found.passed:
        say(f"{args.new} keeps the limits of {args.contract}")
    else:
        say(f"{args.new} breaks the limits of {args.contract} in {len(found.violations)} ways")
    return int(not found.passed)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: Arguments; those of the process when left out.

    Returns:
        0 passed, 1 the contract does not hold, 2 bad input, 130 interrupted.
    """
    with contextlib.suppress(AttributeError):  # of a standard output that is closed, or a stand-in
        # A terminal may not know every letter of a name: show it escaped.
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    args = parser().parse_args(argv)
    try:
        code: int = args.run(args)
    except DataError as error:
        note(str(error))
        return 2
    except MemoryError:
        note("the dataset does not fit into memory: scale its images down or take fewer")
        return 2
    except KeyboardInterrupt:
        note("interrupted; an earlier dataset is unchanged")
        return INTERRUPTED
    return code


if __name__ == "__main__":
    sys.exit(main())
