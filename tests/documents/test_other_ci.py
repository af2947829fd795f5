"""The pipeline that the guide for other CIs shows runs what a change reaches, and is red if a session is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from scratch_copy import environment

PAGE = Path(__file__).parents[2] / "docs/guides/other-ci.md"
FILES = {
    "noxfile.py": """
import pathlib
import nox

nox.options.default_venv_backend = "none"


def note(name):
    with open("{log}", "a") as file:
        file.write(name + " ")


@nox.session
def lint(session):
    note("lint")
    assert "TODO" not in pathlib.Path("guide.md").read_text()


@nox.session
def dataset(session):
    note("dataset")
    pathlib.Path("artifacts/dataset").mkdir(parents=True)
    pathlib.Path("artifacts/dataset/rows").write_text(pathlib.Path("data/rows").read_text())


@nox.session(requires=["dataset"])
def train(session):
    note("train")
    rows = pathlib.Path("artifacts/dataset/rows").read_text().split()
    pathlib.Path("artifacts/train").mkdir(parents=True)
    pathlib.Path("artifacts/train/model").write_text(pathlib.Path("model/scale").read_text() + rows[0])


@nox.session(name="serve check", requires=["train"])
def serve(session):
    note("serve")
    assert pathlib.Path("artifacts/train/model").read_text().strip()
""",
    "pyproject.toml": """
[tool.headworks.sessions]
lint = { packages = [], inputs = ["guide.md"] }
dataset = { packages = ["data"], outputs = ["artifacts/dataset"] }
train = { packages = ["model"], needs = ["dataset"], outputs = ["artifacts/train"] }
"serve check" = { packages = [], needs = ["train"] }
""",
    ".gitignore": "artifacts/\nverdicts/\nplan.json\njobs.yml\n",
    "guide.md": "How to.\n",
    "data/rows": "1 2 3\n",
    "model/scale": "10\n",
}


class GitLab:
    """A GitLab that has the files of the page, on this machine: each job has a clone and a store of its own.

    Attributes:
        jobs: The result of each job of the last child pipeline: `success`, `failed` or `skipped`.
    """

    def __init__(self, place: Path) -> None:
        """Make a repository with a noxfile."""
        self._place, self._count = place, 0
        self.origin, self.remote, self._log = place / "origin", place / "remote", place / "log"
        self.jobs: dict[str, str] = {}
        text = PAGE.read_text(encoding="utf-8")
        self._config = dict(
            re.findall(r"^`(\.gitlab[\w./-]+)` .*?^```\w+\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
        )
        self.origin.mkdir()
        self._git("init", "--quiet", "--initial-branch=main")
        self.commit(FILES | {"noxfile.py": FILES["noxfile.py"].replace("{log}", str(self._log))} | self._config)

    def _git(self, *arguments: str) -> None:
        """Run git in the repository."""
        person = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *person, *arguments], cwd=self.origin, check=True)

    def commit(self, files: dict[str, str]) -> None:
        """Commit files."""
        for name, content in files.items():
            (self.origin / name).parent.mkdir(parents=True, exist_ok=True)
            (self.origin / name).write_text(content, encoding="utf-8")
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message=Change")

    def run(self, *, is_protected: bool) -> str:
        """Run a pipeline, and return the sessions that ran, in order."""
        self._log.write_text("", encoding="utf-8")
        variables = {"WRITE_REMOTE": "--write-remote"} if is_protected else {}
        pipeline = yaml.safe_load(self._config[".gitlab-ci.yml"])
        planned = self._job(pipeline["plan"], [], variables)
        assert planned is not None
        jobs = yaml.safe_load((planned / "jobs.yml").read_text(encoding="utf-8"))
        assert jobs.pop("default")["before_script"]
        done: dict[str, Path | None] = {}
        while waiting := [name for name in jobs if name not in done]:
            name = next(it for it in waiting if all(need in done for need in jobs[it].get("needs", ())))
            needs = [done[need] for need in jobs[name].get("needs", ())]
            ready = [it for it in needs if it is not None]
            done[name] = self._job(jobs[name], ready, variables) if ready == needs else None
            self.jobs[name] = "success" if done[name] else "failed" if ready == needs else "skipped"
        self.jobs = {name: self.jobs[name] for name in jobs}
        return self._log.read_text(encoding="utf-8").strip()

    def _job(self, job: dict[str, Any], before: list[Path], variables: dict[str, str]) -> Path | None:
        """Run a job in a clone of its own with the artifacts of others; return the folder with its own if it passed."""
        self._count += 1
        clone, kept = self._place / f"clone-{self._count}", self._place / f"artifacts-{self._count}"
        subprocess.run(["git", "clone", "--quiet", self.origin, clone], check=True)
        for artifacts in before:
            shutil.copytree(artifacts, clone, dirs_exist_ok=True)
        environ = environment(self._place / f"store-{self._count}") | variables
        environ |= {"HEADWORKS_REMOTE": self.remote.as_uri()}
        script = "\n".join(job["script"])
        done = subprocess.run(["bash", "-eo", "pipefail", "-c", script], cwd=clone, check=False, env=environ)
        if done.returncode:
            return None
        kept.mkdir()
        for path in job.get("artifacts", {}).get("paths", ()):
            (kept / path).parent.mkdir(exist_ok=True)
            shutil.copy(clone / path, kept / path)
        return kept

    def stored(self) -> set[Path]:
        """Return the files of the remote store."""
        return {path for path in self.remote.rglob("*") if path.is_file()}


@pytest.fixture
def gitlab(tmp_path: Path) -> GitLab:
    """Return a GitLab whose main branch has passed."""
    gitlab = GitLab(tmp_path)
    assert gitlab.run(is_protected=True).split() == ["lint", "dataset", "train", "serve"]
    assert gitlab.jobs == dict.fromkeys(["lint", "dataset", "train", "serve check"], "success")
    return gitlab


def test_a_pipeline_runs_what_a_change_reaches(gitlab: GitLab, tmp_path: Path) -> None:
    """Nothing where nothing changed; outputs come from the store, or as artifacts from the same pipeline's jobs."""
    check_schema(gitlab, tmp_path)
    stored = gitlab.stored()
    assert gitlab.run(is_protected=False) == ""
    assert gitlab.jobs == {"nothing": "success"}
    gitlab.commit({"data/rows": "4 5\n"})
    assert gitlab.run(is_protected=False).split() == ["dataset", "train", "serve"]
    assert gitlab.stored() == stored  # which runs of other branches only read
    gitlab.commit({"data/rows": "1 2 3\n", "model/scale": "20\n"})
    assert gitlab.run(is_protected=True).split() == ["train", "serve"]
    assert gitlab.stored() > stored


def test_a_red_session_is_a_red_pipeline(gitlab: GitLab) -> None:
    """What needs it does not start."""
    gitlab.commit({"guide.md": "TODO\n", "data/rows": ""})
    assert gitlab.run(is_protected=True).split() == ["lint", "dataset", "train"]
    assert gitlab.jobs == {"lint": "failed", "dataset": "success", "train": "failed", "serve check": "skipped"}


def check_schema(gitlab: GitLab, place: Path) -> None:
    """Hold both files against GitLab's own schema, in the version that check-jsonschema has."""
    [child] = place.glob("artifacts-*/jobs.yml")
    assert json.loads(child.read_text(encoding="utf-8"))["serve check"]["needs"]
    command = ["check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"]
    subprocess.run([*command, gitlab.origin / ".gitlab-ci.yml", child], check=True)
