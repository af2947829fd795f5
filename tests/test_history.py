"""A replay of a repository's history counts what a plan says, and finds a session that was missed."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

HISTORY = Path(__file__).parents[1] / "benchmarks/history.py"
TABLE = """
[tool.headworks.sessions]
one = { packages = [ "one" ] }
both = { packages = [ "one", "two" ] }
after = { packages = [ "one" ], needs = [ "both" ] }
"""
NOXFILE = """
from pathlib import Path

import nox


@nox.session(venv_backend="none")
def one(session):
    int(Path("one/number.txt").read_text())


@nox.session(venv_backend="none")
def both(session):
    int(Path("one/number.txt").read_text())
    int(Path("two/number.txt").read_text())


@nox.session(venv_backend="none")
def after(session):
    pass
"""
# It passes the first time and the third, and so differs where it is verified.
COUNTED = """
    count = Path({counter!r})
    turn = int(count.read_text()) if count.exists() else 0
    count.write_text(str(turn + 1))
    assert turn != 1
"""
FILTER = """
[sessions]
one = [ "one/**" ]
"[ab]*" = [ "**" ]
"""


def history(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the program."""
    command = [sys.executable, str(HISTORY), *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def found(*arguments: object, code: int = 0) -> dict[str, Any]:
    """Run the program and return what it says as JSON."""
    done = history(*arguments, "--format", "json")
    assert done.returncode == code, done.stderr
    data: dict[str, Any] = json.loads(done.stdout)
    return data


def repository(root: Path, *commits: Mapping[str, str]) -> Path:
    """Make a repository with a commit for each set of files."""
    root.mkdir()
    identity = ["-c", "user.name=A Tester", "-c", "user.email=tester@example.org"]
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", root], check=True)
    for files in commits:
        for name, text in files.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        for command in (["add", "--all"], [*identity, "commit", "--quiet", "--message=A commit"]):
            subprocess.run(["git", "-C", root, *command], check=True)
    return root


START = {"noxfile.py": NOXFILE, "pyproject.toml": TABLE, "one/number.txt": "1", "two/number.txt": "1"}


def test_a_replay_counts_planned_cached_and_waiting_sessions_and_those_of_a_filter(tmp_path: Path) -> None:
    """A change of `two` reaches `both`, and `after` waits for it; sessions that run and others are counted alike."""
    root = repository(tmp_path / "project", START, {"two/number.txt": "2"}, {"one/number.txt": "2"})
    rules = tmp_path / "filter.toml"
    rules.write_text(FILTER, encoding="utf-8")
    before = subprocess.check_output(["git", "-C", root, "status", "--porcelain", "--ignored"])
    for chosen in ([], ["--run", "*", "--sample", "1", "--plants", "9"]):
        data = found(root, "--filter", rules, *chosen)
        second, third = data["commits"]
        assert [second[name] for name in ("files", "planned", "waiting", "cached", "filter")] == [1, 1, 1, 1, 2]
        assert [third[name] for name in ("files", "planned", "waiting", "cached", "filter")] == [1, 2, 1, 0, 3]
        assert data["sums"]["ran" if chosen else "by digest"] == data["sums"]["all"]
    (check,) = data["checks"]
    assert (check["session"], check["commit"], check["basis"]) == ("one", second["commit"], "declared")
    assert check["result"] == "passes"
    assert check["planted"] == ["pyproject.toml", "two/number.txt"]  # its run was watched, and read neither
    assert subprocess.check_output(["git", "-C", root, "status", "--porcelain", "--ignored"]) == before


def test_a_cached_session_that_fails_is_missed(tmp_path: Path) -> None:
    """It passes at the commit of its verdict; the exit code is 1, and the line says where to look."""
    counted = NOXFILE.replace("    pass\n", COUNTED.format(counter=str(tmp_path / "count")))
    table = '[tool.headworks.sessions]\nafter = { packages = [ "one" ] }\n'
    root = repository(
        tmp_path / "project", START | {"noxfile.py": counted, "pyproject.toml": table}, {"two/number.txt": "2"}
    )
    done = history(root, "--run", "after", "--sample", "1")
    assert done.returncode == 1, done.stderr
    commit = subprocess.check_output(["git", "-C", root, "rev-parse", "--short=12", "HEAD"], text=True).strip()
    assert f"MISSED: after is cached at {commit} (declared) and fails as it is" in done.stdout
    assert "1 verified with 0 files broken: 0 pass, 1 missed, 0 undecided" in done.stdout


def test_sdists_become_commits_and_one_that_cannot_be_planned_is_named(tmp_path: Path) -> None:
    """Their order is that of the versions, not of the names."""
    for version, noxfile in (("1.10", "broken("), ("1.9", NOXFILE), ("1.8", NOXFILE)):
        folder = tmp_path / f"demo-{version}"
        folder.mkdir()
        (folder / "noxfile.py").write_text(noxfile, encoding="utf-8")
        (folder / "PKG-INFO").write_text(version, encoding="utf-8")
        with tarfile.open(tmp_path / f"demo-{version}.tar.gz", "w:gz") as archive:
            archive.add(folder, folder.name)
    data = found(tmp_path)
    assert [it["files"] for it in data["commits"]] == [1]
    (why,) = data["refused"].values()
    assert "SyntaxError" in why


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere is neither a git repository nor a folder with sdists"),
        (["."], "is neither a git repository nor a folder with sdists"),
        (["project", "--commits", "0"], "0 is not a whole number from 1 on"),
        (["project", "no-such-revision"], "`git rev-list` failed"),
        (["project"], "There is no commit with a parent in HEAD"),
        (["project", "--filter", "no.toml"], "no.toml cannot be read as a path filter"),
        (["project", "--filter", "other.toml"], "other.toml is no path filter: it has a table [sessions]"),
    ],
)
def test_an_argument_that_makes_no_sense_is_named(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing begins, and the exit code is 2."""
    monkeypatch.chdir(tmp_path)
    repository(tmp_path / "project", START)
    Path("other.toml").write_text("[sessions]\none = 1\n", encoding="utf-8")
    done = history(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
