"""What Headworks promotes is in MLflow's own registry, and a candidate from there needs Headworks' own evidence."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = ["uv", "run", "--quiet", "--locked", "--script", str(Path(__file__).with_name("server.py"))]
START = 300  # seconds: the server takes 10 where the machine does nothing else
NOXFILE = """
from pathlib import Path
import nox

@nox.session(venv_backend="none")
def train(session):
    Path("artifacts/train").mkdir(parents=True, exist_ok=True)
    Path("artifacts/train/model.onnx").write_text(Path("parameter").read_text())

@nox.session(venv_backend="none", requires=["train"])
def check(session):
    assert Path("artifacts/train/model.onnx").read_text()
"""
TABLE = """
[tool.headworks.sessions]
train = { inputs = ["parameter"], outputs = ["artifacts/train"] }
check = { needs = ["train"] }
[tool.headworks.gate.promote]
production = ["check"]
"""
MODEL = "artifacts/train/model.onnx"


class Team:
    """A repository whose models are promoted, and a server of MLflow."""

    def __init__(self, root: Path, url: str) -> None:
        """Make the repository."""
        self.root, self.url = root, url
        self._environ = os.environ | {
            "HEADWORKS_STORE": str(root / "store"),
            "MLFLOW_TRACKING_URI": url,
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        for name, text in {"noxfile.py": NOXFILE, "pyproject.toml": TABLE, ".gitignore": "artifacts\nstore\n"}.items():
            (root / name).write_text(text)
        self.run("git", "init", "--quiet")

    def run(self, *command: str, code: int = 0) -> str:
        """Run a program and return what it writes."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self._environ,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def headworks(self, *arguments: str, code: int = 0) -> str:
        """Run Headworks."""
        return self.run(sys.executable, "-m", "headworks", *arguments, code=code)

    def promote(self, text: str) -> str:
        """Commit, make, check and promote a model; return its SHA-256."""
        (self.root / "parameter").write_text(text)
        who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
        self.run("git", "add", "--all")
        self.run("git", *who, "commit", "--quiet", f"--message={text}")
        self.headworks("run", "check")
        self.headworks("promote", MODEL, "--to", "production")
        return hashlib.sha256(text.encode()).hexdigest()

    def push(self, name: str) -> str:
        """Push what is in production."""
        return self.headworks("mlflow", "push", "production", "--name", name)

    def ask(self, method: str, path: str, **fields: object) -> Any:  # noqa: ANN401  # whatever JSON can hold
        """Ask the server, as somebody else does."""
        data = json.dumps(fields).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/2.0/{path}", data, headers, method=method)  # noqa: S310  # ours
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # the same
            return json.loads(answer.read() or b"{}")  # none to a file

    def model(self, name: str) -> Any:  # noqa: ANN401  # the same
        """Return a registered model, with all of its versions and aliases."""
        model = self.ask("GET", f"mlflow/registered-models/get?name={name}")["registered_model"]
        filtered = f"mlflow/model-versions/search?filter=name%3D%27{name}%27"
        return model | {"versions": self.ask("GET", filtered)["model_versions"]}

    def register(self, name: str, text: str) -> str:
        """Make a version as somebody else does, and return its number."""
        run = self.ask("POST", "mlflow/runs/create", experiment_id="0")["run"]["info"]
        path = run["artifact_uri"].removeprefix("mlflow-artifacts:/")
        self.ask("PUT", f"mlflow-artifacts/artifacts/{path}/model.onnx", text=text)
        fields = {"name": name, "source": run["artifact_uri"], "run_id": run["run_id"]}
        return str(self.ask("POST", "mlflow/model-versions/create", **fields)["model_version"]["version"])

    def point(self, name: str, number: str) -> None:
        """Move the alias as somebody else does."""
        self.ask("POST", "mlflow/registered-models/alias", name=name, alias="production", version=number)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a server of MLflow."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    places = [f"--backend-store-uri=sqlite:///{folder}/db", f"--artifacts-destination={folder}/files"]
    command = [*SCRIPT, "server", *places, "--host=127.0.0.1", f"--port={port}", "--workers=1"]
    environ = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environ, stdout=log, stderr=log, start_new_session=True)
    try:
        await_health(server, f"http://127.0.0.1:{port}/health", folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


def await_health(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Wait until the server answers."""
    end = time.monotonic() + START
    while server.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=10):  # noqa: S310  # ours
            return
        time.sleep(0.2)
    pytest.fail(log.read_text())


@pytest.fixture
def team(tmp_path: Path, url: str) -> Team:
    """Return a repository beside the server."""
    return Team(tmp_path, url)


def test_what_is_promoted_is_in_mlflow(team: Team) -> None:
    """As one version however often it is pushed, with tags, by an alias that MLflow's client finds the file by."""
    content = team.promote("one")
    assert team.push("digits") == f"digits@production is version 1 (new): {content[:12]} (model.onnx)\n"
    assert "is version 1 (which was there)" in team.push("digits")
    model = team.model("digits")
    (version,) = model["versions"]
    tags = {it["key"]: it["value"] for it in version["tags"]}
    assert tags["headworks.sha256"] == content
    assert tags["headworks.commit"] == team.run("git", "rev-parse", "HEAD").strip()
    (row,) = json.loads(tags["headworks.evidence"])
    assert (row["check"], row["state"]) == ("check", "passed")
    team.run(
        *SCRIPT, "artifacts", "download", "--artifact-uri", "models:/digits@production", "--dst-path", "artifacts/it"
    )
    assert [it.read_text() for it in (team.root / "artifacts/it").rglob("*") if it.is_file()] == ["one"]


def test_an_alias_that_somebody_moved_is_reported(team: Team) -> None:
    """A new promotion and a rollback are none of that."""
    for text, said in (("one", "version 1 (new)"), ("two", "version 2 (new)")):
        team.promote(text)
        assert said in team.push("moved")
    team.headworks("rollback", "production")
    said = team.push("moved")
    assert "moved@production is version 1 (which was there)" in said
    assert "warning" not in said
    team.point("moved", "2")
    said = team.push("moved")
    assert (
        "somebody else moved moved@production in MLflow: it was version 2, and the last push had left version 1" in said
    )
    assert team.model("moved")["aliases"] == [{"alias": "production", "version": "1"}]


def test_a_candidate_needs_evidence_for_exactly_its_file(team: Team) -> None:
    """What MLflow says about it does not count."""
    team.promote("one")
    team.push("candidates")
    pull = ("mlflow", "pull", "candidates@production", "--output")
    assert "It may be promoted to production (check passed)" in team.headworks(*pull, "artifacts/known.onnx")
    assert "production is already" in team.headworks("promote", "artifacts/known.onnx", "--to", "production")
    team.point("candidates", team.register("candidates", "other"))
    said = team.headworks(*pull, "artifacts/other.onnx", code=1)
    assert "other.onnx is version 2 of candidates" in said
    assert "is not promoted to production: check has not run for exactly this file. Run `headworks run check`." in said
    assert json.loads((team.root / "artifacts/other.onnx").read_text()) == {"text": "other"}
    team.headworks("promote", "artifacts/other.onnx", "--to", "production", code=3)


def test_a_file_that_is_not_that_of_its_tag_is_not_written(team: Team) -> None:
    """Whoever changed one of them."""
    content = team.promote("one")
    team.push("forged")
    tag = {"key": "headworks.sha256", "value": "0" * 64}
    team.ask("POST", "mlflow/model-versions/set-tag", name="forged", version="1", **tag)
    said = team.headworks("mlflow", "pull", "forged@production", "--output", "artifacts/forged.onnx", code=1)
    assert f"is {content[:12]}, and its tag headworks.sha256 says 000000000000" in said
    assert not (team.root / "artifacts/forged.onnx").exists()


def test_what_mlflow_does_not_know_is_said_in_its_words(team: Team) -> None:
    """In one line, as a mistake of the call."""
    team.promote("one")
    team.push("absent")
    for reference in ("absent@other", "nothing@production", "absent/7", "absent/x"):
        said = team.headworks("mlflow", "pull", reference, "--output", "artifacts/it", "--to", "production", code=2)
        assert f"The MLflow server {team.url} refused: " in said
        assert said.count("\n") == 1
