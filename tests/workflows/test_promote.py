"""`promote.yml` moves an alias to a model that has passed, if a person agrees and the alias was not moved meanwhile."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from replay_monorepo import CI, SmallMonorepo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from github_runner import Run

PROMOTE = CI.with_name("promote.yml")
TABLE = """
[tool.headworks.gate]
conditions = [ { name = "size", condition = "model_bytes <= base.model_bytes * 2" } ]
model = "artifacts/model"
[tool.headworks.gate.promote]
staging = [ "serve-check" ]
production = [ "serve-check" ]
"""


class Promoted:
    """A monorepo, and a remote store that has three models, of which one does not pass."""

    def __init__(self, monorepo: SmallMonorepo, folder: Path) -> None:
        """Use a folder for the remote store."""
        self.monorepo = monorepo
        self.folder = folder
        self.models: dict[str, str] = {}

    def headworks(self, *arguments: str) -> str:
        """Run the engine in the repository, with a store of this machine that has all models, as a trusted run does."""
        environ = {**self.monorepo.environ, "HEADWORKS_STORE": str(self.folder.with_name("store"))}
        done = subprocess.run(
            [sys.executable, "-m", "headworks", *arguments],
            cwd=self.monorepo.origin,
            env=environ | {"HEADWORKS_REMOTE": self.folder.as_uri(), "GITHUB_ACTOR": "somebody"},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout

    def train(self, name: str) -> None:
        """Commit a model, check it and call it staging."""
        self.monorepo.write({"packages/model/model.txt": f"{name}\n"})
        self.monorepo.commit(f"Train {name}")
        self.headworks("run", "serve-check", "--write-remote")
        self.headworks("promote", "artifacts/model", "--to", "staging", "--write-remote")
        self.models[name] = self.current["staging"]

    def copy(self, folder: Path) -> Promoted:
        """Return the same with a remote store of its own."""
        shutil.copytree(self.folder.parent, folder, dirs_exist_ok=True)
        copied = Promoted(self.monorepo, folder / self.folder.name)
        copied.models = self.models
        return copied

    @property
    def current(self) -> dict[str, str]:
        """The models of all aliases."""
        current: dict[str, str] = json.loads(self.headworks("promotions", "--format", "json"))["current"]
        return current

    def promote(self, model: str, approve: Callable[[str], bool] = lambda _: True, **settings: Any) -> Run:  # noqa: ANN401
        """Run the workflow for a model."""
        given: dict[str, Any] = {
            "event": "workflow_dispatch",
            "inputs": {"action": "promote", "model": model, "to": "production"},
            "approve": approve,
            "variables": {"HEADWORKS_REMOTE": self.folder.as_uri(), "PROMOTE_IMAGES": "false"},
        }
        return self.monorepo.start(PROMOTE, **{"ref": "refs/heads/main"} | given | settings)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Promoted:
    """Return a remote store in which the model `good` is production, and others were staging."""
    monorepo = SmallMonorepo(tmp_path_factory.mktemp("monorepo"))
    monorepo.write({"pyproject.toml": (monorepo.origin / "pyproject.toml").read_text("utf-8") + TABLE})
    promoted = Promoted(monorepo, tmp_path_factory.mktemp("stores") / "remote")
    for name in ("good", "broken", "better"):
        promoted.train(name)
    promoted.headworks("promote", promoted.models["good"], "--to", "production", "--write-remote")
    return promoted


@pytest.fixture
def promoted(trained: Promoted, tmp_path: Path) -> Promoted:
    """Return a copy that a test may change."""
    return trained.copy(tmp_path)


def test_a_good_model_is_promoted_once_a_person_agrees(promoted: Promoted) -> None:
    """The model is checked as the store has it, and nothing moves before somebody has read the comparison."""
    asked = []

    def approve(environment: str) -> bool:
        asked.append((environment, promoted.current["production"]))
        return True

    run = promoted.promote("staging", approve)
    assert run.results == {"check": "success", "move": "success"}, run.log
    assert asked == [("production", promoted.models["good"])]
    assert promoted.current["production"] == promoted.models["better"]
    assert f"`{promoted.models['better']}` is to become `production`" in run.summary
    assert "compared with" in run.summary


def test_nothing_moves_if_nobody_agrees(promoted: Promoted) -> None:
    """A person may refuse what has passed."""
    run = promoted.promote("staging", lambda _: False)
    assert run.results == {"check": "success", "move": "failure"}, run.log
    assert promoted.current["production"] == promoted.models["good"]


def test_a_model_that_fails_a_check_is_not_promoted(promoted: Promoted) -> None:
    """Nobody is asked either, and the summary says which model it was."""
    run = promoted.promote(promoted.models["broken"], lambda _: pytest.fail("somebody was asked"))
    assert run.results == {"check": "failure", "move": "skipped"}, run.log
    assert "the model is broken" in run.log
    assert promoted.current["production"] == promoted.models["good"]
    assert promoted.models["broken"] in run.summary


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("f" * 64, "The model ffffffffffff is missing or damaged"),
        ("latest", "'latest' is neither an alias of a model nor the SHA-256 of one; there are production, staging"),
        ("production", "production points to "),
        ("$(touch /tmp/taken)", "neither an alias of a model nor"),
    ],
)
def test_a_model_that_the_store_does_not_have_is_refused(promoted: Promoted, model: str, said: str) -> None:
    """By its digest or its alias, and whatever else is sent as one is no code."""
    run = promoted.promote(model)
    assert run.results == {"check": "failure", "move": "skipped"}, run.log
    assert said in run.log
    assert promoted.current["production"] == promoted.models["good"]


def test_a_file_that_was_changed_in_the_store_is_refused(promoted: Promoted) -> None:
    """Its digest is the one thing that says which model was asked for."""
    model = promoted.models["better"]
    copies = [path for path in promoted.folder.rglob(f"{model[2:]}") if path.is_file()]
    assert copies
    for path in copies:
        path.write_text("another model\n", "utf-8")
    run = promoted.promote("staging")
    assert run.results == {"check": "failure", "move": "skipped"}, run.log
    assert f"The model {model[:12]} is missing or damaged" in run.log
    assert promoted.current["production"] == promoted.models["good"]


def test_nothing_moves_if_another_writer_was_first(promoted: Promoted) -> None:
    """The comparison that somebody agreed to was with another model."""

    def approve(_: str) -> bool:
        promoted.headworks("promote", promoted.models["broken"], "--to", "production", "--write-remote")
        return True

    run = promoted.promote("staging", approve)
    assert run.results == {"check": "success", "move": "failure"}, run.log
    assert f"production points to {promoted.models['broken'][:12]}" in run.log
    assert promoted.current["production"] == promoted.models["broken"]


def test_an_alias_goes_back_to_the_model_before(promoted: Promoted) -> None:
    """Without other checks than that of the file, but not without a person."""
    promoted.headworks("promote", promoted.models["broken"], "--to", "production", "--write-remote")
    inputs = {"action": "rollback", "model": "staging", "to": "production"}
    assert promoted.promote("", lambda _: False, inputs=inputs).results["move"] == "failure"
    assert promoted.current["production"] == promoted.models["broken"]
    run = promoted.promote("", inputs=inputs)
    assert run.results == {"check": "success", "move": "success"}, run.log
    assert promoted.current["production"] == promoted.models["good"]


def test_another_system_that_sets_an_alias_starts_it(promoted: Promoted) -> None:
    """It sends an event; a branch starts nothing."""
    payload = {"client_payload": {"model": promoted.models["better"], "to": "production"}}
    sent: dict[str, Any] = {"event": "repository_dispatch", "inputs": {}, "payload": payload}
    run = promoted.promote("", ref="refs/heads/other", **sent)
    assert run.results == {"check": "skipped", "move": "skipped"}
    run = promoted.promote("", **sent)
    assert run.results == {"check": "success", "move": "success"}, run.log
    assert promoted.current["production"] == promoted.models["better"]
