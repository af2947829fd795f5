"""A repository as GitHub has it, and runs of a `ci.yml` for what is pushed and proposed there."""

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
    """A repository as GitHub has it, whose branch `main` is checked out in a folder of its own."""

    def __init__(self, folder: Path, workflow: Path, environ: Mapping[str, str]) -> None:
        """Take the folder in which the repository lies as `origin`, beside all that runs write.

        Args:
            folder: the folder; caches in it are those that earlier runs have saved.
            workflow: the workflow's file.
            environ: variables that every step sees.
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
        """Let commits be made, and clones ask for parts, as GitHub does."""
        for key, value in _SETTINGS.items():
            self.git("config", key, value)

    def write(self, files: Mapping[str, str]) -> None:
        """Write files."""
        for name, text in files.items():
            (self.origin / name).parent.mkdir(parents=True, exist_ok=True)
            (self.origin / name).write_text(text, encoding="utf-8")

    def commit(self, message: str) -> str:
        """Commit all that there is and return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        return self.git("rev-parse", "HEAD")

    def push(self, **settings: Any) -> Run:  # noqa: ANN401 - those of Run
        """Run CI for what `main` is."""
        return self._run(self.git("rev-parse", "main"), event="push", ref="refs/heads/main", **settings)

    def propose(self, files: Mapping[str, str], **settings: Any) -> Run:  # noqa: ANN401 - those of Run
        """Run CI for a pull request that changes some files, and leave `main` as it is."""
        number = self._free()
        # Also where an earlier call was ended while it was here.
        self.git("checkout", "--quiet", "--force", "-B", f"change-{number}", "main")
        self.write(files)
        commit = self.commit("Change")
        self.git("checkout", "--quiet", "main")
        return self._run(commit, event="pull_request", ref=f"refs/pull/{number}/merge", **settings)

    def _free(self) -> int:
        """Return the number of the next run."""
        return 1 + max((int(it.name) for it in self.folder.iterdir() if it.name.isdigit()), default=0)

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
        run.go()
        return run
