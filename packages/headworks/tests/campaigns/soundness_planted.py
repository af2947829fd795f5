"""Small repositories, in each of which sessions read something in a way of its own, and changes to what they read.

Each has a session `seen` without a row and a session `kept` with one, which do the same. The ways are those in which
changes were missed, here or elsewhere: packages in other places, names that stand in configuration or code, git's
filters, history and submodules, what tools left behind.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

TWINS = """

@nox.session
@nox.parametrize("package", ["a"])
def seen(session, package):
    read(session)


@nox.session
@nox.parametrize("package", ["a"])
def kept(session, package):
    read(session)
"""
HEAD = """\
import pathlib

import nox

nox.options.default_venv_backend = "none"


def note(session, *command):
    text = session.run(*command, silent=True, external=True)
    notes = pathlib.Path("..", "notes")
    notes.mkdir(exist_ok=True)
    (notes / session.name).write_text(text)


"""
SHELL = """\
def read(session):
    note(session, "sh", "-c", COMMAND)
"""
INSTALLS = """\
nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"


def read(session):
    session.install("--offline", "--quiet", *COMMAND.split())
    note(session, "python", "-c", "import dependency; print(dependency.VALUE)")
"""
LOADS = """\
import importlib.util, json, os, runpy, subprocess, sys
from pathlib import Path


def value(name):
    return Path("ci", name).read_text()


LOADED = str(eval(COMMAND))


def read(session):
    note(session, "echo", LOADED)
"""
FACTORY = """\
def make(name, settings):
    @nox.session(name=name, **settings)
    def made(session):
        note(session, "sh", "-c", COMMAND)


for name in ("seen", "kept"):
    make(name, {"venv_backend": "none"})
"""
FILTER = """\
#!/bin/sh
text=$(cat)
case $text in pointer*) echo "$text" ;; *) echo "pointer $(echo "$text" | git hash-object --stdin)" ;; esac
"""
ALL = "{}"
OBSERVED = "{ packages = [], observe = true }"


def metadata(name: str, *needs: str, source: str = "") -> str:
    """Return the metadata of a package, which uv builds by itself."""
    return (
        f'[project]\nname = "{name}"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = {list(needs)}\n'
        '[build-system]\nrequires = ["uv_build>=0.5,<2"]\nbuild-backend = "uv_build"\n'
        f"[tool.uv.sources]\n{source}\n"
    )


def library(folder: str, *needs: str, name: str = "dependency", source: str = "") -> dict[str, str]:
    """Return the files of a package that sessions use."""
    return {
        f"{folder}/pyproject.toml": metadata(name, *needs, source=source),
        f"{folder}/src/{name}/__init__.py": "VALUE = 1\n",
    }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plant:
    """A small repository.

    Attributes:
        cases: What the sessions run, and a change to what they read, both for a shell; several have their turns.
        files: The files, beside a package `a`.
        row: The row of `kept`, which promises all that is read; empty where a command in `setup` writes it.
        root: What else stands in the root's pyproject.toml.
        noxfile: The code that comes before the two sessions, in which COMMAND is what they run.
        sessions: The two sessions, where they are written in a way of their own.
        setup: What is done before the first commit.
        later: What is done after it.
        is_told: Whether a run tells that a row which names nothing forgets what is read: not what is only looked at.
        leftovers: What tools leave behind, which must go before plain nox can tell the truth.
    """

    cases: tuple[tuple[str, str], ...]
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    row: str = '{ packages = ["{package}"] }'
    root: str = ""
    noxfile: str = SHELL
    sessions: str = TWINS
    setup: str = ""
    later: str = ""
    is_told: bool = True
    leftovers: str = ""

    def write(self, command: str) -> dict[str, str]:
        """Return all files, with sessions that run a command."""
        table = f"[tool.headworks.sessions]\nkept = {self.row}\n" if self.row else ""
        needs = ["dependency"] if "dependency" in str(self.files) else []
        return {
            ".gitignore": ".nox\n__pycache__\n*.log\nraw\nartifacts\n",
            "noxfile.py": f"{HEAD}COMMAND = {command!r}\n{self.noxfile}{self.sessions}",
            "pyproject.toml": f"{self.root}\n{table}",
            "packages/a/pyproject.toml": metadata("a", *needs),
            "packages/a/src/a/__init__.py": "",
            **self.files,
        }


def named(
    path: str,
    command: str = "cat {}",
    change: str = "echo bad > {}",
    *,
    row: str = "",
    files: Mapping[str, str] | None = None,
    **more: Any,  # noqa: ANN401  # what else a plant has
) -> Plant:
    """Return a plant whose sessions read one file, which nothing but their code or a configuration names."""
    row = row or f'{{ packages = ["{{package}}"], inputs = ["{path}"] }}'
    cases = ((command.format(path), change.format(path)),)
    return Plant(cases=cases, files={path: "ok\n"} | dict(files or {}), row=row, **more)


def needed(folder: str, files: Mapping[str, str] | None = None, **more: Any) -> Plant:  # noqa: ANN401  # as above
    """Return a plant whose sessions need a package in a folder."""
    path = f"{folder}/src/dependency/__init__.py"
    return Plant(cases=((f"cat {path}", f"echo bad > {path}"),), files=library(folder) | dict(files or {}), **more)


MEMBERS = '[project]\nname = "root"\nversion = "0"\nrequires-python = ">=3.11"\n[tool.uv.workspace]\nmembers = ["{}"]\n'
SOURCE = '[tool.uv.sources]\ndependency = { path = "libs/dependency", editable = true }\n'
MEMBER = {"packages/a/pyproject.toml": metadata("a", "dependency", source="dependency = { workspace = true }")}
LOCK = "uv lock --quiet --offline\n"
WHEEL = "uv build --offline --quiet --wheel --out-dir wheels packages/dependency; rm wheels/.gitignore\n"
ORIGIN = "cp -r libs/dependency ../origin && rm -r libs && git -C ../origin init -q && git -C ../origin add -A\n"
ORIGIN += "git -C ../origin commit -qm all\n"

POINTERS = f"cat > ../clean <<'_'\n{FILTER}_\nchmod +x ../clean; git config filter.ptr.clean $PWD/../clean\n"
POINTERS += "git config filter.ptr.smudge cat"

PLANTS = {
    # Files that only code or a configuration names.
    "script": named(
        "scripts/check.py",
        "python {}",
        files={"scripts/check.py": "print(1)\n"},
        change="echo 'raise SystemExit(1)' > {}",
    ),
    "tests in the root": named("tests/a/t.txt"),
    "folder of requirements": named("requirements/test.txt"),
    "other package, by its path": named("packages/core/x.txt", "cd packages/a; cat ../../{}"),
    "roundabout path": named("other/x.txt", "cd packages/a; cat /proc/self/cwd/../../{}"),
    "row by init": Plant(
        cases=(("", "echo bad > licenses.txt"), ("", "echo bad > README.md")),
        files={"licenses.txt": "ok\n", "README.md": "ok\n"},
        noxfile='def read(session):\n    note(session, "cat", "licenses.txt", "README.md")\n',
        row="",
        setup="headworks init",
    ),
    "testpaths": named(
        "checks/test_it.py",
        "python -m pytest -q -p no:cacheprovider | grep -o passed",
        files={"checks/test_it.py": "def test():\n    pass\n"},
        change="echo 'def test(): assert False' > {}",
        root='[tool.pytest.ini_options]\ntestpaths = ["checks"]\n',
    ),
    "configuration of mypy": named("checks/m.py", root='[tool.mypy]\nfiles = ["checks"]\n'),
    "configuration of pyright": named("checks/m.py", root='[tool.pyright]\ninclude = ["checks"]\n'),
    # The noxfile.
    "noxfile that reads as it loads": Plant(
        cases=(
            ('value("v.json")', "echo 2 > ci/v.json"),
            ('json.load(open("ci/v.json"))', "echo 2 > ci/v.json"),
            ('runpy.run_path("ci/v.json")', "echo x = 2 > ci/v.json"),
            ('sorted(os.listdir("ci"))', "touch ci/w.json"),
            ('[it.name for it in Path().glob("ci/*.json")]', "touch ci/w.json"),
            ('Path("ci/w.json").exists()', "touch ci/w.json"),
            ('subprocess.check_output(["cat", "ci/v.json"])', "echo 2 > ci/v.json"),
            ('subprocess.getoutput("git log -1 --format=%s")', "git commit -q --amend -m bad"),
            ('sys.path.append("ci") or importlib.util.find_spec("w")', "touch ci/w.py"),
        ),
        files={"ci/v.json": "1\n"},
        noxfile=LOADS,
        row='{ packages = ["{package}"], inputs = ["ci"], observe = true }',
    ),
    "noxfile that reads in a session": Plant(
        cases=(
            ('value("v.json")', "echo 2 > ci/v.json"),
            ('json.load(open("ci/v.json"))', "echo 2 > ci/v.json"),
            ('Path("ci/w.json").exists()', "touch ci/w.json"),
        ),
        files={"ci/v.json": "1\n"},
        noxfile=LOADS.replace("LOADED = str(eval(COMMAND))\n\n\n", "").replace("LOADED", "str(eval(COMMAND))"),
        row='{ packages = ["{package}"], inputs = ["ci"] }',
    ),
    "noxfile that reads itself": Plant(
        cases=(
            ("Path(__file__).read_text()", "echo '# bad' >> noxfile.py"),
            ("sorted(it.read_text() for it in Path().glob('*.py'))", "echo '# bad' >> noxfile.py"),
        ),
        noxfile=LOADS.replace("LOADED = str(eval(COMMAND))\n\n\n", "").replace("LOADED", "str(eval(COMMAND))"),
        row='{ packages = ["{package}"], inputs = ["noxfile.py"], observe = true }',
        is_told=False,
    ),
    "settings by keywords": named(
        "x.txt", sessions=TWINS.replace("@nox.session\n", '@nox.session(**{"venv_backend": "none"})\n')
    ),
    "sessions by a factory": named("x.txt", noxfile=FACTORY, sessions="", row='{ packages = [], inputs = ["x.txt"] }'),
    # Packages, wherever they lie.
    "needed package": needed("packages/dependency"),
    "needed package, its tests": named(
        "packages/dependency/tests/x.txt",
        files=library("packages/dependency") | {"packages/dependency/tests/x.txt": ""},
    ),
    "package beside packages": needed("libs/dependency", row='{ packages = ["{package}"], inputs = ["libs"] }'),
    "path in the root's sources": needed("libs/dependency", root=MEMBERS.format("packages/*") + SOURCE),
    "path in the root's sources, locked": needed(
        "libs/dependency", root=MEMBERS.format("packages/*") + SOURCE, setup=LOCK
    ),
    "path of a path": Plant(
        cases=(("cat third/src/third/__init__.py", "echo bad > third/src/third/__init__.py"),),
        files={
            "packages/a/pyproject.toml": metadata("a", "second", source='second = { path = "../../second" }'),
            **library("second", "third", name="second", source='third = { path = "../third" }'),
            **library("third", name="third"),
        },
    ),
    "build requirement": Plant(
        cases=(("cat hook/src/hook/__init__.py", "echo bad > hook/src/hook/__init__.py"),),
        files={
            "packages/a/pyproject.toml": metadata("a", source='hook = { path = "../../hook" }').replace(
                '"uv_build>', '"hook", "uv_build>'
            ),
            **library("hook", name="hook"),
        },
    ),
    "setup.cfg": Plant(
        cases=(("cat packages/core/x.py", "echo bad > packages/core/x.py"),),
        files={
            "packages/a/pyproject.toml": metadata("a", "core"),
            "packages/core/setup.cfg": "[metadata]\nname = core\n",
            "packages/core/x.py": "ok\n",
        },
    ),
    "setup.py": Plant(
        cases=(("cat packages/core/x.py", "echo bad > packages/core/x.py"),),
        files={
            "packages/a/pyproject.toml": metadata("a", "core"),
            "packages/core/setup.py": 'from setuptools import setup\nsetup(name="core", py_modules=["x"])\n',
            "packages/core/x.py": "ok\n",
        },
    ),
    "requirements of a package": Plant(
        cases=(
            ("cat packages/core/x.txt", "echo bad > packages/core/x.txt"),
            ("cat packages/a/more.txt", "echo '# none' > packages/a/more.txt"),
        ),
        files={
            "packages/a/requirements-dev.txt": "-r more.txt\n",
            "packages/a/more.txt": "-e ../core\n",
            "packages/core/pyproject.toml": metadata("core"),
            "packages/core/x.txt": "ok\n",
        },
        row='{ packages = ["{package}"], inputs = ["packages/core"] }',
    ),
    "members with ./": needed("packages/dependency", MEMBER, root=MEMBERS.format("./packages/*"), setup=LOCK),
    "members with /": needed("packages/dependency", MEMBER, root=MEMBERS.format("packages/*/"), setup=LOCK),
    "member in a submodule": needed(
        "libs/dependency",
        MEMBER,
        root=MEMBERS.format('packages/*", "libs/*'),
        setup=f"{ORIGIN}git submodule --quiet add ../origin libs/dependency",
    ),
    "member in a repository inside": needed(
        "libs/dependency",
        MEMBER,
        root=MEMBERS.format('packages/*", "libs/*'),
        setup=f"{ORIGIN}git clone -q ../origin libs/dependency",
    ),
    "member behind a link": needed(
        "libs/dependency",
        MEMBER,
        root=MEMBERS.format('packages/*", "libs/*'),
        setup="mkdir elsewhere && mv libs/dependency elsewhere && ln -s ../elsewhere/dependency libs/dependency",
    ),
    # What git makes of files, and what it knows.
    "clean filter": named(
        "n.nb",
        files={".gitattributes": "*.nb filter=strip\n", "n.nb": "ok\n"},
        setup="git config filter.strip.clean 'sed s/bad/ok/'; git config filter.strip.smudge cat",
    ),
    "text=auto": named(
        "run.sh",
        "od -c {}",
        files={".gitattributes": "*.sh text=auto\n", "run.sh": "ok\n"},
        change="printf 'ok\\r\\n' > {}",
    ),
    "ident": named(
        "x.txt", files={".gitattributes": "*.txt ident\n", "x.txt": "$Id$ ok\n"}, change="echo '$Id: 12 $ ok' > {}"
    ),
    "pointer of LFS": named(
        "data.csv",
        files={".gitattributes": "*.csv filter=ptr\n"},
        setup=POINTERS,
        change="git cat-file -p HEAD:{0} > {0}",
    ),
    "data for a pointer of LFS": named(
        "data.csv",
        files={".gitattributes": "*.csv filter=ptr\n"},
        setup=POINTERS,
        later="git cat-file -p HEAD:data.csv > data.csv",
        change="echo ok > {}",
    ),
    "history": Plant(
        cases=(
            ("git log -1 --format=%s", "git commit -q --allow-empty --amend -m bad"),
            ("git describe --tags", "git tag -a -m v2 v2"),
            ("git rev-list --count HEAD", "git commit -q --allow-empty -m more"),
            ("git branch --show-current", "git switch -qc third"),
            ("git branch --list", "git branch third"),
            ("cat .git/HEAD", "git switch -qc third"),
            ("git log --all --format=%s", "git branch -D other"),
            ("git log -1 --format=%s other", "git branch -f other HEAD"),
            ("git diff --stat HEAD~1", "echo bad > new.txt; git add new.txt; git commit -qm more"),
            ("git notes show || true", "git notes add -m bad"),
        ),
        row=OBSERVED,
        later="git switch -qc other; git commit -q --allow-empty -m other; git switch -q main; "
        "git commit -q --allow-empty -m second; git tag -a -m v1 v1",
    ),
    "files of git's own": Plant(
        cases=(
            ("git config --get user.flag || echo none", "git config user.flag bad"),
            ("git remote get-url origin", "git remote set-url origin bad"),
            ("git rev-parse HEAD@{1}", "git commit -q --allow-empty -m bad; git reset -q --soft HEAD~1"),
            ("git rev-parse -q --verify ORIG_HEAD || echo none", "git update-ref ORIG_HEAD HEAD"),
            ("git rev-list --count HEAD", "git rev-parse HEAD > .git/shallow"),
            ("git log -1 --format=%s", "git replace HEAD $(git commit-tree -m bad HEAD^{tree})"),
            ("git check-attr -a noxfile.py", "echo 'noxfile.py bad' >> .git/info/attributes"),
            ("git -C raw/inner log -1 --format=%s", "git -C raw/inner commit -q --allow-empty -m bad"),
        ),
        row=OBSERVED,
        setup="git remote add origin ok; git init -q raw/inner; git -C raw/inner commit -q --allow-empty -m ok",
        later="git commit -q --allow-empty -m second",
        is_told=False,
    ),
    "index": Plant(
        cases=(
            ("git ls-files", "touch new; git add new"),
            ("git ls-files --others --exclude-standard", "touch new"),
            ("git status --porcelain", "touch new; git add new"),
            ("git ls-files --stage", "git rm -q --cached packages/a/src/a/__init__.py"),
        ),
        row=OBSERVED,
        is_told=False,
    ),
    # What was only looked at, or is not there.
    "look at a file": Plant(
        cases=(("stat -c %s x.txt", "echo bad >> x.txt"), ("test -x x.txt || echo no", "chmod +x x.txt")),
        files={"x.txt": "ok\n"},
        row='{ packages = [], inputs = ["x.txt"] }',
        is_told=False,
    ),
    "missing name": Plant(
        cases=(
            ("cat x.txt || echo none", "echo bad > x.txt"),
            ("cat new/folder/x.txt || echo none", "mkdir -p new/folder; echo bad > new/folder/x.txt"),
            ("PYTHONPATH=first:second python -c 'import m; print(m.X)'", "mkdir first; echo X = 2 > first/m.py"),
        ),
        files={"second/m.py": "X = 1\n"},
        row=ALL,
        is_told=False,
    ),
    "listing": Plant(
        cases=(
            ("ls folder", "touch folder/new"),
            ("find folder", "rm folder/deep/x.txt"),
            ("echo folder/*/*", "mkdir folder/other; touch folder/other/new"),
        ),
        files={"folder/x.txt": "ok\n", "folder/deep/x.txt": "ok\n"},
        row='{ packages = [], inputs = ["folder"] }',
        is_told=False,
    ),
    "link within a path": Plant(
        cases=(("cat now/x.txt", "ln -sfn v2 now"), ("cat now/x.txt", "echo bad > v1/x.txt")),
        files={"v1/x.txt": "ok\n", "v2/x.txt": "bad\n"},
        setup="ln -s v1 now",
        row='{ packages = [], inputs = ["now"] }',
    ),
    "ignored data": named("raw/x.txt", row=OBSERVED, change="echo bad > {}; git status"),
    # No run reports it for a row: by its times, the session may have made it.
    "ignored data, written to": named("raw/x.txt", "cat {0}; touch {0}", row=OBSERVED),
    "ignored data, with a doubt": named("raw/x.txt", "unshare -U cat {}", row=OBSERVED),
    # What tools leave behind.
    "kept beside environments": Plant(
        cases=(
            ("cat .nox/.cache/x.txt", "echo bad > .nox/.cache/x.txt"),
            ("cat .nox/other/tmp/x.txt", "echo bad > .nox/other/tmp/x.txt"),
        ),
        row=OBSERVED,
        later="mkdir -p .nox/.cache .nox/other/tmp; echo ok | tee .nox/.cache/x.txt > .nox/other/tmp/x.txt",
    ),
    "environment of another": named(
        "venv/lib/m/site-packages/x.py",
        row=OBSERVED,
        change="rm {}",
        files={"venv/.gitignore": "*\n", "venv/pyvenv.cfg": ""},
        is_told=False,
        command="cat {} || echo none",
    ),
    "compiled module": Plant(
        cases=(
            ("PYTHONPATH=lib python -c 'import m; print(m.X)'", "echo X = 2 > lib/m.py"),
            (
                "cd lib; python -c 'import m; print(m.X)'",
                "touch -r lib/m.py ../t; echo X = 3 > lib/m.py; touch -r ../t lib/m.py",
            ),
        ),
        files={"lib/m.py": "X = 1\n"},
        row='{ packages = [], inputs = ["lib"] }',
        leftovers="rm -rf lib/__pycache__",
    ),
    "wheel of a path": Plant(
        cases=(("packages/a", "echo VALUE = 2 > libs/dependency/src/dependency/__init__.py"),),
        files={
            "packages/a/pyproject.toml": metadata(
                "a", "dependency", source='dependency = { path = "../../libs/dependency" }'
            ),
            **library("libs/dependency"),
        },
        noxfile=INSTALLS,
        leftovers="rm -rf .nox ../cache/uv",
    ),
    "requirements file of another": Plant(
        cases=(
            ("-r requirements/test.txt", "echo VALUE = 2 > packages/dependency/src/dependency/__init__.py"),
            ("-r requirements/test.txt", "echo '# none' > requirements/base.txt"),
        ),
        files={
            "requirements/test.txt": "-r base.txt\n",
            "requirements/base.txt": "./packages/dependency\n",
            **library("packages/dependency"),
        },
        noxfile=INSTALLS,
        row='{ packages = ["{package}", "dependency"], inputs = ["requirements"] }',
        leftovers="rm -rf .nox ../cache/uv",
    ),
    "find-links": Plant(
        cases=(
            ("--no-index --find-links wheels -r requirements.txt", "echo '# none' > requirements.txt"),
            (
                "--no-index --find-links wheels dependency",
                f"sed -i 's/= 1/= 2/; s/^version.*/version = \"1\"/' $(git ls-files packages/dependency); {WHEEL}",
            ),
        ),
        files={"requirements.txt": "dependency\n", **library("packages/dependency")},
        noxfile=INSTALLS,
        setup=WHEEL,
        row='{ packages = ["{package}"], inputs = ["requirements.txt", "wheels"] }',
        leftovers="rm -rf .nox ../cache/uv",
    ),
}
