"""Compares what a plan would have skipped with what came of it when it ran all the same, and publishes the miss rate.

A miss is a session that a verdict covered and that failed when it was run without one, on the same commit: either the
digest overlooks something that the session depends on, or the session is flaky. Where there is a miss, one issue is
opened, or the one that is open is updated. Reads the plan, the folder with the outcomes, and the variables that GitHub
Actions sets.
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
        KeyError: one of the files lacks something.
    """
    covered = {it["name"] for it in plan["sessions"] if it["state"] == "cached"}
    here = [it for report in outcomes if report["system"] == "linux" for it in report["sessions"]]
    failed = {it["name"] for it in here if it["status"] == "failed"}
    ran = {it["name"] for it in here if it["status"] in {"passed", "flaky"}} | failed
    return covered & ran, covered & failed


def tell(covered: set[str], missed: set[str]) -> str:
    """Return the miss rate in words."""
    rate = f"{len(missed) / len(covered):.1%}" if covered else "unknown"
    lines = [f"{len(covered)} sessions that verdicts covered were run all the same; {len(missed)} failed."]
    lines += [f"Miss rate: {rate}", *(f"- `{it}`" for it in sorted(missed))]
    return "\n".join(lines) + "\n"


def report(text: str) -> None:
    """Open an issue, or say the same in the one that is open."""
    environ = os.environ
    url = f"{environ['GITHUB_SERVER_URL']}/{environ['GITHUB_REPOSITORY']}/actions/runs/{environ['GITHUB_RUN_ID']}"
    body = f"{text}\n`headworks explain SESSION` lists what its digest covers. Found by [this run]({url})."
    github = GitHub()
    # The newest hundred are enough: the title is no one else's, and such an issue is not left open for long.
    found = github.call("GET", "issues", state="open", labels="miss", per_page="100")
    number = next((it["number"] for it in found if it["title"] == TITLE), None)
    if number is None:
        github.call("POST", "issues", {"title": TITLE, "body": body, "labels": ["miss"]})
    else:
        github.call("PATCH", f"issues/{number}", {"body": body})


def main(plan: Path, folder: Path) -> int:
    """Compare, publish, and return 1 if there is a miss or nothing could be compared."""
    outcomes = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*-*.json"))]
    if not outcomes:
        sys.stderr.write(f"There are no outcomes in {folder}: no session has come to its end.\n")
        return 1
    covered, missed = compare(json.loads(plan.read_text(encoding="utf-8")), outcomes)
    text = tell(covered, missed)
    sys.stdout.write(text)
    if "GITHUB_STEP_SUMMARY" in os.environ:
        with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as summary:
            summary.write(text)
    if not missed:
        return 0
    try:
        report(text)
    except urllib.error.URLError as error:
        sys.stderr.write(f"GitHub did not take the issue: {error}. Open one by hand.\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), Path(sys.argv[2])))
