"""Compares the sessions that a plan would have skipped with their outcomes, and publishes the miss rate.

A miss is a session that a verdict covered and that failed when it ran all the same, on the same commit: either its
digest lacks something that the session depends on, or the session is flaky. A miss opens an issue, or updates the one
that is open. A night that compared nothing is red, unless CI has never passed on main, so that there are no verdicts
yet. Reads the plan, the folder with the outcomes, VERDICTS, which names the cache that the verdicts came from, and the
variables of GitHub Actions.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
from pathlib import Path
from typing import Any, Final

from github_api import GitHub

TITLE: Final = "A session failed that a verdict covered"


def compare(plan: dict[str, Any], outcomes: list[dict[str, Any]]) -> tuple[set[str], set[str]]:
    """Return the sessions that the plan would have skipped and that ran, and those of them that failed.

    Raises:
        KeyError: A file lacks a field.
    """
    covered = {session["name"] for session in plan["sessions"] if session["state"] == "cached"}
    here = [session for report in outcomes if report["system"] == "linux" for session in report["sessions"]]
    failed = {session["name"] for session in here if session["status"] == "failed"}
    ran = {session["name"] for session in here if session["status"] in {"passed", "flaky"}} | failed
    return covered & ran, covered & failed


def rate_text(covered: set[str], missed: set[str]) -> str:
    """Return the miss rate and the missed sessions as text."""
    lines = [f"{len(covered)} sessions that verdicts covered were run all the same; {len(missed)} failed."]
    lines += [f"Miss rate: {len(missed) / len(covered):.1%}", *(f"- `{name}`" for name in sorted(missed))]
    return "\n".join(lines) + "\n"


def is_first_night() -> bool:
    """Whether no verdicts can exist yet: none were restored, and CI, which saves them, has not passed on main.

    Raises:
        urllib.error.URLError: GitHub could not be asked.
    """
    if os.environ.get("VERDICTS", "none known"):
        return False
    passed = GitHub().call("GET", "actions/workflows/ci.yml/runs", branch="main", event="push", status="success")
    return not passed["total_count"]


def nothing_compared() -> tuple[str, int]:
    """Return why no session was compared, and the exit code: 0 if none could be, else 1."""
    try:
        if is_first_night():
            return "CI has not passed on main yet, so that there are no verdicts: nothing is compared.\n", 0
        why = "The restored verdicts cover none" if os.environ.get("VERDICTS") else "No verdicts were restored for any"
    except urllib.error.URLError as error:
        why = f"GitHub did not say whether there should be verdicts ({error}), and none were restored for any"
    text = (
        f"{why} of the sessions that ran: the miss rate is unknown. Run CI on main, then this workflow once more. If it"
        " is red again, compare the paths under which the two save and restore the cache `verdicts-`.\n"
    )
    return text, 1


def report(text: str) -> None:
    """Open an issue, or update the one that is open."""
    environ = os.environ
    url = f"{environ['GITHUB_SERVER_URL']}/{environ['GITHUB_REPOSITORY']}/actions/runs/{environ['GITHUB_RUN_ID']}"
    body = f"{text}\n`headworks explain SESSION` lists what its digest covers. Found by [this run]({url})."
    github = GitHub()
    # The newest hundred are enough: no other issue has this title, and such an issue is not left open for long.
    issues = github.call("GET", "issues", state="open", labels="miss", per_page="100")
    number = next((issue["number"] for issue in issues if issue["title"] == TITLE), None)
    if number is None:
        github.call("POST", "issues", {"title": TITLE, "body": body, "labels": ["miss"]})
    else:
        github.call("PATCH", f"issues/{number}", {"body": body})


def main(plan: Path, folder: Path) -> int:
    """Compare, publish, and return 1 if there is a miss, or if nothing was compared for no known reason."""
    outcomes = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*-*.json"))]
    if not outcomes:
        sys.stderr.write(f"There are no outcomes in {folder}: no session has come to its end.\n")
        return 1
    covered, missed = compare(json.loads(plan.read_text(encoding="utf-8")), outcomes)
    text, code = (rate_text(covered, missed), int(bool(missed))) if covered else nothing_compared()
    sys.stdout.write(text)
    if "GITHUB_STEP_SUMMARY" in os.environ:
        with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as summary:
            summary.write(text)
    if not missed:
        return code
    try:
        report(text)
    except urllib.error.URLError as error:
        sys.stderr.write(f"GitHub did not take the issue: {error}. Open one by hand.\n")
    return code


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), Path(sys.argv[2])))
