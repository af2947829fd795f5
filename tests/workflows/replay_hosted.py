"""A stand-in for a repository on GitHub, and runs of its workflows."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any, Final

from github_runner import Run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SETTINGS: Final = {
    "user.name": "A Tester",
    "user.email": "tester@example.org",
    "uploadpack.allowFilter": "true",
    "uploadpack.allowAnySHA1InWant": "true",
}


class Hosted:
    """A stand-in for a repository on GitHub, with `main` checked out."""

    def __init__(self, folder: Path, workflow: Path, environ: Mapping[str, str]) -> None:
        """Use a folder that holds the repository as `origin`, and a folder for each run.

        Args:
            folder: The folder, in which caches of earlier runs may be.
            workflow: The workflow's file.
            environ: Variables that every step sees.
        """
        self.folder = folder
        self.origin = folder / "origin"
        self.workflow = workflow
        self.environ = environ

    @property
    def is_proven(self) -> bool:
        """Whether a run of `main` has saved its verdicts."""
        return (self.folder / "caches").is_dir()

    def git(self, *arguments: str) -> str:
        """Run git in the repository and return what it prints."""
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=self.origin, check=True, env=self.environ, stdout=subprocess.PIPE, text=True)
        return done.stdout.strip()

    def configure(self) -> None:
        """Set up a committer, and allow partial clones, as GitHub does."""
        for key, value in _SETTINGS.items():
            self.git("config", key, value)

    def write(self, files: Mapping[str, str]) -> None:
        """Write files."""
        for name, text in files.items():
            (self.origin / name).parent.mkdir(parents=True, exist_ok=True)
            (self.origin / name).write_text(text, encoding="utf-8")

    def commit(self, message: str) -> str:
        """Commit all files and return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        return self.git("rev-parse", "HEAD")

    def push(self, **settings: Any) -> Run:  # noqa: ANN401 - those of Run
        """Run CI for a push of `main`."""
        return self._run(self.git("rev-parse", "main"), event="push", ref="refs/heads/main", **settings)

    def propose(self, files: Mapping[str, str], **settings: Any) -> Run:  # noqa: ANN401 - those of Run
        """Run CI for a pull request that changes some files, and leave `main` as it is."""
        number = self._free()
        # Also if an earlier call was interrupted here.
        self.git("checkout", "--quiet", "--force", "-B", f"change-{number}", "main")
        self.write(files)
        commit = self.commit("Change")
        self.git("checkout", "--quiet", "main")
        given = {"event": "pull_request", "ref": f"refs/pull/{number}/merge"}
        return self._run(commit, **given | settings)

    def start(self, workflow: Path, ref: str, **settings: Any) -> Run:  # noqa: ANN401 - those of Run
        """Run another workflow for the last commit of `main`."""
        return self._run(self.git("rev-parse", "main"), workflow=workflow, ref=ref, **settings)

    def _free(self) -> int:
        """Return the number of the next run."""
        return 1 + max((int(folder.name) for folder in self.folder.iterdir() if folder.name.isdigit()), default=0)

    def _run(self, commit: str, **settings: Any) -> Run:  # noqa: ANN401 - those of Run
        """Run CI."""
        place = self.folder / f"{self._free()}"
        place.mkdir()
        given: dict[str, Any] = {
            "workflow": self.workflow,
            "origin": self.origin,
            "place": place,
            "commit": commit,
            "environ": self.environ,
        }
        run = Run(**given | settings)
        run.execute()
        return run
