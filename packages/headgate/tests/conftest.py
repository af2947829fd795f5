"""Real git repositories and real stores for the tests."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from headgate._store import Store
from headgate._verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Scratch:
    """A git repository to do things to."""

    def __init__(self, root: Path) -> None:
        """Make an empty repository in a folder."""
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        """Run git in the repository and return what it writes."""
        command = ["git", "-C", str(self.root), "-c", "protocol.file.allow=always", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def write(self, files: Mapping[str, str | bytes]) -> Scratch:
        """Write files, their folders included."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def commit(self, files: Mapping[str, str | bytes] | None = None) -> str:
        """Write files, commit everything and return the commit's id."""
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=a change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings and caches of whoever runs the tests out of them."""
    for name in [it for it in os.environ if it.startswith(("GIT_", "GITHUB_", "NOX"))]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    (home / "gitconfig").write_text("[user]\nname = Somebody\nemail = somebody@example.org\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("HEADGATE_STORE", str(home / "store"))


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """Return an empty repository."""
    return Scratch(tmp_path / "scratch")


@pytest.fixture
def other(tmp_path: Path) -> Scratch:
    """Return a second empty repository."""
    return Scratch(tmp_path / "other")


class Stage:
    """A store and a work tree whose sessions are said to have ended."""

    def __init__(self, store: Store, root: Path) -> None:
        """Take both; for a store, a work tree need not be more than a folder with one for git."""
        self.store = store
        self.root = root
        (root / ".git").mkdir(parents=True, exist_ok=True)

    def verdict(
        self, name: str, *, passed: bool = True, outputs: Iterable[str] = (), digest: str = "", **others: object
    ) -> Verdict:
        """Return a verdict whose digest is the hash of its name, with what its outputs hold now."""
        found = {path: self.store.outputs(self.root).content(path) or "" for path in outputs}
        fields: dict[str, Any] = {
            "session": name,
            "digest": digest or sha256(name),
            "passed": passed,
            "finished": "2026-01-31T12:00:00+00:00",
            "seconds": 1.5,
            "commit": "c0ffee",
            "platform": "linux-x86_64",
            "outputs": found,
            "components": {"files": "1"},
        }
        return Verdict(**fields | others)

    def record(self, name: str, **settings: Any) -> Verdict:  # noqa: ANN401  # those of `verdict`
        """Record such a verdict and return it."""
        verdict = self.verdict(name, **settings)
        self.store.record(verdict, self.root)
        return verdict

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write files into the work tree."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def tree(self, path: str) -> dict[str, tuple[str, str]]:
        """Return all that lies at a path: kind and mode, and content, of each file."""
        top = self.root / path
        found = {}
        for it in sorted([top, *top.rglob("*")]):
            kind = oct(it.lstat().st_mode)
            content = str(it.readlink()) if it.is_symlink() else it.read_bytes().hex() if it.is_file() else ""
            found[str(it.relative_to(top))] = (kind, content)
        return found

    def blobs(self) -> list[Path]:
        """Return the file of every blob."""
        return sorted(Path(self.store.root).glob("blobs/*/*"))


def sha256(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Return an empty store, and a work tree for it: that of `scratch`, where a test asks for both."""
    return Stage(Store(tmp_path / "home" / "store"), tmp_path / "scratch")
