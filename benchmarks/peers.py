"""The same workspace for other tools: their files with the graph, and commands that fill their caches.

turbo and nx read edges from a package.json in each package, moon from a moon.yml, and dvc from the outputs that its
stages depend on; nothing here reads pyproject.toml. Each tool has one task a package, which runs `true`.
"""

# ruff: noqa: INP001, S603  # a module of scripts that starts the programs in its arguments

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from workspaces import commit, write, write_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workspaces import Graph

__all__ = ["PEERS", "QUIET", "Peer", "TooSlowError", "warm"]


_NICE = ("nice",) if os.name == "posix" else ()  # a first run leaves the machine to others

# An environment in which no tool sends telemetry, starts a daemon, or writes in colour.
QUIET = {
    "CI": "1",
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "MOON_TOOLCHAIN_FORCE_GLOBALS": "true",
    "NO_COLOR": "1",
    "NX_DAEMON": "false",
    "NX_NO_CLOUD": "true",
    "NX_TUI": "false",
    "PROTO_OFFLINE": "true",
    "TURBO_TELEMETRY_DISABLED": "1",
}


class Peer(NamedTuple):
    """A tool.

    Attributes:
        program: Its path below `node_modules`, or for dvc below a virtual environment.
        files: Returns the files that it needs in addition to those of the workspace.
        fill: The arguments that run everything, three tasks at a time.
        commands: The arguments that are timed.
        is_covered: Whether the output of a second run, for a number of packages, says that nothing ran.
        setup: Commands before the first run, with `{program}` for the tool's program.
    """

    program: str
    files: Callable[[Graph], dict[str, str]]
    fill: list[str]
    commands: list[list[str]]
    is_covered: Callable[[str, int], bool]
    setup: tuple[tuple[str, ...], ...] = ()


class TooSlowError(Exception):
    """A tool took longer than the limit."""


def warm(
    peer: Peer, program: Path, root: Path, needs: Graph, seconds: float, *, hidden: tuple[str, str] | None = None
) -> None:
    """Write a workspace for a tool, and run everything once, so that a second run has nothing to do.

    Args:
        peer: The tool.
        program: The path of its program.
        root: The folder, which is made.
        needs: The graph.
        seconds: The limit for the first run.
        hidden: An edge that is only in pyproject.toml and the lock.

    Raises:
        TooSlowError: The first run takes longer than that many seconds.
        SystemExit: The second run still ran something.
    """
    root.mkdir()
    write(root, needs)
    told = {name: [it for it in found if (name, it) != hidden] for name, found in needs.items()}
    write_files(root, peer.files(told))
    environment = {**os.environ, "PATH": _stand_in(root)}
    modules = program.parents[-1 - program.parts.index("node_modules")] if "node_modules" in program.parts else None
    if modules is not None:
        (root / "node_modules").symlink_to(modules, target_is_directory=True)
    commit(root)
    for command in peer.setup:
        subprocess.run([part.format(program=program) for part in command], cwd=root, env=environment, check=True)
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


_IGNORED = "artifacts/\n__pycache__/\n.venv/\nnode_modules\n.git-bin/\n.turbo/\n.nx/\n.moon/cache/\n/out/\n"


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


def _turbo(needs: Graph) -> dict[str, str]:
    """Return the files that turbo needs."""
    return _npm(needs) | {"turbo.json": json.dumps({"tasks": {"test": {"dependsOn": ["^test"]}}})}


def _nx(needs: Graph) -> dict[str, str]:
    """Return the files that nx needs."""
    inputs = ["{projectRoot}/**/*", "^{projectRoot}/**/*"]
    defaults = {"test": {"cache": True, "dependsOn": ["^test"], "inputs": inputs}}
    return _npm(needs) | {"nx.json": json.dumps({"targetDefaults": defaults, "analytics": False})}


def _moon(needs: Graph) -> dict[str, str]:
    """Return the files that moon needs."""
    files = {
        ".gitignore": _IGNORED,
        ".moon/workspace.yml": (
            "projects: ['packages/*']\nvcs: {client: git, defaultBranch: main}\ntelemetry: false\n"
        ),
    }
    for name, needed in needs.items():
        task = {"command": "true", "deps": ["^:test"], "inputs": ["**/*"], "toolchains": ["system"]}
        files[f"packages/{name}/moon.yml"] = json.dumps({"dependsOn": needed, "tasks": {"test": task}})
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


PEERS = {
    "turbo": Peer(
        program="@turbo/linux-64/bin/turbo",
        files=_turbo,
        fill=["run", "test", "--concurrency=3"],
        commands=[["run", "test", "--dry=json"], ["ls"], ["run", "test"]],
        is_covered=lambda said, number: f"{number} cached" in said and "FULL TURBO" in said,
    ),
    "nx": Peer(
        program=".bin/nx",
        files=_nx,
        fill=["run-many", "-t", "test", "--parallel=3"],
        commands=[["show", "projects", "--affected"], ["run-many", "-t", "test"]],
        is_covered=lambda said, number: f"{number} out of {number} tasks" in said,
    ),
    "moon": Peer(
        program="@moonrepo/core-linux-x64-gnu/moon",
        files=_moon,
        fill=["run", ":test", "--concurrency=3"],
        commands=[["query", "affected"], ["run", ":test"]],
        is_covered=lambda said, number: f"{number} completed ({number} cached)" in said,
    ),
    "dvc": Peer(
        program="bin/dvc",
        files=_dvc,
        fill=["repro"],
        commands=[["status"], ["repro"]],
        is_covered=lambda said, number: said.count("didn't change, skipping") == number,
        setup=(("{program}", "init", "--quiet"),),
    ),
}
