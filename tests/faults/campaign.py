"""Plants faults in a copy of the repository, one after the other, and checks which sessions turn red."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fault_table import FaultsError
from scratch_copy import ROOT, copy_repository, environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fault_table import Edit, Fault, Table

GREEN: Final = {"passed", "cached"}
# `headworks verify`, the last step of CI, fails on each of these. A blocked session is not red: another one failed.
RED: Final = {"failed", "unproven", "skipped"}
# It has passed and read more than its row promises, on which a night fails.
BROKEN: Final = "which its digest does not cover"
# These say nothing about a fault: a session was stopped early, or failed and then passed.
UNCLEAR: Final = {"stopped", "flaky"}
_RELEASE: Final = "v0.1.0"
_SHOWN: Final = 40  # lines of a log


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of planting one fault.

    Attributes:
        fault: The fault.
        red: The sessions that turned red.
        seconds: The duration of the run.
        problems: Each difference from the table; empty if exactly the named sessions turned red.
        is_measured: Whether the fault was planted; if not, `problems` says why.
    """

    fault: Fault
    red: Sequence[str]
    seconds: float
    problems: Sequence[str]
    is_measured: bool = True


class Campaign:
    """A copy of the repository in which every session that faults are judged by has passed."""

    def __init__(self, folder: Path, table: Table, *, jobs: int, source: Path = ROOT) -> None:
        """Make the copy.

        Args:
            folder: Holds the copy, its store and its outcomes.
            table: The faults.
            jobs: How many sessions run at a time.
            source: The repository.

        Raises:
            FaultsError: An edit of `prepare` does not fit.
        """
        self.root, self._store, self._outcomes = folder / "copy", folder / "store", folder / "outcomes.json"
        self._temporary = folder / "tmp"
        self._temporary.mkdir(parents=True, exist_ok=True)
        self._table, self._jobs = table, jobs
        self.root.mkdir(parents=True, exist_ok=True)
        if (self.root / ".git").is_dir():
            self._git("switch", "--quiet", "--force", "main")
        copy_repository(self.root, source)
        self._edit(table.prepare)
        # The gate compares this first commit with nothing, and each fault with this commit.
        self._git("commit", "--quiet", "--all", "--allow-empty", "--amend", "--message=Prepare")
        self._git("switch", "--quiet", "--force-create", "fault")

    def sessions(self) -> list[str]:
        """Return the names of all sessions that CI plans, without those that the table leaves out."""
        done = self._headworks("plan", "--format", "json")
        if done.returncode:
            message = f"`headworks plan` failed in the copy:\n{done.stderr}"
            raise FaultsError(message)
        planned = json.loads(done.stdout)["sessions"]
        return [session["name"] for session in planned if session["function"] not in self._table.left_out]

    def warm(self, sessions: Sequence[str]) -> float:
        """Run sessions in the copy as it is, and return how long that took.

        Raises:
            FaultsError: A session is not green, so that a fault could not be distinguished from this failure.
        """
        begin = time.monotonic()
        outcomes = self._run(sessions, shown=True)
        if bad := {name: outcome for name, outcome in outcomes.items() if not _is_green(outcome)}:
            logs = "\n".join(f"{name} {outcome['status']}:\n{_tail(outcome)}" for name, outcome in bad.items())
            message = f"Without any fault, {', '.join(bad)} ended badly. Mend that first.\n{logs}"
            raise FaultsError(message)
        return time.monotonic() - begin

    def warm_also(self, sessions: Sequence[str]) -> dict[str, str]:
        """Run sessions that may not pass everywhere, and return the status and log of each that is not green."""
        outcomes = self._run(sessions, shown=True) if sessions else {}
        bad = {name: outcomes[name] for name in sessions if not _is_green(outcomes[name])}
        return {
            name: f"without the fault, {name} {outcome['status']} already:\n{_tail(outcome)}"
            for name, outcome in bad.items()
        }

    def judge(self, fault: Fault, sessions: Sequence[str]) -> Finding:
        """Plant a fault, run sessions, and take the fault back.

        Args:
            fault: The fault.
            sessions: The names of sessions that have passed; headworks skips those that the fault cannot affect.
        """
        begin = time.monotonic()
        try:
            if fault.before:
                self._merge(fault.before)
            self._edit(fault.edits)
            outcomes = self._run([*sessions, *fault.also])
        except FaultsError as error:
            return Finding(fault=fault, red=(), seconds=time.monotonic() - begin, problems=[str(error)])
        finally:
            self._git("reset", "--quiet", "--hard", *([_RELEASE] if fault.before else []))
            self._git("clean", "--quiet", "-d", "--force")
            if fault.before:
                self._git("branch", "--quiet", "--force", "main")
                self._git("tag", "--delete", _RELEASE)
        red = sorted(name for name, outcome in outcomes.items() if _is_red(outcome))
        seconds = time.monotonic() - begin
        return Finding(fault=fault, red=red, seconds=seconds, problems=problems_of(fault, outcomes))

    def _merge(self, edits: Sequence[Edit]) -> None:
        """Release the copy as it is, and merge edits, so that the fault is compared with what they made."""
        self._git("tag", _RELEASE)
        self._edit(edits)
        self._git("commit", "--quiet", "--all", "--message=Changes since the release")
        self._git("branch", "--quiet", "--force", "main")

    def _edit(self, edits: Sequence[Edit]) -> None:
        """Apply edits to the copy."""
        for edit in edits:
            edit.apply(self.root)

    def _run(self, sessions: Sequence[str], *, shown: bool = False) -> dict[str, dict[str, Any]]:
        """Run sessions, and return their outcomes by name."""
        self._outcomes.unlink(missing_ok=True)
        options = ["--keep-going", f"--jobs={self._jobs}", f"--outcomes={self._outcomes}"]
        done = self._headworks("run", *options, *sessions, shown=shown)
        if not self._outcomes.is_file():
            message = f"`headworks run` ended with {done.returncode} and wrote no outcomes:\n{done.stdout}{done.stderr}"
            raise FaultsError(message)
        return {
            outcome["name"]: outcome for outcome in json.loads(self._outcomes.read_text(encoding="utf-8"))["sessions"]
        }

    def _headworks(self, *arguments: str, shown: bool = False) -> subprocess.CompletedProcess[str]:
        """Run headworks in the copy, and return its output unless that goes to the terminal."""
        command = [sys.executable, "-m", "headworks", *arguments]
        environ = environment(self._store) | {"TMPDIR": str(self._temporary)}
        pipe = None if shown else subprocess.PIPE
        with subprocess.Popen(command, cwd=self.root, env=environ, stdout=pipe, stderr=pipe, text=True) as process:
            try:
                output, errors = process.communicate()
            except BaseException:
                process.terminate()  # and wait until it has ended its sessions, before their folder is removed
                process.communicate()
                raise
        return subprocess.CompletedProcess(command, process.returncode, output, errors)

    def _git(self, *arguments: str) -> None:
        """Run git in the copy."""
        subprocess.run(["git", *arguments], cwd=self.root, check=True)


def problems_of(fault: Fault, outcomes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return each difference between the sessions that turned red and those that have to."""
    red = {name: outcome for name, outcome in outcomes.items() if _is_red(outcome)}
    problems = [f"NOT NOTICED by {name}" for name in fault.red if name not in red]
    unclear = {
        name: outcome for name, outcome in outcomes.items() if outcome["status"] in UNCLEAR and name not in fault.red
    }
    for name, outcome in (red | unclear).items():
        if name not in fault.red:
            problems.append(f"{name} {outcome['status']} as well, which the table does not say:\n{_tail(outcome)}")
        elif _plain(fault.red[name]) not in _plain(f"{outcome['note']}\n{_log(outcome)}"):
            problems.append(f"{name} {outcome['status']}, and did not say {fault.red[name]!r}:\n{_tail(outcome)}")
    return problems


def _is_green(outcome: Mapping[str, Any]) -> bool:
    return outcome["status"] in GREEN and BROKEN not in outcome["note"]


def _is_red(outcome: Mapping[str, Any]) -> bool:
    return outcome["status"] in RED or BROKEN in outcome["note"]


def _plain(text: str) -> str:
    """Return a text with each run of white space as one space, since a terminal's width decides where lines end."""
    return re.sub(r"\s+", " ", text)


def _log(outcome: Mapping[str, Any]) -> str:
    """Return the output of a session; empty for one that never began, such as a blocked one."""
    if not outcome["log"]:
        return ""
    try:
        return Path(outcome["log"]).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"(its log cannot be read: {error})"


def _tail(outcome: Mapping[str, Any]) -> str:
    """Return the note of an outcome and the last lines of the session's output."""
    lines = [*[outcome["note"]][: bool(outcome["note"])], *_log(outcome).splitlines()[-_SHOWN:]]
    return "".join(f"    | {line}\n" for line in lines).rstrip()
