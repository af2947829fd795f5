"""Containers of the image under test, with the same restrictions as in production."""

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
COMMAND_SECONDS = 300.0  # after which a command counts as hanging
SECONDS = 60.0  # for a container to become healthy; on an idle machine it takes about one


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add an option that tests another image than the recorded one."""
    parser.addoption("--image", help="the image to test (default: the one that artifacts/build-images records)")


Call: TypeAlias = "Callable[..., str]"


@pytest.fixture(scope="session", name="call")
def fixture_call() -> Call:
    """Return `_call`, for tests."""
    return _call


def _call(*command: str, text: str | None = None) -> str:
    """Run a command and return its output; if it fails, fail the test with that output."""
    done = subprocess.run(
        command, cwd=ROOT, check=False, capture_output=True, text=True, input=text, timeout=COMMAND_SECONDS
    )
    if done.returncode:
        pytest.fail(f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


@dataclass(frozen=True)
class Container:
    """A running container, and commands for it."""

    engine: str
    id: str

    def inspect(self) -> dict[str, Any]:
        """Return the container's properties, as the engine reports them."""
        properties: list[dict[str, Any]] = json.loads(_call(self.engine, "container", "inspect", self.id))
        return properties[0]

    def health(self) -> str:
        """Return the result of the engine's health checks: starting, healthy or unhealthy."""
        state = self.inspect()["State"]
        if not state["Running"]:
            pytest.fail(f"the container ended with exit code {state['ExitCode']}:\n{self.logs()}")
        return str(state["Health"]["Status"])

    def wait_for(self, health: str) -> None:
        """Wait until the health is as given; fail the test if that takes too long."""
        end = time.monotonic() + SECONDS
        while (current := self.health()) != health:
            if time.monotonic() > end:
                pytest.fail(f"the container is {current}, not {health}, after {SECONDS:g} s:\n{self.logs()}")
            time.sleep(0.1)

    def run(self, *command: str, text: str | None = None) -> str:
        """Run a command inside the container, with a text as its input, and return its output."""
        return _call(self.engine, "exec", "--interactive", self.id, *command, text=text or "")

    def python(self, code: str, *, text: str | None = None) -> str:
        """Run Python code inside the container and return its output."""
        return self.run("python", "-c", code, text=text)

    def logs(self) -> str:
        """Return the container's output."""
        done = subprocess.run([self.engine, "logs", self.id], check=False, capture_output=True, text=True)
        return done.stdout + done.stderr

    def kill(self, signal: str) -> None:
        """Send a signal to the container's first process."""
        _call(self.engine, "kill", f"--signal={signal}", self.id)

    def start_sidecar(self, image: str) -> subprocess.Popen[bytes]:
        """Start a second container in the same network, with the same limits, that runs Python code from its input."""
        options = ["--rm", "--interactive", f"--network=container:{self.id}", *LIMITS, "--entrypoint=python"]
        command = [self.engine, "run", *options, image, "-"]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


Start: TypeAlias = "Callable[..., Container]"


@pytest.fixture(scope="session")
def engine() -> str:
    """Return the container engine of this machine."""
    return _call(sys.executable, "docker/engines.py")


@pytest.fixture(scope="session")
def record(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the record of the image that the test module is named after."""
    kind = Path(request.node.items[0].path).stem.removeprefix("test_")
    path = ROOT / "artifacts/build-images" / kind / "image.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="session")
def budget(record: dict[str, Any]) -> int:
    """Return the size limit of the image in bytes, from `[tool.headworks.images]` of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    number, unit = project["tool"]["headworks"]["images"][record["image"]].split()
    return int(number) * {"MB": 10**6, "GB": 10**9}[unit]


@pytest.fixture(scope="session")
def image(request: pytest.FixtureRequest, record: dict[str, Any]) -> str:
    """Return the name of the image under test."""
    return str(request.config.getoption("--image") or record["tags"][-1])


@pytest.fixture(scope="session")
def inspected(engine: str, image: str) -> dict[str, Any]:
    """Return the properties of the image under test, as the engine reports them."""
    images: list[dict[str, Any]] = json.loads(_call(engine, "image", "inspect", image))
    return images[0]


@pytest.fixture(scope="module")
def start(engine: str, image: str) -> Iterator[Start]:
    """Return a function that starts containers of the image with further options; remove them at the end."""
    started: list[str] = []

    def run(*options: str, arguments: tuple[str, ...] = ()) -> Container:
        started.append(_call(engine, "run", "--detach", *LIMITS, *options, image, *arguments))
        return Container(engine, started[-1])

    yield run
    if started:
        _call(engine, "rm", "--force", "--volumes", *started)
