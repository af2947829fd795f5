#!/usr/bin/env -S uv run --script

# /// script
# dependencies = ["nox>=2026.10.20"]
# ///

"""Every task of this repository: people, CI and pre-commit all call these sessions."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tomllib
from pathlib import Path

import nox

nox.needs_version = ">=2026.10.20"

PACKAGES = sorted(path.parent.name for path in Path("packages").glob("*/pyproject.toml"))
METADATA = {name: nox.project.load_toml(f"packages/{name}/pyproject.toml") for name in PACKAGES}
DISTRIBUTIONS: dict[str, str] = {name: METADATA[name]["project"]["name"] for name in PACKAGES}
MODULES = {name: it.replace("-", "_") for name, it in DISTRIBUTIONS.items()}
PYTHONS = nox.project.python_versions(METADATA[PACKAGES[0]])  # a test holds all packages to the same ones
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
# What the sessions that read another one's output need.
NEEDS = {
    name: [need.partition("(")[0] for need in session.get("needs", [])]
    for name, session in nox.project.load_toml("pyproject.toml")["tool"]["headworks"]["sessions"].items()
}
COVERAGE = Path("artifacts/tests")
# The Python that coverage is measured on: that takes the engine's tests half as long again, and other Pythons add no
# line. It is the first of `.python-version`, not the one that runs nox, which is in no digest.
MEASURED = next(it for it in Path(".python-version").read_text(encoding="utf-8").split() if it in PYTHONS)
PRIVATE = "Private :: Do Not Upload"  # the classifier of a package that another repository publishes

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.download_python = "never"  # one that is not installed is named, as the README says
nox.options.allow_parallel = True  # with `nox -j 2`; sessions that need each other's output say so
nox.options.sessions = ["lint", "typecheck", f"tests-{RUNNING}"]

each_package = nox.parametrize("package", [nox.param(name, id=name) for name in PACKAGES])
# Tags say where CI runs a session: `pipeline`, after all others; `images`, after that; `macos`, `windows`, there too.


# --- What all sessions share ---


def workspace_closure(package: str) -> list[str]:
    """Return a package and every workspace package that it depends on, directly or not."""
    closure = [package]
    for name in closure:  # grows while it is read
        needed = METADATA[name]["project"]["dependencies"]
        closure += [it for it in PACKAGES if DISTRIBUTIONS[it] in needed and it not in closure]
    return closure


def locked_version(name: str) -> str:
    """Return the version of a distribution in uv.lock."""
    lock = tomllib.loads(Path("uv.lock").read_text(encoding="utf-8"))
    return next(str(it["version"]) for it in lock["package"] if it["name"] == name)


def uv(session: nox.Session, *args: str) -> None:
    """Run uv: the one that made the environment, or else the locked one, installed into it."""
    if session.venv_backend != "uv":
        session.install(f"uv=={locked_version('uv')}")
    session.run_install("uv", *args, external=True, silent=True)


def locked(session: nox.Session) -> str:
    """Return the path of a constraints file that holds an installation to the versions in uv.lock.

    Constraints rather than a sync, so that UV_TORCH_BACKEND can choose the build of torch.
    """
    path = str(Path(session.virtualenv.location) / "constraints.txt")
    chosen = ["--all-packages", "--all-groups", "--no-emit-workspace", "--no-hashes"]
    uv(session, "export", "--frozen", "--quiet", *chosen, f"--output-file={path}")
    return path


def install(session: nox.Session, *groups: str, package: str = "", extra: str = "", resolution: str = "") -> None:
    """Install dependency groups, and a package with the workspace packages that it needs as wheels built now.

    The wheels are built each time: a reused environment must never keep an old wheel of the same version. The engine
    comes from the index where it is no package of this repository.
    """
    # Images for containers often set it. Each of a thousand Pythons would then compile all that it imports.
    session.env["PYTHONDONTWRITEBYTECODE"] = None
    pinned = f"--constraints={locked(session)}"
    chosen = [f"--resolution={resolution}"] if resolution else [pinned]
    chosen += [f"--group={name}" for name in groups]
    if package in PACKAGES:
        uv(session, "pip", "install", pinned, "--group=backend")
        # Without --no-sources uv would install the workspace packages in editable form, not as wheels.
        chosen += ["--no-sources", "--no-build-isolation"]
        own = METADATA[package].get("dependency-groups", {})
        chosen += [f"--group=packages/{package}/pyproject.toml:{name}" for name in groups if name in own]
        closure = workspace_closure(package)
        chosen += [f"--reinstall-package={DISTRIBUTIONS[name]}" for name in closure]
        chosen += [f"packages/{name}{f'[{extra}]' if extra and name == package else ''}" for name in closure]
    elif package:
        chosen.append(f"{package}[{extra}]")
    uv(session, "pip", "install", *chosen)


def install_engine(session: nox.Session, *extras: str) -> None:
    """Install the engine, with what it needs to reach the store that HEADWORKS_REMOTE names."""
    remote = os.environ.get("HEADWORKS_REMOTE", "")
    install(session, "tools", package="headworks", extra=",".join([*extras, *(["remote"] if remote else [])]))
    if remote.startswith("s3:"):
        uv(session, "pip", "install", f"--constraints={locked(session)}", "s3fs")


# --- Every day ---


@nox.session
def lint(session: nox.Session) -> None:
    """Run every pre-commit hook but that for types, which `typecheck` checks, and look for clumsy phrases."""
    install(session, "lint")
    # The hooks call uv: it shall use this environment as it is, not one of its own.
    shared = {"UV_PROJECT_ENVIRONMENT": session.virtualenv.location, "UV_NO_SYNC": "1", "SKIP": "mypy"}
    session.run("pre-commit", "run", "--all-files", "--show-diff-on-failure", *session.posargs, env=shared)
    session.run("python", "tests/english.py")


@nox.session
@each_package
def typecheck(session: nox.Session, package: str) -> None:
    """Check the types of a package and its tests with mypy, and once of what belongs to no package."""
    install(session, "typing", package=package)
    session.run("python", "tests/typecheck.py", package, *session.posargs)


@nox.session
def imports(session: nox.Session) -> None:
    """Check that imports between the packages flow one way."""
    install(session, "backend", "imports")
    # What the packages depend on is not read.
    alone = ["--no-deps", "--no-build-isolation", "--reinstall"]
    uv(session, "pip", "install", *alone, *(f"packages/{it}" for it in PACKAGES))
    session.run("lint-imports")


@nox.session
def review(session: nox.Session) -> None:
    """Review the layout against the Scientific Python guide, what tests assert, and that all names are our own."""
    install(session, "review")
    session.run("sp-repo-review", ".", *session.posargs)
    session.run("python", "tests/assertions.py")
    session.run("python", "tests/names.py")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site of the documents, run its examples, follow its links; `-- external` asks other sites as well."""
    for package in PACKAGES:
        extras = METADATA[package]["project"].get("optional-dependencies", {})
        install(session, "docs", package=package, extra=",".join(extras))
    session.run("python", "docs/build_site.py", *session.posargs)


@nox.session
@each_package
def build(session: nox.Session, package: str) -> None:
    """Build a package's sdist and wheel, check both, and import the wheel in a clean environment."""
    install(session, "build")
    folder = Path("dist") / package
    shutil.rmtree(folder, ignore_errors=True)
    session.run("python", "-m", "build", "--no-isolation", f"--outdir={folder}", f"packages/{package}")
    session.run("twine", "check", "--strict", *map(str, folder.iterdir()))
    # In an environment where nothing is but the wheel and what it needs.
    siblings = [f"packages/{it}" for it in workspace_closure(package)[1:]]
    wanted = [f"--with={it}" for it in (*folder.glob("*.whl"), *siblings)]
    pinned = [f"--{it}={locked(session)}" for it in ("constraints", "build-constraints")]
    fresh = ["--isolated", "--no-sources", f"--python={session.virtualenv.location}", *pinned, *wanted]
    uv(session, "tool", "run", *fresh, "python", "-c", f"import {MODULES[package]}")


@nox.session(default=False)
def headworks(session: nox.Session) -> None:
    """Run Headworks as it is in this tree, as in `nox -s headworks -- plan`."""
    install_engine(session, "live")
    session.run("headworks", *session.posargs)


@nox.session(default=False)
def update(session: nox.Session) -> None:
    """Renew the lock, and with it the tools of the hooks, which must still pass."""
    install(session, "tools")
    session.run("uv", "lock", "--upgrade")
    session.run("uv", "lock", "--upgrade", "--script", "tests/registry/server.py")
    session.notify("lint")


@nox.session(name="new-package", default=False)
def new_package(session: nox.Session) -> None:
    """Make a package that is tested, typed, built and planned at once, as in `-- features`."""
    install(session, "scaffold")
    session.run("python", "scaffold/new_package.py", *session.posargs)


@nox.session(default=False)
def adopt(session: nox.Session) -> None:
    """Make the repository a team's own in one commit, as in `-- --prefix acme --owner @acme/makers`."""
    install(session, "scaffold")
    session.run("python", "scaffold/adopt.py", *session.posargs)


# --- Tests ---


def beside_each_other(session: nox.Session, distribution: str = "worksteal") -> list[str]:
    """Return the options that run tests side by side, on every processor that this process may use.

    Beside other sessions two processes are enough: neither do processors wait where tests do, for a process or a clock,
    nor where the longest session is the last. Tests that arguments choose, or that run inside another test, take one:
    to start more takes longer than a few tests.
    """
    if session.posargs or "PYTEST_XDIST_WORKER" in os.environ:
        return []
    number = "2" if session.parallel or "HEADWORKS_RUN" in os.environ else "auto"
    return [f"--numprocesses={number}", f"--dist={distribution}"]


def run_tests(session: nox.Session, package: str, data_file: Path | None = None) -> None:
    """Run the tests of a package against its installed wheel; measure branch coverage if a file is given for it."""
    named = any(Path(it.partition("::")[0]).exists() for it in session.posargs)  # instead of the whole folder
    # Two processes that train get into each other's way, and each loads torch and trains what all tests share: 123
    # seconds of processor time in place of 50.
    side = [] if package == "model" else beside_each_other(session)
    chosen = [*([] if named else [f"packages/{package}/tests"]), *side, *session.posargs]
    # NumPy's threads wait for each other with all processors busy, which other tests need.
    environ = {"OPENBLAS_NUM_THREADS": "1"}
    if data_file is None:
        session.run("python", "-m", "pytest", *chosen, env=environ)
        return
    for stale in data_file.parent.glob(f"{data_file.name}*"):
        stale.unlink()
    measured = [f"--data-file={data_file}", f"--source={MODULES[package]}"]
    session.run("coverage", "run", *measured, "-m", "pytest", *chosen, env=environ)
    # The paths of this environment become those of the sources, so that all packages can be added up.
    renamed = {"COVERED_PACKAGE": package}
    session.run("coverage", "combine", f"--data-file={data_file}", env=renamed, silent=True)


@nox.session(python=PYTHONS)
@each_package
def tests(session: nox.Session, package: str) -> None:
    """Test the built wheel of a package on every supported Python, and measure coverage on one."""
    install(session, "test", package=package)
    data_file = COVERAGE / f"{package}-{session.python}.coverage"
    COVERAGE.mkdir(parents=True, exist_ok=True)
    if session.python == MEASURED:
        run_tests(session, package, data_file)
    else:
        run_tests(session, package)
        data_file.write_bytes(b"")  # the table declares one for each Python; `coverage` passes over the empty ones


@nox.session(python=PYTHONS[0], default=False, reuse_venv=False)
@each_package
def minimums(session: nox.Session, package: str) -> None:
    """Test a package with the oldest direct dependencies that it allows."""
    install(session, "test", package=package, resolution="lowest-direct")
    run_tests(session, package)


@nox.session(default=False, reuse_venv=False)
@each_package
def newest(session: nox.Session, package: str) -> None:
    """Test a package with the newest dependencies that there are, whatever the lock has."""
    install(session, "test", package=package, resolution="highest")
    run_tests(session, package)


@nox.session(default=False, reuse_venv=False)
def torches(session: nox.Session) -> None:
    """Test the model with the latest release of the locked minor version of torch, and of the one before."""
    install(session, "test", package="model", resolution="highest")
    major, minor = map(int, locked_version("torch").split(".")[:2])
    for release in [f"{major}.{it}" for it in (minor, minor - 1) if it >= 0]:
        uv(session, "pip", "install", f"torch=={release}.*")
        run_tests(session, "model")


@nox.session
def integration(session: nox.Session) -> None:
    """Test what crosses the packages: hooks, environments, planted faults, the reach of a change, the report's page."""
    install(session, "test", "tools", "lint", "browser", "manifests", "workflows", package="headworks", extra="report")
    # Said here, since what stood in pyproject.toml would count for the tests of every package.
    helpers = "--override-ini=pythonpath=tests tests/faults"
    side = beside_each_other(session, "loadfile")  # what is made once for a file takes longer than its tests
    apart = ["--ignore=tests/documents", "--ignore=tests/registry", "--ignore=tests/workflows"]
    session.run("pytest", helpers, "tests", *apart, *side, *session.posargs)


@nox.session
def documents(session: nox.Session) -> None:
    """Test that documents name what there is, and that they do where the engine comes from its release as well."""
    install(session, "test", "tools", "lint", package="headworks", extra="remote")
    helpers = "--override-ini=pythonpath=tests tests/faults"
    session.run("pytest", helpers, "tests/documents", *beside_each_other(session), *session.posargs)


@nox.session(default=False)
def registry(session: nox.Session) -> None:
    """Test promotions against MLflow's own server, which has an environment and a lock of its own."""
    install(session, "test", "tools", package="headworks")
    helpers = "--override-ini=pythonpath=tests tests/faults"
    session.run("pytest", helpers, "tests/registry", *session.posargs)


@nox.session(requires=NEEDS["coverage"], tags=["pipeline"])
def coverage(session: nox.Session) -> None:
    """Combine the coverage of all tests and fail below 100%."""
    install(session, "test")
    files = {name: COVERAGE / f"{name}-{MEASURED}.coverage" for name in PACKAGES}
    if unmeasured := [name for name, path in files.items() if not path.is_file()]:
        session.error(f"No coverage was measured for {', '.join(unmeasured)}: run `nox -s tests-{MEASURED}` first")
    combined = f"--data-file={Path(session.virtualenv.location) / 'combined.coverage'}"
    session.run("coverage", "combine", "--keep", combined, *map(str, files.values()), silent=True)
    written = ["-o", "artifacts/coverage/coverage.json", "--fail-under=0"]  # the report shows its totals
    session.run("coverage", "json", combined, *written, silent=True)
    session.run("coverage", "report", combined, *session.posargs)


# --- Stages ---

TRAINING = "--config packages/model/train.toml"
MODEL = "artifacts/export/model.onnx"
SERVED = ["python", "-m", "headworks_serving.check", f"--model={MODEL}", "--dataset=artifacts/dataset"]
SERVE_CHECK = [*SERVED, "--predictions=artifacts/evaluate/predictions.parquet"]
ROBUSTNESS = [*SERVED, "--robustness=packages/serving/robustness.toml"]


def run_stage(session: nox.Session, package: str, *commands: str) -> None:
    """Run commands of a package one after the other.

    Nox gives arguments after `--` to required sessions as well, which do not know them: add `--no-dependencies`.
    """
    install(session, package=package)
    for command in commands:
        session.run("python", "-m", MODULES[package], *command.split(), *session.posargs)


@nox.session(requires=NEEDS["dataset"], tags=["pipeline"])
def dataset(session: nox.Session) -> None:
    """Build the dataset, split it, and check it against its contract."""
    build = "build artifacts/dataset --config packages/data/dataset.toml"
    run_stage(session, "data", build, "check artifacts/dataset --contract packages/data/contract.toml")


@nox.session(requires=NEEDS["train"], tags=["pipeline"])
def train(session: nox.Session) -> None:
    """Train the network on the dataset."""
    run_stage(session, "model", f"train artifacts/dataset artifacts/train {TRAINING}")


@nox.session(requires=NEEDS["evaluate"], tags=["pipeline"])
def evaluate(session: nox.Session) -> None:
    """Predict the test split and measure the model beside what one would pick instead."""
    folders = "artifacts/dataset artifacts/train artifacts/evaluate"
    run_stage(session, "model", f"evaluate {folders} --floors packages/model/evaluate.toml")


@nox.session(requires=NEEDS["crossfit"], tags=["pipeline"])
def crossfit(session: nox.Session) -> None:
    """Predict every row of the dataset by a network that was not trained on it."""
    run_stage(session, "model", f"crossfit artifacts/dataset artifacts/crossfit {TRAINING}")


@nox.session(default=False, requires=NEEDS["crossfit"])
def seeds(session: nox.Session) -> None:
    """Train every fold of the dataset with three seeds, to see how far the metrics lie apart by chance."""
    run_stage(session, "model", f"crossfit artifacts/dataset artifacts/seeds {TRAINING} --seeds 3")


@nox.session(requires=NEEDS["export"], tags=["pipeline"])
def export(session: nox.Session) -> None:
    """Export the model to one self-describing ONNX file, verified against torch."""
    run_stage(session, "model", "export artifacts/dataset artifacts/train artifacts/export")


@nox.session(name="serve-check", requires=NEEDS["serve-check"], tags=["pipeline"])
def serve_check(session: nox.Session) -> None:
    """Serve the exported model and compare every prediction with the evaluation's."""
    install(session, package="serving", extra="check")
    session.run(*SERVE_CHECK, *session.posargs)


@nox.session(requires=NEEDS["robustness"], tags=["pipeline"])
def robustness(session: nox.Session) -> None:
    """Serve the exported model noisy, shifted, blank and hostile inputs, and hold what it loses against limits."""
    install(session, package="serving", extra="check")
    session.run(*ROBUSTNESS, *session.posargs)


@nox.session(tags=["pipeline"])
def pipeline(session: nox.Session) -> None:
    """Carry the data through every stage to served predictions, and restore what has passed before."""
    install(session, "tools", package="headworks", extra="live")
    session.run("headworks", "run", *NEEDS["pipeline"], *session.posargs)
    metrics = json.loads(Path("artifacts/evaluate/metrics.json").read_text(encoding="utf-8"))
    low, high = metrics["accuracy_interval"]
    session.log(f"accuracy on {metrics['rows']} test rows: {metrics['accuracy']:.4f}, {low:.4f} to {high:.4f} at 95%")


# --- Gate and report ---

GATE = "artifacts/gate"


def option(name: str, arguments: list[str]) -> list[str]:
    """Return an option with its value, as it stands among arguments; nothing where it does not."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(name, dest="value")
    value = parser.parse_known_args(arguments)[0].value
    return [] if value is None else [f"{name}={value}"]


@nox.session(tags=["pipeline"])
def gate(session: nox.Session) -> None:
    """Judge whether the model is worse than that of the merge base, on what, and how sure that is."""
    install(session, "tools", package="headworks", extra="gate,live,onnx")
    install(session, package="serving", extra="check")
    session.run("headworks", "run", *NEEDS["gate"])
    if any(it.startswith(("--plan", "--candidate")) for it in session.posargs):
        session.run("headworks", "gate", *session.posargs)
        return
    if "--bootstrap" not in session.posargs:  # which says that there is no base
        measured = ["--base-model={base}", f"--latency={GATE}/latency.json"]
        session.run("headworks", "base", MODEL, *option("--base", session.posargs), "--", *SERVE_CHECK, *measured)
    session.run("headworks", "gate", f"--save={GATE}", *session.posargs)


@nox.session(name="data-diff", requires=NEEDS["data-diff"], tags=["pipeline"])
def data_diff(session: nox.Session) -> None:
    """Compare the dataset with that of the merge base, and hold the difference against the limits of the contract."""
    install(session, "tools", package="headworks", extra="live")
    install(session, package="data")
    limits = ["--contract=packages/data/contract.toml", "--save=artifacts/data-diff/diff.json"]
    Path("artifacts/data-diff").mkdir(parents=True, exist_ok=True)  # empty at the first commit, which has no base
    compare = ["python", "-m", MODULES["data"], "diff", "{base}", "artifacts/dataset", *limits]
    session.run("headworks", "base", "artifacts/dataset", "--", *compare, *session.posargs)


@nox.session(default=False)
def report(session: nox.Session) -> None:
    """Write one page that a reviewer reads instead of logs, from what the other sessions left behind."""
    install(session, "tools", package="headworks", extra="report")
    install(session, package="data")
    session.run("headworks", "report", *session.posargs)


# --- Images ---


# Each image with the package whose code it carries.
each_image = nox.parametrize(
    "image,package", [nox.param("serving", "serving", id="serving"), nox.param("training", "model", id="training")]
)


def container_engine(session: nox.Session) -> None:
    """Skip a session where no container engine answers; in CI that is an error."""
    found = str(session.run("python", "docker/engines.py", silent=True)).strip()
    if " " in found:
        session.skip(found)


@nox.session(name="build-images", requires=NEEDS["build-images"], tags=["images"])
@each_image
def build_images(session: nox.Session, image: str, package: str) -> None:  # noqa: ARG001 - the table of sessions uses it
    """Build the images, and record what each of them holds."""
    install(session, "images")
    container_engine(session)
    session.run("python", "docker/build.py", image, "--", *session.posargs)


def run_image_tests(session: nox.Session, image: str, file: str) -> None:
    """Put an image in its place as it was built, and run tests against it."""
    install(session, "test", "images", package="serving", extra="check")
    container_engine(session)
    session.run("python", "docker/build.py", image, "--restore")
    session.run("pytest", f"docker/tests/{file}", *session.posargs)


@nox.session(name="test-images", requires=NEEDS["test-images"], tags=["images"])
@each_image
def test_images(session: nox.Session, image: str, package: str) -> None:  # noqa: ARG001 - as above
    """Test the built images, run as restricted as they are in production."""
    run_image_tests(session, image, f"test_{image}.py")


@nox.session(name="image-faults", requires=NEEDS["image-faults"], tags=["images"])
def image_faults(session: nox.Session) -> None:
    """Plant faults in the serving image, each of which has to turn the tests of the image red."""
    run_image_tests(session, "serving", "test_faults.py")


# --- CI and campaigns ---


def install_github_parser(session: nox.Session) -> None:
    """Install what the tests of the workflows need, and GitHub's own parser, from npm."""
    install(session, "lint", "test", "tools", "workflows", package="headworks")
    session.run_install("npm", "--prefix=tests/workflows", "ci", silent=True)


@nox.session
def workflows(session: nox.Session) -> None:
    """Check the workflows: three linters, the rules of this repository, and that no fault in them can pass."""
    install_github_parser(session)
    session.run("actionlint")
    session.run("jactionlint", "--no-online")
    session.run("zizmor", "--offline", "--quiet", ".github")
    session.run("python", "tests/workflows/workflow_rules.py")
    session.run("pytest", "--override-ini=pythonpath=tests/faults tests/workflows", "tests/workflows", *session.posargs)


@nox.session(default=False)
def replay(session: nox.Session) -> None:
    """Run the workflow of CI for changes on this machine, and write the results into docs/replay.md."""
    install_github_parser(session)
    session.run("python", "tests/workflows/replay.py", *session.posargs)


@nox.session(default=False)
def comment(session: nox.Session) -> None:
    """Post the report of a run of CI to its pull request, as report.yml does, from numbers and names alone."""
    install(session, package="headworks", extra="comment")
    written = ["--from=artifacts/report/summary.json", "--output=artifacts/comment"]
    session.run("headworks", "report", *written, success_codes=[0, 2])  # 2: none can be read, and the comment says so
    session.run("python", ".github/programs/comment.py", "artifacts/comment/comment.md")


@nox.session(default=False, venv_backend="none")
def misses(session: nox.Session) -> None:
    """Compare the sessions that a plan would have skipped with their outcomes, as nightly.yml does."""
    session.run("python", ".github/programs/misses.py", "artifacts/skipped/plan.json", "artifacts/proof")


@nox.session(default=False, venv_backend="none")
def names(session: nox.Session) -> None:
    """Ask the package index whether the names of the packages are free or ours, as release.yml does."""
    session.run("python", ".github/programs/index_names.py")


@nox.session(name="release-notes", default=False, venv_backend="none")
def release_notes(session: nox.Session) -> None:
    """Write what a release says, as in `nox -s release-notes -- notes v1.2.3 artifacts/release`."""
    session.run("python", ".github/programs/release.py", *session.posargs)


@nox.session(default=False)
def publish(session: nox.Session) -> None:
    """Publish the built packages to the package index, as whom the workflow of a release proves to be."""
    install(session, "tools")
    public = [name for name in PACKAGES if PRIVATE not in METADATA[name]["project"].get("classifiers", ())]
    files = [file for name in public for file in sorted(Path("dist", name).glob("*"))]
    if not files:
        session.error("There is nothing in dist to publish: run `nox -s build` first")
    session.run("python", ".github/programs/index_names.py")
    session.run("uv", "publish", "--trusted-publishing=always", *session.posargs, *map(str, files))


def parsed(session: nox.Session, *names: str) -> argparse.Namespace:
    """Return the arguments of a session by their names, all of which it needs."""
    parser = argparse.ArgumentParser(prog=f"nox -s {session.name} --")
    for name in names:
        if name.startswith("-"):
            parser.add_argument(name, required=True)
        else:
            parser.add_argument(name)
    return parser.parse_args(session.posargs)


@nox.session(default=False)
def sign(session: nox.Session) -> None:
    """Sign a model with a key, as in `-- model.onnx --key private.pem`, which writes model.onnx.sig."""
    given = parsed(session, "model", "--key")
    install(session, "signing")
    written = [f"--private_key={given.key}", f"--signature={given.model}.sig"]
    session.run("python", "-m", "model_signing", "sign", "key", given.model, *written)


@nox.session(name="verify-signature", default=False)
def verify_signature(session: nox.Session) -> None:
    """Check that a model is what a key has signed, as in `-- model.onnx model.onnx.sig public.pem`."""
    given = parsed(session, "model", "signature", "public_key")
    install(session, "signing")
    read = [f"--signature={given.signature}", f"--public_key={given.public_key}"]
    session.run("python", "-m", "model_signing", "verify", "key", given.model, *read)


@nox.session(name="take-model", default=False)
def take_model(session: nox.Session) -> None:
    """Take a model from the store, and the one that an alias points to, as in `-- promote staging production`."""
    install_engine(session, "remote")
    session.run("python", ".github/programs/take_model.py", *session.posargs)


@nox.session(name="promote-checks", default=False)
def promote_checks(session: nox.Session) -> None:
    """Serve a model's file, and compare it with the one of the alias that is to move, as in `-- --model model.onnx`.

    Its predictions, and the other model with its own, are where `take-model` puts them.
    """
    install(session, "tools", package="headworks", extra="gate")
    install(session, package="serving", extra="check")
    place, rival = Path("artifacts/promotion"), Path("artifacts/promotion/rival")
    place.mkdir(parents=True, exist_ok=True)
    latency = place / "latency.json"
    model = [*(option("--model", session.posargs) or [f"--model={MODEL}"]), f"--latency={latency}"]
    base = [f"--base-model={rival / MODEL}"] if rival.is_dir() else []
    commands = [[*SERVE_CHECK, *model, *base], [*ROBUSTNESS, model[0]]]
    if base:
        files = nox.project.load_toml("pyproject.toml")["tool"]["headworks"]["gate"]["predictions"]
        compared = [f"--candidate={name}={file}" for name, file in files.items()]
        compared += [f"--baseline={name}={rival / file}" for name, file in files.items()]
        measured = ["--config=packages/model/promote.toml", f"--candidate-measurements={latency}"]
        commands.append(["headworks", "gate", *measured, *compared])
    for command in commands:
        said = str(session.run(*command, silent=True)).strip()
        session.log(said)
        with (place / "summary.md").open("a", encoding="utf-8") as summary:
            summary.write(f"\n```text\n{said}\n```\n")


@nox.session(default=False, venv_backend="none")
def load(session: nox.Session) -> None:
    """Send requests to a deployed server and hold the answers against limits, as in `-- http://127.0.0.1:8000`."""
    session.run("python", "docker/load.py", *session.posargs)


@nox.session(name="push-images", default=False, venv_backend="none")
def push_images(session: nox.Session) -> None:
    """Publish the images that were tested on this machine, as release.yml does."""
    session.run("python", ".github/programs/push.py", *session.posargs)


@nox.session(default=False)
def faults(session: nox.Session) -> None:
    """Plant faults in a copy of the repository, each of which has to turn exactly the named sessions red."""
    install(session, "tools", package="headworks")
    # When it is told to end, it has a copy with all its environments to remove.
    session.run("python", "tests/faults/plant.py", *session.posargs, interrupt_timeout=60, terminate_timeout=60)


def run_campaign(session: nox.Session, package: str, name: str) -> None:
    """Run one of the long campaigns against a package."""
    install(session, "test", "tools", package=package)
    session.run("python", f"packages/{package}/tests/campaigns/{name}.py", *session.posargs)


@nox.session(default=False)
def soundness(session: nox.Session) -> None:
    """Change a monorepo hundreds of times and see that the engine misses no session."""
    run_campaign(session, "headworks", "soundness")


@nox.session(default=False)
def kills(session: nox.Session) -> None:
    """Kill the engine hundreds of times and see that it leaves nothing false behind."""
    run_campaign(session, "headworks", "kill")


@nox.session(default=False)
def pictures(session: nox.Session) -> None:
    """Read every picture of Pillow's own tests, and see that each is read or refused by a rule."""
    run_campaign(session, "data", "pictures")


if __name__ == "__main__":
    nox.main()
