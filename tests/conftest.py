"""Fixtures: scratch copies of this repository, in which a test may break things."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest
from scratch_copy import copy_repository, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Scratch:
    """A git repository that holds the present content of this one, as a single commit."""

    def __init__(self, root: Path) -> None:
        """Copy every file that git tracks or would track into an empty folder and commit it there."""
        self.root = root
        copy_repository(root)

    def run(self, *command: str, check: bool = True, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the repository with a store of its own, and without what surrounds these tests.

        Args:
            command: The program and its arguments.
            check: Whether a non-zero exit fails the test, with the output shown.
            environ: Variables to set on top.

        Returns:
            The finished process; standard error is merged into `stdout`.
        """
        done = subprocess.run(
            command,
            cwd=self.root,
            check=False,
            env=environment(Path(f"{self.root}-store")) | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if check and done.returncode:
            pytest.fail(f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout}")
        return done

    def nox(self, *sessions: str, check: bool = True, posargs: Sequence[str] = (), **environ: str) -> Result:
        """Run nox sessions and tell how each ended.

        Args:
            sessions: Names of sessions, or options of nox in front of `-s`.
            check: Whether a failure fails the test.
            posargs: Arguments after `--`.
            environ: Variables to set on top.

        Returns:
            The output, and the sessions by their status.
        """
        selected = sessions if "-s" in sessions else ("-s", *sessions)
        command = [sys.executable, "-m", "nox", *selected, "--", *posargs]
        return Result(self.run(*command, check=check, **environ))

    def passes(self, *sessions: str) -> None:
        """Run sessions, all of which have to pass."""
        ended = self.nox(*sessions).ended
        assert {name for name, end in ended.items() if end.startswith("was successful")} == set(sessions)

    def passes_the_hooks(self) -> None:
        """Run every hook but mypy on all files, with this session's environment as it is."""
        self.run("git", "add", "--all")
        environ = {"UV_PROJECT_ENVIRONMENT": sys.prefix, "UV_NO_SYNC": "1", "SKIP": "mypy"}
        self.run("pre-commit", "run", "--all-files", check=True, **environ)

    def name_source(self, address: str) -> None:
        """Have every package say where its source is, in place of what an adoption wrote there."""
        for file in self.root.glob("packages/*/pyproject.toml"):
            text = re.sub(r"^urls\.Source = .*\n", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
            version = 'dynamic = [ "version" ]\n'
            assert text.count(version) == 1
            file.write_text(text.replace(version, f'{version}urls.Source = "{address}"\n'), encoding="utf-8")

    def replace(self, path: str, old: str, new: str) -> None:
        """Replace a text that stands exactly once in a file."""
        file = self.root / path
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{path} holds {old!r} {text.count(old)} times"
        file.write_text(text.replace(old, new), encoding="utf-8")


class Result:
    """The output of a run of nox, and the status of each session."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        """Read the lines `nox > Session NAME was successful` and `nox > Session NAME failed`."""
        self.returncode = done.returncode
        self.output = done.stdout
        self.ended: Mapping[str, str] = {
            words[0].removesuffix("."): " ".join(words[1:])
            for line in done.stdout.splitlines()
            if line.startswith("nox > Session ") and (words := line.removeprefix("nox > Session ").split())
        }

    @property
    def red(self) -> set[str]:
        """Names of the sessions that failed."""
        return {name for name, end in self.ended.items() if end.startswith("failed")}


MakeScratch: TypeAlias = "Callable[[], Scratch]"


@pytest.fixture(scope="session")
def make_scratch(tmp_path_factory: pytest.TempPathFactory) -> MakeScratch:
    """Return a function that makes a fresh scratch copy."""
    return lambda: Scratch(tmp_path_factory.mktemp("scratch"))


@pytest.fixture
def scratch(make_scratch: MakeScratch) -> Scratch:
    """Make a fresh scratch copy."""
    return make_scratch()


@pytest.fixture(scope="session")
def built(make_scratch: MakeScratch) -> Scratch:
    """Make a scratch copy in which the pipeline has passed, with a shorter training."""
    scratch = make_scratch()
    scratch.replace("packages/model/train.toml", "epochs = 40", "epochs = 10")
    scratch.run("git", "commit", "--quiet", "--all", "--message=Train for a shorter time")
    scratch.nox("pipeline")
    return scratch
