"""What the gate records for a promotion: outcomes by all conditions of the table, about exactly the exported model."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headworks import _cli
from headworks._gate.outcomes import terms
from headworks._project.gate_table import gate_settings
from headworks._promote.alias import anchor_of, current, move, moves
from headworks._store.store import Store

if TYPE_CHECKING:
    from conftest import Scratch

pytestmark = pytest.mark.usefixtures("unwatched")  # which is not what this is about, and takes longer
NOXFILE = """
import pathlib, shutil, nox

def left(session, name):
    out = pathlib.Path("artifacts", session.name)
    out.mkdir(parents=True, exist_ok=True)
    return out / name

@nox.session(venv_backend="none")
def fetch(session):
    left(session, "rows.csv").write_text("as they are today")

@nox.session(venv_backend="none")
def export(session):
    shutil.copyfile("inputs/model.txt", left(session, "model.txt"))

@nox.session(venv_backend="none")
def evaluate(session):
    out = left(session, "predictions.csv")
    session.run("python", "predict.py", "artifacts/export/model.txt", str(out), external=True, silent=True)
    left(session, "bench.json").write_text('{"latency_p99_ms": [3, 3, 3, 3, 3, 3, 3]}')

@nox.session(name="serve-check", venv_backend="none")
def serve_check(session):
    pathlib.Path("artifacts/export/model.txt").read_text()
"""
# A model is the list of the rows that it has wrong.
PREDICT = """
import pathlib, sys
wrong = set(pathlib.Path(sys.argv[1]).read_text().split())
lines = ["id,label,prediction", *(f"r{row},yes,{'no' if str(row) in wrong else 'yes'}" for row in range(1800))]
pathlib.Path(sys.argv[2]).write_text("\\n".join(lines))
"""
TABLE = """
[tool.headworks.sessions]
fetch = { packages = [], tools = [], inputs = [], outputs = ["artifacts/fetch"] }
export = { packages = [], tools = [], inputs = ["inputs"], outputs = ["artifacts/export"] }
evaluate = { packages = [], tools = [], inputs = ["predict.py"], needs = ["export"], outputs = ["artifacts/evaluate"] }
serve-check = { packages = [], tools = [], inputs = [], needs = ["export"] }

[tool.headworks.gate]
conditions = [
  "accuracy >= base.accuracy - 0.03",
  { name = "least", condition = "accuracy >= 0.5" },
]
predictions = { evaluate = "artifacts/evaluate/predictions.csv" }
measurements = "artifacts/evaluate/bench.json"
model = "artifacts/export/model.txt"
promote = { staging = ["gate"], production = ["gate", "serve-check", "evaluate"] }
"""
WEAK = """
conditions = ["accuracy >= 0.01"]
predictions = { evaluate = "artifacts/evaluate/predictions.csv" }
model = "artifacts/export/model.txt"
"""
GOOD, BETTER, BAD = (" ".join(map(str, range(0, 1800, it))) for it in (50, 60, 5))
FILE = "artifacts/export/model.txt"


class Release:
    """A repository with a model on its main branch, and another one in a branch of it."""

    def __init__(self, scratch: Scratch, capfd: pytest.CaptureFixture[str]) -> None:
        """Commit the first model, and start the branch."""
        self.scratch = scratch
        self._capfd = capfd
        files = {"noxfile.py": NOXFILE, "pyproject.toml": TABLE, "predict.py": PREDICT, "weak.toml": WEAK}
        files |= {".gitignore": "artifacts\n__pycache__\n"}
        scratch.commit(files)
        self.commit(GOOD)
        scratch.git("checkout", "--quiet", "-b", "change")

    def commit(self, text: str) -> None:
        """Commit a model, with what the stages leave of it."""
        self.scratch.commit({"inputs/model.txt": text})
        self.stages()

    def stages(self) -> None:
        """Leave what the stages would: their outputs, and verdicts."""
        model = Path("inputs/model.txt").read_text()
        self.scratch.write({FILE: model})
        self.scratch.record_pass("export")
        wrong = set(model.split())
        rows = "".join(f"\nr{row},yes,{'no' if str(row) in wrong else 'yes'}" for row in range(1800))
        predictions = f"id,label,prediction{rows}"
        outputs = {"predictions.csv": predictions, "bench.json": '{"latency_p99_ms": [3, 3, 3, 3, 3, 3, 3]}'}
        self.scratch.write({f"artifacts/evaluate/{name}": content for name, content in outputs.items()})
        self.scratch.record_pass("evaluate")
        self.scratch.record_pass("serve-check")

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command and return what it writes."""
        self._capfd.readouterr()
        exit_code = _cli.main(list(arguments))
        output = self._capfd.readouterr()
        assert exit_code == code, output
        return output.out + output.err

    def promote(self, code: int = 3, alias: str = "staging") -> str:
        """Promote the exported model; return what is written."""
        return self.run("promote", FILE, "--to", alias, code=code)

    def replace(self, old: str, new: str) -> None:
        """Change the table."""
        text = Path("pyproject.toml").read_text()
        assert old in text
        Path("pyproject.toml").write_text(text.replace(old, new))


@pytest.fixture
def release(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], _bases_here: None
) -> Release:
    """Return such a repository, in whose folder this process is."""
    monkeypatch.chdir(scratch.root)
    for name in ("CI", "HEADWORKS_RUN"):
        monkeypatch.delenv(name, raising=False)
    return Release(scratch, capfd)


def test_only_all_conditions_of_the_table_count(release: Release) -> None:
    """Others are judged and printed as ever, and promote nothing; nor does a comparison with itself."""
    release.commit(BAD)
    assert "accuracy >= 0.01, on evaluate: passes" in release.run("gate", "--condition", "accuracy >= 0.01")
    assert release.run("gate", "--config", "weak.toml").startswith("gate passes: 1 condition")
    assert "gate has not run for exactly this file. Run `headworks gate`." in release.promote()
    output = release.run("gate", "--base", "HEAD")
    assert output.startswith("gate passes: 2 conditions")
    assert output.count("note: nothing is recorded for a promotion: the base, ") == 1
    assert "has this very model, which says nothing about it. Compare with an older one, as by" in output
    assert "gate has not run" in release.promote()
    release.run("gate", code=1)
    release.run("gate", "--condition", "accuracy >= 0.01")
    assert "gate failed for exactly this file. Run `headworks gate`." in release.promote()


def test_a_clean_main_branch_is_no_evidence_for_itself(release: Release) -> None:
    """Compared with itself it passes, which costs nothing and counts for nothing; the commit before decides."""
    release.scratch.git("checkout", "--quiet", "main")
    release.commit(BAD)
    output = release.run("gate", "--base", "HEAD")
    assert "not one prediction of evaluate differs, which costs no budget" in output
    assert "Compare with an older one, as by `headworks gate --base HEAD^`" in output
    assert "gate has not run" in release.promote()
    assert "the commit before, since there is no release yet" in release.run("gate", code=1)
    release.scratch.write({"notes.txt": "what some tool left behind"})
    assert "the commit before, since there is no release yet" in release.run("gate", code=1)
    release.scratch.write({"weak.toml": f"{WEAK}# a change of something else"})
    output = release.run("gate")
    assert "the base is the last commit, and what was changed since leaves its model as it is, so that a pass" in output
    assert "nothing is recorded for a promotion" in output
    assert "gate failed" in release.promote()


def test_a_model_that_passed_stays_passed_where_nothing_changes(release: Release) -> None:
    """As once it is merged; who promotes it sees which base it was compared with."""
    base = release.scratch.git("rev-parse", "main")[:12]
    release.commit(BETTER)
    assert "nothing is recorded" not in release.run("gate")
    release.scratch.git("checkout", "--quiet", "-B", "main")
    assert "nothing is recorded" not in release.run("gate")
    said = release.promote(0, "production")
    assert f": gate passed (base {base}), serve-check passed, evaluate passed\n" in said
    assert f" (base {base}), serve-check passed on " in release.run("promotions")


def test_a_pass_counts_for_the_conditions_that_it_was_by(release: Release) -> None:
    """Others in the table, or another reliability, ask for another run; what only plans does not."""
    release.commit(BETTER)
    release.run("gate")
    release.replace("base.accuracy - 0.03", "base.accuracy - 0.025")
    assert "gate was judged by other conditions than the table has now for exactly this file" in release.promote()
    release.replace("base.accuracy - 0.025", "base.accuracy - 0.03")
    release.replace("model =", "reliability = 0.9\nmodel =")
    assert "gate was judged by other conditions" in release.promote()
    release.run("gate")
    release.promote(0)
    release.replace("reliability = 0.9", "disagreement = 0.1")
    release.promote(0)
    release.replace("disagreement = 0.1", "budget = 9")  # by which each outcome is surer or less sure
    assert "gate was judged by other conditions" in release.promote()


def test_a_file_that_made_no_predictions_gets_no_pass(release: Release) -> None:
    """Whatever the predictions say that lie beside it; nor one that no session is said to write."""
    release.commit(BETTER)
    release.run("gate")
    Path(FILE).write_text(BAD)
    output = release.run("gate")
    assert f"nothing is recorded for a promotion: {FILE} is not what its session gives as it is now." in output
    assert "gate has not run" in release.promote()
    release.replace(f'model = "{FILE}"', 'model = "inputs/model.txt"')
    assert "is asked for inputs/model.txt, which 0 sessions write." in release.run("gate")
    release.replace('model = "inputs/model.txt"', 'model = "missing.txt"')
    assert "nothing is recorded" not in release.run("gate")


def test_what_no_verdict_tells_of_is_no_evidence(release: Release) -> None:
    """As after a bare nox."""
    release.commit(BETTER)
    release.run("store", "forget", "evaluate")
    output = release.run("gate")
    assert (
        "promotion: no verdict says where artifacts/evaluate/predictions.csv came from. Run `headworks run`" in output
    )
    release.run("store", "forget", "export")
    assert f"promotion: no verdict says where {FILE} came from" in release.run("gate")


def test_sessions_that_always_run_have_no_verdict_and_need_none(release: Release) -> None:
    """What they left is read as it is; a promoted model still needs one."""
    release.replace('outputs = ["artifacts/fetch"] }', 'outputs = ["artifacts/fetch"], cache = false }')
    release.replace('["inputs"],', '["inputs"], needs = ["fetch"],')
    release.replace('outputs = ["artifacts/evaluate"] }', 'outputs = ["artifacts/evaluate"], cache = false }')
    release.scratch.commit({"inputs/model.txt": BETTER})
    release.run("run", "evaluate", "serve-check")
    output = release.run("gate")
    assert "no verdict" not in output
    assert "nothing is recorded" not in output
    release.promote(0)


def test_conditions_without_a_base_need_none(release: Release) -> None:
    """They say of a model what they say, whatever it is compared with."""
    release.replace('"accuracy >= base.accuracy - 0.03",', "")
    release.commit(GOOD)
    release.run("gate", "--base", "HEAD")
    assert ": gate passed\n" in release.promote(0)


def test_the_first_model_is_listed_as_judged_by_nothing(release: Release) -> None:
    """It is somebody's decision, which `promotions` shows; what it is not asked for is named."""
    release.scratch.git("checkout", "--quiet", "--orphan", "first")
    release.replace('  { name = "least", condition = "accuracy >= 0.5" },\n', "")
    release.commit(GOOD)
    release.scratch.git("branch", "--quiet", "-D", "main", "change")
    release.run("gate", "--bootstrap")
    release.run("gate", "--bootstrap")
    assert "gate passed (the first model, judged by nothing)" in release.promote(0)
    assert "(the first model, judged by nothing)\n" in release.run("promotions")
    release.replace('- 0.03",', '- 0.03", { name = "fast", condition = "latency_p99_ms <= base.latency_p99_ms" },')
    release.scratch.git("commit", "--quiet", "--amend", "--all", "--no-edit")
    release.stages()
    assert "gate was judged by other conditions" in release.promote()
    release.run("gate", "--bootstrap")
    assert "gate passed (nothing to compare with yet for fast)" in release.promote(0)
    release.replace(', { name = "fast", condition = "latency_p99_ms <= base.latency_p99_ms" }', "")
    release.replace("- 0.03", "- 0.02")
    release.scratch.git("commit", "--quiet", "--amend", "--all", "--no-edit")
    assert "the base, the first one, has this very model" in release.run("gate")
    release.scratch.write({"inputs/model.txt": BETTER})
    release.scratch.git("commit", "--quiet", "--amend", "--all", "--no-edit")
    release.stages()
    assert "the base of evaluate is the first one" in release.run("gate")
    assert "gate passed (base: the first predictions of evaluate)" in release.promote(0)
    entries = json.loads(release.run("promotions", "--format", "json"))["promotions"]
    assert [it["evidence"][0]["note"] for it in entries] == [
        "the first model, judged by nothing",
        "nothing to compare with yet for fast",
        "base: the first predictions of evaluate",
    ]


SUM = "accuracy >= anchor.accuracy - 0.05"
STEPS = [" ".join(map(str, range(36 + 32 * step))) for step in range(5)]  # each loses 0.018


@pytest.fixture
def anchored(release: Release) -> Release:
    """Return a repository whose table holds the sum of many changes to the anchor."""
    # At 0.7 for all 32 models of the budget, each is judged at 0.99.
    release.replace("conditions = [", f'reliability = 0.7\nconditions = [\n  {{ name = "sum", condition = "{SUM}" }},')
    release.commit(STEPS[0])
    return release


def judged(release: Release, code: int) -> dict[str, str]:
    """Judge the last commit by the one before; return the outcome of each condition."""
    assert release.run("gate", "--base", "HEAD^", "--save", "artifacts/gate", code=code)
    data = json.loads(Path("artifacts/gate/gate.json").read_text())
    return {it["name"]: it["outcome"] for it in data["conditions"]}


def test_small_losses_since_the_release_add_up(anchored: Release) -> None:
    """Each is within the margin of its base; where the sum is beyond that of the release, the gate turns red."""
    anchored.scratch.git("tag", "v1.0")
    codes = [0, 0, 3, 1]
    found = []
    for text, code in zip(STEPS[1:], codes, strict=True):
        anchored.commit(text)
        found.append(judged(anchored, code))
    assert [it["accuracy >= base.accuracy - 0.03"] for it in found] == ["passes"] * 4
    assert [it["sum"] for it in found] == ["passes", "passes", "cannot tell", "fails"]
    said = anchored.run("gate", "--base", "HEAD^", code=1)
    assert said.startswith("gate fails: sum\n")
    assert "anchor 0.9800, difference -0.0711" in said
    assert "note: the anchor is what evaluate gave at " in said
    assert "the last release, v1.0, restored from the store\n" in said


def test_a_release_that_is_the_base_is_the_anchor_as_well(anchored: Release) -> None:
    """It is found once."""
    anchored.scratch.git("tag", "v1.0")
    anchored.commit(STEPS[1])
    said = anchored.run("gate", "--base", "HEAD^")
    assert said.count("restored from the store") == 1


def test_a_promoted_model_is_the_anchor_and_is_replaced_by_one_that_was_compared_with_it(anchored: Release) -> None:
    """Whatever is released; a model that was judged before the promotion is judged again."""
    anchored.scratch.git("tag", "v1.0", "HEAD^")
    assert judged(anchored, 0)["sum"] == "passes"
    assert "gate passed" in anchored.promote(0, "production")
    first = Path(FILE).read_bytes()
    assert judged(anchored, 0)["sum"] == "passes"
    assert "(the same model); bound -0.0500" in anchored.run("gate", "--base", "HEAD^")
    anchored.commit(STEPS[1])
    assert judged(anchored, 0)["sum"] == "passes"
    anchored.promote(0, "production")
    anchored.scratch.git("checkout", "--quiet", "HEAD^", "--", "inputs")
    anchored.stages()
    assert Path(FILE).read_bytes() == first
    refused = anchored.promote()
    assert "gate was not compared with the model that is the anchor now for exactly this file." in refused
    assert "Run `headworks gate`." in refused
    anchored.commit(STEPS[2])
    anchored.commit(STEPS[3])
    assert judged(anchored, 0)["sum"] == "passes"
    said = anchored.run("gate", "--base", "HEAD^")
    assert "anchor 0.9622, difference -0.0356" in said
    assert "note: the anchor is production, " in said
    assert "gate passed" in anchored.promote(0, "production")
    anchored.run("rollback", "production")
    assert "anchor 0.9622" in anchored.run("gate", "--base", "HEAD^")


def test_an_anchor_that_the_store_lost_is_named(anchored: Release) -> None:
    """It is no pass; what the anchor was judged by outlives all else in the store."""
    anchored.run("gate", "--base", "HEAD^")
    anchored.promote(0, "production")
    anchored.run("store", "gc", "--max-size", "0B")
    anchored.commit(STEPS[1])
    assert judged(anchored, 0)["sum"] == "passes"
    store = Store.default()
    move = anchor_of(store, "production")
    assert move is not None
    store.blobs.path(move.files["artifacts/evaluate/predictions.csv"]).unlink()
    said = anchored.run("gate", "--base", "HEAD^", code=3)
    assert "The store lacks artifacts/evaluate/predictions.csv of production, " in said
    assert "Promote another model, or go back by `headworks rollback`." in said
    said = anchored.run("gate", "--base", "HEAD^", "--bootstrap")
    assert "note: not judged, since there is no anchor yet: 'sum'. The store lacks " in said


def test_an_anchor_that_nobody_can_tell_is_not_passed_over(anchored: Release) -> None:
    """The model before a damaged entry is not the anchor; a promotion without the gate is none, which is said."""
    anchored.run("gate", "--base", "HEAD^")
    store, alias = Store.default(), "production"
    predictions = Path("artifacts/evaluate/predictions.csv").read_bytes()
    blob = store.blobs.path(sha256(predictions).hexdigest())
    blob.unlink()
    assert "does not hold artifacts/evaluate/predictions.csv of the model" in anchored.promote(3, alias)
    blob.write_bytes(predictions)
    anchored.promote(0, alias)
    last = current(store, alias)
    move(store, replace(last, when="later", evidence=()), moves(store, alias))
    assert anchor_of(store, alias) is None
    said = anchored.run("gate", "--base", "HEAD^")
    assert "note: production was promoted without the gate, so that it is no anchor" in said
    entry = max(Path(store.root, "aliases", alias).iterdir())
    entry.write_text("{")
    assert "The last entry of production, 2 in" in anchored.run("gate", "--base", "HEAD^", code=2)


def test_machines_that_start_empty_share_outcomes_and_the_anchor(
    anchored: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One judges, one promotes what it judged, and one is held to what was promoted; all they share is the remote."""
    shared = tmp_path / "shared"
    url = shared.as_uri()
    anchored.run("gate", "--base", "HEAD^", "--remote", url, "--write-remote")
    for folder in ("passed", "blobs"):  # as a run that may write leaves them
        shutil.copytree(Path(Store.default().root, folder), shared / folder, dirs_exist_ok=True)
    monkeypatch.setenv("HEADWORKS_STORE", str(tmp_path / "second"))
    monkeypatch.setenv("HEADWORKS_REMOTE", url)
    said = anchored.run("promote", FILE, "--to", "production", "--write-remote")
    assert "gate passed" in said
    assert "serve-check passed" in said
    monkeypatch.setenv("HEADWORKS_STORE", str(tmp_path / "third"))
    anchored.commit(STEPS[1])
    assert judged(anchored, 0)["sum"] == "passes"
    assert "note: the anchor is production, " in anchored.run("gate", "--base", "HEAD^")
    shutil.rmtree(shared / "aliases")
    (shared / "aliases").write_text("in the way")
    assert "Nothing can be decided: The remote store " in anchored.run("gate", "--base", "HEAD^", code=3)


@pytest.mark.parametrize("metric", ["latency_p99_ms", "requests_per_second"])
def test_only_the_base_takes_turns(release: Release, metric: str) -> None:
    """So that an anchor's latency is refused before anything else is done; its size is a fact of its file."""
    release.replace("conditions = [", f'conditions = [\n{{ name = "far", condition = "{metric} >= anchor.{metric}" }},')
    said = release.run("gate", code=2)
    assert f"'far' cannot be judged in a repository: {metric} is measured in turns with the base alone" in said


def test_a_pass_by_other_peers_is_outdated() -> None:
    """Whatever decides about an outcome is one of its terms."""
    known = {"conditions": ["accuracy >= 0.5"], "predictions": {"evaluate": "p.csv"}}
    first = terms(gate_settings(known))
    for more in ({"peers": {"evaluate": ["knn.csv"]}}, {"train": {"evaluate": "t.csv"}}, {"anchor": "staging"}):
        assert terms(gate_settings(known | more)) != first


def test_only_rows_that_are_asked_as_they_were_count_for_the_anchor(anchored: Release) -> None:
    """What was relabelled or taken out in between was accepted then."""
    anchored.scratch.git("tag", "v1.0")
    path = Path("artifacts/evaluate/predictions.csv")
    for number in range(2):
        anchored.commit(STEPS[1] + " " * number)
        rows = [it for it in path.read_text().splitlines() if not it.startswith("r17")]
        path.write_text("\n".join(rows).replace("r100,yes,yes", "r100,no,no"))
        anchored.scratch.record_pass("evaluate")
    said = anchored.run("gate", "--base", "HEAD^")
    assert "112 rows of evaluate that the anchor had are not asked any more, or not as they were: r100, r17, " in said
    assert "with artifacts/evaluate/predictions.csv of the anchor on 1,688 rows" in said
