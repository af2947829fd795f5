"""The report of a run becomes one comment of its pull request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from local_server import Handler, LocalServer, running

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(__file__).parents[2] / ".github/programs/comment.py"
REPOSITORY = "/repos/owner/project"


def pull(number: int, ref: str = "main", sha: str = "a" * 40) -> dict[str, Any]:
    """Return a pull request of a branch, whose repository may be unknown to GitHub."""
    return {"number": number, "head": {"ref": ref, "sha": sha, "repo": None}}


class Server(LocalServer):
    """A stand-in for GitHub's API of pull requests and comments."""

    def __init__(self) -> None:
        """Listen on this machine, with two pull requests of one branch and a comment of a person."""
        super().__init__(Request)
        self.pulls = [pull(6, sha="old"), pull(7)]
        person = {"id": 1, "user": {"type": "User"}, "body": "<!-- the report of CI -->\nIt was me."}
        self.comments: list[dict[str, Any]] = [person | {"id": number} for number in range(100)]
        self.requests: list[str] = []
        self.is_down = False
        self.is_cut = False


def page(entries: list[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
    """Return the page of a list that is asked for."""
    start = (int(query["page"]) - 1) * int(query["per_page"])
    return entries[start : start + int(query["per_page"])]


class Request(Handler):
    """A request to GitHub's API."""

    server: Server

    def answer(self) -> None:
        """Answer a request."""
        self.server.requests.append(f"{self.command} {self.path}")
        assert self.headers["Authorization"] == "Bearer secret"
        place = urlsplit(self.path)
        query = {key: its[0] for key, its in parse_qs(place.query).items()}
        content = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        path = place.path.removeprefix(REPOSITORY)
        answer: object = {}
        if self.command == "GET" and path == "/pulls":
            assert query["state"] == "open"
            answer = page(self.server.pulls if query.get("head", "stranger:main") == "stranger:main" else [], query)
        elif self.command == "GET" and path in {"/issues/7/comments", "/issues/8/comments"}:
            answer = page(self.server.comments if "/7/" in path else [], query)
        elif self.command == "POST" and path == "/issues/8/comments":
            answer = {}
        elif self.command == "POST" and path == "/issues/7/comments":
            self.server.comments.append(content | {"id": 1000, "user": {"type": "Bot"}})
        elif self.command == "PATCH" and path == "/issues/comments/1000":
            self.server.comments[-1] |= content
        else:
            self.server.is_down = True
        body = json.dumps(answer).encode()[: 5 if self.server.is_cut else None]
        self.reply(503 if self.server.is_down else 200, body)


@pytest.fixture
def github() -> Iterator[Server]:
    """Return a server that answers."""
    with running(Server()) as server:
        yield server


def post(github: Server, folder: Path, report: str | None, **run: object) -> tuple[int, str]:
    """Run the program as the workflow does; return its exit code and its output."""
    about = {
        "conclusion": "success",
        "head_branch": "main",
        "head_repository": {"owner": {"login": "stranger"}},
        "head_sha": "a" * 40,
        "html_url": "https://example.org/run",
        "run_number": 12,
    }
    (folder / "event.json").write_text(json.dumps({"workflow_run": about | run}))
    if report is not None:
        (folder / "report").write_text(report)
    environ = {
        "PATH": os.environ["PATH"],
        "GITHUB_API_URL": github.url,
        "GITHUB_EVENT_PATH": str(folder / "event.json"),
        "GITHUB_REPOSITORY": "owner/project",
        "GITHUB_TOKEN": "secret",
    }
    command = [sys.executable, str(PROGRAM), str(folder / "report")]
    done = subprocess.run(
        command, check=False, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.returncode, done.stdout


def test_one_comment_is_posted_and_then_updated(github: Server, tmp_path: Path) -> None:
    """Behind a hundred comments of people, who may have copied its first line."""
    assert post(github, tmp_path, "# All is well") == (0, "The comment of pull request 7 is new.\n")
    assert github.comments[-1]["body"] == (
        "<!-- the report of CI -->\n**CI: success** for aaaaaaaaaaaa, [run 12](https://example.org/run) · "
        "[its page and logs](https://example.org/run#artifacts)\n\n# All is well\n"
    )
    assert post(github, tmp_path, "worse", conclusion="failure")[1] == "The comment of pull request 7 is updated.\n"
    assert "**CI: failure**" in github.comments[-1]["body"]
    assert len(github.comments) == 101


def test_a_run_without_a_report_says_so(github: Server, tmp_path: Path) -> None:
    """It has failed before it could write one."""
    assert post(github, tmp_path, None, conclusion="failure")[0] == 0
    assert "It wrote no report that can be read." in github.comments[-1]["body"]


def test_a_run_that_is_no_longer_the_last_posts_nothing(github: Server, tmp_path: Path) -> None:
    """Its pull request has a newer commit, or is closed."""
    code, output = post(github, tmp_path, "late", head_sha="b" * 40)
    assert (code, len(github.comments)) == (0, 100)
    assert "nothing is posted" in output


@pytest.mark.parametrize("fork", [None, {"owner": None}])
def test_a_fork_may_have_been_deleted(fork: object, github: Server, tmp_path: Path) -> None:
    """GitHub then names neither its owner nor the author of a comment; the commit alone identifies the pull request."""
    github.pulls = [*(pull(number, ref=f"other-{number}") for number in range(100, 200)), *github.pulls]
    github.comments[0] |= {"user": None, "body": None}
    assert post(github, tmp_path, "x", head_repository=fork) == (0, "The comment of pull request 7 is new.\n")
    assert post(github, tmp_path, "x", head_repository=fork, head_branch="gone")[1].startswith("No open pull request")


def test_a_branch_may_be_proposed_twice(github: Server, tmp_path: Path) -> None:
    """Each pull request gets the comment; another branch at the same commit does not."""
    github.pulls += [pull(8), pull(9, ref="other")]
    output = "The comment of pull request 7 is new.\nThe comment of pull request 8 is new.\n"
    assert post(github, tmp_path, "x") == (0, output)


@pytest.mark.parametrize(("fault", "part"), [("is_cut", "<urlopen error GET pulls: "), ("is_down", "HTTP Error 503")])
def test_an_answer_that_is_cut_off_or_an_error_is_one_line(
    fault: str, part: str, github: Server, tmp_path: Path
) -> None:
    """And the job fails."""
    setattr(github, fault, True)
    code, output = post(github, tmp_path, "x")
    assert code == 1
    assert output.startswith(f"GitHub did not take the comment: {part}")
    assert output.count("\n") == 1
