"""A clone of a repository, in which its commits are planned and run with a store of its own, and by plain nox.

The repository itself is only read. A folder of sdists can stand for one: they become its commits, the oldest first.
"""

# ruff: noqa: INP001, S603, S607  # a module of scripts that starts git, nox and headworks

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from packaging.utils import InvalidSdistFilename, parse_sdist_filename
from workspaces import commit

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

__all__ = ["Clone", "RefusedError", "Session", "as_session", "git", "opened"]

PLANTED = b"\x00 planted \x00\n"  # neither text, nor code, nor settings, nor data
# Variables of the surrounding session that must not reach the sessions of a clone.
_OUTER = ("CI", "FORCE_COLOR", "GIT_", "HEADWORKS_", "NOX", "PYTEST_", "VIRTUAL_ENV")


class RefusedError(Exception):
    """A commit cannot be planned, or there is no such repository."""


class Session(NamedTuple):
    """A session of a commit, in the words of `headworks plan --format json`.

    Attributes:
        name: The name of the instance.
        function: The function that all its instances share.
        state: `run`, `cached` or `waiting`.
        tree: The digest of all that git knows and the session can depend on.
        needs: The sessions that it needs.
        uncached: Whether no verdict is recorded of it, so that it always runs.
        passed: The commit at which it passed; empty where it is not cached.
        basis: The basis of its verdict: `observed`, `declared` or `all files`; empty where it is not cached.
    """

    name: str
    function: str
    state: str
    tree: str
    needs: list[str]
    uncached: bool
    passed: str
    basis: str


def as_session(told: dict[str, Any], tree: str) -> Session:
    """Return a session of a plan, with the digest of all that git knows and it can depend on."""
    uncached = any(reason.startswith("always runs") for reason in told["reasons"])
    verdict = told["verdict"] or {"commit": "", "basis": ""}
    known = (told["name"], told["function"], told["state"], tree, told["needs"])
    return Session(*known, uncached, verdict["commit"], verdict.get("basis", ""))


def git(root: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run git in a repository.

    Raises:
        RefusedError: It fails, and `check` is true.
    """
    done = subprocess.run(["git", "-C", root, *arguments], check=False, capture_output=True, text=True)
    if check and done.returncode:
        message = f"`git {arguments[0]}` failed in {root}: {_short(done.stderr)}"
        raise RefusedError(message)
    return done


def opened(given: Path, folder: Path) -> Path:
    """Return the repository at a path; a folder of sdists becomes one, with a commit for each.

    Args:
        given: A repository, or a folder of sdists of one project.
        folder: Where to make a repository of sdists.

    Raises:
        RefusedError: The path is neither.
    """
    if sdists := sorted(given.glob("*.tar.gz")):
        root = folder / "sdists"
        root.mkdir()
        for sdist in _in_order(sdists):
            for old in root.iterdir():
                if old.name != ".git":
                    shutil.rmtree(old) if old.is_dir() else old.unlink()
            with tarfile.open(sdist) as archive, tempfile.TemporaryDirectory(dir=folder) as unpacked:
                archive.extractall(unpacked, filter="data")
                for path in next(Path(unpacked).iterdir()).iterdir():
                    path.rename(root / path.name)
            commit(root)
            git(root, "tag", sdist.name.removesuffix(".tar.gz"))
        return root
    if not given.is_dir() or git(given, "rev-parse", "--git-dir", check=False).returncode:
        message = f"{given} is neither a git repository nor a folder with sdists (*.tar.gz)."
        raise RefusedError(message)
    return given


def _in_order(sdists: Sequence[Path]) -> list[Path]:
    """Return sdists from the oldest version to the newest."""
    try:
        return sorted(sdists, key=lambda it: parse_sdist_filename(it.name)[1])
    except InvalidSdistFilename as error:
        message = f"{error}: name the files as a package index does, as in demo-1.2.3.tar.gz."
        raise RefusedError(message) from error


class Clone:
    """A clone with a store.

    Attributes:
        root: Its folder.
    """

    def __init__(self, repository: Path, folder: Path) -> None:
        """Clone a repository into a folder, which gets the store as well."""
        self._folder = folder
        self.root = folder / "clone"
        git(folder, "clone", "--quiet", "--no-hardlinks", "--no-checkout", str(repository.absolute()), str(self.root))
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OUTER)}
        self._environ = inherited | {"HEADWORKS_STORE": str(folder / "store"), "NO_COLOR": "1"}

    def checkout(self, revision: str) -> None:
        """Put the work tree into the state of a commit; ignored files stay, as on a machine of CI with a cache."""
        git(self.root, "checkout", "--quiet", "--force", "--detach", revision)
        git(self.root, "clean", "--quiet", "--force", "-d")
        git(self.root, "submodule", "--quiet", "update", "--init", "--recursive", check=False)

    def plan(self, *names: str) -> dict[str, Session]:
        """Return the plan of sessions, or of all.

        Raises:
            RefusedError: There is no plan.
        """
        return {it["name"]: as_session(it, it["tree"]) for it in self.told(*names)}

    def told(self, *names: str, engine: str = "headworks", **environ: str) -> list[dict[str, Any]]:
        """Return the sessions of a plan, as an engine tells them.

        Args:
            names: Sessions; all without one.
            engine: The module of the engine.
            environ: Variables to set on top.

        Raises:
            RefusedError: There is no plan.
        """
        # Without reasons, for which the base would be read as well.
        command = ["-m", engine, "plan", "--base", "HEAD", "--format", "json", *names]
        done = self._python(command, self.root, **environ)
        if done.returncode:
            raise RefusedError(_short(done.stderr))
        sessions: list[dict[str, Any]] = json.loads(done.stdout)["sessions"]
        return sessions

    def run(self, *names: str) -> None:
        """Run sessions that no verdict covers; those that fail have none afterwards."""
        self._python(["-m", "headworks", "run", "--keep-going", "--jobs", "1", *names], self.root)

    def planted(self, session: str, chance: random.Random, tries: int) -> list[str]:
        """Break files, as long as the session stays cached, and return their paths; the work tree is as before.

        Args:
            session: The name of a cached session.
            chance: Picks the files, and whether each is overwritten or removed.
            tries: How many files to break; those that uncover the session are mended again.
        """
        listed = git(self.root, "ls-files", "-z", "--format=%(objectmode) %(path)").stdout.split("\0")
        files = sorted(line.partition(" ")[2] for line in listed if line.startswith("100"))
        broken = []
        for path in chance.sample(files, min(tries, len(files))):
            before = (self.root / path).read_bytes()
            _break(self.root / path, removes=chance.random() < 0.5)  # noqa: PLR2004  # one of two ways
            if self._covers(session):
                broken.append(path)
            else:
                (self.root / path).write_bytes(before)
        git(self.root, "diff", "--binary", f"--output={self._patch}")
        git(self.root, "reset", "--quiet", "--hard")
        return broken

    def passes(self, session: str, revision: str, *, planted: bool = False) -> bool:
        """Whether a session passes by plain nox in a new clone of a commit, with nothing left of earlier runs.

        Args:
            session: Its name.
            revision: The commit.
            planted: Break the files there that `planted` returned last.
        """
        with tempfile.TemporaryDirectory(dir=self._folder, ignore_cleanup_errors=True) as folder:
            fresh = Clone(self.root, Path(folder))
            fresh.checkout(revision)
            if planted:
                git(fresh.root, "apply", "--allow-empty", str(self._patch))
            done = self._python(["-m", "nox", "--session", session], fresh.root)
            if done.returncode:
                sys.stderr.write(f"\n{session} at {revision[:12]}: {_short(done.stderr or done.stdout)}\n")
            return not done.returncode

    @property
    def _patch(self) -> Path:
        """The file with the changes that were planted last."""
        return self._folder / "planted.patch"

    def _covers(self, session: str) -> bool:
        """Whether the plan leaves a session out; it does not where there is no plan."""
        try:
            return self.plan(session)[session].state == "cached"
        except RefusedError:
            return False

    def _python(self, command: list[str], folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a module of this environment."""
        environ = self._environ | environ
        return subprocess.run(
            [sys.executable, *command], cwd=folder, env=environ, check=False, capture_output=True, text=True
        )


def _break(path: Path, *, removes: bool) -> None:
    """Remove a file, or make it something that whoever reads it fails on."""
    if removes:
        path.unlink()
    else:
        path.write_bytes(PLANTED)


def _short(text: str) -> str:
    """Return the first line and the last of an output."""
    lines = text.strip().splitlines()
    return " … ".join(dict.fromkeys([*lines[:1], *lines[-1:]]))
