"""A table of sessions is written: what the noxfile says, or what sessions were seen to read."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import pytest

from headworks._cli import main
from headworks._plan.plan import plan
from headworks._project.table_text import Draft, with_rows
from headworks.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Monorepo, Scratch

SESSION = '@nox.session(venv_backend="none")\n'
NOXFILE = """
import nox

nox.options.sessions = ["tests", "lint"]
NEEDS = ["lint"]


@nox.session
@nox.parametrize("package", ["a", "b"])
def tests(session, package): pass


@nox.session(name="odd name", requires=["lint"])
def odd(session): pass


@nox.session
def lint(session): pass


@nox.session(requires=["odd name"])
def docs(session): pass


@nox.session(requires=NEEDS)
def release(session): pass
"""
PACKAGES = {f"packages/{name}/pyproject.toml": f'[project]\nname = "{name}"\n' for name in "ab"}


def shown(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """Run a command and return what it writes."""
    capsys.readouterr()
    assert main(list(arguments)) == code
    output = capsys.readouterr()
    return output.err if code else output.out


def rows(root: Path) -> dict[str, dict[str, object]]:
    """Return the rows of a table."""
    table = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["headworks"]["sessions"]
    assert isinstance(table, dict)
    return table


def states(root: Path) -> dict[str, str]:
    """Return the state of each session of a plan."""
    return {it.session.name: it.state for it in plan(root).sessions}


def test_a_table_is_started(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what can be told; what somebody has to look at first is a comment, and no file is taken for prose."""
    prose = {"README.md": "", "security_check.py": "", "license_allowlist.txt": "", "src.py": ""}
    scratch.commit(PACKAGES | prose | {"noxfile.py": NOXFILE})
    monkeypatch.chdir(scratch.root)
    assert "[tool.headworks.sessions]" in shown(capsys, "init", "--print")
    assert not (scratch.root / "pyproject.toml").exists()
    assert shown(capsys, "init").startswith("Wrote [tool.headworks] into ")
    written = (scratch.root / "pyproject.toml").read_text()
    nothing = (
        "nothing in the noxfile says which files it reads; `headworks init --observe` writes what it is seen to read"
    )
    assert written.partition("[tool.headworks.sessions]\n")[2] == (
        'tests = { packages = ["{package}"] }\n'
        '# "odd name" = { needs = ["lint"] }  # a bare nox does not run it\n'
        f"# lint = {{}}  # {nothing}\n"
        '# docs = { needs = ["odd name", "lint"] }  # a bare nox does not run it\n'
        "# release = {}  # give it the needs that its requires= stands for\n"
    )
    assert tomllib.loads(written)["tool"]["headworks"]["ignore"] == []
    assert "Run: 3 sessions" in shown(capsys, "plan")


def test_a_table_for_a_single_package_names_no_parameter(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the root is the only package, its sessions get no row, and the plan takes the table."""
    noxfile = "import nox\n\n@nox.session\ndef lint(session): pass\n"
    scratch.commit({"pyproject.toml": '[project]\nname = "alone"\n', "noxfile.py": noxfile, "src/alone.py": ""})
    monkeypatch.chdir(scratch.root)
    shown(capsys, "init")
    assert "[tool.headworks.sessions]\n# lint = {}  # " in (scratch.root / "pyproject.toml").read_text()
    assert "Run: 1 session" in shown(capsys, "plan")


def test_a_table_is_added_and_nothing_else_changes(
    monorepo: Monorepo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was there stays byte for byte, with its line ends and its mode."""
    monkeypatch.chdir(monorepo.root / "packages")
    before = b'[tool.x]\r\ny = "\xc3\xa9"\r\n'
    monorepo.scratch.write({"pyproject.toml": before})
    (monorepo.root / "pyproject.toml").chmod(0o600)
    shown(capsys, "init")
    after = (monorepo.root / "pyproject.toml").read_bytes()
    assert after.startswith(before + b"\r\n[tool.headworks]\r\n")
    assert after.count(b"\n") == after.count(b"\r\n")
    assert (monorepo.root / "pyproject.toml").stat().st_mode & 0o777 == 0o600
    assert shown(capsys, "init", code=2).startswith("headworks: pyproject.toml has a table [tool.headworks] already")
    monorepo.scratch.write({"pyproject.toml": "tool = { x = { y = 1 } }"})
    error = shown(capsys, "init", code=2)
    assert "pyproject.toml is written so that no table or row can be put into it line by line. Put this" in error
    assert (monorepo.root / "pyproject.toml").read_text() == "tool = { x = { y = 1 } }"


def test_the_paths_that_a_session_names_are_inputs(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A change to one runs the session again, whatever its name begins with."""
    body = 'session.run("cat", "license_allowlist.txt", "tools/README", external=True)'
    noxfile = (
        f"import nox\n\n{SESSION}@nox.parametrize('package', ['a', 'b'])\ndef tests(session, package):\n    {body}\n"
    )
    files = {"noxfile.py": noxfile, "license_allowlist.txt": "MIT", "tools/README": "x", "README.md": "x"}
    scratch.commit(PACKAGES | files)
    monkeypatch.chdir(scratch.root)
    shown(capsys, "init")
    assert rows(scratch.root) == {
        "tests": {"packages": ["{package}"], "inputs": ["license_allowlist.txt", "tools/README"]}
    }
    shown(capsys, "run")
    assert set(states(scratch.root).values()) == {"cached"}
    for name in ("license_allowlist.txt", "tools/README"):
        scratch.write({name: "changed"})
        assert set(states(scratch.root).values()) == {"run"}
        scratch.git("checkout", "--", name)


def test_a_session_that_works_on_all_files_gets_no_packages(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it names the folder of the noxfile, unless it goes elsewhere first."""
    head = f"{SESSION}@nox.parametrize('package', ['a', 'b'])\n"
    noxfile = (
        f"import nox\n\n{head}def every(session, package):\n    session.run('ruff', 'check', '.')\n\n\n"
        f"{head}def own(session, package):\n    session.chdir(f'packages/{{package}}')\n    session.run('x', '.')\n"
    )
    scratch.commit(PACKAGES | {"noxfile.py": noxfile})
    monkeypatch.chdir(scratch.root)
    shown(capsys, "init")
    assert rows(scratch.root) == {"own": {"packages": ["{package}"]}}


def test_a_session_that_asks_other_machines_always_runs(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its programs or its name; the comment says why."""
    noxfile = (
        f"import nox\n\n{SESSION}def safety(session):\n    session.run('true', external=True)\n\n\n"
        f"{SESSION}def links(session):\n    session.run('sh', '-c', 'curl x', external=True)\n"
    )
    scratch.commit({"noxfile.py": noxfile})
    monkeypatch.chdir(scratch.root)
    shown(capsys, "init")
    said = "asks other machines, whose answers change without a commit"
    assert (
        (scratch.root / "pyproject.toml")
        .read_text()
        .endswith(f"safety = {{ cache = false }}  # safety {said}\nlinks = {{ cache = false }}  # curl {said}\n")
    )
    shown(capsys, "run", "safety")
    assert states(scratch.root) == {"safety": "run", "links": "run"}


OBSERVED = """
import nox


@nox.session(venv_backend="none")
@nox.parametrize("package", ["app", "lib"])
def tests(session, package):
    session.run("sh", f"packages/{package}/tests/run.sh", external=True)


@nox.session(venv_backend="none")
def lint(session):
    session.run("bash", "-c", "grep -r --exclude-dir={.git,local,artifacts} it .", external=True)


@nox.session(venv_backend="none")
def dataset(session):
    session.run("sh", "scripts/dataset.sh", external=True)


@nox.session(venv_backend="none", requires=["dataset"])
def train(session):
    session.run("sh", "scripts/train.sh", external=True)


@nox.session(venv_backend="none")
def version(session):
    session.run("git", "describe", "--always", external=True)


@nox.session(venv_backend="none")
def raw(session):
    session.run("cat", "local/raw.csv", external=True)


@nox.session(venv_backend="none")
def bare(session):
    session.run("cat", "local/raw.csv", external=True)
"""
ROOT = """# The root.
[dependency-groups]
dev = ["it"]

[tool.headworks]  # ours
ignore = ["*.md"]

[tool.headworks.sessions]  # as it was
raw = { env = [
  "RAW",
] } # replaced
version = {}   # replaced too

[tool.other]
x = 1
"""


@pytest.fixture
def observed(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """Return a repository of two packages, a shared folder, a lint of everything, and a stage with its reader."""
    for name, needs in {"app": '"lib"', "lib": ""}.items():
        folder = f"packages/{name}"
        metadata = f'[project]\nname = "{name}"\ndependencies = [{needs}]\n'
        scratch.write({f"{folder}/pyproject.toml": metadata, f"{folder}/src/{name}.txt": "it"})
        scratch.write({f"{folder}/src/other.txt": "it", f"{folder}/README.md": "it"})
        scratch.write({f"{folder}/tests/run.sh": f"cat {folder}/src/{name}.txt shared/* other/{name}.txt\n"})
    scratch.write({"packages/app/tests/run.sh": "cat packages/*/src/*.txt shared/* other/app.txt README.md\n"})
    scratch.write({f"other/{name}.txt": "it" for name in ("app", "lib", "more", "most")})
    scratch.write({"shared/one.txt": "it", "shared/two.txt": "it", "docs/index.md": "it", "README.md": "it"})
    make = "mkdir -p artifacts/dataset && cat other/more.txt shared/one.txt > artifacts/dataset/rows\n"
    scratch.write({"scripts/dataset.sh": make, "scripts/train.sh": "cat artifacts/dataset/*\n", "local/raw.csv": "1"})
    scratch.write({".gitignore": "/artifacts\n/local\n__pycache__\n", "noxfile.py": OBSERVED, "pyproject.toml": ROOT})
    scratch.commit({})
    monkeypatch.chdir(scratch.root)
    return scratch


def test_rows_say_what_sessions_were_seen_to_read(observed: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each has a verdict after the next run, and keeps its promise; what no row can promise is a comment.

    A file that the row covers runs no session that has not read it, nor the names in its folder.
    """
    assert shown(capsys, "init", "--observe").endswith("`headworks plan` shows what follows from it.\n")
    inputs = ["other/{package}.txt", "shared/**"]
    assert rows(observed.root) == {
        "tests": {"packages": ["{package}"], "inputs": inputs, "groups": [], "ignore": [], "tools": []},
        "lint": {},
        "dataset": {
            "inputs": ["other/more.txt", "scripts/dataset.sh", "shared/one.txt"],
            "outputs": ["artifacts/dataset"],
            "groups": [],
            "tools": [],
        },
        "train": {"inputs": ["scripts/train.sh"], "needs": ["dataset"], "groups": [], "tools": []},
        "version": {"cache": False},
        "raw": {"packages": [], "groups": [], "tools": [], "env": ["RAW"], "observe": True},
    }
    text = (observed.root / "pyproject.toml").read_text()
    before, _, after = ROOT.partition("raw = ")
    assert text.startswith(before)
    assert text.endswith(after.partition("replaced too\n")[2])
    assert "\nversion = { cache = false }  # it reads git's history through `git describe --always`, which" in text
    said = "since it reads local/raw.csv, which git ignores: commit a list of hashes, name it in inputs"
    seen = f"observe = true }}  # observed, {said}, and take observe = true out\n"
    assert f'\nraw = {{ packages = [], groups = [], tools = [], env = ["RAW"], {seen}' in text
    assert f"\n# bare = {{ packages = [], groups = [], tools = [] }}  # no row, {said}\n" in text
    observed.commit({})
    shown(capsys, "run")
    assert {name for name, state in states(observed.root).items() if state == "run"} == {"version"}
    for name in ("tests(package='app')", "tests(package='lib')", "lint", "dataset", "train"):
        assert "Everything that it read is declared." in shown(capsys, "audit", name)
    observed.write({"packages/lib/src/other.txt": "new"})
    planned = {name for name, state in states(observed.root).items() if state == "run"}
    assert planned == {"version", "lint", "tests(package='app')"}


def test_rows_of_some_sessions_are_written_anew(observed: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """With all instances of each; what they need is watched as well, and gets a row if it has none."""
    shown(capsys, "init", "--observe", "train", "--print")
    assert (observed.root / "pyproject.toml").read_text() == ROOT
    said = shown(capsys, "init", "--observe", "train", "version", "tests(package='lib')")
    assert said.startswith("Wrote 4 rows of [tool.headworks.sessions] into ")
    assert rows(observed.root).keys() == {"raw", "version", "tests", "train", "dataset"}
    text = (observed.root / "pyproject.toml").read_text()
    again = shown(capsys, "init", "--observe", "train", "--print")
    assert again == text


def test_a_session_that_does_not_pass_gets_no_row(observed: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody knows what it would have read; the others get theirs."""
    observed.write({"packages/lib/tests/run.sh": "exit 1"})
    error = shown(capsys, "init", "--observe", "tests", "version", code=1)
    assert error.count("tests did not pass, so that nothing is known about the files that it reads: it gets no") == 1
    assert rows(observed.root) == {"raw": {"env": ["RAW"]}, "version": {"cache": False}}
    before = (observed.root / "pyproject.toml").read_bytes()
    shown(capsys, "init", "--observe", "tests", code=1)
    assert (observed.root / "pyproject.toml").read_bytes() == before


def test_observing_needs_strace_and_names_need_observing(
    observed: Scratch, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says what to do instead."""
    assert "say `headworks init --observe` as well" in shown(capsys, "init", "tests", code=2)
    observed.write({"noxfile.py": "import nox\n\n@nox.session(default=False)\ndef version(session): pass\n"})
    observed.write({"pyproject.toml": ""})
    assert "A bare nox runs no session here: name the" in shown(capsys, "init", "--observe", code=2)
    observed.write({"pyproject.toml": ROOT})
    monkeypatch.setattr("headworks._observe.watch.can_see_all", lambda: False)
    assert "`headworks init --observe` needs strace" in shown(capsys, "init", "--observe", code=2)
    assert (observed.root / "pyproject.toml").read_text() == ROOT


def test_an_interrupted_observation_writes_nothing(
    observed: Scratch, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has run until then says too little."""
    monkeypatch.setattr("headworks._commands.init.run_plan", lambda *_arguments: ({}, True))
    shown(capsys, "init", "--observe", code=130)
    assert (observed.root / "pyproject.toml").read_text() == ROOT


ROW = 'one = { packages = ["a"] }  # why\n'
ONE = Draft(name="one", settings={"packages": ["a"]}, remark="why")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # Rows in every form, with what stands around them
        (
            "[tool.headworks.sessions]\n# above\none = { inputs = [ # in\n'[x]', ] } # behind\n\ntwo = {}\n",
            '[tool.headworks.sessions]\n# above\none = { packages = ["a"] }  # why\n\ntwo = {}\n',
        ),
        (
            "[tool.headworks.sessions]\none.inputs = []\none.cache = true\ntwo = {}",
            '[tool.headworks.sessions]\none = { packages = ["a"] }  # why\ntwo = {}',
        ),
        (
            "[tool.headworks.sessions]\n# one = { cache = false }  # later\n# two = {}\n# no = row\n\n# of x\n[x]\n",
            '[tool.headworks.sessions]\none = { packages = ["a"] }  # why\n# two = {}\n# no = row\n\n# of x\n[x]\n',
        ),
        (
            '[tool.headworks.sessions.one]\ninputs = []\n[[x]]\ny = """\n[tool.headworks.sessions]\n"""\n',
            '[[x]]\ny = """\n[tool.headworks.sessions]\n"""\n\n[tool.headworks.sessions]\n' + ROW,
        ),
        # A table without the row
        ("[tool.headworks.sessions]", '[tool.headworks.sessions]\none = { packages = ["a"] }  # why\n'),
        (
            "[tool.headworks.sessions]\r\ntwo = {}\r\n\r\n# of x\r\n[x]\r\n",
            '[tool.headworks.sessions]\r\ntwo = {}\r\none = { packages = ["a"] }  # why\r\n\r\n# of x\r\n[x]\r\n',
        ),
        (
            "[tool.headworks]\nenv = ['X']",
            "[tool.headworks]\nenv = ['X']\n\n[tool.headworks.sessions]\none = { packages = [\"a\"] }  # why\n",
        ),
    ],
)
def test_a_row_takes_its_place(before: str, after: str) -> None:
    """Everything else stays byte for byte."""
    assert with_rows(before.encode(), [ONE]).decode() == after
    assert with_rows(b"", [ONE]).decode().endswith(f"\n[tool.headworks.sessions]\n{ROW}")


def test_a_row_that_has_no_line_of_its_own_is_left_to_people() -> None:
    """Nothing is written that would say anything else."""
    with pytest.raises(UsageError, match=r'Put this into it:\n\none = \{ packages = \["a"\] \}'):
        with_rows(b"tool = { headworks = { sessions = { one = {} } } }\n", [ONE])


def test_a_long_row_has_several_lines() -> None:
    """Which a comment cannot have; names that are no keys of TOML stand in quotes."""
    paths = [f"a/rather/long/path/{number}" for number in range(8)]
    row = Draft(name="odd name", settings={"inputs": paths, "cache": False})
    lines = row.text.splitlines()
    assert lines[0] == '"odd name" = { inputs = ['
    assert lines[-1] == "], cache = false }"
    assert max(map(len, lines)) <= 120
    assert tomllib.loads(row.text) == {"odd name": {"inputs": paths, "cache": False}}
    commented = Draft(name="odd name", settings=row.settings, is_row=False, remark="a\nb").text
    assert re.fullmatch(r"# .*  # a\\nb\n", commented)
