"""Plants every fault of the table, and fails unless exactly the sessions that it names turn red.

Call `nox -s faults`; names of faults after `--` choose some of them.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from campaign import Campaign, Finding
from fault_table import FaultsError, read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import FrameType

    from fault_table import Fault, Table


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """Return the parsed arguments."""
    parser = argparse.ArgumentParser(prog="nox -s faults --", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="faults; without any, all of them")
    parser.add_argument("--list", action="store_true", help="list the faults, and plant none")
    parser.add_argument(
        "--short", action="store_true", help="run only the sessions that have to turn red, not all that might"
    )
    parser.add_argument("--write", metavar="FILE", type=Path, help="write what was found into the table of a page")
    parser.add_argument(
        "--folder", metavar="FOLDER", type=Path, help="keep the copy and its store there, for the next call"
    )
    parser.add_argument("--jobs", "-j", metavar="N", type=int, default=os.cpu_count() or 1, help="sessions at a time")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Plant the chosen faults, and return the exit code: 0 if all is as the table says, else 1, or 2 for a mistake."""
    arguments = parse(words)
    try:
        table = read_table()
        faults = table.chosen(arguments.names)
        if arguments.list:
            say("\n".join(f"{fault.name}: {fault.effect}" for fault in faults))
            return 0
        with interruptible(), folder_of(arguments) as folder:
            findings = plant(faults, table, arguments, folder)
    except FaultsError as error:
        say(f"faults: {error}")
        return 2
    except KeyboardInterrupt:
        left = f"{arguments.folder} stays" if arguments.folder else "nothing is left behind"
        say(f"faults: interrupted; {left}")
        return 130
    return conclude(findings)


def plant(faults: Sequence[Fault], table: Table, arguments: argparse.Namespace, folder: Path) -> list[Finding]:
    """Plant faults one after the other, and print the result of each."""
    if arguments.write:
        write(arguments.write, [], table.faults)  # fails at once, not after an hour
    campaign = Campaign(folder, table, jobs=arguments.jobs)
    also = {session for fault in faults for session in fault.also}
    sessions = sorted({session for fault in faults for session in fault.red} - also)
    sessions = sessions if arguments.short else campaign.sessions()
    if sessions:  # headworks would run all of them if none is named
        say(f"Without a fault: {len(sessions)} sessions ...")
        say(f"  all green in {campaign.warm(sessions):.0f} s")
    not_green = campaign.warm_also(sorted(also - set(sessions)))
    findings = []
    for number, fault in enumerate(faults, start=1):
        say(f"{number} of {len(faults)}, {fault.name}: {fault.effect}")
        if reasons := [not_green[session] for session in fault.also if session in not_green]:
            finding = Finding(fault=fault, red=(), seconds=0, problems=reasons, is_measured=False)
        else:
            finding = campaign.judge(fault, sorted({*fault.red} - {*fault.also}) if arguments.short else sessions)
        say(f"  red: {', '.join(finding.red) or 'none'}; {finding.seconds:.0f} s; {verdict(finding)}")
        findings.append(finding)
        if arguments.write:
            write(arguments.write, findings, table.faults)
    return findings


def verdict(finding: Finding) -> str:
    """Return a text that says whether exactly the named sessions turned red."""
    word = "WRONG" if finding.is_measured else "NOT MEASURED"
    return "\n    ".join([word, *finding.problems]) if finding.problems else "as the table says"


def conclude(findings: Sequence[Finding]) -> int:
    """Print how many faults were noticed, and return the exit code: 1 also for a fault that could not be measured."""
    bad = [finding.fault.name for finding in findings if finding.problems and finding.is_measured]
    unknown = [finding.fault.name for finding in findings if not finding.is_measured]
    minutes = sum(finding.seconds for finding in findings) / 60
    good = len(findings) - len(bad) - len(unknown)
    say(f"{good} of {len(findings)} faults turned exactly the named sessions red, in {minutes:.1f} min")
    say(*[f"not so: {', '.join(bad)}"] if bad else [])
    say(*[f"not measured: {', '.join(unknown)}"] if unknown else [])
    return 1 if bad or unknown else 0


def write(target: Path, findings: Sequence[Finding], names: Iterable[str]) -> None:
    """Write findings into the table of a page; the rows of faults that were not measured stay.

    Args:
        target: The page; the table is the last thing in it.
        findings: The results; a fault that was not noticed as the table says loses its row.
        names: The names of all faults, in the order of the rows.
    """
    head, mark, table = (target.read_text(encoding="utf-8") if target.is_file() else "").partition("| fault |")
    if not mark:
        message = f"{target} has no line that starts with `| fault |`, under which the table could be written."
        raise FaultsError(message)
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in table.splitlines()[2:]}
    for finding in findings:
        if finding.problems and finding.is_measured:
            rows.pop(finding.fault.name, None)
        elif finding.is_measured:
            red = ", ".join(f"`{name}`" for name in finding.red)
            rows[finding.fault.name] = (
                f"| {finding.fault.name} | {finding.fault.effect} | {red} | {finding.seconds:.0f} |"
            )
    lines = [
        "| fault | what goes wrong | red | seconds |",
        "|---|---|---|---|",
        *(rows[name] for name in names if name in rows),
    ]
    target.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


@contextmanager
def folder_of(arguments: argparse.Namespace) -> Iterator[Path]:
    """Yield the folder to work in, which is removed at the end unless an argument names it."""
    if arguments.folder:
        yield arguments.folder.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="headworks-faults-") as folder:
        yield Path(folder)


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn the first signal that ends a process into a KeyboardInterrupt, and ignore later ones during the clean-up.

    A shell starts background jobs with Ctrl-C ignored, and their child processes inherit that, tests of this included.
    """

    def end(_number: int, _frame: FrameType | None) -> None:
        for number in before:
            signal.signal(number, lambda *_: None)
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        for number in before:
            signal.signal(number, end)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def say(*lines: str) -> None:
    """Print lines at once."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
