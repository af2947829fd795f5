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
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Final

MARK: Final = "<!-- the report of CI -->"
_LIMIT: Final = 50_000  # characters; GitHub takes 65,536
_MAX_PAGES: Final = 30
_TIMEOUT: Final = 30.0  # seconds


class GitHub:
    """The part of GitHub's REST API that is needed."""

    def __init__(self, url: str, repository: str, token: str) -> None:
        """Take where it is, whose repository is meant, and what lets one in."""
        self._base = f"{url}/repos/{repository}"
        self._headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "X-GitHub-Api-Version": "2022-11-28",
        }

    def call(self, method: str, path: str, content: dict[str, Any] | None = None, **query: str) -> Any:  # noqa: ANN401 - whatever GitHub answers
        """Return the answer to one request."""
        url = f"{self._base}/{path}{'?' if query else ''}{urllib.parse.urlencode(query)}"
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(url, data=data, headers=self._headers, method=method)  # noqa: S310 - GitHub's own
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310 - the same
            return json.load(answer)

    def pull_request(self, owner: str, branch: str, commit: str) -> int | None:
        """Return the number of the open pull request of a branch whose last commit is the given one."""
        found = self.call("GET", "pulls", state="open", head=f"{owner}:{branch}")
        return next((int(it["number"]) for it in found if it["head"]["sha"] == commit), None)

    def comment(self, number: int) -> int | None:
        """Return the comment that an earlier run has posted to a pull request."""
        for page in range(1, _MAX_PAGES):
            found = self.call("GET", f"issues/{number}/comments", per_page="100", page=str(page))
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
    github = GitHub(os.environ["GITHUB_API_URL"], os.environ["GITHUB_REPOSITORY"], os.environ["GITHUB_TOKEN"])
    text = report.read_bytes()[: 4 * _LIMIT].decode(errors="replace") if report.is_file() else ""
    try:
        owner = run["head_repository"]["owner"]["login"]
        number = github.pull_request(owner, run["head_branch"], run["head_sha"])
        if number is None:
            sys.stdout.write(f"No open pull request is at {run['head_sha']} any more: nothing is posted.\n")
            return 0
        content = {"body": body(text, run)}
        known = github.comment(number)
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
