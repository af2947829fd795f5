"""Every task of this repository: people, CI and pre-commit all call these sessions."""

from __future__ import annotations

import sys
from pathlib import Path

import nox

nox.needs_version = ">=2026.10.20"

PACKAGES = sorted(path.parent.name for path in Path("packages").glob("*/pyproject.toml"))
METADATA = {name: nox.project.load_toml(f"packages/{name}/pyproject.toml") for name in PACKAGES}
PYTHONS = nox.project.python_versions(METADATA["headgate"])
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
NEEDS = {
    name: session.get("needs", [])
    for name, session in nox.project.load_toml("pyproject.toml")["tool"]["headgate"]["sessions"].items()
}

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "typecheck", f"tests-{RUNNING}"]

each_package = nox.parametrize("package", [nox.param(name, id=name) for name in PACKAGES])


def module(package: str) -> str:
    """Return the import name of a package, which is its distribution name with underscores."""
    name: str = METADATA[package]["project"]["name"]
    return name.replace("-", "_")


def workspace_closure(package: str) -> list[str]:
    """Return a package and every workspace package that it depends on, directly or not."""
    folders = {METADATA[name]["project"]["name"]: name for name in PACKAGES}
    found = [package]
    for name in found:  # grows while it is read
        found += {folders[it] for it in METADATA[name]["project"]["dependencies"] if it in folders}.difference(found)
    return found


def uv(session: nox.Session, *args: str) -> None:
    """Run uv: the one that made the environment, or else one that is installed into it."""
    if session.venv_backend != "uv":
        session.install("uv")
    session.run_install("uv", *args, external=True, silent=True)


def locked(session: nox.Session) -> str:
    """Return the option that holds an installation to the versions in uv.lock.

    They are given as constraints rather than by a sync, so that UV_TORCH_BACKEND can choose the build of torch.
    """
    path = Path(session.create_tmp()) / "constraints.txt"
    chosen = ["--all-packages", "--all-groups", "--no-emit-workspace", "--no-hashes"]
    uv(session, "export", "--frozen", "--quiet", *chosen, f"--output-file={path}")
    return f"--constraints={path}"


def install(session: nox.Session, *groups: str, package: str = "", extra: str = "", versions: str = "") -> None:
    """Install dependency groups, then a package and the workspace packages that it needs as wheels built now.

    The wheels are built each time: a reused environment must never keep an old wheel of the same version.
    """
    chosen = [f"--group={name}" for name in groups]
    if package:
        own = METADATA[package].get("dependency-groups", {})
        chosen += [f"--group=packages/{package}/pyproject.toml:{name}" for name in groups if name in own]
        chosen += ["--group=backend"]
    uv(session, "pip", "install", locked(session), *chosen)
    if package:
        closure = workspace_closure(package)
        wheels = [f"packages/{name}" for name in closure]
        wheels[0] += f"[{extra}]" if extra else ""
        fresh = [f"--reinstall-package={METADATA[name]['project']['name']}" for name in closure]
        # Without --no-sources uv would install the workspace packages in editable form, not as wheels.
        exact = ["--no-sources", "--no-build-isolation", *fresh]
        uv(session, "pip", "install", versions or locked(session), *exact, *wheels)


@nox.session
@each_package
def typecheck(session: nox.Session, package: str) -> None:
    """Check the types of a package, of its tests and of the noxfile with mypy."""
    install(session, "typing", package=package)
    folder = f"packages/{package}"
    session.run("mypy", f"{folder}/src", f"{folder}/tests", "noxfile.py", *session.posargs)


def run_tests(session: nox.Session, package: str, data_file: Path) -> None:
    """Run the tests of a package against its installed wheel, measuring branch coverage into a file."""
    data_file.parent.mkdir(parents=True, exist_ok=True)
    for stale in data_file.parent.glob(f"{data_file.name}*"):
        stale.unlink()
    measured = [f"--data-file={data_file}", f"--source={module(package)}"]
    session.run("coverage", "run", *measured, "-m", "pytest", f"packages/{package}/tests", *session.posargs)
    session.run("coverage", "combine", f"--data-file={data_file}", silent=True)


@nox.session(python=PYTHONS)
@each_package
def tests(session: nox.Session, package: str) -> None:
    """Test the built wheel of a package on every supported Python."""
    install(session, "test", package=package)
    run_tests(session, package, Path("artifacts/tests") / f"{package}-{session.python}.coverage")
