"""Posts the report of a run of CI to its pull request: one comment, updated in place.

Nothing that the run wrote is trusted: `headworks report --from` has made the text from its numbers and names. GitHub's
API says which pull request it belongs to, by the fork, the branch and the commit in the event; without the fork where
that has been deleted. One branch may be proposed to several branches, and a run does not say for which of them it was:
each pull request gets the comment, which names the run. Reads the variables of GitHub Actions, and GITHUB_TOKEN.
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.error
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from github_api import GitHub

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK: Final = "<!-- the report of CI -->"
_MAX_PAGES: Final = 30


def pages(github: GitHub, path: str, **query: str) -> Iterator[dict[str, Any]]:
    """Yield the entries of a list of GitHub, page by page."""
    for page in range(1, _MAX_PAGES):
        entries = github.call("GET", path, None, per_page="100", page=str(page), **query)
        yield from entries
        if not entries:
            return


def pull_requests(github: GitHub, run: dict[str, Any]) -> list[int]:
    """Return the numbers of the open pull requests of a run's branch whose last commit is the run's."""
    fork = run["head_repository"]  # null where it has been deleted
    query = {"head": f"{fork['owner']['login']}:{run['head_branch']}"} if fork and fork["owner"] else {}
    head = (run["head_branch"], run["head_sha"])
    candidates = pages(github, "pulls", state="open", **query)
    return [int(pull["number"]) for pull in candidates if (pull["head"]["ref"], pull["head"]["sha"]) == head]


def known_comment(github: GitHub, number: int) -> int | None:
    """Return the id of the comment that an earlier run posted to a pull request."""
    for comment in pages(github, f"issues/{number}/comments"):
        # The author is null where the account has been deleted.
        if (comment["user"] or {}).get("type") == "Bot" and str(comment["body"]).startswith(MARK):
            return int(comment["id"])
    return None


def post(github: GitHub, number: int, content: dict[str, Any]) -> str:
    """Post or update the comment of a pull request, and return a line that says which."""
    known = known_comment(github, number)
    if known is None:
        github.call("POST", f"issues/{number}/comments", content)
        return f"The comment of pull request {number} is new.\n"
    github.call("PATCH", f"issues/comments/{known}", content)
    return f"The comment of pull request {number} is updated.\n"


def body(report: str, run: dict[str, Any]) -> str:
    """Return the comment's text: the outcome of the run, and the report."""
    result, commit = re.sub(r"\W", "", str(run["conclusion"])), re.sub(r"\W", "", str(run["head_sha"]))[:12]
    url, number = run["html_url"], int(run["run_number"])
    links = f"[run {number}]({url}) · [its page and logs]({url}#artifacts)"
    return f"{MARK}\n**CI: {result}** for {commit}, {links}\n\n{report or 'It wrote no report that can be read.'}\n"


def main(report: Path) -> int:
    """Post or update the comment of the run that the event describes."""
    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    run = event["workflow_run"]
    github = GitHub()
    text = report.read_text(encoding="utf-8") if report.is_file() else ""
    try:
        numbers = pull_requests(github, run)
        for number in numbers:
            sys.stdout.write(post(github, number, {"body": body(text, run)}))
    except urllib.error.URLError as error:
        sys.stderr.write(f"GitHub did not take the comment: {error}. Run the job again.\n")
        return 1
    if not numbers:
        sys.stdout.write(f"No open pull request is at {run['head_sha']} any more: nothing is posted.\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
