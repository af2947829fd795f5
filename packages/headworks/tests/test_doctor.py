"""A repository's settings on GitHub are held against its workflows; a server on this machine answers as GitHub does."""

from __future__ import annotations

import http.server
import json
from importlib import resources
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from headworks._cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Scratch, Serving

CI = """
on:
  pull_request:
  merge_group:
jobs:
  ci:
    if: github.ref == 'refs/heads/main' && vars.NIGHTLY == 'true'
    steps:
      - uses: actions/cache/restore@55cc8345863c7cc4c66a329aec7e433d2d1c52a9 # v6.1.0
        with:
          restore-keys: verdicts-
      - uses: astral-sh/setup-uv@c771a70e6277c0a99b617c7a806ffedaca235ff9
      - uses: ./.github/actions/own
      # ${{ vars.IN_A_COMMENT }} is not read
"""
RELEASE = """
on: push
jobs:
  publish:
    environment: pypi
    permissions:
      pages: write
    steps:
      - uses: peter-evans/create-pull-request@5f6978faf089d4d20b00c7766989d076bb2fc7f1
        with:
          token: ${{ secrets.TOKEN || secrets.GITHUB_TOKEN }}
      - run: gh pr merge "$NUMBER" --auto
"""
RULES: list[dict[str, Any]] = [
    {
        "type": "required_status_checks",
        "ruleset_id": 42,
        "parameters": {
            "strict_required_status_checks_policy": False,
            "required_status_checks": [{"context": "ci / required", "integration_id": 15368}, {"context": "another"}],
        },
    },
    {"type": "merge_queue", "ruleset_id": 42, "parameters": {"check_response_timeout_minutes": 240}},
]
ABOUT: dict[str, Any] = {
    "allow_auto_merge": True,
    "default_branch": "main",
    "has_pages": True,
    "owner": {"login": "acme", "type": "Organization"},
    "permissions": {"admin": True},
    "private": False,
    "security_and_analysis": {"secret_scanning_push_protection": {"status": "enabled"}},
}
REVIEWED = {"name": "pypi", "protection_rules": [{"type": "required_reviewers"}], "deployment_branch_policy": {}}
REVIEWED["deployment_branch_policy"] = {"protected_branches": True, "custom_branch_policies": False}
# What GitHub's documentation shows as the answer to each path, as far as it is read.
GOOD: dict[str, Any] = {
    "": ABOUT,
    "/actions/permissions": {"enabled": True, "allowed_actions": "all"},
    "/actions/permissions/workflow": {
        "default_workflow_permissions": "read",
        "can_approve_pull_request_reviews": True,
    },
    "/actions/workflows": {
        "total_count": 2,
        "workflows": [
            {"path": ".github/workflows/ci.yml", "state": "active"},
            {"path": ".github/workflows/release.yml", "state": "active"},
        ],
    },
    "/rules/branches/main": RULES,
    "/branches/main": {"name": "main", "protection": {"enabled": False}},
    "/rulesets/42": {"id": 42, "bypass_actors": []},
    "/codeowners/errors": {"errors": []},
    "/actions/variables": {"total_count": 1, "variables": [{"name": "NIGHTLY", "value": "true"}]},
    "/actions/organization-variables": {"total_count": 0, "variables": []},
    "/actions/secrets": {"total_count": 0, "secrets": []},
    "/actions/organization-secrets": {"total_count": 1, "secrets": [{"name": "TOKEN"}]},
    "/environments": {"total_count": 1, "environments": [REVIEWED]},
    "/actions/caches": {"total_count": 3, "actions_caches": []},
    "/pages": {"build_type": "workflow", "html_url": "https://acme.example/vision/"},
    "/vulnerability-alerts": b"",
}
HIDDEN: tuple[Any, ...] = (403, {"message": "Resource not accessible by integration"}, {})


class Answers(dict[str, Any]):
    """The answers of a server: content, or a status with content and headers, by their paths; and what was asked."""

    def __init__(self) -> None:
        """Take the answers of a repository that lacks nothing."""
        super().__init__(GOOD)
        self.asked: list[tuple[str, str | None]] = []
        self.failures: list[int] = []
        self.url = ""


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    answers: Answers
    wbufsize = -1  # an answer in two packets takes 40 ms

    def do_GET(self) -> None:
        """Answer as the test says."""
        path, _, query = self.path.partition("?")
        self.answers.asked.append((path, self.headers["Authorization"]))
        if self.answers.failures:
            self.reply(self.answers.failures.pop(), b"<html>Unicorn!</html>", {})
            return
        if path == "/apps/github-actions":
            self.reply(200, b'{"id": 15368}', {})
            return
        content = self.answers.get(path.removeprefix("/repos/acme/vision"), (404, {"message": "Not Found"}, {}))
        status, content, headers = content if isinstance(content, tuple) else (200, content, {})
        if isinstance(content, list) and "page=1" not in query.split("&"):
            content = []
        self.reply(status, content if isinstance(content, bytes) else json.dumps(content).encode(), headers)

    def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Send an answer."""
        if status == 0:
            self.close_connection = True  # without an answer
            return
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


@pytest.fixture
def github(scratch: Scratch, monkeypatch: pytest.MonkeyPatch, serving: Serving) -> Iterator[Answers]:
    """Serve a repository that lacks nothing, to a process inside a clone of it."""
    files = {".github/workflows/ci.yml": CI, ".github/workflows/release.yml": RELEASE, ".github/CODEOWNERS": "* @a\n"}
    ruleset = {"name": "main", "rules": [{key: it[key] for key in ("type", "parameters")} for it in RULES]}
    scratch.write(files | {".github/rulesets/main.json": json.dumps(ruleset)})
    scratch.git("remote", "add", "origin", "git@github.com:acme/vision.git")
    monkeypatch.chdir(scratch.root)
    answers = Answers()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Served", (Handler,), {"answers": answers}))
    monkeypatch.setenv("GH_TOKEN", "secret")
    with serving(server) as answers.url:
        monkeypatch.setenv("GITHUB_API_URL", answers.url)
        yield answers


def diagnosed(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> dict[tuple[str, str], dict[str, str]]:
    """Run the command, and return its findings that are not `ok`."""
    assert main(["doctor", "--github", *arguments, "--format", "json"]) == code
    data = json.loads(capsys.readouterr().out)
    schema = json.loads((resources.files("headworks") / "doctor.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(data, schema)
    return {(it["check"], it["about"]): it for it in data["findings"] if it["state"] != "ok"}


def refused(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    """Run the command where it cannot say anything, and return its message."""
    assert main(["doctor", "--github", *arguments]) == code
    output = capsys.readouterr()
    assert not output.out
    return output.err


def test_a_repository_that_lacks_nothing_passes(github: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    """Each setting stands in a line, and the token goes with each call."""
    assert main(["doctor", "--github"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "acme/vision: 19 ok, 0 missing, 0 off, 0 unknown"
    assert "ok       required: 'ci / required' of GitHub Actions is required on main" in lines
    assert "ok       environment pypi: guarded" in lines
    assert {token for _, token in github.asked} == {"Bearer secret"}
    assert diagnosed(capsys, 0) == {}


def changed(path: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401  # any JSON
    """Return the good answer to a path with other fields."""
    return {path: GOOD[path] | fields}


def with_check(**check: Any) -> dict[str, Any]:  # noqa: ANN401  # any JSON
    """Return the rules with one required check."""
    rule = RULES[0] | {"parameters": RULES[0]["parameters"] | {"required_status_checks": [check]}}
    return {"/rules/branches/main": [rule, RULES[1]]}


CLASSIC = {"required_status_checks": {"checks": [{"context": "ci / required", "app_id": 15368}]}}
SELECTED = {"github_owned_allowed": True, "verified_allowed": False, "patterns_allowed": ["peter-evans/*@*"]}


@pytest.mark.parametrize(
    ("answers", "key", "state", "part"),
    [
        (changed("", default_branch="trunk"), ("default branch", ""), "missing", "save their verdicts on main"),
        ({"/actions/permissions": {"enabled": False}}, ("actions", ""), "missing", "turned off"),
        (changed("/actions/permissions", allowed_actions="local_only"), ("actions", ""), "missing", "astral-sh/setup"),
        (
            changed("/actions/permissions", allowed_actions="selected")
            | {"/actions/permissions/selected-actions": SELECTED},
            ("actions", ""),
            "missing",
            "not allowed to run: astral-sh/setup-uv@c771a70e6277c0a99b617c7a806ffedaca235ff9",
        ),
        (
            changed("/actions/permissions", allowed_actions="selected")
            | {"/actions/permissions/selected-actions": SELECTED | {"verified_allowed": True}},
            ("actions", ""),
            "unknown",
            "astral-sh/setup-uv@",
        ),
        (
            changed("/actions/permissions/workflow", default_workflow_permissions="write"),
            ("token", ""),
            "missing",
            "may write",
        ),
        (
            changed("/actions/permissions/workflow", can_approve_pull_request_reviews=False),
            ("token", "pull requests"),
            "missing",
            "may not open pull requests, as release.yml does",
        ),
        (
            {"/actions/workflows": {"total_count": 0, "workflows": []}},
            ("workflow", "ci.yml"),
            "missing",
            "main does not have it yet",
        ),
        (
            changed(
                "/actions/workflows", workflows=[{"path": ".github/workflows/ci.yml", "state": "disabled_manually"}]
            ),
            ("workflow", "ci.yml"),
            "missing",
            "disabled manually",
        ),
        ({"/rules/branches/main": []}, ("required", ""), "missing", "nothing asks for the check 'ci / required'"),
        (with_check(context="ci / required"), ("required", ""), "missing", "may come from any app"),
        (with_check(context="other", integration_id=15368), ("required", ""), "missing", "nothing asks"),
        ({"/rules/branches/main": RULES[:1]}, ("ruleset", "main.json"), "missing", "like the file's: merge_queue"),
        (
            with_check(context="ci / required", integration_id=1),
            ("ruleset", "main.json"),
            "missing",
            "required_status_checks (required_status_checks is",
        ),
        ({"/rulesets/42": {"id": 42}}, ("bypass", "42"), "unknown", "who may bypass it"),
        (
            {"/rulesets/42": {"bypass_actors": [{"actor_type": "Team"}]}},
            ("bypass", "42"),
            "missing",
            "may be bypassed by Team",
        ),
        (changed("", allow_auto_merge=False), ("auto-merge", ""), "missing", "which release.yml asks for"),
        (changed("", allow_auto_merge=None), ("auto-merge", ""), "unknown", "who may write"),
        (
            {"/codeowners/errors": {"errors": [{"line": 3, "kind": "Unknown owner"}]}},
            ("owners", ""),
            "missing",
            "line 3 (Unknown owner)",
        ),
        (
            {"/actions/variables": {"total_count": 0, "variables": []}},
            ("variable", "NIGHTLY"),
            "off",
            "ci.yml reads it",
        ),
        (
            {"/actions/organization-secrets": {"total_count": 0, "secrets": []}},
            ("secret", "TOKEN"),
            "missing",
            "release.yml reads it",
        ),
        (
            {"/environments": {"total_count": 0, "environments": []}},
            ("environment", "pypi"),
            "missing",
            "GitHub makes one that is open to all once release.yml runs",
        ),
        (
            {"/environments": {"total_count": 1, "environments": [REVIEWED | {"deployment_branch_policy": None}]}},
            ("environment", "pypi"),
            "missing",
            "a workflow of any branch",
        ),
        (
            {"/environments": {"total_count": 1, "environments": [REVIEWED | {"protection_rules": []}]}},
            ("environment", "pypi"),
            "missing",
            "nobody has to approve",
        ),
        ({"/actions/caches": {"total_count": 0}}, ("cache", "verdicts-"), "off", "every run starts without"),
        (changed("", has_pages=False), ("pages", ""), "off", "they are turned off"),
        ({"/pages": {"build_type": "legacy"}}, ("pages", ""), "off", "their source is a branch"),
        ({"/vulnerability-alerts": (404, {"message": "Not Found"}, {})}, ("security", "alerts"), "missing", "nobody"),
        (changed("", security_and_analysis=None), ("security", "secrets"), "unknown", "only an administrator"),
        (changed("", security_and_analysis={}), ("security", "secrets"), "missing", "no push is searched"),
        ({"/actions/caches": HIDDEN}, ("cache", ""), "unknown", "Resource not accessible by integration"),
        ({"/actions/caches": {"count": 1}}, ("cache", ""), "unknown", "another form than documented (KeyError"),
        (
            {"/rulesets/42": (403, {"message": "Upgrade to GitHub Pro or make this repository public"}, {})},
            ("bypass", ""),
            "missing",
            "the owner's plan does not have it",
        ),
    ],
)
def test_what_is_missing_is_named(
    answers: dict[str, Any],
    key: tuple[str, str],
    state: str,
    part: str,
    github: Answers,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is missing fails; what the token may not see leaves it undecided; a choice does neither."""
    github.update(answers)
    codes = {"missing": 1, "unknown": 3, "off": 0}
    found = diagnosed(capsys, codes[state])
    assert found[key]["state"] == state
    assert part in found[key]["text"]


def test_branch_protection_serves_as_well(github: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    """A ruleset is the newer way; a file with one is held against the rules that there are."""
    github["/rules/branches/main"] = []
    github["/branches/main"] = {"name": "main", "protection": CLASSIC}
    found = diagnosed(capsys, 1)
    assert ("required", "") not in found
    assert "merge_queue" in found["ruleset", "main.json"]["text"]
    assert "a private repository needs the enterprise plan" in found["merge queue", ""]["text"]


def test_a_second_job_of_the_name_would_satisfy_the_rule(
    github: Answers, scratch: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    """GitHub distinguishes the apps that report a check, not the workflows."""
    scratch.write({".github/workflows/other.yml": "on: push\njobs:\n  any:\n    name: ci\n"})
    github["/actions/workflows"]["workflows"].append({"path": ".github/workflows/other.yml", "state": "active"})
    found = diagnosed(capsys, 1)
    assert ".github/workflows/ci.yml, .github/workflows/other.yml" in found["required", ""]["text"]
    assert diagnosed(capsys, 1, "--check", "another")["required", ""]["text"].endswith("may set a status")


def test_what_a_token_may_not_see_is_unknown(github: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    """GitHub says "not found" to those who may not see a setting: only to an administrator is that an absence."""
    github |= changed("", permissions={"admin": False}, security_and_analysis=None)
    for path in GOOD.keys() - {"", "/rules/branches/main", "/branches/main"}:
        del github[path]
    found = diagnosed(capsys, 3)
    assert {it["state"] for it in found.values()} == {"unknown"}
    assert {name for name, _ in found} >= {"actions", "token", "variable", "secret", "environment", "pages", "security"}


def test_a_private_repository_of_a_person_has_less(github: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    """No organisation gives it variables, and its plan may lack what public repositories have."""
    github |= changed("", private=True, owner={"type": "User"}, security_and_analysis={})
    github |= {"/rules/branches/main": [], "/environments": {"total_count": 0, "environments": []}}
    del github["/actions/organization-variables"]
    found = diagnosed(capsys, 1)
    assert ("variable", "") not in found
    assert found["required", ""]["advice"].endswith("A private repository needs a paid plan for this.")
    assert found["environment", "pypi"]["advice"].endswith("A private repository needs a paid plan for this.")
    assert "a person has none" in found["merge queue", ""]["text"]
    assert found["security", "secrets"]["state"] == "off"


def test_workflows_that_rely_on_little_need_little(
    github: Answers, scratch: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is asked about what no workflow uses."""
    for name in ("workflows/release.yml", "rulesets/main.json", "CODEOWNERS"):
        (scratch.root / ".github" / name).unlink()
    scratch.write({".github/workflows/ci.yml": "on: pull_request\njobs:\n  ci:\n    steps: []\n"})
    assert diagnosed(capsys, 0) == {}
    asked = {path.removeprefix("/repos/acme/vision") for path, _ in github.asked}
    assert not asked & {"/environments", "/pages", "/actions/variables", "/actions/secrets", "/codeowners/errors"}


def test_every_page_of_a_list_is_read(github: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    """GitHub gives fewer entries to a page than it is asked for."""
    github["/actions/variables"] = {"total_count": 2, "variables": [{"name": "NIGHTLY"}]}
    assert diagnosed(capsys, 0) == {}
    assert [path for path, _ in github.asked].count("/repos/acme/vision/actions/variables") == 2


def test_a_list_without_end_is_left(github: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    """A server that repeats a page keeps nobody waiting."""
    github["/actions/variables"] = {"total_count": 10**9, "variables": [{"name": "NIGHTLY"}]}
    assert diagnosed(capsys, 0) == {}


def test_a_server_that_fails_is_asked_again(github: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    """Three times in all, also where it closes the connection."""
    github.failures = [0, 502]
    assert diagnosed(capsys, 0) == {}
    github.failures = [503] * 9
    message = refused(capsys, 3)
    assert "cannot be read: HTTP 503, 3 times. Try again later" in message
    assert len(github.failures) == 6


def test_a_network_that_is_down_decides_nothing(
    github: Answers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what to look at."""
    assert github.url
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")
    assert "Connection refused, 3 times. Try again later, or check the network" in refused(capsys, 3)


@pytest.mark.parametrize(
    ("status", "headers", "part"),
    [
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1767225600"}, "call again at 00:00 UTC"),
        (403, {"Retry-After": "60"}, "call again in 60 seconds"),
        (429, {}, "call again later"),
    ],
)
def test_too_many_calls_are_said_with_their_end(
    status: int, headers: dict[str, str], part: str, github: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing waits for an hour."""
    github["/actions/permissions"] = (status, {"message": "API rate limit exceeded"}, headers)
    message = refused(capsys, 3)
    assert part in message
    assert "60 an hour without a token" in message


def test_a_repository_that_was_renamed_is_found(github: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    """The token stays with the server that it is for."""
    github["/elsewhere"] = ABOUT
    github[""] = (301, {"message": "Moved Permanently"}, {"Location": f"{github.url}/repos/acme/vision/elsewhere"})
    assert diagnosed(capsys, 0) == {}
    github[""] = (301, {"message": "Moved Permanently"}, {"Location": f"http://localhost:{github.url[17:]}/elsewhere"})
    assert "(Moved Permanently)" in refused(capsys, 3)
    assert {token for _, token in github.asked} == {"Bearer secret"}


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        ((404, {"message": "Not Found"}, {}), "does not show the repository acme/vision to anybody without a token"),
        ((401, {"message": "Bad credentials"}, {}), "(Bad credentials). Set GITHUB_TOKEN or GH_TOKEN"),
        (b"<html>Please log in</html>", "answers 200 with something that is not GitHub's. Check GITHUB_API_URL."),
        ({"login": "acme"}, "describes the repository acme/vision otherwise than GitHub does"),
        (["acme"], "describes the repository acme/vision otherwise than GitHub does"),
    ],
)
def test_a_repository_that_is_not_shown_decides_nothing(
    answer: object, part: str, github: Answers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be private, or a proxy may answer in GitHub's place."""
    monkeypatch.delenv("GH_TOKEN")
    github[""] = answer
    assert part in refused(capsys, 3)


@pytest.mark.parametrize(
    ("origin", "name", "part"),
    [
        ("https://somebody@github.com/acme/vision.git", "", ""),
        ("ssh://git@ssh.github.com:443/acme/vision", "", ""),
        ("../vision", "", "'' is no repository on GitHub. Name it with --github OWNER/NAME."),
        ("https://git.example.org/acme/vision", "", "set GITHUB_API_URL to https://git.example.org/api/v3"),
        ("https://git.example.org/group/vision", "acme", "'acme' is no repository on GitHub"),
    ],
)
def test_a_token_goes_only_to_a_server_that_is_named(  # noqa: D103  # its name says all
    origin: str,
    name: str,
    part: str,
    github: Answers,
    scratch: Scratch,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scratch.git("remote", "set-url", "origin", origin)
    monkeypatch.delenv("GITHUB_API_URL")
    monkeypatch.setattr("headworks._commands.doctor._API", github.url)
    if part:
        assert part in refused(capsys, 2, *filter(None, [name]))
        assert github.asked == []
    else:
        assert diagnosed(capsys, 0) == {}


def test_an_address_of_another_kind_is_refused(
    github: Answers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file is no server."""
    assert github.url
    monkeypatch.setenv("GITHUB_API_URL", "file:///etc")
    assert "GITHUB_API_URL is 'file:///etc'; it has to begin with https://." in refused(capsys, 2)


def test_a_repository_without_workflows_needs_nothing(
    github: Answers, scratch: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    """That is a mistake in the call, and no pass."""
    for path in (scratch.root / ".github/workflows").iterdir():
        path.unlink()
    assert "There is no workflow in" in refused(capsys, 2)
    assert github.asked == []


def test_a_ruleset_that_cannot_be_read_is_refused(
    github: Answers, scratch: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that somebody broke is named."""
    assert github.url
    scratch.write({".github/rulesets/main.json": '{"rules": [{}]}'})
    assert "main.json is no ruleset as GitHub exports it (KeyError('type'))" in refused(capsys, 2)


PROVEN = {"event": "merge_group", "conclusion": "success", "path": ".github/workflows/ci.yml", "id": 7}
PROVEN |= {"head_repository": {"full_name": "acme/vision"}}


@pytest.fixture
def queued(github: Answers, scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Let a merge queue have passed for the commit that is checked out."""
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/vision")
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    monkeypatch.setenv("GITHUB_WORKFLOW_REF", "acme/vision/.github/workflows/ci.yml@refs/heads/main")
    run = PROVEN | {"head_sha": scratch.commit()}
    github["/actions/runs"] = {"total_count": 1, "workflow_runs": [run]}
    return github


def test_the_run_of_the_merge_queue_for_the_commit_is_named(
    queued: Answers, scratch: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A step gets its number as an output."""
    assert queued.url
    output = scratch.root / "output"
    assert main(["queue", "--output", str(output)]) == 0
    assert output.read_text() == "run=7\n"
    assert main(["queue"]) == 0
    assert "Run 7 of the merge queue has proven " in capsys.readouterr().out


@pytest.mark.parametrize(
    "change",
    [
        {"event": "pull_request"},
        {"conclusion": "failure"},
        {"head_sha": "0" * 40},
        {"path": ".github/workflows/other.yml"},
        {"head_repository": {"full_name": "stranger/vision"}},
    ],
)
def test_no_other_run_is_trusted(
    change: dict[str, object], queued: Answers, scratch: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pull request runs what its author wrote, which nobody has merged."""
    queued["/actions/runs"]["workflow_runs"][0] |= change
    output = scratch.root / "output"
    assert main(["queue", "--output", str(output)]) == 0
    assert "No merge queue has proven " in capsys.readouterr().out
    assert not output.exists()


@pytest.mark.parametrize("answer", [HIDDEN, (429, {"message": "slow down"}, {}), {"total_count": 1}])
def test_a_github_that_does_not_say_proves_nothing(
    answer: object, queued: Answers, scratch: Scratch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A warning says so, and everything runs."""
    queued["/actions/runs"] = answer
    output = scratch.root / "output"
    assert main(["queue", "--output", str(output)]) == 0
    assert "is unknown, so that it counts as not: " in capsys.readouterr().err
    assert not output.exists()


def test_the_queue_is_asked_about_in_github_actions_alone(github: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    """Elsewhere the variables are not there."""
    assert main(["queue"]) == 2
    assert "GITHUB_REPOSITORY, GITHUB_TOKEN, GITHUB_WORKFLOW_REF is not set" in capsys.readouterr().err
    assert github.asked == []
