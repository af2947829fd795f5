"""Containers of the image under test, run as restricted as it runs in production."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
LIMITS = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=256m", "--pids-limit=64")
COMMAND_SECONDS = 300.0  # after which a command hangs
SECONDS = 60.0  # until a container must be healthy; on an idle machine it takes about one


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let another image take the place of the recorded one."""
    parser.addoption("--image", help="the image to test (default: the one that artifacts/build-images records)")


Call: TypeAlias = "Callable[..., str]"


@pytest.fixture(scope="session", name="call")
def fixture_call() -> Call:
    """Return `_call`, for tests."""
    return _call


def _call(*command: str, text: str | None = None) -> str:
    """Return what a command prints, and fail the test with all of it where the command fails."""
    done = subprocess.run(
        command, cwd=ROOT, check=False, capture_output=True, text=True, input=text, timeout=COMMAND_SECONDS
    )
    if done.returncode:
        pytest.fail(f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


@dataclass(frozen=True)
class Container:
    """A container that was started, and what one asks of it."""

    engine: str
    id: str

    def inspect(self) -> dict[str, Any]:
        """Return what the engine says about it."""
        found: list[dict[str, Any]] = json.loads(_call(self.engine, "container", "inspect", self.id))
        return found[0]

    def health(self) -> str:
        """Return its health as the engine's own checks see it: starting, healthy or unhealthy."""
        state = self.inspect()["State"]
        if not state["Running"]:
            pytest.fail(f"the container ended with exit code {state['ExitCode']}:\n{self.logs()}")
        return str(state["Health"]["Status"])

    def wait_for(self, health: str) -> None:
        """Wait until its health is as wanted, and fail the test where it does not become so."""
        end = time.monotonic() + SECONDS
        while (found := self.health()) != health:
            if time.monotonic() > end:
                pytest.fail(f"the container is {found}, not {health}, after {SECONDS:g} s:\n{self.logs()}")
            time.sleep(0.1)

    def run(self, *command: str, text: str | None = None) -> str:
        """Return what a command prints inside it, given a text as its input."""
        return _call(self.engine, "exec", "--interactive", self.id, *command, text=text or "")

    def python(self, code: str, *, text: str | None = None) -> str:
        """Return what Python code prints inside it."""
        return self.run("python", "-c", code, text=text)

    def logs(self) -> str:
        """Return what it wrote."""
        done = subprocess.run([self.engine, "logs", self.id], check=False, capture_output=True, text=True)
        return done.stdout + done.stderr

    def kill(self, signal: str) -> None:
        """Send a signal to its first process."""
        _call(self.engine, "kill", f"--signal={signal}", self.id)

    def beside(self, image: str) -> subprocess.Popen[bytes]:
        """Start a container in the same network, as restricted, which runs the Python code on its standard input."""
        options = ["--rm", "--interactive", f"--network=container:{self.id}", *LIMITS, "--entrypoint=python"]
        command = [self.engine, "run", *options, image, "-"]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


Start: TypeAlias = "Callable[..., Container]"


@pytest.fixture(scope="session")
def engine() -> str:
    """Return the engine that answers."""
    return _call(sys.executable, "docker/engines.py")


@pytest.fixture(scope="session")
def record(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return what was recorded about the image that a module of tests is named after."""
    kind = Path(request.node.items[0].path).stem.removeprefix("test_")
    path = ROOT / "artifacts/build-images" / kind / "image.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="session")
def budget(record: dict[str, Any]) -> int:
    """Return the most bytes that the image may have, as `[tool.headworks.images]` of pyproject.toml says."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    number, unit = project["tool"]["headworks"]["images"][record["image"]].split()
    return int(number) * {"MB": 10**6, "GB": 10**9}[unit]


@pytest.fixture(scope="session")
def image(request: pytest.FixtureRequest, record: dict[str, Any]) -> str:
    """Return the name of the image under test."""
    return str(request.config.getoption("--image") or record["tags"][-1])


@pytest.fixture(scope="session")
def told(engine: str, image: str) -> dict[str, Any]:
    """Return what the engine says about the image under test."""
    found: list[dict[str, Any]] = json.loads(_call(engine, "image", "inspect", image))
    return found[0]


@pytest.fixture(scope="module")
def start(engine: str, image: str) -> Iterator[Start]:
    """Return a function that starts a container of the image with further options, and removes each at the end."""
    started: list[str] = []

    def run(*options: str, arguments: tuple[str, ...] = ()) -> Container:
        started.append(_call(engine, "run", "--detach", *LIMITS, *options, image, *arguments))
        return Container(engine, started[-1])

    yield run
    if started:
        _call(engine, "rm", "--force", "--volumes", *started)
