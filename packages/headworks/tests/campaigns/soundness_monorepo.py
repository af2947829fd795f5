"""A generated monorepo with everything in it that a change can reach sessions by, and what is true of its sessions."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).resolve().with_name("soundness_tool.py")

# name: (dependencies, extras, groups, build requirements)
PACKAGES: dict[str, tuple[list[str], list[str], list[str], list[str]]] = {
    "base": (["numeric"], [], [], []),
    "core": (["base>=0"], [], [], []),
    "app": (["core", "network[fast]"], ["plug"], ["testkit", "tester"], []),
    "plug": ([], [], [], []),
    "testkit": ([], [], [], []),
    "solo": ([], [], [], ["hook"]),
    "hook": ([], [], [], []),
}
LIBRARY = "deep"  # a package in another folder, which core needs
OUTSIDE = {"core": ["../../VERSION", "../../shared"]}  # what goes into wheels from outside the package

NOXFILE = f"""
import os
import pathlib
import sys

import nox

sys.path.insert(0, "ci")
import helper

sys.path.append({str(TOOL.parent)!r})
import soundness_tool

PACKAGES = sorted(path.parent.name for path in pathlib.Path("packages").glob("*/pyproject.toml"))
LEVEL = "level-1"
STRICT = "strict-1"
UNUSED = "unused-1"

nox.options.stop_on_first_error = False
nox.options.sessions = ["lint", "tests", "check"]

each_package = nox.parametrize("package", [nox.param(name, id=name) for name in PACKAGES])


def run(session, *arguments):
    if not soundness_tool.passes(pathlib.Path("..", "notes", session.name).resolve(), *arguments):
        session.error("it failed")


def strictness():
    return STRICT


def nothing():
    return UNUSED


@nox.session(venv_backend="none")
@each_package
def tests(session, package):
    run(session, "tests", package, LEVEL)


@nox.session(venv_backend="none")
@nox.parametrize("package", ["app", "core", "solo"])
def check(session, package):
    run(session, "locked-tests", package, strictness(), helper.flag())


@nox.session(venv_backend="none")
def lint(session):
    run(session, "lint")


@nox.session(venv_backend="none")
def docs(session):
    run(session, "docs", "docs", "README.md")


@nox.session(venv_backend="none")
def data(session):
    run(session, "stage", "data", "base", "data/manifest.json")


@nox.session(venv_backend="none", requires=["data"])
def train(session):
    run(session, "stage", "train", "app", "artifacts/data")


@nox.session(venv_backend="none", requires=["train"])
def report(session):
    run(session, "stage", "", "plug", "artifacts/train")


@nox.session(venv_backend="none", requires=["report"])
def publish(session):
    run(session, "stage", "publish", "hook", "docs/index.md", "artifacts/train")
"""

ROOT = """\
[dependency-groups]
lint = ["linter"]

[tool.uv.workspace]
members = ["packages/*", "libraries/*"]

[tool.uv.sources]
SOURCES
[tool.runner]
verbose = "1"
pythonpath = ["support"]

[tool.other]
level = 1

[tool.headworks]
ignore = ["packages/*/README.md"]

[tool.headworks.sessions]
tests = { packages = ["{package}"], inputs = ["support"] }
lint = {}
docs = { packages = [], inputs = ["docs", "README.md", "support"] }
data = { packages = ["base"], inputs = ["data/manifest.json", "support"], outputs = ["artifacts/data"] }
train = { packages = ["app"], inputs = ["support"], needs = ["data"], outputs = ["artifacts/train"], env = ["SEED"] }
report = { packages = ["plug"], inputs = ["support"], needs = ["train"] }
[tool.headworks.sessions.publish]
packages = ["hook"]
inputs = ["docs/index.md", "support"]
needs = ["report"]
outputs = ["artifacts/publish"]
"""


def module(name: str) -> str:
    """Return the import name of a package."""
    return name.replace("-", "_")


def package_files(folder: str, name: str, needs: list[str], *others: list[str]) -> dict[str, str]:
    """Return the files of a package."""
    extras, groups, backend = others
    place, imported = f"{folder}/{name}", [re.split(r"\W", it)[0] for it in needs]
    imported = [it for it in imported if it in {*PACKAGES, LIBRARY}]
    imports = "".join(f"from {module(it)}.number import number as {module(it)}\n" for it in imported)
    total = " + ".join(["1", *(f"{module(it)}()" for it in imported)])
    return {
        f"{place}/pyproject.toml": (
            f"[build-system]\nrequires = {json.dumps(backend)}\n\n"
            f'[project]\nname = "{name}"\nversion = "0"\nrequires-python = ">=3.11"\nreadme = "README.md"\n'
            f"dependencies = {json.dumps(needs)}\n\n[project.optional-dependencies]\nmore = {json.dumps(extras)}\n\n"
            f"[dependency-groups]\ntest = {json.dumps(groups)}\n\n"
            f"[tool.bundle]\ninclude = {json.dumps(OUTSIDE.get(name, []))}\n"
        ),
        f"{place}/README.md": name,
        f"{place}/src/{module(name)}/__init__.py": (
            f"import hashlib\n\n\ndef transform(data):\n    return hashlib.sha256(data).hexdigest()[:1] + {name!r}\n"
        ),
        f"{place}/src/{module(name)}/number.py": f"{imports}\n\ndef number():\n    return {total}\n",
        f"{place}/src/{module(name)}/table.csv": f"{name},1\n",
        f"{place}/tests/conftest.py": "LIMIT = 100\n",
        f"{place}/tests/test_number.py": (
            f"import pathlib\nfrom {module(name)}.number import number\n\nassert number() < 100\n"
            f'assert pathlib.Path("{place}/src/{module(name)}/table.csv").read_text()\n'
        ),
    }


REGISTRY = 'source = { registry = "https://example.org/simple" }'


def locked(name: str, *needs: str, version: str = "1.0") -> str:
    """Return the entry of a downloaded package in the lock."""
    edges = ", ".join(f'{{ name = "{it}" }}' for it in needs)
    digest = "0" * 64
    return (
        f'\n[[package]]\nname = "{name}"\nversion = "{version}"\n{REGISTRY}\n'
        f"dependencies = [{edges}]\n"
        f'sdist = {{ url = "https://example.org/{name}-{version}.tar.gz", hash = "sha256:{digest}", size = 10 }}\n'
    )


def lock() -> str:
    """Return a lock that uv takes."""
    names = sorted([*PACKAGES, LIBRARY])
    text = f'version = 1\nrevision = 3\nrequires-python = ">=3.11"\n\n[manifest]\nmembers = {json.dumps(names)}\n'
    text += '\n[manifest.dependency-groups]\nlint = [{ name = "linter" }]\n'
    for name in names:
        folder = "libraries" if name == LIBRARY else "packages"
        needs, extras, groups, _ = PACKAGES.get(name, ([], [], [], []))
        needs = [*needs, LIBRARY] if name == "core" else needs
        text += f'\n[[package]]\nname = "{name}"\nversion = "0"\nsource = {{ virtual = "{folder}/{name}" }}\n'
        text += f"dependencies = [{', '.join(map(edge, needs))}]\n"
        text += f"[package.optional-dependencies]\nmore = [{', '.join(map(edge, extras))}]\n"
        text += f"[package.dev-dependencies]\ntest = [{', '.join(map(edge, groups))}]\n"
    text += locked("network", "algebra") + '[package.optional-dependencies]\nfast = [{ name = "speed" }]\n'
    return text + "".join(map(locked, ("algebra", "linter", "numeric", "speed", "tester")))


def edge(requirement: str) -> str:
    """Return a requirement as the lock has it."""
    name, _, extra = re.split(r"[>=]", requirement)[0].rstrip("]").partition("[")
    return f'{{ name = "{name}"{f", extra = [{json.dumps(extra)}]" if extra else ""} }}'


def files() -> dict[str, str]:
    """Return all files."""
    sources = "".join(f"{name} = {{ workspace = true }}\n" for name in [*PACKAGES, LIBRARY])
    found = {
        "noxfile.py": NOXFILE,
        "pyproject.toml": ROOT.replace("SOURCES", sources),
        "uv.lock": lock(),
        "ci/helper.py": "import values\n\n\ndef flag():\n    return values.FLAG\n\n\ndef other():\n    return 1\n",
        "ci/values.py": 'FLAG = "flag-1"\n',
        "conftest.py": "ROOT = 1\n",
        "packages/conftest.py": "NEAR = 1\n",
        "libraries/settings.txt": "1\n",
        "support/support_tool.py": "VALUE = 1\n",
        "VERSION": "1\n",
        "shared/table.txt": "1\n",
        "shared/links/target.txt": "1\n",
        "data/manifest.json": '{"rows": "1"}\n',
        "docs/index.md": "index\n",
        "docs/guide/start.md": "start\n",
        "README.md": "read me\n",
        "runner.ini": "1\n",
        ".python-version": "3.13\n",
        ".gitignore": "artifacts\n__pycache__\n*.log\n",
    }
    for name, (needs, *others) in PACKAGES.items():
        found |= package_files("packages", name, [*needs, LIBRARY] if name == "core" else needs, *others)
    found |= package_files("libraries", LIBRARY, [], [], [], [])
    found["packages/app/tests/test_support.py"] = "import support_tool\n\nassert support_tool.VALUE\n"
    found["packages/solo/run.sh"] = "#!/bin/sh\n"
    return found


LINKS = {
    "packages/plug/src/plug/linked.txt": "../../../../shared/links/target.txt",
    "packages/hook/src/hook/folder": "../../../../shared",
    "docs/shared": "../shared/links",
}
SUBMODULE = "packages/testkit/vendored"


class Repository:
    """A repository, its store, and a place for what sessions note."""

    def __init__(self, folder: Path) -> None:
        """Start one."""
        self.folder = folder
        self.root = folder / "repository"
        self.environ = {name: os.environ[name] for name in ("HOME", "TMPDIR") if name in os.environ}
        self.environ |= {
            "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
            "HEADWORKS_STORE": str(folder / "store"),
            "LANG": "C.UTF-8",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(folder / "cache"),
        }
        (folder / "gitconfig").write_text(
            "[user]\nname = Somebody\nemail = somebody@example.org\n[protocol.file]\nallow = always\n"
            "[core]\nexcludesFile =\n[gc]\nauto = 0\n",
            encoding="utf-8",
        )
        self.root.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str, folder: Path | None = None) -> str:
        """Run git and return what it writes."""
        command = ["git", "-C", str(folder or self.root), *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=self.environ)
        if done.returncode:
            message = f"{' '.join(command)} failed:\n{done.stderr}"
            raise RuntimeError(message)
        return done.stdout.strip()

    def shell(self, text: str) -> None:
        """Run what is written for a shell."""
        command = ["sh", "-ec", text]
        done = subprocess.run(command, check=False, cwd=self.root, capture_output=True, text=True, env=self.environ)
        if done.returncode:
            message = f"{text} failed:\n{done.stdout}{done.stderr}"
            raise RuntimeError(message)

    def write(self, name: str, content: str) -> None:
        """Write a file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")

    def read(self, name: str) -> str:
        """Return the content of a file."""
        return (self.root / name).read_text(encoding="utf-8")

    def commit(self) -> None:
        """Commit everything."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=a change")

    def headworks(self, *arguments: str, environ: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start the command."""
        return subprocess.Popen(
            [sys.executable, "-m", "headworks", *arguments],
            cwd=self.root,
            env=self.environ | (environ or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def recalled(self, *arguments: str, environ: dict[str, str]) -> str | None:
        """Return the answer to a command that is remembered and still right, or None where it would be made anew."""
        code = "import sys; from headworks._quick.answers import recall; sys.exit(recall(sys.argv[1:]) is None)"
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, cwd=self.root, env=environ, capture_output=True, text=True, check=False)
        return None if done.returncode else done.stdout

    def notes(self, session: str) -> str:
        """Return what a session noted when it last ran."""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "notes" / session).read_text(encoding="utf-8")
        return ""

    def truth(self) -> dict[str, str] | None:
        """Run every session through plain nox; return for each what it read and how it ended.

        Returns:
            None where nox cannot load the noxfile, so that there are no sessions.
        """
        shutil.rmtree(self.folder / "notes", ignore_errors=True)
        shutil.rmtree(self.root / "artifacts", ignore_errors=True)
        report = self.folder / "report.json"
        report.unlink(missing_ok=True)
        nox = Path(sys.executable).with_name("nox")
        command = [str(nox), "--no-stop-on-first-error", "--keywords=True", f"--report={report}"]
        done = subprocess.run(command, check=False, cwd=self.root, env=self.environ, capture_output=True, text=True)
        if not report.exists():
            return None if done.returncode else {}
        sessions = json.loads(report.read_text(encoding="utf-8"))["sessions"]
        return {name: f"{it['result']}\n{self.notes(name)}" for it in sessions for name in it["signatures"][:1]}


class Monorepo(Repository):
    """The repository that changes of most kinds are made to."""

    def __init__(self, folder: Path) -> None:
        """Write and commit everything."""
        super().__init__(folder)
        outer = folder / "vendored"
        outer.mkdir()
        (outer / "tool.txt").write_text("1\n", encoding="utf-8")
        for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "all"]):
            self.git(*arguments, folder=outer)
        for name, content in files().items():
            self.write(name, content)
        for name, target in LINKS.items():
            (self.root / name).symlink_to(target)
        self.git("submodule", "--quiet", "add", str(outer), SUBMODULE)
        self.commit()
        self.base = self.git("rev-parse", "HEAD")
        self.config = self.read(".git/config")

    def reset(self) -> None:
        """Make the work tree what it was at first."""
        (self.root / ".git" / "config").write_text(self.config, encoding="utf-8")
        for path in self.root.rglob(".gitattributes"):
            path.unlink()  # git would heed it while it resets
        (self.root / ".git" / "index").unlink()
        self.git("reset", "--quiet", "--hard", self.base)
        self.git("clean", "-qffdx")
        if not (self.root / SUBMODULE / ".git").exists() or self.git("status", "--porcelain", "--ignored"):
            self.git("submodule", "--quiet", "update", "--init", "--force")
            self.git("clean", "-qffdx", folder=self.root / SUBMODULE)
