"""The same workspace for other tools: what each needs to see the graph, and how its cache is filled.

turbo and nx read edges from a package.json in each package, moon from a moon.yml, and dvc from the outputs that its
stages depend on; nothing here reads pyproject.toml. Each tool has one task a package, which runs `true`.
"""

# ruff: noqa: INP001, S603  # a module of scripts, which starts programs that it was told of

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

# An environment in which no tool calls home, starts a daemon that outlives it, or writes in colour.
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
        program: where `npm install` leaves it below `node_modules`; for dvc, below a virtual environment.
        files: returns the files that it needs beside those of the workspace.
        fill: the arguments that run everything, three tasks at a time.
        commands: the arguments that are timed.
        is_covered: whether what the second run wrote, and the number of packages, say that nothing ran.
        setup: commands before the first run, with `{program}` for its own.
    """

    program: str
    files: Callable[[Graph], dict[str, str]]
    fill: list[str]
    commands: list[list[str]]
    is_covered: Callable[[str, int], bool]
    setup: tuple[tuple[str, ...], ...] = ()


class TooSlowError(Exception):
    """A tool took longer than it was given."""


def warm(
    peer: Peer, program: Path, root: Path, needs: Graph, seconds: float, *, hidden: tuple[str, str] | None = None
) -> None:
    """Write a workspace for a tool, and run everything once, so that a second run has nothing to do.

    Args:
        peer: the tool.
        program: what is started.
        root: the folder, which is made.
        needs: the graph.
        seconds: how long the first run may take.
        hidden: a package and one that it needs, which only pyproject.toml and the lock are to say.

    Raises:
        TooSlowError: the first run takes longer than that many seconds.
        SystemExit: the second run still ran something.
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
    """Return what a command writes."""
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
    """Return a PATH with a stand-in for npm, whose own start takes longer than all that is measured here."""
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
    """Return what turbo needs."""
    return _npm(needs) | {"turbo.json": json.dumps({"tasks": {"test": {"dependsOn": ["^test"]}}})}


def _nx(needs: Graph) -> dict[str, str]:
    """Return what nx needs."""
    inputs = ["{projectRoot}/**/*", "^{projectRoot}/**/*"]
    defaults = {"test": {"cache": True, "dependsOn": ["^test"], "inputs": inputs}}
    return _npm(needs) | {"nx.json": json.dumps({"targetDefaults": defaults, "analytics": False})}


def _moon(needs: Graph) -> dict[str, str]:
    """Return what moon needs."""
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
    """Return what dvc needs: a stage for each package, which depends on its folder and on what other stages left."""
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
