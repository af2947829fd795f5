"""One job of a run, on its own machine: its steps, their variables and files, and the actions that they use."""

from __future__ import annotations

import glob
import itertools
import json
import os
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

_DISK: Final = 14 * 10**9  # what GitHub promises of a hosted runner's disk, in bytes
_OUTPUT: Final = 2**20  # the most that an output of a job may be, in bytes
_SHELLS: Final = {"": ["bash", "-e"], "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"]}


class Job:
    """One job of a run, on its own machine."""

    def __init__(self, run: Run, name: str, number: int, job: Mapping[str, Any], contexts: dict[str, Any]) -> None:
        """Make the folder of its machine."""
        self.run = run
        self.name = name
        self.job = job
        self.contexts = contexts | {"env": {}, "steps": {}, "job": {"status": "success"}}
        self.machine = run.place / f"{name}-{number}"
        self.temporary = self.machine / "temporary"
        self.contexts["runner"] = contexts["runner"] | {"temp": str(self.temporary)}
        self.workspace = self.machine / "work"
        self.workspace.mkdir(parents=True)
        self.temporary.mkdir()
        self.has_failed = False

    def execute(self) -> str:
        """Run the steps and return the job's result."""
        for given in (self.run.content, self.job):
            self.contexts["env"] |= self._texts(given.get("env", {}))
        started = time.monotonic()
        for step in self.job["steps"]:
            self._step(step)
        outputs = self._texts(self.job.get("outputs", {}))
        used = sum(file.stat().st_size for file in self.machine.rglob("*") if file.is_file() and not file.is_symlink())
        if used > _DISK or any(len(text) > _OUTPUT for text in outputs.values()):
            self.has_failed |= not self._error(f"no space is left ({used} bytes), or an output has more than 1 MiB")
        result = "failure" if self.has_failed else "success"
        title = self._texts(self.job.get("name", self.name))
        self.run.jobs.append((title, result))
        self.run.say(f"  {title}: {result} after {time.monotonic() - started:.0f} s")
        self.run.outputs[self.name] = outputs
        (self.run.place / "log").write_text(self.run.log, encoding="utf-8")
        shutil.rmtree(self.machine)  # later jobs get nothing but artifacts, caches and outputs
        return result

    def _error(self, message: str) -> bool:
        """Log an error, and return that the step has failed."""
        self.run.log += f"--- {self.name}: error: {message}\n"
        return False

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
        is_tolerated = bool(filled(step.get("continue-on-error", False), self.contexts))
        self.has_failed |= not is_good and not is_tolerated
        self.contexts["job"]["status"] = "failure" if self.has_failed else "success"
        if "id" in step:
            outcome = "success" if is_good else "failure"
            conclusion = "success" if is_good or is_tolerated else "failure"
            self.contexts["steps"][step["id"]] = {"outputs": outputs, "outcome": outcome, "conclusion": conclusion}

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
        defaults = [part.get("defaults", {}).get("run", {}).get("shell", "") for part in (self.job, self.run.content)]
        shell = next(filter(None, [step.get("shell", ""), *defaults]), "")
        done = subprocess.run(
            [*_SHELLS[shell], str(script)],
            cwd=self.workspace / step.get("working-directory", ""),
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
        event = self.machine / "event.json"
        event.write_text(json.dumps(self.contexts["github"]["event"]), encoding="utf-8")
        names = {"actor", "api_url", "base_ref", "event_name", "head_ref", "ref", "ref_name", "ref_type", "repository"}
        names |= {
            "repository_owner",
            "run_attempt",
            "run_id",
            "run_number",
            "server_url",
            "sha",
            "workflow",
            "workflow_ref",
        }
        return {
            **{f"GITHUB_{name.upper()}": self.contexts["github"][name] for name in names},
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_JOB": self.name,
            "GITHUB_WORKSPACE": str(self.workspace),
            "HEADWORKS_STORE": str(self.machine / "store"),
            "RUNNER_ARCH": "X64",
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": str(self.temporary),
        }

    def checkout(self, given: Mapping[str, Any], _outputs: dict[str, str]) -> bool:
        """Clone the commit of the run, with its history if the step asks for that."""
        is_shallow = self.run.is_shallow or self.run.is_cut_off or given.get("fetch-depth") != "0"
        commit = given.get("ref") or self.run.commit
        # As the action does it: the commit alone, or all branches and tags; with a filter, other files only when read.
        depth = ["--depth=1"] if is_shallow else [f"--filter={given['filter']}"] if "filter" in given else []
        refs = [commit] if is_shallow else ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]
        self._git("init", "--quiet")
        self._git("remote", "add", "origin", f"file://{self.run.origin}")
        self._git("fetch", "--quiet", *depth, "origin", *refs)
        self._git("checkout", "--quiet", "--detach", commit)
        if self.run.is_cut_off:
            self._git("remote", "remove", "origin")
        elif self.run.is_private and given.get("persist-credentials") == "false":
            self._git("remote", "set-url", "origin", f"file://{self.machine}/private")
        return True

    def _git(self, *arguments: str) -> None:
        """Run git in the workspace."""
        command = ["git", *arguments]
        subprocess.run(command, cwd=self.workspace, check=True, env=dict(self.run.environ), capture_output=True)

    def _caches(self, ref: str, given: Mapping[str, Any]) -> Path:
        """Return the folder of a ref's caches of a path: GitHub does not find a cache under another path."""
        path = given["path"].strip().replace(str(self.temporary), "/home/runner/work/_temp")  # the same on each machine
        return self.run.place.parent / "caches" / quote(ref, safe="") / quote(path, safe="")

    def restore(self, given: Mapping[str, Any], outputs: dict[str, str]) -> bool:
        """Copy the newest cache whose key begins with one of the given keys: of the run's own ref, else of main."""
        starts = [given["key"], *given.get("restore-keys", "").split()]
        matches = [
            cache
            for ref in (self.run.ref, "refs/heads/main")
            for start in starts
            for cache in sorted(self._caches(ref, given).glob(f"{start}*"), key=lambda it: (it.name != start, _age(it)))
        ]
        outputs["cache-primary-key"] = given["key"]
        if matches:
            target = self.workspace / given["path"].strip()
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(matches[0], target)
            outputs["cache-matched-key"] = matches[0].name
            outputs["cache-hit"] = str(matches[0].name == given["key"]).lower()
        return bool(matches) or given.get("fail-on-cache-miss") != "true"

    def save(self, given: Mapping[str, Any], _outputs: dict[str, str]) -> bool:
        """Save a file under a key of the run's own ref; one that is there stays, and one without a file is not made."""
        target = self._caches(self.run.ref, given) / given["key"]
        file = self.workspace / given["path"].strip()
        if file.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
        else:
            self.run.log += f"--- {self.name}: warning: the cache {given['key']} is not saved\n"
        return True

    def upload(self, given: Mapping[str, Any], _outputs: dict[str, str]) -> bool:
        """Save files as an artifact of the run, by their paths relative to the folder that they share."""
        target = self.run.place / "artifacts" / given["name"]
        patterns = given["path"].split()
        ignored = {path for pattern in patterns if pattern[0] == "!" for path in self._found(pattern[1:])}
        taken = [pattern for pattern in patterns if pattern[0] != "!"]
        paths = [path for pattern in taken for path in self._found(pattern)]
        folders = [self.workspace / pattern for pattern in taken]
        shared = Path(os.path.commonpath([it if it.is_dir() else it.parent for it in folders]))
        files = {file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()}
        has_hidden = given.get("include-hidden-files") == "true"
        kept = {file: file.relative_to(shared) for file in files - ignored}
        kept = {file: name for file, name in kept.items() if has_hidden or not any(it[0] == "." for it in name.parts)}
        if not kept:
            return given.get("if-no-files-found") != "error" or self._error(f"no file is there for {given['name']}")
        if target.exists() and given.get("overwrite") != "true":
            return self._error(f"an artifact {given['name']} is there already")
        shutil.rmtree(target, ignore_errors=True)
        for file, name in kept.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target / name)
        return int(given.get("retention-days") or 0) <= 90 or self._error("no artifact is kept for so long")

    def _found(self, pattern: str) -> list[Path]:
        """Return the paths that match a pattern, which may be an absolute path."""
        found = glob.glob(pattern, root_dir=self.workspace, recursive=True, include_hidden=True)  # noqa: PTH207 - absolute
        return [self.workspace / path for path in found]

    def download(self, given: Mapping[str, Any], _outputs: dict[str, str]) -> bool:
        """Copy the files of artifacts into the workspace; an artifact that is named has to exist."""
        artifacts = self.run.place.parent / given.get("run-id", self.run.place.name) / "artifacts"
        if "run-id" in given and "github-token" not in given:
            return self._error("artifacts of another run need a token")
        target = self.workspace / given.get("path", "")
        if "name" in given:
            folders = {artifacts / given["name"]: target}
        else:
            is_merged = given.get("merge-multiple") == "true"
            found = sorted(artifacts.glob(given.get("pattern") or "*"))
            folders = {folder: target if is_merged else target / folder.name for folder in found}
        for folder, place in folders.items():
            if not folder.is_dir():
                return self._error(f"there is no artifact {folder.name}")
            shutil.copytree(folder, place, dirs_exist_ok=True)
        return True

    def python(self, given: Mapping[str, Any], _outputs: dict[str, str]) -> bool:
        """Set the variables of the action; the interpreters themselves are on PATH, and their patches differ by run."""
        for version in given["python-version"].split():
            place = self.machine / f"Python/{version}.{self.run.place.name}/x64"
            library = place / "lib" / f"libpython{version}.a"  # no library that programs would load
            library.parent.mkdir(parents=True)
            library.touch()
            before = self.contexts["env"].get("LD_LIBRARY_PATH")
            self.contexts["env"] |= {
                "LD_LIBRARY_PATH": f"{library.parent}:{before}" if before else str(library.parent),
                "PKG_CONFIG_PATH": str(library.parent / "pkgconfig"),
                **dict.fromkeys(("pythonLocation", "Python_ROOT_DIR", "Python3_ROOT_DIR"), str(place)),
            }
        return True

    def attest(self, given: Mapping[str, Any], _outputs: dict[str, str]) -> bool:
        """Demand what a provenance is about: files, or the digest of an image."""
        files = list(self.workspace.glob(given.get("subject-path", "-")))
        is_about = bool(files) or given.get("subject-digest", "").startswith("sha256:")
        return is_about or self._error("nothing is there to attest")

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
    "actions/attest": Job.attest,
    "actions/attest-build-provenance": Job.attest,
    "actions/cache/restore": Job.restore,
    "actions/cache/save": Job.save,
    "actions/checkout": Job.checkout,
    "actions/download-artifact": Job.download,
    "actions/setup-python": Job.python,
    "actions/upload-artifact": Job.upload,
    "astral-sh/setup-uv": Job.install,
    "docker/login-action": Job.install,
    "docker/setup-buildx-action": Job.install,
}
