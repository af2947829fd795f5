"""One job of a run, on its own machine: its steps, their variables and files, and the actions that they use."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from github_parser import filled, holds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from github_runner import Run


class Job:
    """One job of a run, on its own machine."""

    def __init__(self, run: Run, name: str, number: int, job: Mapping[str, Any], contexts: dict[str, Any]) -> None:
        """Make the folder of its machine."""
        self.run = run
        self.name = name
        self.job = job
        self.contexts = contexts | {"env": {}, "steps": {}}
        self.machine = run.place / f"{name}-{number}"
        self.workspace = self.machine / "work"
        self.workspace.mkdir(parents=True)
        self.has_failed = False

    def execute(self) -> str:
        """Run the steps and return the job's result."""
        for given in (self.run.content, self.job):
            self.contexts["env"] |= self._texts(given.get("env", {}))
        started = time.monotonic()
        for step in self.job["steps"]:
            self._step(step)
        result = "failure" if self.has_failed else "success"
        title = self._texts(self.job.get("name", self.name))
        self.run.jobs.append((title, result))
        self.run.say(f"  {title}: {result} after {time.monotonic() - started:.0f} s")
        self.run.outputs[self.name] = self._texts(self.job.get("outputs", {}))
        (self.run.place / "log").write_text(self.run.log, encoding="utf-8")
        shutil.rmtree(self.machine)  # later jobs get nothing but artifacts, caches and outputs
        return result

    def _step(self, step: Mapping[str, Any]) -> None:
        """Run or skip a step."""
        status = {
            "always": True,
            "cancelled": False,  # here, a run is cancelled between jobs only
            "failure": self.has_failed,
            "success": not self.has_failed,
        }
        if not holds(step["if"], self.contexts, **status):
            return
        outputs: dict[str, str] = {}
        if "run" in step:
            is_good = self._script(step, outputs)
        else:
            action = str(step["uses"]).partition("@")[0]
            is_good = _ACTIONS[action](self, self._texts(step.get("with", {})), outputs)
        self.has_failed |= not is_good and not step.get("continue-on-error", False)
        if "id" in step:
            outcome = "success" if is_good else "failure"
            self.contexts["steps"][step["id"]] = {"outputs": outputs, "outcome": outcome}

    def _texts(self, part: object) -> Any:  # noqa: ANN401 - a text, or texts by their names
        """Return a part of the workflow with its expressions filled in."""
        return filled(part, self.contexts, as_text=True)

    def _script(self, step: Mapping[str, Any], outputs: dict[str, str]) -> bool:
        """Run the script of a step with the variables and files that GitHub gives it."""
        files = {name: self.machine / name for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH")}
        files["GITHUB_STEP_SUMMARY"] = self.machine / "summary"
        for file in files.values():
            file.write_text("", encoding="utf-8")
        given = self.contexts["env"] | self._texts(step.get("env", {}))
        script = self.machine / "script.sh"
        script.write_text(self._texts(step["run"]), encoding="utf-8")
        seen = {
            **self.run.environ,
            **self._surroundings(),
            **given,
            **{key: str(value) for key, value in files.items()},
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.workspace,
            env={key: value for key, value in seen.items() if key not in self.run.unset},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.run.log += f"--- {self.name}: {step['run']}\n{done.stdout}"
        self.run.summary += files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")
        outputs |= dict(_assigned(files["GITHUB_OUTPUT"].read_text(encoding="utf-8")))
        self.contexts["env"] |= dict(_assigned(files["GITHUB_ENV"].read_text(encoding="utf-8")))
        return done.returncode == 0

    def _surroundings(self) -> dict[str, str]:
        """Return the variables that GitHub gives every step, and a store that no other machine has."""
        return {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_BASE_REF": "main" if self.run.event == "pull_request" else "",
            "GITHUB_EVENT_NAME": self.run.event,
            "GITHUB_JOB": self.name,
            "GITHUB_REF": self.run.ref,
            "GITHUB_SHA": self.run.commit,
            "GITHUB_WORKSPACE": str(self.workspace),
            "HEADWORKS_STORE": str(self.machine / "store"),
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": str(self.machine),
        }

    def checkout(self, given: Mapping[str, Any], _outputs: dict[str, str]) -> bool:
        """Clone the commit of the run, with its history if the step asks for that."""
        is_shallow = self.run.is_shallow or self.run.is_cut_off or given.get("fetch-depth") != "0"
        # As the action does it: the commit alone, or all branches and tags; with a filter, other files only when read.
        depth = ["--depth=1"] if is_shallow else [f"--filter={given['filter']}"] if "filter" in given else []
        refs = [self.run.commit] if is_shallow else ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]
        self._git("init", "--quiet")
        self._git("remote", "add", "origin", f"file://{self.run.origin}")
        self._git("fetch", "--quiet", *depth, "origin", *refs)
        self._git("checkout", "--quiet", "--detach", self.run.commit)
        if self.run.is_cut_off:
            self._git("remote", "remove", "origin")
        return True

    def _git(self, *arguments: str) -> None:
        """Run git in the workspace."""
        command = ["git", *arguments]
        subprocess.run(command, cwd=self.workspace, check=True, env=dict(self.run.environ), capture_output=True)

    def _caches(self, given: Mapping[str, Any]) -> Path:
        """Return the folder of the caches of a path: GitHub does not find a cache under another path."""
        return self.run.place.parent / "caches" / quote(given["path"], safe="")

    def restore(self, given: Mapping[str, Any], outputs: dict[str, str]) -> bool:
        """Copy the newest cache whose key begins with one of the given keys into the workspace."""
        caches = self._caches(given)
        starts = [given["key"], *str(given.get("restore-keys", "")).split()]
        matches = [cache for start in starts for cache in sorted(caches.glob(f"{start}*"), key=_age)]
        if matches:
            target = self.workspace / given["path"]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(matches[0], target)
            outputs["cache-matched-key"] = matches[0].name
        return True

    def save(self, given: Mapping[str, Any], _outputs: dict[str, str]) -> bool:
        """Save a file under a key."""
        caches = self._caches(given)
        caches.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.workspace / given["path"], caches / given["key"])
        return True

    def upload(self, given: Mapping[str, Any], _outputs: dict[str, str]) -> bool:
        """Save files as an artifact of the run, by their paths relative to the folder that they share."""
        target = self.run.place / "artifacts" / given["name"]
        target.mkdir(parents=True, exist_ok=True)
        patterns = str(given["path"]).split()
        ignored = {path for pattern in patterns if pattern[0] == "!" for path in self.workspace.glob(pattern[1:])}
        paths = [path for pattern in patterns if pattern[0] != "!" for path in self.workspace.glob(pattern)]
        root = paths[0] if len(paths) == 1 and paths[0].is_dir() else self.workspace / Path(patterns[0]).parent
        files = {file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()}
        for file in files - ignored:
            kept = target / file.relative_to(root)
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, kept)
        return True

    def download(self, given: Mapping[str, Any], _outputs: dict[str, str]) -> bool:
        """Copy the files of artifacts into the workspace; an artifact that is named has to exist."""
        artifacts = self.run.place / "artifacts"
        folders = sorted(artifacts.glob(given["pattern"])) if "pattern" in given else [artifacts / given["name"]]
        for folder in folders:
            if not folder.is_dir():
                return False
            shutil.copytree(folder, self.workspace / given["path"], dirs_exist_ok=True)
        return True

    def install(self, _given: Mapping[str, Any], _outputs: dict[str, str]) -> bool:
        """Do nothing: the program to install is on PATH already."""
        return self.workspace.is_dir()


def _age(path: Path) -> float:
    """Return a key that sorts files by age, the newest first."""
    return -path.stat().st_mtime_ns


def _assigned(text: str) -> Iterator[tuple[str, str]]:
    """Yield the names and values that a file assigns, as `name=value` or as `name<<MARK`, lines, `MARK`."""
    lines = iter(text.splitlines())
    for line in lines:
        name, mark, end = line.partition("<<")
        if mark and "=" not in name:
            yield name, "\n".join(itertools.takewhile(end.__ne__, lines))
        else:
            name, _, value = line.partition("=")
            yield name, value


_ACTIONS: Final[dict[str, Callable[[Job, Mapping[str, Any], dict[str, str]], bool]]] = {
    "actions/cache/restore": Job.restore,
    "actions/cache/save": Job.save,
    "actions/checkout": Job.checkout,
    "actions/download-artifact": Job.download,
    "actions/setup-python": Job.install,
    "actions/upload-artifact": Job.upload,
    "astral-sh/setup-uv": Job.install,
}
