"""Posts the report of a run of CI to its pull request: one comment, updated in place.

Nothing that the run wrote is trusted. Which pull request it belongs to is asked of GitHub, by the branch and the commit
in the event; the report is quoted as a block of text, which no content of it can leave. Reads the variables that GitHub
Actions sets, and GITHUB_TOKEN.
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.error
from pathlib import Path
from typing import Any, Final

from github_api import GitHub

MARK: Final = "<!-- the report of CI -->"
_LIMIT: Final = 50_000  # characters; GitHub takes 65,536
_MAX_PAGES: Final = 30


def pull_request(github: GitHub, owner: str, branch: str, commit: str) -> int | None:
    """Return the number of the open pull request of a branch whose last commit is the given one."""
    found = github.call("GET", "pulls", state="open", head=f"{owner}:{branch}")
    return next((int(it["number"]) for it in found if it["head"]["sha"] == commit), None)


def known_comment(github: GitHub, number: int) -> int | None:
    """Return the comment that an earlier run has posted to a pull request."""
    for page in range(1, _MAX_PAGES):
        found = github.call("GET", f"issues/{number}/comments", per_page="100", page=str(page))
        for it in found:
            if it["user"]["type"] == "Bot" and it["body"].startswith(MARK):
                return int(it["id"])
        if not found:
            break
    return None


def body(report: str, run: dict[str, Any]) -> str:
    """Return the comment: the report as a block of text with a fence that it does not contain."""
    # Control characters could hide what is there, and so could marks that turn the direction of a line.
    text = re.sub(r"[^\n\t -~\u00a0-\u200a\u2010-\u2027\u2030-\u205f\u2070-\ud7ff]", "", report)[:_LIMIT].strip()
    text = re.sub(r"^```text\n(.*)\n```$", r"\1", text, flags=re.DOTALL)
    longest = max((len(it) for it in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    result, commit = re.sub(r"\W", "", str(run["conclusion"])), re.sub(r"\W", "", str(run["head_sha"]))[:12]
    url = f"[run {int(run['run_number'])}]({run['html_url']})"
    return f"{MARK}\n**CI: {result}** for {commit}, {url}\n\n{fence}text\n{text or 'It wrote no report.'}\n{fence}\n"


def main(report: Path) -> int:
    """Post or update the comment of the run that the event tells of."""
    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    run = event["workflow_run"]
    github = GitHub()
    text = report.read_bytes()[: 4 * _LIMIT].decode(errors="replace") if report.is_file() else ""
    try:
        owner = run["head_repository"]["owner"]["login"]
        number = pull_request(github, owner, run["head_branch"], run["head_sha"])
        if number is None:
            sys.stdout.write(f"No open pull request is at {run['head_sha']} any more: nothing is posted.\n")
            return 0
        content = {"body": body(text, run)}
        known = known_comment(github, number)
        if known is None:
            github.call("POST", f"issues/{number}/comments", content)
        else:
            github.call("PATCH", f"issues/comments/{known}", content)
    except urllib.error.URLError as error:
        sys.stderr.write(f"GitHub did not take the comment: {error}. Run the job again.\n")
        return 1
    sys.stdout.write(f"The comment of pull request {number} is {'new' if known is None else 'updated'}.\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
