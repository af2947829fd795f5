"""The report's facts are read from what stages and gate leave behind, and what cannot be read never passes."""

from __future__ import annotations

import json
import sys
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from headworks._metrics.file import read_predictions
from headworks._project.gate_table import gate_settings
from headworks._project.report_settings import ReportSettings, report_settings
from headworks._report.artifacts import (
    contract_section,
    diff_section,
    images_section,
    measurements_section,
    training_section,
)
from headworks._report.charts import Intervals, Lines, Reliability
from headworks._report.collect import guarded
from headworks._report.gate import gate_section
from headworks._report.model import mistakes_section, model_section
from headworks._report.page import Gallery, Matrix, Section, Table
from headworks._report.source import NotThereError, Sources
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headworks._project.gate_settings import GateSettings


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """Return an empty project with an empty base."""
    for name in ("new", "base"):
        (tmp_path / name).mkdir()

    def base(path: str) -> str:
        return str(tmp_path / "base" / path) if (tmp_path / "base" / path).exists() else ""

    return Sources(root=str(tmp_path / "new"), base=base)


def write(sources: Sources, name: str, content: object, *, side: str = "new") -> str:
    """Write a file, as JSON unless it is a text."""
    place = Path(sources.root).parent / side / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content if isinstance(content, str) else json.dumps(content))
    return name


def table(section: Section, caption: str) -> list[dict[str, str]]:
    """Return the rows of a table by their columns."""
    (found,) = [it for it in section.blocks if isinstance(it, Table) and it.caption.startswith(caption)]
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def said(section: Section) -> str:
    """Return all paragraphs."""
    return " ".join(it for it in section.blocks if isinstance(it, str))


CHECK: dict[str, Any] = {"format": 1, "passed": True, "violations": []}
VIOLATION = {"rule": "rows.min", "where": "test", "what": "too few", "count": 1_200, "remedy": "add", "rows": []}
PAIR = {"splits": ["train", "test"], "rows": ["a" * 64, "b" * 64], "distance": 9.5}


def diff(**changes: object) -> dict[str, Any]:
    """Return a comparison of two datasets."""
    nothing = {"count": 0, "rows": [], "groups": {}}
    rows = dict.fromkeys(("removed", "relabelled", "moved", "resliced"), nothing)
    labels = {"base": {"0": 4}, "new": {"0": 3, "1": 2}, "chi_squared": 1.0, "degrees_of_freedom": 1, "p_value": 0.3}
    pixels = {"base_mean": 1.0, "new_mean": 2.0, "ks_distance": None, "p_value": None, "cohens_d": None}
    return {
        "format": 1,
        "passed": True,
        "base": {"digest": "a" * 64, "source": "digits", "salt": "b", "rows": {"train": 3, "test": 1}},
        "new": {"digest": "b" * 64, "source": "digits", "salt": "b", "rows": {"train": 4, "test": 1}},
        "schema": [{"what": "column hue", "base": None, "new": "string"}],
        "rows": {"added": {"count": 1, "rows": ["c" * 64], "groups": {"train": 1}}, **rows},
        "labels": {"train": labels | {"cramers_v": 0.25}},
        "pixels": {"train": {"brightness": pixels}},
        "near_duplicates": {
            "measure": "pixels",
            "distance": 10,
            "base": 0,
            "new": 2,
            "added": {"count": 2, "pairs": [PAIR]},
            "closest": PAIR,
        },
        "limits": {},
        "violations": [],
        **changes,
    }


def contract(sources: Sources, content: object) -> Section:
    """Return the section about a check."""
    settings = ReportSettings(contract=write(sources, "check.json", content))
    return guarded("Data contract", lambda: contract_section(sources, settings))


def test_a_contract_is_kept_or_broken(sources: Sources) -> None:
    """What contradicts itself, is of a later form or is no JSON is neither."""
    assert contract(sources, CHECK).outcome == "passed"
    broken = contract(sources, CHECK | {"passed": False, "violations": [VIOLATION]})
    assert broken.outcome == "failed"
    assert table(broken, "What is broken")[0]["count"] == "1,200"
    contents: list[object] = [CHECK | {"passed": False}, CHECK | {"format": 2}, [], "{", {"format": 1}]
    for odd in contents:
        section = contract(sources, odd)
        assert (section.outcome, section.reasons) == ("cannot tell", ["data contract cannot be read"])


def test_a_command_can_give_the_facts(sources: Sources) -> None:
    """Exit code 1 says that a limit is broken; one that fails or cannot be started never passes."""
    print_it = f"import sys; print({json.dumps(CHECK)!r}); sys.exit(int(sys.argv[1]))"

    def made(*command: str) -> Section:
        return guarded("Data contract", lambda: contract_section(sources, ReportSettings(contract=command)))

    assert made(sys.executable, "-c", print_it, "0").outcome == "passed"
    assert made(sys.executable, "-c", print_it, "1").outcome == "passed"
    failed = made(sys.executable, "-c", "import sys; sys.exit('no such {new}')")
    assert failed.outcome == "cannot tell"
    failed = made(sys.executable, "-c", "import sys; print(sys.argv[1], file=sys.stderr); sys.exit(2)", "no {new}")
    assert said(failed).endswith("ended with exit code 2: no artifacts/dataset")
    assert failed.outcome == "cannot tell"
    assert "cannot be run" in said(made("/no/such/program"))


def compared(sources: Sources, content: object) -> Section:
    """Return the section about a comparison of two datasets."""
    settings = ReportSettings(data_diff=write(sources, "diff.json", content))
    return guarded("Data diff", lambda: diff_section(sources, settings))


def test_the_data_diff_is_shown(sources: Sources) -> None:
    """It informs, or passes or fails where the contract has limits."""
    section = compared(sources, diff())
    assert section.outcome is None
    write(sources, "artifacts/dataset/dataset.json", {"digest": "b" * 64})
    assert section == compared(sources, diff())
    assert said(section).startswith("4 rows before (aaaaaaaaaaaa), 5 rows now (bbbbbbbbbbbb). Nothing judges this.")
    assert "0 before, 2 now, 2 of them new (measured by pixels, within 10)" in said(section)
    assert table(section, "Rows that differ")[0] == {"rows": "added", "count": "1", "of which": "train: 1"}
    assert table(section, "Schema") == [{"what": "column hue", "base": "none", "now": "string"}]
    assert table(section, "Rows of each class")[1] == {"class": "1", "train: base to now": "0 to 2"}
    assert [it["value"] for it in table(section, "Drift")] == ["0.250", "not defined"]
    limited = compared(sources, diff(limits={"max_added": 0}))
    assert limited.outcome == "passed"
    assert "1 limit judged this." in said(limited)
    broken = compared(sources, diff(limits={"max_added": 0}, passed=False, violations=[VIOLATION]))
    assert broken.outcome == "failed"
    assert table(broken, "What is broken")
    same = diff()["new"]
    section = compared(sources, diff(base=same, new=same, schema=[], labels={}, pixels={}))
    assert said(section).startswith("The dataset is the base's, bbbbbbbbbbbb, row for row.")


def test_a_diff_of_another_dataset_does_not_count(sources: Sources) -> None:
    """Whether it passes, fails or informs; nor one that contradicts itself, or that no dataset can be held against."""
    limited = diff(limits={"max_added": 0})
    assert compared(sources, limited).outcome == "cannot tell"
    assert "There is no artifacts/dataset/dataset.json" in said(compared(sources, limited))
    write(sources, "artifacts/dataset/dataset.json", {"digest": "c" * 64})
    for content in (diff(), limited, diff(passed=False, violations=[VIOLATION])):
        section = compared(sources, content)
        assert (section.outcome, section.reasons) == ("cannot tell", ["the data diff is about another dataset"])
        assert said(section).startswith("diff.json is about another dataset than artifacts/dataset. Compare again.")
    write(sources, "artifacts/dataset/dataset.json", {"digest": "b" * 64})
    assert compared(sources, diff(passed=False, violations=[VIOLATION])).outcome == "failed"
    for odd in (diff(passed=False), diff(violations=[VIOLATION])):
        assert compared(sources, odd).reasons == ["data diff cannot be read"]


def test_a_diff_that_the_contract_accepts_passes_and_is_shown(sources: Sources) -> None:
    """With all that it breaks; one that is accepted and fails contradicts itself."""
    write(sources, "artifacts/dataset/dataset.json", {"digest": "b" * 64})
    broken = diff(limits={"max_added": 0}, accepted=True, violations=[VIOLATION])
    section = compared(sources, broken)
    assert section.outcome == "passed"
    assert "The contract accepts this very change." in said(section)
    assert table(section, "What is broken")
    assert compared(sources, broken | {"passed": False}).reasons == ["data diff cannot be read"]


def finding(**changes: object) -> dict[str, Any]:
    """Return what the gate found about one metric."""
    numbers = {"candidate": 0.97, "base": 0.99, "estimate": -0.02, "bound": -0.03, "interval": [-0.04, 0.01]}
    counts = {"rows": 1_797, "wins": 3, "losses": 39, "mcnemar": 0.01, "rows_needed": 4_000}
    return {"subject": "accuracy", "outcome": "cannot tell", "method": "score", **numbers, **counts, **changes}


def gated(outcome: str, *conditions: Mapping[str, object]) -> dict[str, Any]:
    """Return what the gate found."""
    comparison = {"on": "test", "model": "m", "test_set": "t"}
    return {
        "format": 1,
        "outcome": outcome,
        "reliability": 0.99,
        "conditions": conditions,
        "comparisons": [comparison],
        "notes": ["model 1 of 32"],
    }


def condition(name: str, outcome: str, *findings: Mapping[str, object], found: str = "") -> dict[str, Any]:
    """Return a condition with what was found."""
    return {
        "name": name,
        "condition": "accuracy >= 0.9",
        "on": "test",
        "outcome": outcome,
        "found": found or outcome,
        "findings": findings,
    }


HERE = {"test": ("m", "t")}  # digests of the predictions that are here, and of their rows
TABLE = gate_settings({"conditions": ["accuracy >= 0.9"], "predictions": {"test": "predictions.csv"}})


def asked(
    sources: Sources,
    content: object,
    here: Mapping[str, tuple[str, str]] = HERE,
    settings: GateSettings | None = TABLE,
) -> Section:
    """Return the section about the gate."""
    path = "gate.json" if content is None else write(sources, "gate.json", content)
    return guarded("Gate", lambda: gate_section(sources, path, here, settings))


def test_the_gate_is_told_with_what_it_is_due_to(sources: Sources) -> None:
    """Every finding has a row; a condition with slices names those to blame."""
    thin, thick = finding(subject="thin", outcome="fails"), finding(subject="thick", outcome="passes")
    size = finding(base=None, interval=None, rows=0, wins=None, losses=None, rows_needed=None, candidate=156_000.0)
    data = gated(
        "fails",
        condition("each stroke", "fails", thin, thick),
        condition("overall", "passes", finding(), found="cannot tell"),
        condition("size", "passes", size | {"outcome": "passes"}) | {"on": None},
    )
    section = asked(sources, data, settings=None)
    assert (section.outcome, section.reasons) == ("failed", ["gate condition each stroke (thin)"])
    rows = table(section, "Candidate and base")
    assert [it["outcome"] for it in rows] == ["fails", "passes", "cannot tell, counts as passes", "passes"]
    assert rows[0]["interval"] == "-0.0400 to +0.0100"
    assert (rows[0]["condition"], rows[0]["metric"]) == ("each stroke", "thin on test")
    assert (rows[3]["candidate"], rows[3]["base"], rows[3]["rows"]) == ("156,000", "", "")
    assert "Model 1 of 32." in said(section)
    unsure = asked(sources, gated("cannot tell", condition("overall", "cannot tell", finding())))
    assert (unsure.outcome, unsure.reasons) == ("cannot tell", ["gate condition overall"])
    passed = asked(sources, PASSED)
    assert (passed.outcome, passed.reasons) == ("passed", ["the gate"])


PASSED = gated("passes", condition("overall", "passes", finding(outcome="passes")))


@pytest.mark.parametrize(
    ("here", "changes"),
    [
        ({"test": ("other", "t")}, {}),
        ({"test": ("m", "other")}, {}),
        ({}, {}),
        ({"": ("m", "t")}, {}),
        (HERE, {"comparisons": []}),
        (HERE, {"comparisons": [{"on": "", "model": "m", "test_set": "t"}]}),
    ],
    ids=["predicted otherwise", "labelled otherwise", "gone", "elsewhere", "not compared", "of no name"],
)
def test_an_outcome_of_other_predictions_does_not_count(
    sources: Sources, here: Mapping[str, tuple[str, str]], changes: dict[str, object]
) -> None:
    """Nor one whose predictions are not there to compare with, whether there is a table or not."""
    for settings in (TABLE, None):
        section = asked(sources, PASSED | changes, here, settings)
        assert (section.outcome, section.reasons) == ("cannot tell", ["the gate judged by other predictions"])
        assert "Ask the gate again." in said(section)


def test_a_gate_that_was_not_asked_is_no_pass(sources: Sources) -> None:
    """Where conditions are declared."""
    assert asked(sources, None).outcome == "unproven"
    assert asked(sources, None, settings=None).outcome is None


@pytest.mark.parametrize(
    "table",
    [
        {"conditions": ["accuracy >= 0.91"]},
        {"conditions": [{"condition": "accuracy >= 0.9", "on": "more"}], "predictions": {"test": "a", "more": "b"}},
        {"conditions": ["accuracy >= 0.9"], "reliability": 0.9},
        {"conditions": ["accuracy >= 0.9"], "predictions": {"more": "b", "test": "a"}},
    ],
)
def test_an_outcome_by_other_conditions_does_not_count(sources: Sources, table: dict[str, Any]) -> None:
    """Than those of the table: easier ones, of other predictions, less sure."""
    settings = gate_settings({"predictions": {"test": "a"}} | table)
    section = asked(sources, PASSED, settings=settings)
    assert (section.outcome, section.reasons) == ("cannot tell", ["the gate judged by other conditions"])
    assert "than those that are here now (accuracy >= 0.9). Ask the gate again." in said(section)
    assert asked(sources, PASSED, settings=None).outcome == "passed"


def test_an_outcome_of_another_model_does_not_count(sources: Sources) -> None:
    """Which its size tells, where the condition reads no predictions."""
    size = finding(subject="model_bytes", candidate=5.0, base=None, interval=None, outcome="passes")
    data = gated("passes", condition("size", "passes", size) | {"on": None, "condition": "model_bytes <= 9"})
    settings = gate_settings({"conditions": ["model_bytes <= 9"], "model": "m.onnx"})
    contents = {"12345": "passed", "1234": "cannot tell"}
    assert asked(sources, data | {"comparisons": []}, settings=settings).outcome == "cannot tell"
    for content, outcome in contents.items():
        write(sources, "m.onnx", content)
        assert asked(sources, data | {"comparisons": []}, settings=settings).outcome == outcome
    assert asked(sources, data, settings=settings).reasons == ["the gate judged by other measurements"]


def test_what_cannot_be_told_counts_as_the_table_says(sources: Sources) -> None:
    """And as it says now, not as it said when the gate was asked."""
    counted = gated("passes", condition("overall", "passes", finding(), found="cannot tell"))
    lenient = {"conditions": [{"condition": "accuracy >= 0.9", "cannot-tell": "pass"}], "predictions": {"test": "a"}}
    assert asked(sources, counted, settings=gate_settings(lenient)).outcome == "passed"
    assert asked(sources, counted).outcome == "cannot tell"


def test_a_condition_that_was_not_judged_is_unproven(sources: Sources) -> None:
    """As at the first commit, where there is no base; what failed has failed."""
    data = {"conditions": ["accuracy >= 0.9", "accuracy >= base.accuracy - 0.1"], "predictions": {"test": "a"}}
    section = asked(sources, PASSED, settings=gate_settings(data))
    assert (section.outcome, section.reasons) == ("unproven", ["the gate did not judge 1 condition"])
    assert said(section).startswith("Not judged: accuracy >= base.accuracy - 0.1.")
    failed = gated("fails", condition("overall", "fails", finding(outcome="fails")))
    assert asked(sources, failed, settings=gate_settings(data)).outcome == "failed"


@pytest.mark.parametrize(
    "odd",
    [
        PASSED | {"format": 2},
        gated("passes", condition("overall", "fails", finding(outcome="fails"))),
        gated("passes", condition("overall", "passes", finding(outcome="fails"))),
        gated("passes", condition("overall", "passes", finding(outcome="fails"), found="fails")),
        gated("passes", condition("overall", "passes", finding(outcome="odd"))),
        gated("passes", condition("overall", "passes")),
        gated("odd"),
        "[" * 100_000,
    ],
    ids=["later form", "condition", "finding", "mapped", "unknown finding", "no finding", "unknown", "deep"],
)
def test_an_outcome_that_contradicts_itself_is_none(sources: Sources, odd: object) -> None:
    """The worst finding is what a condition has, and the worst condition what the gate has."""
    section = asked(sources, odd)
    assert (section.outcome, section.reasons) == ("cannot tell", ["gate cannot be read"])


def predictions(path: str, predicted: str, *, score: str = "", seeds: int = 1, slices: Sequence[str] = ()) -> str:
    """Write predictions of the labels `aabb…`, one letter each, and return the file."""
    lines = [f"id,label,prediction,seed{',score' if score else ''}{',part' if slices else ''}"]
    for seed in range(seeds):
        for row, letter in enumerate(predicted):
            more = f",0.{score[row]}" if score else ""
            more += f",{slices[row]}" if slices else ""
            lines.append(f"r{row},{'aabb'[row % 4]},{letter},{seed}{more}")
    Path(path).write_text("\n".join(lines) + "\n")
    return path


def test_predictions_are_compared(sources: Sources, tmp_path: Path) -> None:
    """Matrices, their difference, reliability and slices, each with a table."""
    slices = ["x", "y", "x", "y"]
    new = read_predictions(predictions(f"{tmp_path}/n.csv", "abca", score="9799", slices=slices))
    old = read_predictions(predictions(f"{tmp_path}/o.csv", "aabb", score="9999", slices=slices))
    section = model_section("test", new, old, "")
    matrices = [it for it in section.blocks if isinstance(it, Matrix)]
    assert [it.classes for it in matrices] == [["a", "b", "c"]] * 3
    assert matrices[2].counts == [[-1, 1, 0], [1, -2, 1], [0, 0, 0]]
    assert table(section, "Confusions")[0] == {
        "label": "a",
        "predicted": "b",
        "candidate": "1",
        "base": "0",
        "difference": "+1",
    }
    (chart,) = [it for it in section.blocks if isinstance(it, Reliability)]
    assert list(chart.series[0].points[-1]) == pytest.approx([0.9, 1 / 3, 3])
    assert [it.is_base for it in chart.series] == [False, True]
    (chart2,) = [it for it in section.blocks if isinstance(it, Intervals)]
    assert chart2.names == ["part=x", "part=y"]
    assert [it[0] for it in chart2.series[0].points] == [0.5, 0.0]
    assert [it["base"] for it in table(section, "Slices")] == ["1.0000", "1.0000"]
    alone = model_section("", read_predictions(predictions(f"{tmp_path}/s.csv", "abba", seeds=2)), None, "no base")
    assert alone.title == "Predictions"
    assert "4 rows were predicted, 2 times with other seeds" in said(alone)
    assert "no base" in said(alone)
    assert "no probabilities and no score" in said(alone)
    assert [it.counts for it in alone.blocks if isinstance(it, Matrix)] == [[[2, 2], [2, 2]]]


def test_many_classes_and_slices_are_cut(tmp_path: Path) -> None:
    """To the worst, and that is said."""
    rows = [f"r{number},c{number},c{number + 1},s{number % 50},u{number}" for number in range(60)]
    Path(tmp_path, "n.csv").write_text("\n".join(["id,label,prediction,part,user", *rows]) + "\n")
    section = model_section("", read_predictions(f"{tmp_path}/n.csv"), None, "")
    assert not [it for it in section.blocks if isinstance(it, Matrix)]
    captions = [it.caption for it in section.blocks if isinstance(it, Table)]
    assert captions[0] == "Confusions, what got worse first, the first 20 of 60"
    assert captions[1] == "Slices in numbers, the lowest 40 of 50"
    assert "Not shown by slice, having more than 50 values: user (60)." in said(section)
    assert not [it for it in table(section, "Slices") if it["slice"].startswith("user")]


def test_many_values_take_no_more_than_their_rows(tmp_path: Path) -> None:
    """Where every row has a class and a slice of its own, memory does not grow with the square of the rows."""
    rows = [f"r{number},c{number},c{number},u{number}" for number in range(5_000)]
    Path(tmp_path, "n.csv").write_text("\n".join(["id,label,prediction,user", *rows]) + "\n")
    it = read_predictions(f"{tmp_path}/n.csv")
    tracemalloc.start()
    section = model_section("", it, it, "")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000
    assert table(section, "Confusions") == []


def test_a_regression_has_errors(tmp_path: Path) -> None:
    """In place of classes."""
    Path(tmp_path, "n.csv").write_text("id,error\na,3\nb,-4\n")
    it = read_predictions(f"{tmp_path}/n.csv")
    assert table(model_section("", it, it, ""), "Errors")[1] == {
        "model": "base",
        "mean absolute error": "3.5",
        "root mean squared error": "3.536",
    }


def pictures(sources: Sources, name: str, ids: Sequence[str], shape: tuple[int, ...]) -> None:
    """Write images of rows."""
    pixels = np.arange(len(ids) * np.prod(shape), dtype=np.uint8).reshape(len(ids), *shape)
    parquet.write_table(
        pa.table({"id": ids, "image": pa.FixedShapeTensorArray.from_numpy_ndarray(pixels)}),
        Path(sources.root, name),
    )


def test_new_mistakes_are_shown_as_images(sources: Sources, tmp_path: Path) -> None:
    """The most confident first, those of the base left out."""
    new = read_predictions(predictions(f"{tmp_path}/n.csv", "bbab", score="6899"))
    old = read_predictions(predictions(f"{tmp_path}/o.csv", "aaaa", score="9999"))
    none = mistakes_section("test", new, old, sources, "*.parquet")
    assert "There are no images of these rows" in said(none)
    assert [it["row"] for it in table(none, "The same rows")] == ["r1", "r0"]
    pictures(sources, "grey.parquet", ["r0", "r3"], (2, 2, 1))
    pictures(sources, "colour.parquet", ["r1"], (2, 2, 3))
    pictures(sources, "large.parquet", ["r2"], (600, 2, 1))
    parquet.write_table(pa.table({"id": ["r0"]}), Path(sources.root, "none.parquet"))
    parquet.write_table(pa.table({"id": ["r0"], "image": [b"?"]}), Path(sources.root, "bytes.parquet"))
    section = mistakes_section("test", new, old, sources, "*.parquet")
    (gallery,) = [it for it in section.blocks if isinstance(it, Gallery)]
    assert [it.alt for it in gallery.pictures] == [
        "Row r1: labelled a, predicted b",
        "Row r0: labelled a, predicted b",
    ]
    assert all(it.source.startswith("data:image/png;base64,iVBOR") for it in gallery.pictures)
    assert gallery.pictures[0].lines == ("a taken for b", "sure: 0.8000", "r1")
    alone = mistakes_section("", new, None, sources, "*.parquet")
    assert alone.title == "Most confident mistakes"
    (gallery,) = [it for it in alone.blocks if isinstance(it, Gallery)]
    assert len(gallery.pictures) == 2  # the third has an image that is too large
    assert said(mistakes_section("", old, old, sources, "*.parquet")) == "There are no new mistakes."


def test_many_mistakes_of_many_seeds_are_counted(sources: Sources, tmp_path: Path) -> None:
    """And shown without how sure they are, where that is not known."""
    new = read_predictions(predictions(f"{tmp_path}/n.csv", "bbaa" * 4, seeds=2))
    section = mistakes_section("", new, None, sources, "*.parquet")
    assert said(section).startswith("12 of 16, of seed 0, the most confident first.")
    assert table(section, "The same rows")[0]["confidence"] == ""


def log(*values: Mapping[str, object]) -> str:
    """Return a log of a training."""
    return "\n".join([*map(json.dumps, values), ""])


def test_training_curves_are_drawn_beside_the_base(sources: Sources) -> None:
    """Losses apart from the rest; what is not finite or not there is left out."""
    write(sources, "log.jsonl", log({"epoch": 1, "loss": 2.0, "accuracy": 0.5, "note": "x"}, {"epoch": 2, "loss": 1.0}))
    alone = training_section(sources, "log.jsonl")
    assert "no training log of the base" in said(alone)
    losses, others = [it for it in alone.blocks if isinstance(it, Lines)]
    assert (losses.up, losses.is_log, others.up) == ("loss (logarithmic)", True, "value")
    assert losses.series[0].points == ((1.0, 2.0), (2.0, 1.0))
    assert others.series[0].points == ((1.0, 0.5),)
    assert table(alone, "Training in numbers")[1] == {"epoch": "2", "loss": "1", "accuracy": "nan"}
    write(sources, "log.jsonl", log({"loss": 0.0}), side="base")
    section = training_section(sources, "log.jsonl")
    losses, _ = [it for it in section.blocks if isinstance(it, Lines)]
    assert [(it.name, it.is_base) for it in losses.series] == [("loss", False), ("loss (base)", True)]
    assert not losses.is_log
    write(sources, "log.jsonl", log(*({"loss": 1} for _ in range(101))))
    cut = training_section(sources, "log.jsonl")
    assert next(it for it in cut.blocks if isinstance(it, Table)).caption.endswith("the last 100 of 101 lines")
    write(sources, "log.jsonl", "\n")
    with pytest.raises(NotThereError, match="has no lines"):
        training_section(sources, "log.jsonl")


HUGE = 10**400  # which no float holds


@pytest.mark.parametrize("odd", [log({"epoch": 1, "loss": HUGE}), log({"epoch": HUGE, "loss": 1}), "", None])
def test_a_training_log_that_cannot_be_read_is_said(sources: Sources, odd: str | None) -> None:
    """Also where it is a folder, or a number is beyond any."""
    if odd is None:
        Path(sources.root, "log.jsonl").mkdir()
    else:
        write(sources, "log.jsonl", odd)
    section = guarded("Training", lambda: training_section(sources, "log.jsonl"))
    assert section.outcome == (None if odd == "" else "cannot tell")
    assert said(section)


def test_images_of_rows_that_cannot_be_read_are_said(sources: Sources, tmp_path: Path) -> None:
    """Where ids are lists, bytes flipped, or it is a folder."""
    new = read_predictions(predictions(f"{tmp_path}/n.csv", "bbab"))

    def found() -> Section:
        return guarded("Mistakes", lambda: mistakes_section("", new, None, sources, "*.parquet"))

    place = Path(sources.root, "a.parquet")
    parquet.write_table(pa.table({"id": [["r0"]], "image": [b"?"]}), place)
    assert (found().outcome, found().reasons) == ("cannot tell", ["mistakes cannot be read"])
    pictures(sources, place.name, [f"r{row}" for row in range(4)], (9, 9, 3))
    content = place.read_bytes()
    place.write_bytes(content[:40] + bytes(it ^ 255 for it in content[40:400]) + content[400:])
    assert found().outcome == "cannot tell"
    place.unlink()
    place.mkdir()
    assert found().outcome == "cannot tell"


IMAGE: dict[str, Any] = {
    "format": 1,
    "image": "serving",
    "id": "sha256:" + "a" * 64,
    "size": 200_000_000,
    "budget": 240_000_000,
    "layers": [{"name": "base", "size": 1_000_000, "digest": "sha256:b"}, {"name": "x", "size": None, "digest": "c"}],
}


def test_images_are_shown_layer_by_layer(sources: Sources) -> None:
    """Beside the base's size, and what they may take."""
    with pytest.raises(NotThereError, match="No image was built"):
        images_section(sources, "*.json")
    write(sources, "image.json", IMAGE)
    section = images_section(sources, "*.json")
    assert said(section) == "serving: 200.0 MB, of 240.0 MB that it may take. It is sha256:aaaaaaaaaaaa."
    assert [it["size"] for it in table(section, "Layers of serving")] == ["1.0 MB", "not known"]
    write(sources, "image.json", IMAGE | {"budget": None})
    write(sources, "image.json", IMAGE, side="base")
    assert "serving: 200.0 MB; the base's takes 200.0 MB." in said(images_section(sources, "*.json"))
    write(sources, "image.json", IMAGE | {"layers": [{"name": "x", "size": HUGE, "digest": "c"}]})
    assert guarded("Container images", lambda: images_section(sources, "*.json")).outcome == "cannot tell"
    write(sources, "image.json", IMAGE | {"format": 2})
    assert guarded("Container images", lambda: images_section(sources, "*.json")).outcome == "cannot tell"


def test_measurements_are_shown(sources: Sources) -> None:
    """Of the candidate and the base, those that a gate can judge."""
    settings = gate_settings({"measurements": "m.json", "model": "m.onnx"})
    with pytest.raises(NotThereError, match=r"there is no m.json and no m.onnx"):
        measurements_section(sources, settings)
    with pytest.raises(NotThereError, match="No measurements are declared"):
        measurements_section(sources, gate_settings({}))
    write(sources, "m.json", {"latency_p99_ms": "fast"})
    odd = guarded("Latency and size", lambda: measurements_section(sources, settings))
    assert (odd.outcome, odd.reasons) == ("cannot tell", ["latency and size cannot be read"])
    runs = [{"model": it, "requests_per_second": rate} for it, rate in (("candidate", 7), ("base", 9))]
    runs = [it | {"latencies_ms": [3]} for it in runs]
    write(sources, "m.json", {"latency_p99_ms": [3, 4], "other": 1, "runs": runs})
    write(sources, "m.onnx", "x" * 12_345)
    write(sources, "m.json", {"latency_p99_ms": 3}, side="base")  # which was measured at another time
    assert table(measurements_section(sources, settings), "Medians") == [
        {"measured": "latency_p99_ms", "candidate": "3.5", "base": ""},
        {"measured": "requests_per_second", "candidate": "7", "base": "9"},
        {"measured": "model_bytes", "candidate": "12,345", "base": ""},
    ]


def test_the_table_is_checked() -> None:
    """A key that is misspelt or a value of another kind is told."""
    assert report_settings({"contract": ["a", "b"], "gate": "x"}).contract == ("a", "b")
    with pytest.raises(ConfigurationError, match="Did you mean 'data-diff'"):
        report_settings({"data-dif": "x"})
    with pytest.raises(ConfigurationError, match=r"gate is .*; it has to be a text"):
        report_settings({"gate": ["x"]})
    with pytest.raises(ConfigurationError, match="a file, or a command"):
        report_settings({"contract": []})


def test_a_fact_without_a_place_is_said(sources: Sources) -> None:
    """Not an error, unless it must be there."""
    assert said(guarded("Data contract", lambda: contract_section(sources, ReportSettings()))) == (
        "Nothing is declared for this in [tool.headworks.report]."
    )
