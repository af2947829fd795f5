"""Posts the report of a run of CI to its pull request: one comment, updated in place.

Nothing that the run wrote is trusted. GitHub's API says which pull request it belongs to, by the fork, the branch and
the commit in the event; without the fork where that has been deleted. One branch may be proposed to several branches,
and a run does not say for which of them it was: each pull request gets the comment, which names the run. The report is
quoted as a block of text that nothing in it can close. Reads the variables of GitHub Actions, and GITHUB_TOKEN.
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
_LIMIT: Final = 50_000  # characters; GitHub takes 65,536
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
    """Return the comment's text: the report in a block whose fence does not occur in it."""
    # Control characters could hide parts of the text, and so could marks that change the direction of a line.
    text = re.sub(r"[^\n\t -~\u00a0-\u200a\u2010-\u2027\u2030-\u205f\u2070-\ud7ff]", "", report)[:_LIMIT].strip()
    text = re.sub(r"^```text\n(.*)\n```$", r"\1", text, flags=re.DOTALL)
    longest = max((len(run_of_ticks) for run_of_ticks in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    result, commit = re.sub(r"\W", "", str(run["conclusion"])), re.sub(r"\W", "", str(run["head_sha"]))[:12]
    url = f"[run {int(run['run_number'])}]({run['html_url']})"
    return f"{MARK}\n**CI: {result}** for {commit}, {url}\n\n{fence}text\n{text or 'It wrote no report.'}\n{fence}\n"


def beginning(report: Path) -> str:
    """Return as much of a report as a comment can hold; the rest of a large file is not read."""
    with report.open("rb") as file:
        return file.read(4 * _LIMIT).decode(errors="replace")


def main(report: Path) -> int:
    """Post or update the comment of the run that the event describes."""
    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    run = event["workflow_run"]
    github = GitHub()
    text = beginning(report) if report.is_file() else ""
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
