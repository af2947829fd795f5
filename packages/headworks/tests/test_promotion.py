"""A model gets an alias only by what has passed for exactly its file, and gives it up again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from headworks import _cli
from headworks._gate.outcomes import terms
from headworks._machine.nox import ListedSession, Nox
from headworks._project.gate_table import project_settings
from headworks._store.journal import Journal

if TYPE_CHECKING:
    from conftest import Scratch, Stage

TABLE = """
[tool.headworks.gate.promote]
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
        return output.err if code > 1 else output.out

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
