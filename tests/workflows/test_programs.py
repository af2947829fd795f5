"""The programs that the nightly and the release workflow run beside sessions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from local_server import Handler, LocalServer, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Answer: TypeAlias = "Callable[[str, object], dict[str, str]]"

PROGRAMS = Path(__file__).parents[2] / ".github/programs"


def run(folder: Path, program: str, *arguments: str, **environ: str) -> tuple[int, str]:
    """Run a program in a folder; return its exit code and its output."""
    command = [sys.executable, str(PROGRAMS / f"{program}.py"), *arguments]
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(command, cwd=folder, check=False, env={"PATH": path} | environ, text=True, **streams)  # type: ignore[call-overload]
    return done.returncode, done.stdout


def write(folder: Path, name: str, content: object) -> None:
    """Write a file; content other than a string as JSON."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.mark.parametrize(("status", "code", "rate"), [("passed", 0, "0.0%"), ("failed", 1, "50.0%")])
def test_a_failure_that_a_verdict_covered_is_a_miss(status: str, code: int, rate: str, tmp_path: Path) -> None:
    """The rate counts covered sessions that ran all the same; sessions that were planned to run cannot be missed."""
    names = {"a": "cached", "b": "cached", "c": "run", "d": "cached"}
    write(tmp_path, "plan.json", {"sessions": [{"name": name, "state": state} for name, state in names.items()]})
    ran = {"a": status, "b": "passed", "c": "failed"}
    sessions = [{"name": name, "status": it} for name, it in ran.items()]
    write(tmp_path, "proof/session-0.json", {"system": "linux", "sessions": sessions})
    write(tmp_path, "proof/session-1.json", {"system": "macos", "sessions": [{"name": "d", "status": "failed"}]})
    # No server listens there: the issue cannot be opened, which is reported and changes nothing else.
    github = {"GITHUB_API_URL": "http://127.0.0.1:9", "GITHUB_REPOSITORY": "a/b", "GITHUB_TOKEN": "x"}
    github |= {"GITHUB_SERVER_URL": "", "GITHUB_RUN_ID": "1", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    exit_code, output = run(tmp_path, "misses", "plan.json", "proof", **github)
    assert exit_code == code
    assert f"2 sessions that verdicts covered were run all the same; {code} failed.\nMiss rate: {rate}" in output
    assert ("- `a`" in output) == ("GitHub did not take the issue" in output) == bool(code)
    assert (tmp_path / "summary").read_text().startswith("2 sessions")


@pytest.fixture
def github() -> Iterator[Answer]:
    """Return a function that adds an answer to a stand-in for GitHub, and returns the variables with its address."""

    class Request(Handler):
        def answer(self) -> None:
            self.reply(200 if self.path in answers else 404, json.dumps(answers.get(self.path)).encode())

    answers: dict[str, object] = {}
    with running(LocalServer(Request)) as server:

        def answer(path: str, content: object) -> dict[str, str]:
            answers[path] = content
            return {"GITHUB_API_URL": server.url, "GITHUB_REPOSITORY": "a/b", "GITHUB_TOKEN": "x"}

        yield answer


@pytest.mark.parametrize(
    ("status", "conclusion", "app", "part"),
    [
        ("behind", "success", "github-actions", ""),
        ("identical", "success", "github-actions", ""),
        ("diverged", "success", "github-actions", "is not in the history of main"),
        ("ahead", "success", "github-actions", "is not in the history of main"),
        ("behind", "failure", "github-actions", "`ci / required` has not passed for the commit c0ffee"),
        ("behind", "success", "another", "`ci / required` has not passed for the commit c0ffee"),
        ("behind", "", "", "`ci / required` has not passed for the commit c0ffee"),
        ("", "", "", "release: error: HTTP Error 404"),
    ],
)
def test_a_release_takes_only_what_has_passed_on_main(
    status: str, conclusion: str, app: str, part: str, tmp_path: Path, github: Answer
) -> None:
    """Whoever may push a tag could release a commit that nobody has reviewed."""
    runs = [{"conclusion": conclusion, "app": {"slug": app}}] if app else []
    environ = github("/repos/a/b/commits/c0ffee/check-runs?check_name=ci+%2F+required", {"check_runs": runs})
    if status:
        github("/repos/a/b/compare/main...c0ffee", {"status": status})
    code, output = run(tmp_path, "release", "reviewed", "notes", **environ, GITHUB_SHA="c0ffee")
    assert code == bool(part)
    assert part in output


@pytest.mark.parametrize(
    ("verdicts", "passed", "code", "part"),
    [
        ("", 0, 0, "CI has not passed on main yet"),
        ("", 3, 1, "No verdicts were restored for any of the sessions that ran: the miss rate is unknown"),
        ("", None, 1, "GitHub did not say whether there should be verdicts"),
        ("verdicts-1", 0, 1, "The restored verdicts cover none of the sessions that ran: the miss rate is unknown"),
        (None, 0, 1, "the miss rate is unknown"),
    ],
)
def test_a_night_that_compared_nothing_is_red(
    verdicts: str | None, passed: int | None, code: int, part: str, tmp_path: Path, github: Answer
) -> None:
    """Except in a new repository, before CI has saved a verdict."""
    write(tmp_path, "plan.json", {"sessions": [{"name": "a", "state": "run"}]})
    write(tmp_path, "proof/session-0.json", {"system": "linux", "sessions": [{"name": "a", "status": "passed"}]})
    query = "/repos/a/b/actions/workflows/ci.yml/runs?branch=main&event=push&status=success"
    environ = github(query if passed is not None else "/", {"total_count": passed})
    environ |= {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary")} | ({} if verdicts is None else {"VERDICTS": verdicts})
    exit_code, output = run(tmp_path, "misses", "plan.json", "proof", **environ)
    assert (exit_code, output.count("\n")) == (code, 1)
    assert part in output
    assert (tmp_path / "summary").read_text() == output


def test_a_night_without_outcomes_is_red(tmp_path: Path) -> None:
    """Nothing was compared."""
    write(tmp_path, "plan.json", {"sessions": []})
    code, output = run(tmp_path, "misses", "plan.json", "proof")
    assert code == 1
    assert "There are no outcomes" in output


@pytest.mark.parametrize(
    ("tag", "changelog", "part"),
    [
        ("v1.2.3", "# Changelog\n\n## 1.2.3 - 2026-11-24\n\n- New.\n\n## 1.2.2\n\n- Old.\n", "- New.\n"),
        ("v1.2.3", "## [1.2.3]\n- Last.", "- Last.\n"),
        ("v1.2.4", "## 1.2.3\n- New.\n", "The tag v1.2.4 is not v1.2.3"),
        ("v1.2.3", "## Unreleased\n- New.\n", "CHANGELOG.md says nothing below a heading `## 1.2.3`"),
        ("v1.2.3", "## 1.2.3\n\n## 1.2.2\n- Old.\n", "says nothing"),
    ],
)
def test_a_release_says_what_the_changelog_says_of_it(tag: str, changelog: str, part: str, tmp_path: Path) -> None:
    """The section of the version that the tag and the repository agree on."""
    write(tmp_path, "VERSION", "1.2.3\n")
    write(tmp_path, "CHANGELOG.md", changelog)
    code, output = run(tmp_path, "release", "notes", tag, "out")
    notes = tmp_path / "out/notes.md"
    assert (notes.read_text() if code == 0 else output).startswith(part if code == 0 else "release: error: ")
    assert notes.is_file() == (code == 0)
    assert part in output + (notes.read_text() if code == 0 else "")


def test_a_model_has_a_card(tmp_path: Path) -> None:
    """It names exactly the file next to it."""
    write(tmp_path, "artifacts/export/model.onnx", "weights")
    write(tmp_path, "artifacts/evaluate/metrics.json", {"accuracy": 0.9, "log_loss": 0.1, "classes": [1, 2]})
    assert run(tmp_path, "release", "card", "out") == (0, "")
    card = (tmp_path / "out/model-card.md").read_text()
    assert "`model.onnx`, 7 bytes, SHA-256 `9a129038" in card
    assert "| accuracy | 0.9 |\n| log loss | 0.1 |\n" in card
    assert "classes" not in card
    assert (tmp_path / "out/model.onnx").read_text() == "weights"
    code, output = run(tmp_path / "out", "release", "card", "more")
    assert code == 1
    assert output.startswith("release: error: ")


COMMIT = "c0ffee" * 6 + "c0de"
DOCKER = """#!/usr/bin/env bash
echo "$@" >>docker.log
case "$1 $2" in
  "image inspect") echo sha256:local ;;
  "push "*-amd64) echo "${2##*:}: digest: sha256:$(printf 'a%.0s' {1..64}) size: 1" ;;
  "push "*) echo "pushed" ;;
  "buildx imagetools") [ "$3" = create ] || echo "sha256:joined" ;;
esac
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Return a folder with a recorded image and a stand-in for docker that logs its arguments."""
    write(tmp_path, "docker", DOCKER)
    (tmp_path / "docker").chmod(0o755)
    record: dict[str, Any] = {"tags": ["headworks-serving:1.0", "headworks-serving:1.0-abc"], "id": "sha256:local"}
    record["variables"] = {"VERSION": "1.0", "COMMIT": COMMIT}
    write(tmp_path, "artifacts/build-images/serving/image.json", record)
    write(tmp_path, "artifacts/build-images/serving/sbom.cdx.json", {"components": []})
    return tmp_path


def test_the_tested_image_is_pushed_and_joined_by_its_digest(machine: Path) -> None:
    """The name that people use points to the image that was tested on each platform."""
    assert run(machine, "push", "push", "registry.example/Team", "version", "amd64", "pushed") == (0, "")
    other = {"name": "registry.example/team/headworks-serving", "tag": "1.0", "platform": "arm64", "digest": "sha256:b"}
    write(machine, "pushed/arm64.json", other)
    assert (machine / "pushed/amd64.cdx.json").is_file()
    assert run(machine, "push", "join", "pushed", "output") == (0, "")
    name, digest = "registry.example/team/headworks-serving", f"sha256:{'a' * 64}"
    assert (machine / "output").read_text() == f"name={name}\ndigest=sha256:joined\namd64={digest}\narm64=sha256:b\n"
    assert (
        f"buildx imagetools create --tag={name}:1.0 {name}@{digest} {name}@sha256:b\n"
        in (machine / "docker.log").read_text()
    )


def test_an_image_of_main_is_named_by_its_commit(machine: Path) -> None:
    """In full, so that it cannot be of two; files that no commit has are of none."""
    assert run(machine, "push", "push", "registry.example/team", "commit", "amd64", "pushed") == (0, "")
    assert json.loads((machine / "pushed/amd64.json").read_text())["tag"] == COMMIT
    assert f"push registry.example/team/headworks-serving:{COMMIT}-amd64\n" in (machine / "docker.log").read_text()
    record = json.loads((machine / "artifacts/build-images/serving/image.json").read_text())
    record["variables"]["COMMIT"] += "-dirty"
    write(machine, "artifacts/build-images/serving/image.json", record)
    code, output = run(machine, "push", "push", "registry.example/team", "commit", "amd64", "pushed")
    assert (code, "is of no commit" in output) == (1, True)


def test_another_image_than_the_tested_one_is_not_pushed(machine: Path) -> None:
    """Somebody has built again since."""
    record = {"tags": ["headworks-serving:1.0"], "id": "sha256:other"}
    write(machine, "artifacts/build-images/serving/image.json", record)
    code, output = run(machine, "push", "push", "registry.example/team", "version", "amd64", "pushed")
    assert code == 1
    assert "is not the image that was recorded" in output
    assert "push" not in (machine / "docker.log").read_text()


def test_an_image_without_a_digest_of_the_registry_is_not_published(machine: Path) -> None:
    """Nothing is published without a digest, and images of two names are not joined."""
    code, output = run(machine, "push", "push", "registry.example/team", "version", "arm64", "pushed")
    assert code == 1
    assert "did not say which digest" in output
    assert run(machine, "push", "join", "pushed", "output")[0] == 1


@pytest.mark.parametrize(
    ("states", "may_prove", "code", "part"),
    [
        (["deployment_in_progress", "succeed"], True, 0, "https://a.example/b/ is online.\n"),
        (["deployment_content_failed"], True, 1, "error: GitHub says deployment_content_failed"),
        ([], True, 1, "HTTP Error 404: Not Found; under Settings, Pages, the source has to be GitHub Actions"),
        (["succeed"], False, 1, "the job may not ask who it is: give it the permission `id-token: write`"),
    ],
)
def test_a_site_is_published_once_github_says_that_it_is_online(
    states: list[str], code: int, part: str, tmp_path: Path, *, may_prove: bool
) -> None:
    """With the artifact, the commit and the identity of the workflow; without states, Pages are turned off."""
    asked: list[tuple[str, str | None, bytes]] = []

    class Pages(Handler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append((f"{self.command} {self.path}", self.headers["Authorization"], body))
            answers: dict[str, dict[str, str]] = {"/identity?v=1": {"value": "proof"}}
            if states:
                answers["/repos/a/b/pages/deployments"] = {"id": "7", "page_url": "https://a.example/b/"}
                answers["/repos/a/b/pages/deployments/7"] = {"status": states[0]}
            if self.path.endswith("/7"):
                del states[0]
            self.reply(200 if self.path in answers else 404, json.dumps(answers.get(self.path)).encode())

    with running(LocalServer(Pages)) as server:
        environ = {
            "GITHUB_API_URL": server.url,
            "GITHUB_REPOSITORY": "a/b",
            "GITHUB_TOKEN": "x",
            "GITHUB_SHA": "c0ffee",
        }
        environ["GITHUB_OUTPUT"] = str(tmp_path / "output")
        if may_prove:
            url = f"{server.url}/identity?v=1"
            environ |= {"ACTIONS_ID_TOKEN_REQUEST_URL": url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "y"}
        exit_code, output = run(tmp_path, "publish_pages", "12", **environ)
    assert exit_code == code
    assert part in output
    assert "Traceback" not in output
    assert (tmp_path / "output").exists() == (code == 0)
    if may_prove:
        assert asked[0][:2] == ("GET /identity?v=1", "Bearer y")
        assert asked[1][:2] == ("POST /repos/a/b/pages/deployments", "Bearer x")
        assert json.loads(asked[1][2]) == {"artifact_id": 12, "pages_build_version": "c0ffee", "oidc_token": "proof"}
    if code == 0:
        assert (tmp_path / "output").read_text() == "url=https://a.example/b/\n"
        assert [line for line, _, _ in asked[2:]] == ["GET /repos/a/b/pages/deployments/7"] * 2


SMALL, LARGE = "version-update:semver-minor", "version-update:semver-major"
BOT = "dependabot[bot]"


@pytest.mark.parametrize(
    ("types", "change", "part"),
    [
        ([SMALL, "version-update:semver-patch"], {}, "#3: to be merged."),
        ([SMALL, LARGE], {}, f"not all of its updates are minor or patches: {SMALL}, {LARGE}"),
        ([SMALL, ""], {}, "not all of its updates are minor or patches"),
        ([], {}, "none says what it is"),
        ([SMALL], {"opened": "mallory"}, "mallory has opened it, and not Dependabot"),
        ([SMALL], {"author": "mallory"}, "its commit is not by Dependabot and signed by GitHub"),
        ([SMALL], {"author": None}, "its commit is not by Dependabot and signed by GitHub"),
        ([SMALL], {"committer": "mallory"}, "its commit is not by Dependabot and signed by GitHub"),
        ([SMALL], {"verified": False}, "its commit is not by Dependabot and signed by GitHub"),
        ([SMALL], {"more": True}, "it has other commits than Dependabot's one"),
        ([SMALL], {"head": "0ther"}, ""),
        ([SMALL], {"state": "closed"}, ""),
    ],
)
def test_only_a_small_update_by_dependabot_merges_itself(
    types: list[str], change: dict[str, Any], part: str, tmp_path: Path, github: Answer
) -> None:
    """What anybody could have written, as a title or the author of a commit, is not trusted."""
    given = {"opened": BOT, "author": BOT, "committer": "web-flow", "verified": True, "head": "c0ffee", "state": "open"}
    given |= change
    lines = [f"- dependency-name: p\n{f'  update-type: {it}' if it else ''}\n" for it in types]
    message = f"Bump\n\n  update-type: {SMALL}\n\n---\nupdated-dependencies:\n{''.join(lines)}...\n"
    commit: dict[str, Any] = {"sha": "c0ffee", "commit": {"message": message}}
    commit["commit"]["verification"] = {"verified": given["verified"]}
    commit |= {it: given[it] and {"login": given[it]} for it in ("author", "committer")}
    pull = {"number": 3, "state": given["state"], "html_url": "https://a.example/3", "user": {"login": given["opened"]}}
    github("/repos/a/b/commits/c0ffee/pulls", [pull | {"head": {"sha": given["head"]}}])
    environ = github("/repos/a/b/pulls/3/commits", [commit] * (2 if "more" in given else 1))
    code, output = run(tmp_path, "small_update", "c0ffee", **environ, GITHUB_OUTPUT=str(tmp_path / "output"))
    assert code == 0
    assert part in output
    assert bool(output) == bool(part)
    assert (tmp_path / "output").exists() == (part == "#3: to be merged.")
    if not change and part == "#3: to be merged.":
        assert (tmp_path / "output").read_text() == "url=https://a.example/3\n"


def test_an_update_is_not_merged_where_github_does_not_say_who_wrote_it(tmp_path: Path, github: Answer) -> None:
    """The job is red, and a person looks."""
    code, output = run(tmp_path, "small_update", "c0ffee", **github("/", []), GITHUB_OUTPUT=str(tmp_path / "output"))
    assert (code, (tmp_path / "output").exists()) == (1, False)
    assert output.startswith("small_update: error: HTTP Error 404")
