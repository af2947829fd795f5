"""The tool that the sessions of the generated monorepo run: a small test runner that notes all that it reads.

It installs a package with what that needs, as wheels would be, runs the tests, and writes down every file of the
repository that any code opened, with its content at that moment, every folder that was listed, and everything else that
it was given: arguments, variables, settings, what uv makes of the lock. Two runs with equal notes had equal inputs.

It stands for the tools that real sessions run, and is no part of the repository, as those are not.

A session calls `passes`, which works in a process of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import runpy
import subprocess
import sys
import time
import tomllib
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Of these, and of nothing else, the notes have the parts that matter instead of the whole.
SHARED = {"pyproject.toml", "uv.lock", "noxfile.py"}
# What says where things are on this machine is no input.
MACHINE = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TMPDIR", "PWD", "OLDPWD", "SHLVL", "_"}
MACHINE |= {
    "XDG_CACHE_HOME",
    "HEADWORKS_STORE",
    "HEADWORKS_RUN",
    "PYTHONUNBUFFERED",
    "UV_CACHE_DIR",
    "MYPY_CACHE_DIR",
    "NOX_CURRENT_SESSION",
    "GIT_CONFIG_GLOBAL",
}

root = os.path.realpath(".")
notes: set[tuple[str, ...]] = set()
is_noting = True


def sha256(data: bytes) -> str:
    """Return the SHA-256 of data."""
    return hashlib.sha256(data).hexdigest()


def note_path(name: str) -> None:
    """Note a file that is opened, or a folder that is listed, if it is one of the repository."""
    path = os.path.normpath(os.path.join(root, name))
    if not path.startswith(root + os.sep):
        return
    place = os.path.relpath(path, root)
    if place in SHARED or place.startswith(".git" + os.sep):
        return
    if os.path.isdir(path):
        # The table says that no session depends on a package's README.md, so that nothing may be made of it.
        unseen = {"__pycache__", ".git", *(["README.md"] if place.startswith("packages/") else [])}
        notes.add(("folder", place, *sorted(it for it in os.listdir(path) if it not in unseen)))
    elif os.path.exists(path):
        notes.add(("file", place, sha256(Path(path).read_bytes())))
    else:
        notes.add(("missing", place))


def hook(event: str, arguments: tuple[object, ...]) -> None:
    """Take note of what Python code does."""
    global is_noting  # noqa: PLW0603  # the hook must not hear itself
    if event in {"open", "os.listdir", "os.scandir"} and is_noting and isinstance(arguments[0], str):
        is_noting = False
        try:
            note_path(arguments[0])
        finally:
            is_noting = True


def walk(folder: str) -> None:
    """Read every file below a folder, through links, but nothing that git ignores."""
    seen = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = sorted(it for it in folders if it not in {"__pycache__", ".git"} and real not in seen)
        seen.add(real)
        for name in files:
            path = os.path.join(place, name)
            if not name.endswith(".log") and not (name == "README.md" and path.startswith("packages/")):
                notes.add(("mode", path, str(os.access(path, os.X_OK)), str(os.path.islink(path))))
                if os.path.exists(path):
                    Path(path).read_bytes()


def required(data: dict[str, object], *, own: bool) -> set[str]:
    """Return the names that a package needs."""
    project, build = data.get("project", {}), data.get("build-system", {})
    assert isinstance(project, dict)
    assert isinstance(build, dict)
    lists = [project.get("dependencies", []), build.get("requires", [])]
    lists += project.get("optional-dependencies", {}).values()
    groups = data.get("dependency-groups", {})
    lists += groups.values() if own and isinstance(groups, dict) else []
    texts = (it for texts in lists for it in texts if isinstance(it, str))
    return {re.split(r"[^\w.-]", it, maxsplit=1)[0].lower().replace("_", "-") for it in texts}


def members() -> dict[str, str]:
    """Return the folder of every package by its name; an index would know them, so that this is not noted."""
    global is_noting  # noqa: PLW0603  # see `hook`
    is_noting = False
    # Each is named as its folder: to read their metadata would be to depend on all packages.
    folders = [f"{top}/{name}" for top in ("packages", "libraries") if os.path.isdir(top) for name in os.listdir(top)]
    is_noting = True
    return {os.path.basename(it).lower().replace("_", "-"): it for it in sorted(folders)}


def read_package(folder: str) -> dict[str, object]:
    """Return what the pyproject.toml of a package says."""
    return tomllib.loads(Path(folder, "pyproject.toml").read_text())


def closure(package: str, *, own: bool) -> list[str]:
    """Return the folders of all that a package needs, with itself at the end."""
    known, folder = members(), f"packages/{package}"
    waiting = sorted(required(read_package(folder), own=own))
    found: dict[str, None] = {}
    for name in waiting:  # grows while it is read
        if name in known and known[name] != folder and known[name] not in found:
            found[known[name]] = None
            waiting += sorted(required(read_package(known[name]), own=False))
    return [*found, folder]


def build(folder: str) -> None:
    """Read what goes into the wheel of a package."""
    for entry in sorted(os.listdir(folder)):
        if entry not in {"tests", "__pycache__", "README.md"}:
            path = f"{folder}/{entry}"
            walk(path) if os.path.isdir(path) else Path(path).read_bytes()
    included = read_package(folder).get("tool", {})
    assert isinstance(included, dict)
    if os.path.exists(f"{folder}/../settings.txt"):  # as a build backend may
        Path(f"{folder}/../settings.txt").read_bytes()
    for path in included.get("bundle", {}).get("include", []):
        place = os.path.normpath(f"{folder}/{path}")
        walk(place) if os.path.isdir(place) else Path(place).read_bytes()


def execute(path: str) -> None:
    """Execute a file where there is one."""
    if os.path.exists(path):
        runpy.run_path(path)


def configure() -> None:
    """Do what the settings of the repository say."""
    data = tomllib.loads(Path("pyproject.toml").read_text())
    settings = data.get("tool", {}).get("runner", {})
    notes.add(("settings", json.dumps(settings, sort_keys=True)))
    sys.path += settings.get("pythonpath", [])
    for name in ("runner.ini", ".python-version"):
        if os.path.exists(name):
            Path(name).read_bytes()


def install(package: str) -> None:
    """Note what uv would install."""
    command = ["uv", "export", "--frozen", "--offline", "--no-emit-workspace", "--no-header", "--all-groups"]
    done = subprocess.run(
        [*command, f"--package={package}"], check=False, capture_output=True, text=True
    )  # the real tool
    notes.add(("uv", str(done.returncode), done.stdout))
    locked = tomllib.loads(Path("uv.lock").read_text())
    notes.add(("python", str(locked.get("requires-python"))))  # with which uv compares the running Python


def hold(name: str) -> None:
    """Wait as long as a campaign wants to."""
    if os.path.exists(f"../hold-{name}"):
        Path(f"../held-{name}").touch()
        while os.path.exists(f"../hold-{name}"):
            time.sleep(0.005)


def locked_tests(package: str, *_: str) -> None:
    """Run the tests of a package with what the lock has for it."""
    install(package)
    tests(package)


def tests(package: str, *_: str) -> None:
    """Install a package and run its tests."""
    configure()
    folders = closure(package, own=True)
    for folder in folders:
        build(folder)
        sys.path.insert(0, f"{folder}/src")
    hold("first")
    for folder in (".", "packages", folders[-1], f"{folders[-1]}/tests"):
        execute(os.path.normpath(f"{folder}/conftest.py"))
    for path in sorted(Path(folders[-1], "tests").rglob("test_*.py")):
        execute(str(path))
    walk(folders[-1])
    hold("second")


def lint() -> None:
    """Read every file that git knows."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # the real tool
    for name in sorted(set(listed.split("\0")) - {""}):
        if name in SHARED:
            notes.add(("file", name, sha256(Path(name).read_bytes())))
        elif os.path.isdir(name):
            walk(name)
        elif os.path.exists(name):
            Path(name).read_bytes()
        notes.add(("known", name, str(os.access(name, os.X_OK)), str(os.path.islink(name))))


def stage(output: str, package: str, *inputs: str) -> None:
    """Make an output of inputs with the code of a package."""
    for folder in closure(package, own=False):
        sys.path.insert(0, f"{folder}/src")
    module = __import__(package.replace("-", "_"))
    parts = []
    for path in inputs:
        walk(path) if os.path.isdir(path) else None
        files = sorted(Path(path).rglob("*")) if os.path.isdir(path) else [Path(path)]
        parts += [it.read_bytes() for it in files if it.is_file()]
    if output:
        place = Path("artifacts", output)
        place.mkdir(parents=True)
        (place / "out").write_text(module.transform(b"".join(parts)))


def docs(*folders: str) -> None:
    """Read what a manual is made of."""
    for it in folders:
        walk(it) if os.path.isdir(it) else Path(it).read_bytes()


KINDS: dict[str, Callable[..., None]] = {
    "tests": tests,
    "locked-tests": locked_tests,
    "lint": lint,
    "stage": stage,
    "docs": docs,
}


def passes(target: Path, kind: str, *arguments: str) -> bool:
    """Do what a session asks for in a process of its own, write the notes, and tell whether it passed."""
    child = os.fork()
    if not child:
        os._exit(work(target, kind, *arguments))
    return not os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def work(target: Path, kind: str, *arguments: str) -> int:
    """Do what was asked for, write the notes, and return an exit code."""
    notes.add(("arguments", kind, *arguments))
    notes.update(("variable", *it) for it in os.environ.items() if it[0] not in MACHINE)
    sys.dont_write_bytecode = True
    sys.addaudithook(hook)
    code = 0
    try:
        KINDS[kind](*arguments)
    except BaseException as error:  # noqa: BLE001  # whatever a test may raise
        code = 1
        notes.add(("error", *traceback.format_exception_only(error)))
        traceback.print_exc()
    target.parent.mkdir(exist_ok=True)
    target.write_text("\n".join(map(repr, sorted(notes))))
    return code
