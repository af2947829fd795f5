"""A model gets an alias only by what has passed for exactly its file, and gives it up again."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import pytest

from headworks import _cli
from headworks._gate.outcomes import terms
from headworks._machine.nox import ListedSession, Nox
from headworks._project.gate_table import project_settings
from headworks._promote.alias import Move, move, moves
from headworks._store.journal import Journal, RemoteJournal
from headworks._store.remote import Remote
from headworks.errors import AliasMovedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Scratch, Stage

TABLE = """
[tool.headworks.gate.promote]
canary = ["gate"]
staging = ["dataset", "serve-check"]
production = ["dataset", "gate", "serve-check", "test-images?"]
"""


class Release:
    """A work tree whose stages have left verdicts, in whose folder this process is."""

    def __init__(self, stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
        """Take a store with a work tree."""
        self._stage = stage
        self._capsys = capsys
        self.store = stage.store
        self._minute = 0

    def passed(self, session: str, *needs: str, content: str = "", passed: bool = True, **fields: Any) -> str:  # noqa: ANN401  # those of a verdict
        """Record that a session ended, which read outputs that others left as they are now."""
        self._minute += 1
        outputs = [f"artifacts/{session}"] if content else []
        if content:
            self._stage.write({f"artifacts/{session}/file": content})
        read = {f"needs {it}: artifacts/{it}": self._content(f"artifacts/{it}")[:16] for it in needs}
        when = f"2026-01-31T12:{self._minute:02}:00+00:00"
        digest = fields.pop("digest", hashlib.sha256(f"{session} {self._minute}".encode()).hexdigest())
        verdict = self._stage.record(
            session, outputs=outputs, components=read, finished=when, passed=passed, digest=digest, **fields
        )
        return verdict.digest

    def _content(self, path: str) -> str:
        """Return what an output holds."""
        return self.store.outputs(self._stage.root).content(path) or ""

    def model(self, text: str) -> str:
        """Let the stages make a model, and return its file."""
        self.passed("dataset", content="data")
        self.passed("train", "dataset", content=f"weights of {text}")
        self.passed("export", "dataset", "train", content=text)
        return "artifacts/export/file"

    def gated(self, text: str, outcome: str = "passes") -> None:
        """Let the gate have judged a model."""
        entry = {"outcome": outcome, "when": "2026-02-01T00:00:00+00:00", "terms": terms(project_settings())}
        Journal(self.store.root, "gates", sha256(text)).note(entry)

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command and return what it writes."""
        exit_code = _cli.main(list(arguments))
        output = self._capsys.readouterr()
        assert exit_code == code, output
        return output.err if code > 1 else output.out or output.err

    def ready(self, text: str) -> str:
        """Let a model pass all that production asks for, and return its file."""
        file = self.model(text)
        self.passed("serve-check", "dataset", "export")
        self.gated(text)
        return file


def sha256(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def release(
    scratch: Scratch, stage: Stage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Release:
    """Return such a work tree."""
    scratch.commit({"pyproject.toml": TABLE, "noxfile.py": "import nox\n"})
    monkeypatch.chdir(scratch.root)
    functions = ("dataset", "train", "export", "gate", "serve-check", "serve")
    listed = [ListedSession(name=it, function=it) for it in functions]
    image = (("image", "serving"),)
    listed.append(ListedSession(name="test-images(serving)", function="test-images", parameters=image))
    listed += [ListedSession(name=f"tests-{it}", function="tests", python=it) for it in ("3.12", "3.13")]
    monkeypatch.setattr(Nox, "list_sessions", lambda *_: listed)
    return Release(stage, capsys)


def test_a_model_with_all_evidence_is_promoted(release: Release) -> None:
    """It is listed with who, when and what for, and its file is found by the alias."""
    file = release.ready("one")
    assert release.run("promote", file, "--to", "production") == (
        f"production is now {sha256('one')[:12]} (file):"
        " dataset passed, gate passed, serve-check passed, test-images not run\n"
    )
    listed = release.run("promotions")
    assert f"  production  {sha256('one')[:12]}  file  promote by somebody@example.org\n" in listed
    assert "dataset passed on 2026-01-31, gate passed on 2026-02-01, serve-check passed on 2026-01-31" in listed
    path = release.run("promotions", "--path", "production").strip()
    assert Path(path).read_text() == "one"
    (entry,) = json.loads(release.run("promotions", "--format", "json"))["promotions"]
    assert (entry["alias"], entry["content"], len(entry["evidence"])) == ("production", sha256("one"), 4)


def test_what_staging_holds_can_go_on_to_production(release: Release) -> None:
    """By its alias, still with all the evidence that production asks for."""
    release.model("one")
    release.passed("serve-check", "dataset", "export")
    release.run("promote", "artifacts/export/file", "--to", "staging")
    said = release.run("promote", "alias:staging", "--to", "production", code=3)
    assert "is not promoted to production: gate has not run for exactly this file." in said
    release.gated("one")
    release.run("promote", "alias:staging", "--to", "production")


@pytest.mark.parametrize("outcome", ["fails", "cannot tell"])
def test_the_last_outcome_of_the_gate_counts(release: Release, outcome: str) -> None:
    """A pass before it does not help."""
    file = release.ready("one")
    release.gated("one", outcome)
    assert "gate failed for exactly this file" in release.run("promote", file, "--to", "production", code=3)


def test_a_verdict_for_another_model_is_no_evidence(release: Release) -> None:
    """Nor is one that failed since, or passed and failed, or one of another dataset."""
    release.ready("one")
    file = release.model("two")
    assert "serve-check has not run" in release.run("promote", file, "--to", "staging", code=3)
    release.passed("serve-check", "dataset", "export", passed=False)
    assert "serve-check failed" in release.run("promote", file, "--to", "staging", code=3)
    digest = release.passed("serve-check", "dataset", "export")
    release.run("promote", file, "--to", "staging")
    release.passed("serve-check", "dataset", "export", passed=False, digest=digest)
    assert "serve-check failed" in release.run("promote", file, "--to", "staging", code=3)


def test_what_counts_only_where_it_ran_has_to_pass_there(release: Release) -> None:
    """The smoke test of an image is asked for only where there is one, and then has to pass."""
    file = release.ready("one")
    release.passed("test-images(serving)", "dataset", "export", passed=False)
    said = release.run("promote", file, "--to", "production", code=3)
    assert "test-images(serving) failed" in said
    release.passed("test-images(serving)", "dataset", "export")
    release.run("promote", file, "--to", "production")


def test_a_model_without_a_verdict_is_not_promoted(release: Release, tmp_path: Path) -> None:
    """However it came here; and one that the store has lost neither."""
    release.ready("one")
    (tmp_path / "other").write_text("other")
    said = release.run("promote", str(tmp_path / "other"), "--to", "staging", code=3)
    assert "dataset has not run, serve-check has not run" in said
    release.store.blobs.path(sha256("one")).write_text("damaged")
    said = release.run("promote", "artifacts/export/file", "--to", "production", code=3)
    assert "does not hold the model" in said


def test_a_session_is_known_by_its_own_name(release: Release) -> None:
    """One whose name goes on after a hyphen is another one, unless a Python follows."""
    table = Path("pyproject.toml")
    table.write_text(TABLE.replace('staging = ["dataset", "serve-check"]', 'staging = ["serve", "tests"]'))
    file = release.ready("one")
    said = release.run("promote", file, "--to", "staging", code=3)
    assert "serve has not run, tests has not run for exactly this file. Run `headworks run serve tests`." in said
    release.passed("serve", "export")
    release.passed("tests-3.13", "export")
    said = release.run("promote", file, "--to", "staging", code=3)
    assert ": tests-3.12 has not run for exactly this file. Run `headworks run tests-3.12`." in said
    release.passed("tests-3.12", "export")
    assert ": serve passed, tests-3.13 passed, tests-3.12 passed\n" in release.run("promote", file, "--to", "staging")


@pytest.mark.parametrize("name", ["serve-chek", "serve-chek?"])
def test_a_name_that_is_no_session_is_refused(release: Release, name: str) -> None:
    """Also where it counts only if it ran, which it never would."""
    Path("pyproject.toml").write_text(f'[tool.headworks.gate]\npromote = {{ staging = ["gate", "{name}"] }}')
    said = release.run("promote", release.ready("one"), "--to", "staging", code=2)
    assert "promote: staging needs 'serve-chek', and there is no such session. Did you mean 'serve-check'?" in said


def test_what_is_lacking_is_named_with_its_command(release: Release) -> None:
    """The gate is no session to run."""
    file = release.model("one")
    release.passed("test-images(serving)", "export", passed=False)
    said = release.run("promote", file, "--to", "production", code=3)
    assert "gate has not run, serve-check has not run, test-images(serving) failed for exactly this file." in said
    assert "Run `headworks run serve-check 'test-images(serving)'`, then `headworks gate`." in said


def test_a_damaged_outcome_of_the_gate_may_have_been_a_failure(release: Release) -> None:
    """The pass before it does not count."""
    file = release.ready("one")
    release.gated("one")
    Path(release.store.root, "gates", sha256("one"), "000002").write_text("damaged")
    assert "gate failed for exactly this file" in release.run("promote", file, "--to", "production", code=3)


def test_a_rollback_goes_to_the_model_before(release: Release) -> None:
    """And from there to the one before that, until there is none."""
    for text in ("one", "two", "three"):
        release.run("promote", release.ready(text), "--to", "production")
    assert release.run("rollback", "production") == f"production is {sha256('two')[:12]} (file) again\n"
    assert release.run("rollback", "production") == f"production is {sha256('one')[:12]} (file) again\n"
    assert "was no model: there is nothing to go back to" in release.run("rollback", "production", code=3)
    assert Path(release.run("promotions", "--path", "production").strip()).read_text() == "one"
    assert release.run("promotions").count("rollback by somebody@example.org") == 2


def test_the_same_model_again_is_no_step_to_roll_back(release: Release) -> None:
    """It is listed where it was promoted by something new, and the model before is still the one before."""
    release.run("promote", release.ready("two"), "--to", "production")
    file = release.ready("one")
    for word, listed in (("now", 2), ("already", 2)):
        assert release.run("promote", file, "--to", "production").startswith(f"production is {word} ")
        assert release.run("promotions").count(" promote by ") == listed
    release.passed("serve-check", "dataset", "export")
    assert release.run("promote", file, "--to", "production").startswith("production is already ")
    assert release.run("promotions").count(" promote by ") == 3
    assert release.run("rollback", "production") == f"production is {sha256('two')[:12]} (file) again\n"
    assert "there is nothing to go back to" in release.run("rollback", "production", code=3)


def entry_of(release: Release, number: int) -> Path:
    """Return the file of an entry of an alias."""
    return Path(release.store.root, "aliases", "production", f"{number:06}")


def test_a_damaged_last_entry_is_an_error_until_a_model_is_promoted(release: Release) -> None:
    """An older model is never taken for the current one; from a later one nobody can go back past it."""
    for text in ("one", "two"):
        release.run("promote", release.ready(text), "--to", "production")
    entry_of(release, 2).write_text("damaged")
    for arguments in (["promotions", "--path", "production"], ["rollback", "production"]):
        said = release.run(*arguments, code=2)
        assert "The last entry of production, 2 in " in said
        assert "promote one again: `headworks promote MODEL --to production`." in said
    assert "production: entry 2 is damaged, so that nothing says what it did\n" in release.run("promotions")
    listed = json.loads(release.run("promotions", "--format", "json"))
    assert (len(listed["promotions"]), listed["damaged"]) == (1, [{"alias": "production", "entry": 2}])
    assert release.run("promote", release.ready("two"), "--to", "production").startswith("production is now ")
    assert Path(release.run("promotions", "--path", "production").strip()).read_text() == "two"
    assert "is damaged, so that nothing says which model that was" in release.run("rollback", "production", code=3)


def test_a_rollback_says_where_it_led_whatever_is_damaged(release: Release) -> None:
    """A move before it that nobody can read does not change that."""
    for text in ("one", "two", "three"):
        release.run("promote", release.ready(text), "--to", "production")
    release.run("rollback", "production")
    entry_of(release, 3).write_text("damaged")
    assert Path(release.run("promotions", "--path", "production").strip()).read_text() == "two"
    entry_of(release, 2).unlink()
    assert Path(release.run("promotions", "--path", "production").strip()).read_text() == "two"
    assert release.run("rollback", "production") == f"production is {sha256('one')[:12]} (file) again\n"


@pytest.mark.parametrize(
    "change", [{"content": "../../x"}, {"evidence": None}, {"evidence": [{"check": "gate"}]}, {"by": 1}]
)
def test_an_entry_that_says_something_else_is_damaged(release: Release, change: dict[str, Any]) -> None:
    """However well it is sealed."""
    release.run("promote", release.ready("one"), "--to", "production")
    journal = Journal(release.store.root, "aliases", "production")
    (entry,) = journal.entries()
    assert entry is not None
    journal.note(entry | change)
    assert "is damaged" in release.run("promotions", "--path", "production", code=2)


@pytest.mark.parametrize("alias", ["../gates/x", "", "Production"])
def test_what_can_be_no_alias_is_refused(release: Release, alias: str) -> None:
    """Wherever one is named; nothing else of the store is read by it."""
    release.ready("one")
    release.passed("serve-check", "dataset", "export")
    words = f"{alias!r} can be no alias: small letters, digits and hyphens"
    Path(release.store.root, "aliases", "No alias").mkdir(parents=True)
    assert words in release.run("promotions", "--path", alias, code=2)
    assert words in release.run("rollback", alias, code=2)
    assert words in release.run("promote", f"alias:{alias}", "--to", "staging", code=2)


def test_an_alias_that_was_not_moved_lately_is_a_failure(release: Release) -> None:
    """By a check of its age; where nothing was promoted there is nothing that could pass."""
    assert release.run("promotions", "--max-age", "9d", code=1).startswith("Nothing was promoted in ")
    release.run("promote", release.ready("one"), "--to", "staging")
    release.run("promote", "alias:staging", "--to", "production")
    assert "last moved" not in release.run("promotions", "--max-age", "9d")
    assert json.loads(release.run("promotions", "--max-age", "9d", "--format", "json"))["old"] == []
    journal = Journal(release.store.root, "aliases", "production")
    entry = journal.entries()[-1]
    assert entry is not None
    journal.note(entry | {"when": "2026-01-31T12:00:00+00:00"})
    said = release.run("promotions", "--max-age", "9d", code=1)
    assert said.endswith("production was last moved more than 9d ago: promote a newer model\n")
    assert json.loads(release.run("promotions", "--max-age", "9d", "--format", "json", code=1))["old"] == ["production"]
    assert "old" not in json.loads(release.run("promotions", "--format", "json"))
    assert "--max-age is 'soon'; write it as in 90d or 12h." in release.run("promotions", "--max-age", "soon", code=2)
    for odd in ("once", "2026-01-31"):
        journal.note(entry | {"when": odd})
        assert f"has no time ({odd!r})" in release.run("promotions", "--max-age", "9d", code=2)


def test_clearing_the_store_keeps_promoted_models(release: Release) -> None:
    """Whatever becomes of the verdicts; a model that is gone all the same is said to be."""
    release.run("promote", release.ready("one"), "--to", "production")
    release.store.gc(max_size=0)
    path = Path(release.run("promotions", "--path", "production").strip())
    assert path.read_text() == "one"
    path.unlink()
    assert "missing or damaged" in release.run("promotions", "--path", "production", code=2)


def test_bad_input_is_one_message(release: Release) -> None:
    """Unknown aliases, files and tables."""
    assert release.run("promotions").startswith("Nothing was promoted in")
    assert "Nothing was promoted to 'production'." in release.run("promotions", "--path", "production", code=2)
    assert "Nothing was promoted to 'x'." in release.run("rollback", "x", code=2)
    assert "missing cannot be read" in release.run("promote", "missing", "--to", "staging", code=2)
    said = release.run("promote", release.ready("one"), "--to", "producton", code=2)
    assert "does not say what 'producton' needs. Did you mean 'production'?" in said
    Path("pyproject.toml").write_text('[tool.headworks.gate.promote]\n"A/B" = ["gate"]\n')
    assert "'A/B' can be no alias" in release.run("promote", "artifacts/export/file", "--to", "A/B", code=2)
    Path("pyproject.toml").unlink()
    assert "does not say what 'staging' needs" in release.run("promote", "x", "--to", "staging", code=2)


def test_the_actor_of_a_workflow_is_named(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before whom git knows; and where git knows nobody, the system's user is."""
    monkeypatch.setenv("GITHUB_ACTOR", "octocat")
    release.run("promote", release.ready("one"), "--to", "production")
    assert "promote by octocat" in release.run("promotions")
    monkeypatch.delenv("GITHUB_ACTOR")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("LOGNAME", "nobody-else")
    release.run("promote", release.ready("two"), "--to", "production")
    assert "promote by nobody-else" in release.run("promotions")


@pytest.fixture(params=["file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty remote store: a folder, and one behind a real server with the protocol of S3."""
    (tmp_path / "shared").mkdir()
    return (tmp_path / "shared").as_uri() if request.param == "file" else str(request.getfixturevalue("s3"))


@pytest.fixture
def shared(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of a remote store that the environment names."""
    monkeypatch.setenv("HEADWORKS_REMOTE", url)
    return url


def files_of(url: str, folder: str = "") -> dict[str, str]:
    """Return the path of each file in a remote store by the path in it."""
    files, base = fsspec.core.url_to_fs(url)
    return {path[len(base) + 1 :]: path for path in files.find(f"{base}/{folder}")}


def judged(release: Release, text: str) -> str:
    """Let the gate have judged a model, which is all that a canary needs, and return its digest."""
    release.gated(text)
    return release.store.blobs.put_bytes(text.encode())


def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Go to another machine, with the same commit and an empty store."""
    monkeypatch.setenv("HEADWORKS_STORE", str(tmp_path / "elsewhere"))


def test_a_model_is_promoted_where_all_see_it(
    release: Release, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By a run that may write there; an empty store gets exactly that file, and its own aliases are others."""
    file = release.ready("one")
    said = release.run("promote", file, "--to", "production", "--remote", url, "--write-remote")
    assert said.startswith(f"production is now {sha256('one')[:12]} (file): ")
    assert release.run("promotions").startswith("Nothing was promoted in ")
    elsewhere(monkeypatch, tmp_path)
    listed = release.run("promotions", "--remote", url, "--max-age", "1d")
    assert f"  production  {sha256('one')[:12]}  file  promote by somebody@example.org\n" in listed
    assert listed.endswith(f"These are the aliases of the remote store {url}.\n")
    data = json.loads(release.run("promotions", "--remote", url, "--format", "json"))
    assert (data["store"], data["current"]) == (f"the remote store {url}", {"production": sha256("one")})
    for name in ("production", sha256("one")):
        path = Path(release.run("promotions", "--remote", url, "--path", name).strip())
        assert (path.read_text(), path.is_relative_to(tmp_path / "elsewhere")) == ("one", True)
    assert release.run("promotions", "--remote", "").startswith("Nothing was promoted in ")


def test_it_is_clear_which_aliases_are_moved(release: Release, shared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the remote where one is set, by a run that says that it may; nothing is moved where neither is clear."""
    file = release.ready("one")
    for arguments in (["promote", file, "--to", "staging"], ["rollback", "staging"]):
        said = release.run(*arguments, code=2)
        assert f"Aliases are those of the remote store {shared}. Add --write-remote to move one there" in said
    release.run("promote", file, "--to", "staging", "--remote", "")
    assert "These are" not in release.run("promotions", "--remote", "")
    monkeypatch.delenv("HEADWORKS_REMOTE")
    said = release.run("promote", file, "--to", "staging", "--write-remote", code=2)
    assert "--write-remote needs the address of a store: name it by --remote or in HEADWORKS_REMOTE." in said
    assert files_of(shared) == {}


def test_what_staging_was_promoted_by_counts_on_a_machine_that_starts_empty(
    release: Release, shared: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the outcome of the gate that is in the remote; unless a session failed since, anywhere."""
    file = release.ready("one")
    release.run("promote", file, "--to", "staging", "--write-remote")
    elsewhere(monkeypatch, tmp_path)
    production = ("promote", "alias:staging", "--to", "production", "--write-remote")
    assert ": gate has not run for exactly this file." in release.run(*production, code=3)
    entry = {"outcome": "passes", "when": "2026-02-01T00:00:00+00:00", "terms": terms(project_settings())}
    gates = RemoteJournal(Remote(shared, write=True), "gates", sha256("one"))
    gates.note(entry | {"terms": {}})
    assert "was judged by other conditions" in release.run(*production, code=3)
    gates.note(entry)
    assert ": dataset passed, serve-check passed, gate passed" not in release.run(*production)
    assert f"production  {sha256('one')[:12]}  file  promote" in release.run("promotions")
    gates.note(entry | {"outcome": "fails", "when": "2026-02-02T00:00:00+00:00"})
    assert ": gate failed for exactly this file." in release.run(*production, code=3)
    gates.note(entry | {"when": "2026-02-03T00:00:00+00:00"})
    release.run(*production)
    check = next(it for it in release.store.ls() if it.session == "serve-check")
    Remote(shared, write=True).write(f"failed/{check.digest}", b"", what="A failure")
    assert ": serve-check failed for exactly this file." in release.run(*production, code=3)


def test_a_model_is_named_by_its_digest(release: Release, shared: str) -> None:
    """As a person or another program knows it; its file has the name it was promoted by, or that of the table."""
    Path("pyproject.toml").write_text(
        TABLE.replace("[tool", '[tool.headworks.gate]\nmodel = "out/net.onnx"\n\n[tool', 1)
    )
    release.ready("one")
    release.gated("one")
    said = release.run("promote", sha256("one"), "--to", "canary", "--write-remote")
    assert said == f"canary is now {sha256('one')[:12]} (net.onnx): gate passed\n"
    release.run("promote", "artifacts/export/file", "--to", "staging", "--write-remote")
    assert "(file): " in release.run("promote", sha256("one"), "--to", "production", "--write-remote")
    said = release.run("promotions", "--path", sha256("two"), code=2)
    assert said.endswith(f"The model {sha256('two')[:12]} is missing or damaged in the remote store {shared}.\n")


@pytest.mark.parametrize("where", ["here", "remote"])
def test_an_alias_is_moved_only_from_the_model_that_is_expected(
    release: Release, where: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """So that the one that was compared with is the one that is replaced; else nothing moves, and it says who did."""
    options: list[str] = []
    if where == "remote":
        monkeypatch.setenv("HEADWORKS_REMOTE", str(request.getfixturevalue("s3")))
        options = ["--write-remote"]
    one, two = judged(release, "one"), judged(release, "two")
    promote = ("--to", "canary", *options, "--expect")
    said = release.run("promote", one, *promote, two, code=1)
    assert f"canary points to nothing, not to {two[:12]} as expected. Nothing was moved." in said
    release.run("promote", one, *promote, "none")
    for wrong in ("none", two):
        said = release.run("promote", two, *promote, wrong, code=1)
        assert f"canary points to {one[:12]} ({one[:12]}; promote by somebody@example.org at 20" in said
        assert f"), not to {wrong[:12]} as expected. Nothing was moved." in said
    release.run("promote", two, *promote, one[:12])
    rollback = ("rollback", "canary", *options, "--expect")
    assert f"canary points to {two[:12]} " in release.run(*rollback, one, code=1)
    release.run(*rollback, two)
    assert json.loads(release.run("promotions", "--format", "json"))["current"] == {"canary": one}
    for odd in ("x", one[:11], ""):
        assert f"--expect is {odd!r}; write the SHA-256" in release.run(*rollback, odd, code=2)


def test_a_rollback_in_the_remote_goes_to_the_model_before(
    release: Release, shared: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also where a rule by age has deleted what no alias names; never to a model that is lost."""
    one, two, _ = (judged(release, text) for text in ("one", "two", "three"))
    for digest in (one, two, sha256("three")):
        release.run("promote", digest, "--to", "canary", "--write-remote")
    files = fsspec.core.url_to_fs(shared)[0]
    files.rm(list(files_of(shared, "blobs").values()))
    elsewhere(monkeypatch, tmp_path)
    assert release.run("rollback", "canary", "--write-remote") == f"canary is {two[:12]} ({two[:12]}) again\n"
    assert Path(release.run("promotions", "--path", "canary").strip()).read_text() == "two"
    files.pipe_file(files_of(shared)[f"promoted/{one[:2]}/{one[2:]}"], b"damaged")
    said = release.run("rollback", "canary", "--write-remote", code=3)
    assert f"with the remote store {shared}, does not hold the model {one[:12]}" in said
    assert Path(release.run("promotions", "--path", "canary").strip()).read_text() == "two"


def test_a_damaged_entry_of_the_remote_is_refused(release: Release, shared: str) -> None:
    """As one of this machine; an older model is never taken for the current one."""
    for text in ("one", "two"):
        release.run("promote", judged(release, text), "--to", "canary", "--write-remote")
    files, entries = fsspec.core.url_to_fs(shared)[0], files_of(shared, "aliases/canary")
    files.pipe_file(entries["aliases/canary/000002"], b"damaged")
    said = release.run("promotions", "--path", "canary", code=2)
    assert f"The last entry of canary, 2 in the remote store {shared}, is damaged" in said
    promote = ("promote", judged(release, "three"), "--to", "canary", "--write-remote")
    said = release.run(*promote, "--expect", sha256("two"), code=1)
    assert f"canary points to what a damaged entry hides, not to {sha256('two')[:12]} as expected." in said
    files.rm(entries["aliases/canary/000001"])
    release.run(*promote)
    listed = json.loads(release.run("promotions", "--format", "json"))
    assert [it["entry"] for it in listed["damaged"]] == [1, 2]
    assert Path(release.run("promotions", "--path", "canary").strip()).read_text() == "three"


def test_aliases_of_a_remote_out_of_reach_are_not_known(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is no reason to take those of this machine, or none."""
    promote = ("promote", judged(release, "one"), "--to", "canary")
    release.run(*promote)
    monkeypatch.setenv("HEADWORKS_REMOTE", "http://127.0.0.1:1")
    words = "Nothing can be decided: The remote store http://127.0.0.1:1 could not be read ("
    for arguments in (["promotions"], ["promotions", "--path", "canary"], [*promote, "--write-remote"]):
        assert words in release.run(*arguments, code=3)


class Odd:
    """Real files that create one in another way."""

    def __init__(self, files: Any, create: Callable[..., None]) -> None:  # noqa: ANN401  # fsspec has no types
        """Stand before real files."""
        self._files = files
        self._create = create

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # fsspec has no types
        """Answer."""
        return self._create if name == "pipe_file" else getattr(self._files, name)


def test_a_remote_that_cannot_guard_an_alias_is_refused(
    release: Release, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its kind, or since its service overwrites a file all the same; nothing is moved there."""
    promote = ("promote", judged(release, "one"), "--to", "canary", "--write-remote")
    words = "it does not refuse to overwrite a file, so that two writers would not notice each other"
    monkeypatch.setenv("HEADWORKS_REMOTE", f"dir::{s3}")
    assert words in release.run(*promote, code=2)
    monkeypatch.setenv("HEADWORKS_REMOTE", s3)
    files = fsspec.filesystem("s3")
    answers = [False, True]

    def create(path: str, data: bytes, mode: str) -> None:  # which it ignores
        files.pipe_file(path, data)
        if answers and not answers.pop(0):
            raise ConnectionError(104, "reset")

    for _ in range(2):  # also where an answer is lost
        monkeypatch.setattr("fsspec.core.url_to_fs", lambda url: (Odd(files, create), url.removeprefix("s3://")))
        assert words in release.run(*promote, code=2)
    assert release.run("promotions").startswith("Nothing was promoted in ")


def test_a_lost_answer_is_no_lost_move(release: Release, s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service may obey and not say so, or refuse in words of its own; what is in the remote counts."""
    monkeypatch.setenv("HEADWORKS_REMOTE", s3)
    files = fsspec.filesystem("s3")

    def create(path: str, data: bytes, mode: str) -> None:
        try:
            files.pipe_file(path, data, mode=mode)
        except FileExistsError:
            raise OSError(22, "PreconditionFailed") from None
        if "/aliases/" in path:
            raise ConnectionError(104, "reset")

    monkeypatch.setattr("fsspec.core.url_to_fs", lambda url: (Odd(files, create), url.removeprefix("s3://")))
    for text in ("one", "two"):
        assert " is now " in release.run("promote", judged(release, text), "--to", "canary", "--write-remote")
    assert release.run("promotions").count(" promote by ") == 2


@pytest.mark.parametrize(
    ("folder", "what"),
    [
        ("promoted", f"The model {sha256('one')[:12]}"),
        ("tmp", "The entry aliases/canary/000001"),
    ],
)
def test_a_remote_that_cannot_be_written_moves_nothing(
    release: Release, tmp_path: Path, folder: str, what: str
) -> None:
    """Which is said, with what to look at."""
    (tmp_path / "shared").mkdir()
    (tmp_path / f"shared/{folder}").write_text("in the way")
    promote = ("promote", judged(release, "one"), "--to", "canary", "--write-remote")
    remote = ("--remote", (tmp_path / "shared").as_uri())
    said = release.run(*promote, *remote, code=2)
    assert f"{what} could not be written to the remote store {remote[1]}: " in said
    assert said.endswith("Check the address and your rights, or run without --write-remote.\n")
    assert release.run("promotions", *remote).startswith("Nothing was promoted in ")


@pytest.mark.parametrize("where", ["here", "remote"])
def test_what_was_decided_before_another_move_is_not_written(release: Release, where: str, tmp_path: Path) -> None:
    """Also where the alias points to the same model once more."""
    release.store.remote = Remote((tmp_path / "shared").as_uri(), write=True) if where == "remote" else None
    one, two = judged(release, "one"), judged(release, "two")
    to = Move(alias="canary", content=one, file="x", action="promote", by="me", when="now", evidence=())
    decided = moves(release.store, "canary")
    assert move(release.store, to, decided)
    with pytest.raises(
        AliasMovedError, match=rf"canary points to {one[:12]} \(x; promote by me at now\), since a moment"
    ):
        move(release.store, replace(to, content=two), decided)
    assert [it and it.content for it in moves(release.store, "canary")] == [one]


# Starts two processes that promote models at once, round for round: both have decided before either writes.
RACE = """
import os, sys
import fsspec
from headworks import _cli
from headworks._commands import promote  # imported once
from headworks._store.journal import RemoteJournal
rounds, models = int(sys.argv[1]), sys.argv[2:]
fsspec.get_filesystem_class(os.environ["HEADWORKS_REMOTE"].partition(":")[0])
write = RemoteJournal._write

def promoted(who, model, mine, other):
    def both(*arguments):
        os.write(other, b".")
        os.read(mine, 1)
        return write(*arguments)
    RemoteJournal._write = both
    os.environ["GITHUB_ACTOR"] = who
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return _cli.main(["promote", model, "--to", "canary", "--write-remote"])

for number in range(rounds):
    (ann, to_ann), (bob, to_bob) = os.pipe(), os.pipe()
    children = {}
    # Both models are others than those of the round before, so that none of them is there already.
    pair = models[:2] if number % 2 else models[2:]
    for name, model, mine, other in (("ann", pair[0], ann, to_bob), ("bob", pair[1], bob, to_ann)):
        if not (child := os.fork()):
            os._exit(promoted(name, model, mine, other))
        children[child] = name
    codes = {children[child]: os.waitstatus_to_exitcode(status) for child, status in (os.wait(), os.wait())}
    print(codes["ann"], codes["bob"], flush=True)
"""


def process(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own to its end."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)


def test_of_two_writers_at_once_one_moves_the_alias(release: Release, shared: str) -> None:
    """Every time; the other one changes nothing, and says who was faster, and to what."""
    rounds = 5 if shared.startswith("s3:") else 20  # each process takes a second to open the bucket
    done = process(RACE, str(rounds), *(judged(release, f"model {number}") for number in range(4)))
    codes = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert (len(codes), {*codes} - {(0, 1), (1, 0)}) == (rounds, set())
    listed = json.loads(release.run("promotions", "--format", "json"))
    winners = ["ann" if code == (0, 1) else "bob" for code in codes]
    assert ([it["by"] for it in listed["promotions"]], listed["damaged"]) == (winners, [])
    lines = done.stderr.splitlines()
    assert len(lines) == rounds
    for line, won in zip(lines, listed["promotions"], strict=True):
        assert (
            f"canary points to {won['content'][:12]} ({won['file']}; promote by {won['by']} at {won['when']})" in line
        )
        assert "), since a moment ago. Nothing was moved." in line


# Starts processes that promote a model, each of which is killed before one request more than the last; after each, a
# process on a machine that starts empty asks for the alias.
KILLED = """
import os, signal, sys
from headworks import _cli
from headworks._commands import promote, promotions  # imported once
from headworks._store import remote
from headworks._store.patience import Patience
model, empty = sys.argv[1:]
call = Patience.call

def promoted(requests):
    def counted(*arguments):
        nonlocal requests
        requests -= 1
        if requests < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments)
    Patience.call = counted
    return _cli.main(["promote", model, "--to", "canary", "--write-remote"])

def found(number):
    os.environ["HEADWORKS_STORE"] = f"{empty}/{number}"
    return _cli.main(["promotions", "--path", "canary"])

def ended(function, argument):
    if not os.fork():
        os._exit(function(argument))
    return os.waitstatus_to_exitcode(os.wait()[1])

code, requests = -signal.SIGKILL, 0
while code == -signal.SIGKILL:
    code = ended(promoted, requests)
    ended(found, requests)
    requests += 1
"""


def test_a_writer_that_is_killed_leaves_the_alias_where_it_was(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever that is; as soon as the alias has moved, all have the model that it points to."""
    monkeypatch.setenv("HEADWORKS_REMOTE", (tmp_path / "shared").as_uri())
    release.run("promote", judged(release, "one"), "--to", "canary", "--write-remote")
    done = process(KILLED, judged(release, "two"), str(tmp_path / "empty"))
    paths = [line for line in done.stdout.splitlines() if line.startswith("/")]
    models = [Path(path).read_text() for path in paths]
    assert models == ["one"] * (len(models) - 1) + ["two"]
    assert len(models) > 10
    assert len(list((tmp_path / "shared").glob("aliases/canary/*"))) == 2
