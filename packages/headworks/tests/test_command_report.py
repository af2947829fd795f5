"""The report's command writes one page from what is there, and says what is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from headworks import _cli
from headworks._gate.base_outputs import StoredOutputs
from headworks._metrics.file import read_predictions
from headworks._plan.plan import plan
from headworks._report import as_html
from headworks._report.charts import draw
from headworks._report.page import Graph, Table
from headworks._report.plan import plan_section, red_section, session_facts, time_section
from headworks._run.logs import log_folder, log_name
from headworks._store.store import Store
from headworks._store.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conftest import Monorepo, Scratch

    from headworks._report.charts import Chart
    from headworks._report.page import Section

TABLES = """
[tool.headworks.report]
dataset = "artifacts/data/set"
training = "artifacts/model/log.jsonl"
data-diff = "artifacts/diff.json"

[tool.headworks.gate]
predictions = { test = "artifacts/model/predictions.csv", gone = "artifacts/model/gone.csv" }
"""
OUTPUTS = {"data": ["artifacts/data"], "model": ["artifacts/model"]}


def predictions(predicted: str) -> str:
    """Return a file of predictions of rows that are all `a`."""
    lines = [f"r{row},a,{letter},0.9" for row, letter in enumerate(predicted)]
    return "\n".join(["id,label,prediction,score", *lines]) + "\n"


@pytest.fixture(scope="module", autouse=True)
def _drawn_once() -> Iterator[None]:
    """Draw each chart once: most pages have the same ones, and to draw them takes longer than all else."""
    drawn: dict[str, str] = {}

    def draw_once(chart: Chart) -> str:
        if repr(chart) not in drawn:
            drawn[repr(chart)] = draw(chart)
        return drawn[repr(chart)]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(as_html, "draw", draw_once)
        yield


@pytest.fixture
def inside(monorepo: Monorepo, monkeypatch: pytest.MonkeyPatch) -> Monorepo:
    """Return a monorepo that is the working folder, with tables and the outputs of its base."""
    monkeypatch.chdir(monorepo.root)
    monorepo.scratch.write({"pyproject.toml": (monorepo.root / "pyproject.toml").read_text() + TABLES})
    monorepo.scratch.commit()
    outputs = {"log.jsonl": '{"epoch": 1, "loss": 1.0}\n', "predictions.csv": predictions("aaaa")}
    monorepo.scratch.write({f"artifacts/model/{name}": content for name, content in outputs.items()})
    monorepo.scratch.write({"artifacts/data/set/diff.json": "{}"})
    return monorepo


def prove(inside: Monorepo, *names: str, passed: bool = True, commit: str = "HEAD") -> Store:
    """Record that sessions ended, those first that others need."""
    store = Store.default(inside.root)
    outputs: dict[str, dict[str, str]] = {}
    for name in names:
        planned = plan(inside.root, store=store)
        (it,) = [it for it in planned.sessions if it.session.name == name]
        outputs = {other.session.name: dict(other.verdict.outputs) for other in planned.sessions if other.verdict}
        contents = {path: store.outputs(inside.root).content(path) or "" for path in OUTPUTS.get(name, [])}
        verdict = Verdict(
            session=name,
            digest=it.digest or "",
            passed=passed,
            finished="2026-11-24T01:02:03Z",
            seconds=90.0,
            commit=inside.scratch.git("rev-parse", commit) if commit else "1234567890abcdef",
            platform="linux",
            outputs=contents,
            components=planned.digester.digest(it.session, outputs).components,
        )
        store.record(verdict, inside.root)
    return store


def report(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """Run the command and return what it writes."""
    assert _cli.main(["report", *arguments]) == code
    output = capsys.readouterr()
    return output.err if code else output.out


def markdown() -> str:
    """Return the page as Markdown."""
    return Path("artifacts/report/report.md").read_text(encoding="utf-8")


def judged(**changes: object) -> dict[str, object]:
    """Return what the gate found about one metric."""
    numbers = dict.fromkeys(("candidate", "base", "estimate", "bound"), 0.0)
    counts = dict.fromkeys(("rows", "wins", "losses", "rows_needed"), 1)
    return {"outcome": "fails", "interval": None, **numbers, **counts, **changes}


def rows(section: Section, caption: str) -> list[Sequence[str]]:
    """Return the rows of a table."""
    (found,) = [it for it in section.blocks if isinstance(it, Table) and it.caption.startswith(caption)]
    return list(found.rows)


def test_a_page_is_written_from_what_is_there(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """The base is restored from the store, and the new mistakes are those that it does not make."""
    prove(inside, "data", "model")
    Path("artifacts/model/predictions.csv").write_text(predictions("aaab"))
    Path("artifacts/model/gone.csv").write_text("id,label\n")
    Path("artifacts/diff.json").write_text("{}")
    said = report(capsys)
    assert said.splitlines() == [
        "Cannot tell: data diff cannot be read; artifacts/model/gone.csv cannot be read",
        "artifacts/report/report.html",
    ]
    text = markdown()
    assert "## Most confident new mistakes of test" in text
    assert "| `r3` | a | b | 0.9000 |" in text
    assert "The store has no training log of the base" not in text
    assert "Difference: candidate less base" in text
    assert "The facts are not in the form that is expected here" in text
    page = Path("artifacts/report/report.html").read_text(encoding="utf-8")
    assert page.count("<h2") == text.count("\n## ")
    assert "loss (base)" in page


def test_the_base_that_the_gate_judged_by_goes_first(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """Since it may have been made without the store; but not that of another candidate."""
    candidate = read_predictions("artifacts/model/predictions.csv")
    comparison = {"on": "test", "rival": "base", "model": candidate.digest, "test_set": candidate.rows_digest}
    gate: dict[str, Any] = {"format": 1, "outcome": "passes", "reliability": 0.99, "conditions": [], "notes": []}
    gate["unjudged"] = ["accuracy >= anchor.accuracy - 0.05"]  # before the first release there is no anchor
    inside.scratch.write(
        {
            "artifacts/gate/gate.json": json.dumps(gate | {"comparisons": [comparison]}),
            "artifacts/gate/base-test.csv": predictions("aabb"),
        }
    )
    report(capsys)
    assert "The store has no artifacts/model/predictions.csv of the base" not in markdown()
    other = json.dumps(gate | {"comparisons": [comparison | {"model": "other"}]})
    Path("elsewhere.json").write_text(other)
    said = report(capsys, "--gate", "elsewhere.json")
    assert said.startswith("Cannot tell: the gate judged by other predictions\n")
    assert "has no artifacts/model/predictions.csv of the base".replace("_", "\\_") in markdown()


def test_rows_without_a_prediction_are_not_shown(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """They are mistakes to the gate, and nothing that a matrix or a picture could show; with and without a base."""
    candidate = "id,label,prediction,score\nr0,a,a,0.9\nr1,a,,\nr2,b,a,0.8\nr3,b,b,0.7\n"
    inside.scratch.write({"artifacts/model/predictions.csv": candidate})
    report(capsys)
    assert "3 rows were predicted, from" in markdown()
    read = read_predictions("artifacts/model/predictions.csv")
    comparison = {"on": "test", "rival": "base", "model": read.digest, "test_set": read.rows_digest}
    gate: dict[str, Any] = {"format": 1, "outcome": "passes", "reliability": 0.99, "conditions": [], "notes": []}
    gate["unjudged"] = []
    saved = {"artifacts/gate/gate.json": json.dumps(gate | {"comparisons": [comparison]})}
    settings = (inside.scratch.root / "pyproject.toml").read_text()
    settings = settings.replace("[tool.headworks.gate]\n", "[tool.headworks.gate]\nmin-shared = 0.5\n")
    inside.scratch.write(saved | {"artifacts/gate/base-test.csv": predictions("aabb"), "pyproject.toml": settings})
    report(capsys)
    assert "3 rows were predicted, from" in markdown()
    assert "| `r2` | b | a | 0.8000 |" in markdown()
    assert "`r1`" not in markdown()


@pytest.mark.parametrize(
    ("learnt", "held_out", "expected"),
    [
        (
            "label,prediction\nr0,a,a\nr1,a,a\nr2,a,\n",
            "label,prediction\nx,a,a\ny,b,a\n",
            "| `accuracy` | 1.0000 | 0.5000 | -0.5000 |",
        ),
        ("error\nr0,1\nr1,-1\n", "error\nx,2\ny,-2\n", "| `rmse` | 1.0000 | 2.0000 | +1.0000 |"),
        (
            "label,prediction,probabilities.a,probabilities.b\nr0,a,a,0.9,0.1\n",
            "label,prediction,probabilities.a,probabilities.b\nx,a,a,0.5,0.5\n",
            "| `log_loss` | 0.1054 | 0.6931 | +0.5878 |",
        ),
    ],
)
def test_what_was_learnt_stands_beside_what_was_held_out(
    inside: Monorepo, capsys: pytest.CaptureFixture[str], learnt: str, held_out: str, expected: str
) -> None:
    """So that overfit and underfit show; where the table names no such rows, nothing is said."""
    inside.scratch.write({"artifacts/model/predictions.csv": f"id,{held_out}"})
    report(capsys)
    assert "Learnt and held out" not in markdown()
    inside.edit("pyproject.toml", 'gone.csv" }', 'gone.csv" }\ntrain = { test = "artifacts/model/train.csv" }')
    report(capsys)
    assert "There is no artifacts/model/train.csv." in markdown()
    inside.scratch.write({"artifacts/model/train.csv": f"id,{learnt}"})
    report(capsys)
    assert expected in markdown()


def test_whatever_is_in_its_files_there_is_a_page(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """Each section says what it cannot read, and what is said on a terminal turns no text around."""
    prove(inside, "data", "model")
    inside.scratch.write(
        {
            "artifacts/gate/gate.json": "[" * 100_000,
            "artifacts/model/predictions.csv": "id,label,prediction,x\u202e\nr0,a\x1b,b,c\nr1,b,b,d\n",
            "artifacts/model/log.jsonl": f'{{"loss": 1{"0" * 400}}}',
        }
    )
    said = report(capsys, "--data-diff", "n\u202eone.json")
    assert said.startswith("Cannot tell: gate cannot be read; training cannot be read\n")
    Path("artifacts/gate/gate.json").unlink()
    Path("artifacts/gate/gate.json").mkdir()
    Path("artifacts/diff.json").write_text("{}")
    assert report(capsys) == said.replace(
        "gate cannot be read; training", "gate cannot be read; data diff cannot be read; training"
    )
    page = Path("artifacts/report/report.html").read_text(encoding="utf-8")
    assert not set(page) & {"\u202e", "\x1b"}


def test_what_the_gate_saves_counts_until_something_changes(
    inside: Monorepo, capsys: pytest.CaptureFixture[str]
) -> None:
    """The gate and the report mean the same predictions, conditions and reliability."""
    inside.scratch.git("checkout", "--quiet", "-b", "change")
    inside.scratch.commit()
    prove(inside, "data", "model")
    assert _cli.main(["gate", "--save", "artifacts/gate"]) == 0
    report(capsys, "--data-diff", "none.json")
    gate = markdown().partition("## Gate")[2].partition("\n## ")[0]
    assert "| passes |" in gate.replace("\N{CHECK MARK} ", "")
    assert "Ask the gate again" not in gate
    assert _cli.main(["gate", "--save", "artifacts/gate", "--condition", "accuracy >= 0.01"]) == 0
    assert "\nCannot tell: the gate judged by other conditions" in report(capsys)
    Path("artifacts/model/predictions.csv").unlink()
    assert report(capsys).startswith("Cannot tell: the gate judged by other predictions")


def test_a_name_turns_no_terminal_around(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """The slices that are to blame are named in one line, control characters escaped."""
    candidate = read_predictions("artifacts/model/predictions.csv")
    findings = [judged(subject=f"part=x\u202e{number}\n\x1b[31m") for number in range(2)]
    condition = {"name": "parts", "condition": "accuracy >= base.accuracy - 0.03", "on": "test", "findings": findings}
    comparison = {"on": "test", "base": "", "model": candidate.digest, "test_set": candidate.rows_digest}
    gate = {
        "format": 1,
        "outcome": "fails",
        "reliability": 0.99,
        "notes": [],
        "comparisons": [comparison],
        "unjudged": [],
    }
    gate["conditions"] = [condition | {"found": "fails", "outcome": "fails"}]
    inside.scratch.write({"artifacts/gate/gate.json": json.dumps(gate)})
    said = report(capsys, "--data-diff", "none.json")
    assert (
        said.splitlines()[0] == "Failed: gate condition parts (part=x\\u202e0\\n\\x1b[31m, part=x\\u202e1\\n\\x1b[31m)"
    )


def test_a_base_of_another_kind_is_left_out(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """Other rows, or numbers in place of classes, are not compared."""
    prove(inside, "data", "model")
    Path("artifacts/model/predictions.csv").write_text("id,label,prediction\nx,a,a\n")
    report(capsys)
    assert "share 0 of 4 rows" in markdown()
    Path("artifacts/model/predictions.csv").write_text("id,error\n" + "".join(f"r{row},1\n" for row in range(4)))
    report(capsys)
    assert "is a regression. Compare models of one kind." in markdown()
    assert "| candidate | 1 | 1 |" in markdown()


def test_states_and_times_are_those_of_the_store(inside: Monorepo) -> None:
    """Passed here, covered from elsewhere, failed with the end of its log, flaky, or not run."""
    prove(inside, "data", "tests-3.11(base)")
    prove(inside, "tests-3.11(app)", commit="")
    prove(inside, "tests-3.13(app)", passed=False)
    prove(inside, "tests-3.13(solo)")
    store = Store.default(inside.root)
    planned = plan(inside.root, store=store)
    solo = next(it.verdict for it in planned.sessions if it.session.name == "tests-3.13(solo)")
    assert solo is not None
    store.record(Verdict(**vars(solo) | {"passed": False, "outputs": {}}), inside.root)
    log = Path(log_folder(str(inside.root)) or "", log_name("tests-3.13(app)"))
    log.parent.mkdir(parents=True)
    log.write_text("\n".join([*map(str, range(99)), "x" * 30_000]) + "\n\x1b[31mr\u202eed\x1b[0m\r\n")
    head = inside.scratch.git("rev-parse", "HEAD")
    sessions = session_facts(plan(inside.root, store=store), store, head)
    states = {it.name: it.state for it in sessions}
    assert {name: states[name] for name in states if states[name] != "not run"} == {
        "tests-3.11(base)": "passed",
        "tests-3.11(app)": "covered",
        "tests-3.13(app)": "failed",
        "tests-3.13(solo)": "flaky",
        "data": "passed",
    }
    section = plan_section(sessions)
    assert section.outcome == "failed"
    assert section.reasons == ["tests-3.13(app) failed", "tests-3.13(solo) is flaky"]
    assert rows(section, "Verdicts that count")[0][:3] == ("tests-3.11(base)", "passed", "2026-11-24")
    (graph,) = [it for it in section.blocks if isinstance(it, Graph)]
    assert [(it.name, it.state) for it in graph.nodes] == [("data", "passed"), ("model", "not run")]
    assert graph.edges == [(0, 1)]
    assert graph.caption.endswith("2 sessions that need and serve no other are left out.")
    assert [it[1:] for it in rows(time_section(sessions), "Time")] == [
        ("4", "6 min 00 s"),
        ("1", "1 min 30 s"),
        ("4", "0.0 s and 4 of unknown length"),
    ]
    red = [vars(it) for it in red_section(sessions).blocks]
    assert red[0]["text"] == "nox -s 'tests-3.13(app)'"
    assert red[1]["text"].splitlines()[-2:] == ["x" * 500 + " [and 29,500 more characters]", "r\\u202eed"]
    assert len(red[1]["text"].splitlines()) == 40
    assert red[2]["text"] == "nox -s 'tests-3.13(solo)'"
    assert red[3]["text"] == "headworks run 'tests-3.11(solo)' 'tests-3.13(base)' lint model"


def test_everything_proven_is_a_pass(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """But not where nothing leaves a verdict."""
    prove(inside, *inside.names)
    Path("pyproject.toml").write_text(Path("pyproject.toml").read_text().partition("[tool.headworks.report]")[0])
    inside.scratch.git("checkout", "--quiet", "pyproject.toml")
    said = report(capsys, "--data-diff", "none.json", "--output", "out")
    assert said.startswith("Not everything is proven: The gate was not asked: there is no artifacts/gate/gate.json.\n")
    assert "No session is red." in Path("out/report.md").read_text(encoding="utf-8")
    assert plan_section(()).reasons == ["no session leaves a verdict"]


def test_a_summary_has_the_facts_of_a_comment(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the sessions with why they ran, the gate, the predictions, the data and what the tests covered."""
    planned = {"sessions": [{"name": "data", "reasons": [f"file {number} changed" for number in range(6)]}]}
    Path("artifacts/plan.json").write_text(json.dumps(planned))
    prove(inside, "data", "model")
    Path("artifacts/model/predictions.csv").write_text(predictions("aaab"))
    sides = {"base": {"a": 2}, "new": {"a": 3, "b" * 300: 1}}
    rows = {"added": {"count": 2, "groups": {}}}
    diff = {
        "passed": True,
        "limits": ["moved"],
        "violations": [],
        "rows": rows,
        "labels": {"train": sides, "test": sides},
    }
    Path("artifacts/diff.json").write_text(json.dumps(diff))
    condition = {"name": "no worse", "found": "passes", "findings": [judged(subject="accuracy")] * 2_001}
    inside.scratch.write({"artifacts/gate/gate.json": json.dumps({"conditions": [condition]})})
    totals = {"num_statements": 3, "num_branches": 2, "percent_covered": 100.0}
    inside.scratch.write({"artifacts/coverage/coverage.json": json.dumps({"totals": totals})})
    report(capsys, "--plan", "artifacts/plan.json")
    found = json.loads(Path("artifacts/report/summary.json").read_text(encoding="utf-8"))
    sessions = {it["name"]: it for it in found["sessions"]}
    few = [*(f"file {number} changed" for number in range(3)), "and 3 more reasons"]
    assert sessions["data"] == {"name": "data", "state": "passed", "basis": "declared", "why": few, "seconds": 90.0}
    assert [(it["found"], len(it["findings"])) for it in found["conditions"]] == [("passes", 2_000)]
    counts = {"candidate": [[3, 1], [0, 0]], "base": [[4, 0], [0, 0]]}
    assert found["predictions"] == [{"name": "test", "rows": 4, "classes": ["a", "b"]} | counts]
    labels = [["a", 4, 6], ["b" * 99 + "\N{HORIZONTAL ELLIPSIS}", 0, 2]]
    assert found["data"]["labels"] == labels
    assert [found["data"][it] for it in ("passed", "limits", "violations", "rows")] == [True, 1, 0, {"added": 2}]
    assert found["coverage"] == {"statements": 3, "branches": 2, "percent": 100.0}
    assert report(capsys, "--from", "artifacts/report/summary.json").endswith("artifacts/report/comment.md\n")
    assert Path("artifacts/report/comment.md").read_text(encoding="utf-8").startswith("# ? Cannot tell")
    Path("artifacts/model/predictions.csv").write_text(
        "id,label,prediction\n" + "".join(f"r{number},c{number},c0\n" for number in range(13))
    )
    report(capsys)
    found = json.loads(Path("artifacts/report/summary.json").read_text(encoding="utf-8"))
    assert [(it["classes"], it["candidate"]) for it in found["predictions"]] == [([], [])]


def test_a_plan_that_is_none_is_named(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """With the command that writes one."""
    assert inside.root.exists()
    for content in ("", "[]", '{"sessions": [1]}'):
        Path("plan.json").write_text(content)
        assert "plan.json is no plan (" in report(capsys, "--plan", "plan.json", code=2)


def test_sessions_that_always_run_leave_no_verdict(inside: Monorepo) -> None:
    """They count neither for nor against; those that wait are named."""
    inside.edit("pyproject.toml", "lint = {}", "lint = { cache = false }")
    store = Store.default(inside.root)
    sessions = session_facts(plan(inside.root, store=store), store, "")
    assert {it.name: it.state for it in sessions if it.state != "not run"} == {
        "lint": "not recorded",
        "model": "waiting",
    }
    assert plan_section(sessions).reasons == ["8 of 8 sessions did not pass yet"]
    prove(inside, *(it for it in inside.names if it != "lint"))
    sessions = session_facts(plan(inside.root, store=store), store, "")
    assert plan_section(sessions).reasons == ["8 sessions with a verdict"]


def test_a_long_way_replaces_a_short_one(inside: Monorepo) -> None:
    """In the graph, so that a reader can follow it; many reasons are counted."""
    inside.edit("pyproject.toml", "lint = {}", 'lint = { needs = ["data", "model"] }')
    for number in range(9):
        inside.scratch.write({f"packages/solo/x{number}.py": ""})
    store = Store.default(inside.root)
    section = plan_section(session_facts(plan(inside.root, store=store), store, ""))
    (graph,) = [it for it in section.blocks if isinstance(it, Graph)]
    assert [(graph.nodes[one].name, graph.nodes[two].name) for one, two in graph.edges] == [
        ("data", "model"),
        ("model", "lint"),
    ]
    assert graph.caption.endswith("1 session that need and serve no other is left out.")
    assert any("more" in row[2] for row in rows(section, "Sessions without"))


def test_a_base_that_cannot_be_read_has_no_outputs(inside: Monorepo, tmp_path: Path) -> None:
    """Nor has a path that no session writes; neither stops the report."""
    store = prove(inside, "data", "model")
    digester = plan(inside.root, store=store).digester
    (tmp_path / "here").mkdir()
    head = inside.scratch.git("rev-parse", "HEAD")
    here = StoredOutputs(digester, store, head, str(tmp_path / "here"))
    assert Path(here.look_up("artifacts/model/log.jsonl")).read_text() == '{"epoch": 1, "loss": 1.0}\n'
    assert here.look_up("artifacts/model/none.jsonl") == ""
    assert here.look_up("artifacts/nobody") == ""
    assert here.look_up("") == ""
    inside.edit("pyproject.toml", "lint = {}", "lint = {")
    broken = inside.scratch.commit()
    there = StoredOutputs(digester, store, broken, str(tmp_path))
    assert there.look_up("artifacts/model/log.jsonl") == ""


def test_without_git_there_is_still_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so, and passes nothing; only a base that was asked for must be there."""
    folder = tmp_path / "plain"
    (folder / "artifacts/train").mkdir(parents=True)
    (folder / "artifacts/train/log.jsonl").write_text('{"epoch": 1, "loss": 1.0}\n')
    monkeypatch.chdir(folder)
    assert report(capsys).startswith("Cannot tell: there is no plan\n")
    text = markdown()
    assert "There is no git repository here" in text
    assert "The gate was not asked" in text
    assert "The store has no training log of the base." in text
    assert "Nothing is declared for this" in text
    assert "There is no artifacts/evaluate/predictions.parquet." in text
    assert "git" in report(capsys, "--base", "main", code=2)


def test_what_is_wrong_is_one_message(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """And exit code 2: a base that is not there, a misspelt key, a place that takes no file."""
    assert "There is no revision 'nowhere'" in report(capsys, "--base", "nowhere", code=2)
    assert "cannot be written" in report(capsys, "--output", "noxfile.py", code=2)
    inside.edit("pyproject.toml", "training =", "trainings =")
    assert "Did you mean 'training'?" in report(capsys, code=2)


def test_a_plan_that_cannot_be_made_is_said(inside: Monorepo, capsys: pytest.CaptureFixture[str]) -> None:
    """It does not hide what else there is."""
    inside.edit("pyproject.toml", "lint = {}", "lint = { pakages = [] }")
    Path("artifacts/model/gone.csv").mkdir()
    assert report(capsys).startswith("Cannot tell: there is no plan; artifacts/model/gone.csv cannot be read\n")
    assert "There is no plan: pyproject.toml" in markdown()


def test_a_history_that_is_cut_off_has_no_base(
    scratch: Scratch, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which the page says, with what to do."""
    scratch.commit({"noxfile.py": "import nox\n"})
    scratch.commit({"a": "1"})
    clone = tmp_path / "clone"
    scratch.git("clone", "--quiet", "--depth=1", f"file://{scratch.root}", str(clone))
    monkeypatch.chdir(clone)
    monkeypatch.setenv("GITHUB_EVENT_NAME", "push")
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"before": "1" * 40}))
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(event))
    report(capsys)
    assert "fetch-depth: 0" in markdown()


@pytest.mark.usefixtures("measured")
def test_the_extra_is_named_where_it_is_missing(tmp_path: Path) -> None:
    """In a process that finds no Jinja; the planning commands never look for it."""
    code = "import sys; sys.modules['jinja2'] = None; from headworks._cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "report"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path, env=dict(os.environ))
    assert done.returncode == 2
    assert (
        done.stderr == "headworks: The report needs jinja2, which is not installed: pip install 'headworks[report]'\n"
    )
