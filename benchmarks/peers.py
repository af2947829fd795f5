"""The same workspace for other tools: the files that they need, and commands that fill their caches.

turbo and nx each come twice: in their modes for Python, which read pyproject.toml and uv.lock, and in those for npm,
which read a package.json in each package. Pants reads imports, dvc the outputs that its stages depend on. Each tool has
one task a package, in which nothing happens; Pants is only asked what changed.
"""

# ruff: noqa: INP001, S603  # a module of scripts that starts the programs in its arguments

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from workspaces import commit, module, write, write_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from workspaces import Graph

__all__ = ["PEERS", "QUIET", "Peer", "TooSlowError", "warm"]


_NICE = ("nice",) if os.name == "posix" else ()  # a first run leaves the machine to others

# An environment in which no tool sends telemetry, starts a daemon, or writes in colour, and in which turbo finds the uv
# that is installed beside this interpreter, if there is one: a shim of a version manager takes longer than turbo.
QUIET = {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    "CI": "1",
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "NO_COLOR": "1",
    "NX_DAEMON": "false",
    "NX_NO_CLOUD": "true",
    "NX_TUI": "false",
    "TURBO_TELEMETRY_DISABLED": "1",
}


class Peer(NamedTuple):
    """A tool.

    Attributes:
        program: Its path below `node_modules`, or for Pants and dvc below a virtual environment.
        mode: The mode that it is used in, for people.
        files: Returns the files that it needs in addition to those of the workspace.
        fill: The arguments that run everything, three tasks at a time; empty where nothing is run.
        commands: The arguments that are timed, if any.
        is_covered: Whether the output of a second run, for a number of packages, says that nothing ran.
        setup: Commands before the first run, with `{program}` for the tool's program.
    """

    program: str
    mode: str
    files: Callable[[Graph], dict[str, str]]
    fill: list[str]
    commands: list[list[str]]
    is_covered: Callable[[str, int], bool]
    setup: tuple[tuple[str, ...], ...] = ()


class TooSlowError(Exception):
    """A tool took longer than the limit."""


def warm(
    peer: Peer, program: Path, root: Path, needs: Graph, seconds: float, *, built: tuple[str, str] | None = None
) -> None:
    """Write a workspace for a tool, and run everything once, so that a second run has nothing to do.

    Args:
        peer: The tool.
        program: The path of its program.
        root: The folder, which is made.
        needs: The graph.
        seconds: The limit for the first run.
        built: An edge that is in the requirements of a package's build, and not in its dependencies.

    Raises:
        TooSlowError: The first run takes longer than that many seconds.
        SystemExit: The second run still ran something.
    """
    root.mkdir()
    write(root, needs, built)
    write_files(root, peer.files(needs))
    environment = {**os.environ, "PATH": _stand_in(root)}
    modules = program.parents[-1 - program.parts.index("node_modules")] if "node_modules" in program.parts else None
    if modules is not None:
        (root / "node_modules").symlink_to(modules, target_is_directory=True)
    commit(root)
    for command in peer.setup:
        subprocess.run([part.format(program=program) for part in command], cwd=root, env=environment, check=True)
    if not peer.fill:
        return
    first = _run([*_NICE, str(program), *peer.fill], root, environment, seconds)
    again = _run([str(program), *peer.fill], root, environment, seconds)
    if not peer.is_covered(again, len(needs)):
        message = f"The second run of {program.name} ran something:\n{first[-1000:]}\n{again[-1000:]}"
        raise SystemExit(message)


def _run(command: list[str], root: Path, environment: dict[str, str], seconds: float) -> str:
    """Run a command and return its output."""
    try:
        ended = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise TooSlowError from error
    said = ended.stdout + ended.stderr
    if ended.returncode:
        message = f"{command} failed with {ended.returncode}:\n{said[-2000:]}"
        raise SystemExit(message)
    return said


def _stand_in(root: Path) -> str:
    """Return a PATH with a stand-in for npm, whose start takes longer than everything that is measured here."""
    folder = root / ".git-bin"
    folder.mkdir()
    (folder / "npm").write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    (folder / "npm").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


_IGNORED = "artifacts/\n__pycache__/\n.venv/\nnode_modules\n.git-bin/\n.turbo/\n.nx/\n/out/\n"


def _npm(needs: Graph) -> dict[str, str]:
    """Return the files of an npm workspace with the same edges."""
    locked: dict[str, object] = {"": {"name": "workspace", "workspaces": ["packages/*"]}}
    root = {"name": "workspace", "private": True, "packageManager": "npm@11.0.0", "workspaces": ["packages/*"]}
    files = {".gitignore": _IGNORED, "package.json": json.dumps(root)}
    for name, needed in needs.items():
        said = {"name": name, "version": "1.0.0", "dependencies": dict.fromkeys(needed, "*")}
        tasks = {"scripts": {"test": "true"}, "nx": {"targets": {"test": {"command": "true"}}}}
        files[f"packages/{name}/package.json"] = json.dumps(said | tasks)
        locked |= {f"packages/{name}": said, f"node_modules/{name}": {"resolved": f"packages/{name}", "link": True}}
    files["package-lock.json"] = json.dumps({"name": "workspace", "lockfileVersion": 3, "packages": locked})
    return files


_TURBO = {"tasks": {"test": {"dependsOn": ["^test"], "cache": True}}}
_NX = {
    "targetDefaults": {
        "test": {"cache": True, "dependsOn": ["^test"], "inputs": ["{projectRoot}/**/*", "^{projectRoot}/**/*"]}
    },
    "analytics": False,
}


def _turbo_npm(needs: Graph) -> dict[str, str]:
    """Return the files that turbo needs in an npm workspace."""
    return _npm(needs) | {"turbo.json": json.dumps(_TURBO)}


def _turbo_python(_: Graph) -> dict[str, str]:
    """Return the files that turbo needs in a uv workspace; it would run pytest through uv without a command."""
    flags = {"experimentalPythonWorkspaces": True, "experimentalTaskCommand": True}
    tasks = {"test": _TURBO["tasks"]["test"] | {"command": {"python": ["true"]}}}
    return {".gitignore": _IGNORED, "turbo.json": json.dumps({"futureFlags": flags, "tasks": tasks})}


def _nx_npm(needs: Graph) -> dict[str, str]:
    """Return the files that nx needs in an npm workspace."""
    return _npm(needs) | {"nx.json": json.dumps(_NX)}


def _nx_python(needs: Graph) -> dict[str, str]:
    """Return the files that nx needs in a uv workspace: a project.json for each package, without edges."""
    files = {".gitignore": _IGNORED, "nx.json": json.dumps(_NX | {"plugins": [{"plugin": "@nxlv/python"}]})}
    for name in needs:
        project = {"name": name, "targets": {"test": {"command": "true"}}}
        files[f"packages/{name}/project.json"] = json.dumps(project)
    return files


_PANTS = """[GLOBAL]
backend_packages = ["pants.backend.python"]
pantsd = false
[anonymous-telemetry]
enabled = false
[python]
interpreter_constraints = [">=3.9"]
[python-infer]
use_rust_parser = true
[source]
root_patterns = ["/packages/*/src", "/packages/*/tests"]
"""


def _pants(needs: Graph) -> dict[str, str]:
    """Return the files that Pants needs: its settings, and the BUILD files that `pants tailor` writes."""
    files = {".gitignore": f"{_IGNORED}/.pants.d/\n", "pants.toml": _PANTS}
    for name in needs:
        files[f"packages/{name}/src/{module(name)}/BUILD"] = "python_sources()\n"
        files[f"packages/{name}/tests/BUILD"] = "python_tests()\n"
    return files


def _dvc(needs: Graph) -> dict[str, str]:
    """Return the files that dvc needs: a stage for each package, which depends on its folder and on other outputs."""
    stages = {
        name: {
            "cmd": f"mkdir -p out && cat packages/{name}/src/*/_core.py > out/{name}",
            "deps": [f"packages/{name}", *(f"out/{it}" for it in needed)],
            "outs": [f"out/{name}"],
        }
        for name, needed in needs.items()
    }
    return {".gitignore": _IGNORED, "dvc.yaml": json.dumps({"stages": stages})}


_TURBO_PEER = Peer(
    program="@turbo/linux-64/bin/turbo",
    mode="futureFlags.experimentalPythonWorkspaces",
    files=_turbo_python,
    fill=["run", "test", "--concurrency=3"],
    commands=[["run", "test", "--dry=json"], ["ls"], ["run", "test"]],
    is_covered=lambda said, _: "FULL TURBO" in said and "WARNING" not in said,
)
_NX_PEER = Peer(
    program=".bin/nx",
    mode="@nxlv/python",
    files=_nx_python,
    fill=["run-many", "-t", "test", "--parallel=3"],
    commands=[["show", "projects", "--affected"], ["run-many", "-t", "test"]],
    is_covered=lambda said, number: f"{number} out of {number} tasks" in said,
)
PEERS = {
    "turbo": _TURBO_PEER,
    "turbo-npm": _TURBO_PEER._replace(mode="package.json", files=_turbo_npm),
    "nx": _NX_PEER,
    "nx-npm": _NX_PEER._replace(mode="package.json", files=_nx_npm),
    "pants": Peer(
        program="bin/pants",
        mode="inferred from imports",
        files=_pants,
        fill=[],
        commands=[],
        is_covered=lambda _, __: False,
    ),
    "dvc": Peer(
        program="bin/dvc",
        mode="dvc.yaml",
        files=_dvc,
        fill=["repro"],
        commands=[["status"], ["repro"]],
        is_covered=lambda said, number: said.count("didn't change, skipping") == number,
        setup=(("{program}", "init", "--quiet"),),
    ),
}
