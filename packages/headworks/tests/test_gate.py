"""The gate judges two models: by metric, by slice, by seed, and says when it cannot."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import strategies as st
from pyarrow import parquet
from sklearn.metrics import average_precision_score, r2_score, roc_auc_score

import headworks
from headworks._gate.judge import judge
from headworks._gate.measurements import base_measurements_of, measurements_of
from headworks._metrics.condition import parse_condition
from headworks._metrics.file import read_predictions
from headworks._metrics.metrics import METRICS, Metric
from headworks._metrics.pair import is_asked_the_same
from headworks._metrics.predictions import Predictions
from headworks._metrics.rows import row_sums
from headworks._project.gate_table import gate_settings
from headworks.errors import CannotDecideError, ConfigurationError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headworks._gate.result import Finding, GateResult

CLASSES = 10
ACCURACY = "accuracy >= base.accuracy - 0.03"
EACH = 'slice["stroke"].accuracy >= base.accuracy - 0.05'


class Model:
    """A made-up model: what it predicts for rows that all such models are asked."""

    def __init__(self, rows: int = 1797) -> None:
        """Let it have two rows in a hundred wrong."""
        generator = np.random.default_rng(0)
        self.labels = generator.integers(CLASSES, size=rows)
        self.stroke = generator.choice(["thin", "medium", "thick"], size=rows)
        self.is_wrong = generator.random(rows) < 0.02
        self.confidence = generator.uniform(0.6, 1, rows)

    def worse(self, share: float, stroke: str = "", seed: int = 1) -> Model:
        """Return a model that has a share of the rows wrong as well, of all or of those of a stroke."""
        found = Model(len(self.labels))
        is_drawn = np.random.default_rng(seed).random(len(self.labels)) < share
        found.is_wrong = self.is_wrong | (is_drawn & ((self.stroke == stroke) | (not stroke)))
        return found

    def columns(self) -> dict[str, Any]:
        """Return the columns of its file of predictions."""
        predicted = (self.labels + self.is_wrong) % CLASSES
        probabilities = np.repeat((1 - self.confidence)[:, None] / (CLASSES - 1), CLASSES, axis=1)
        probabilities[np.arange(len(predicted)), predicted] = self.confidence
        ids = [f"{it:05}" for it in range(len(predicted))]
        columns = {"id": ids, "label": self.labels, "prediction": predicted, "stroke": self.stroke}
        return columns | {"probabilities": probabilities.tolist()}


def saved(name: str, *columns: dict[str, Any]) -> str:
    """Return the path of a file with the rows of some models one after the other."""
    parquet.write_table(pa.concat_tables([pa.table(it) for it in columns]), name)
    return name


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)


def judged(candidate: Model, base: Model, *conditions: str) -> GateResult:
    """Return what the gate finds about two models."""
    files = saved("candidate.parquet", candidate.columns()), saved("base.parquet", base.columns())
    return headworks.gate(*files, conditions=conditions or (ACCURACY,), settings=gate_settings({"resamples": 2000}))


def only(result: GateResult) -> Finding:
    """Return the one finding of a result."""
    ((finding,),) = [it.findings for it in result.conditions]
    return finding


def test_a_model_that_is_no_worse_passes() -> None:
    """With estimate, interval, discordant rows and McNemar's test beside the outcome."""
    base = Model()
    result = judged(base.worse(0.004), base, ACCURACY, EACH, "macro_f1 >= base.macro_f1 - 0.03")
    assert result.outcome == "passes"
    assert result.exit_code == 0
    finding = result.conditions[0].findings[0]
    assert (finding.method, finding.wins, finding.losses) == ("score", 0, 5)
    assert finding.estimate == pytest.approx(-5 / 1797)
    assert finding.interval is not None
    assert -0.03 < finding.interval.low < finding.estimate < finding.interval.high
    assert finding.mcnemar == pytest.approx(2 * 0.5**5)
    assert [it.outcome for it in result.conditions[1].findings] == ["passes"] * 3


def test_a_row_of_the_table_is_all_that_a_metric_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conditions name it, models are judged by it, and a bound that every model reaches is a mistake."""
    error_rate = Metric(sums=lambda rows: rows.mean(1 - rows.is_right.astype(float)), most=1, is_mean=True)
    monkeypatch.setitem(METRICS, "error_rate", error_rate)
    base = Model()
    assert judged(base.worse(0.004), base, "error_rate <= base.error_rate + 0.05").outcome == "passes"
    failed = judged(base.worse(0.1), base, 'slice["stroke=thin"].error_rate <= base.error_rate + 0.01')
    assert (failed.outcome, only(failed).method) == ("fails", "bounds")
    with pytest.raises(ConfigurationError, match="error_rate lies between 0 and 1"):
        judged(base, base, "error_rate <= 1")


def test_a_model_that_is_ten_points_worse_fails_by_its_metric() -> None:
    """Planted fault: every metric that sees it says so."""
    base = Model()
    result = judged(base.worse(0.1), base, ACCURACY, "macro_f1 >= base.macro_f1 - 0.03", "accuracy >= 0.8")
    assert (result.outcome, result.exit_code) == ("fails", 1)
    assert [it.outcome for it in result.conditions] == ["fails", "fails", "passes"]


def test_a_model_that_is_twenty_points_worse_on_one_slice_fails_by_that_slice() -> None:
    """Planted fault: the slice is named, and the others pass."""
    base = Model()
    result = judged(base.worse(0.2, "thin"), base, EACH)
    assert result.exit_code == 1
    outcomes = {it.subject: it.outcome for it in result.conditions[0].findings}
    assert outcomes == {
        'slice["stroke=medium"].accuracy': "passes",
        'slice["stroke=thick"].accuracy': "passes",
        'slice["stroke=thin"].accuracy': "fails",
    }


@pytest.mark.parametrize(("losses", "outcome"), [(2, "passes"), (18, "cannot tell"), (22, "fails")])
def test_all_slices_have_to_pass_and_any_may_fail(losses: int, outcome: str) -> None:
    """So each passes by its own p-value, 0.0085 here, and fails by Holm's: 0.0048 ten times over is no fail."""
    stroke, row = np.repeat(np.arange(10), 180), np.tile(np.arange(180), 10)
    columns = {"id": [f"{it:04}" for it in range(1800)], "label": ["a"] * 1800, "stroke": stroke}
    files = (
        saved("base.parquet", columns | {"prediction": ["a"] * 1800}),
        saved("candidate.parquet", columns | {"prediction": np.where(row < losses, "b", "a")}),
    )
    findings = headworks.gate(*files[::-1], conditions=[EACH]).conditions[0].findings
    assert [it.outcome for it in findings] == [outcome] * 10
    chances = {it.p_passes for it in findings} if losses < 9 else {it.p_fails / 10 for it in findings}
    assert max(chances) < 0.01


def test_forty_rows_do_not_tell() -> None:
    """And the finding says how many would."""
    base = Model(40)
    candidate = base.worse(0)
    candidate.is_wrong[7] ^= True
    result = judged(candidate, base)
    assert (result.outcome, result.exit_code) == ("cannot tell", 3)
    needed = only(result).rows_needed
    assert needed is not None
    assert 40 < needed < 1_000_000


def test_the_rows_that_are_said_to_settle_it_do() -> None:
    """The same counts, that many times as often, are decided about."""
    base = Model(200)
    candidate = base.worse(0.01, seed=3)
    needed = only(judged(candidate, base)).rows_needed
    assert needed is not None
    many = Model(200 * (needed // 200 + 1))
    for model, whole in ((base, many), (candidate, other := many.worse(0))):
        whole.is_wrong = np.resize(model.is_wrong, len(many.labels))
    assert only(judged(other, many)).outcome == "passes"


def test_a_difference_at_the_bound_is_settled_by_no_number_of_rows() -> None:
    """There is nothing to be said about it, so that no number is."""
    base = Model(100)
    base.is_wrong[:] = False
    candidate = base.worse(0)
    candidate.is_wrong[:3] = True
    finding = only(judged(candidate, base))
    assert (finding.outcome, finding.rows_needed) == ("cannot tell", None)


def test_the_same_model_passes_outright() -> None:
    """However few rows there are; what is asked beyond the base still has to be there, and absolute bounds reached."""
    read = read_predictions(saved("a.parquet", Model(40).columns()))
    asked = (ACCURACY, EACH, "ece <= base.ece", "accuracy >= base.accuracy + 0.01")
    findings = [judge(parse_condition(it), read, read, error=0.01, draws=2000, is_same=True) for it in asked]
    assert [{it.outcome for it in found} for found in findings] == [{"passes"}, {"passes"}, {"passes"}, {"fails"}]
    assert {it.method for found in findings for it in found} == {"identical"}
    base = Model(40)
    assert judged(base, base, "accuracy >= 0.5").outcome == "passes"
    assert judged(base, base, "accuracy >= 0.99").outcome == "cannot tell"


def test_absolute_bounds_are_judged_by_the_exact_interval() -> None:
    """Of all rows, of a class, of a slice, from below and from above."""
    base = Model()
    base.is_wrong[base.labels == 7] = False
    conditions = ['recall["7"] >= 0.95', 'recall["7"] <= 0.9', 'slice["stroke=thin"].accuracy >= 0.975']
    result = judged(base, base, *conditions, "accuracy >= 0.01")
    assert [it.outcome for it in result.conditions] == ["passes", "fails", "cannot tell", "passes"]
    finding = result.conditions[0].findings[0]
    assert finding.interval is not None
    assert (finding.method, finding.base, finding.interval.high) == ("exact", None, 1)
    assert finding.interval.low == pytest.approx(0.01 ** (1 / finding.rows))


def test_what_is_no_share_of_rows_is_drawn() -> None:
    """Precision, F1 and calibration by the paired bootstrap; log loss and Brier's score by bounds of the mean."""
    base = Model(600)
    better = [
        *('precision["3"] >= base.precision["3"] - 0.2', 'f1["3"] >= base.f1["3"] - 0.2', "macro_f1 >= 0.9"),
        *("log_loss <= base.log_loss + 0.2", "brier <= base.brier * 1.5", "ece <= base.ece + 0.05"),
    ]
    better += ["log_loss <= 0.1", "macro_f1 >= base.macro_f1 - 0.009"]
    files = [saved(f"{it}.parquet", rows.columns()) for it, rows in enumerate((base.worse(0.005), base))]
    settings = gate_settings({"log-loss-clip": 10, "resamples": 2000})
    result = headworks.gate(*files, conditions=better, settings=settings)
    assert [it.outcome for it in result.conditions] == ["passes"] * 6 + ["fails", "cannot tell"]
    for it in result.conditions:
        (finding,) = it.findings
        assert finding.method == ("bounds" if finding.subject in {"log_loss", "brier"} else "bootstrap")
        assert finding.interval is not None
        assert finding.interval.low <= finding.estimate <= finding.interval.high
    assert (result.conditions[-1].findings[0].rows_needed or 0) > 600
    assert headworks.gate(*files, conditions=better, settings=settings) == result


def test_rows_of_a_group_are_drawn_together() -> None:
    """Where all rows of a group are wrong or right at once, the same counts say much less."""
    base, candidate = Model(600), Model(600)
    base.is_wrong[:] = False
    candidate.is_wrong[:] = np.arange(600) // 20 == 3
    columns = [it.columns() | {"patient": [str(row // 20) for row in range(600)]} for it in (candidate, base)]
    files = [saved(f"{number}.parquet", it) for number, it in enumerate(columns)]
    for group, method, outcome in (("", "score", "passes"), ("patient", "bounds", "cannot tell")):
        settings = gate_settings({"group": group})
        result = headworks.gate(*files, conditions=["accuracy >= base.accuracy - 0.06"], settings=settings)
        assert (only(result).method, result.outcome) == (method, outcome)


def with_seeds(name: str, *models: Model) -> str:
    """Return the path of a file with a training for each seed."""
    return saved(name, *(it.columns() | {"seed": [seed] * len(it.labels)} for seed, it in enumerate(models)))


def test_the_spread_over_seeds_counts() -> None:
    """Two models that are equal on average pass; where seeds differ by more than the margin, it cannot be told."""
    base = Model()
    quick = gate_settings({"resamples": 2000})
    near = [base.worse(0.002, seed=seed) for seed in range(4)]
    far = [base.worse(share, seed=seed) for seed, share in enumerate((0, 0.02, 0.04))]
    alike = headworks.gate(with_seeds("a.parquet", *near), with_seeds("b.parquet", *near[::-1]), settings=quick)
    drawn, recipe = alike.conditions[0].findings
    assert (alike.outcome, recipe.method, alike.comparisons[0].seeds) == ("passes", "bounds", 4)
    assert len(drawn.seeds) == len(recipe.base_seeds) == 4
    assert (drawn.subject, recipe.subject) == ("accuracy", "accuracy for any seeds")
    assert drawn.interval is not None
    assert recipe.interval is not None
    assert recipe.interval.low < drawn.interval.low < drawn.interval.high < recipe.interval.high
    assert drawn.seed_error < recipe.seed_error < 0.002
    apart = headworks.gate(with_seeds("a.parquet", *far), saved("b.parquet", base.columns()), settings=quick)
    drawn, recipe = apart.conditions[0].findings
    assert (drawn.outcome, apart.outcome, recipe.rows_needed, recipe.base_seeds) == ("passes", "cannot tell", None, ())
    assert recipe.seed_error > 0.01
    absolute = headworks.gate(with_seeds("a.parquet", *far), conditions=["accuracy >= 0.5"])
    assert absolute.outcome == "passes"


def test_regressions_are_judged_by_their_errors() -> None:
    """Mean absolute and root mean squared error; an accuracy there is not."""
    errors = np.random.default_rng(0).normal(size=400)
    ids = [str(it) for it in range(400)]
    base = saved("base.parquet", {"id": ids, "error": errors, "site": ["x", "y"] * 200})
    worse = saved("worse.parquet", {"id": ids, "error": errors * 1.5, "site": ["x", "y"] * 200})
    conditions = ["mae <= base.mae * 1.1", 'slice["site"].rmse <= base.rmse * 1.1']
    settings = gate_settings({"error-bound": 6})
    assert headworks.gate(worse, base, conditions=conditions, settings=settings).outcome == "fails"
    assert headworks.gate(base, worse, conditions=conditions, settings=settings).outcome == "passes"
    assert headworks.gate(base, base, conditions=conditions[:1], settings=settings).outcome == "passes"
    with pytest.raises(ConfigurationError, match=r"worse.parquet has an error of .* the declared error-bound of 4"):
        headworks.gate(worse, base, conditions=conditions, settings=gate_settings({"error-bound": 4}))
    with pytest.raises(ConfigurationError, match="accuracy is computed from classes, which base"):
        headworks.gate(base, base, conditions=[ACCURACY])
    with pytest.raises(ConfigurationError, match="no class '1'"):
        headworks.gate(base, conditions=['slice["site"].recall["1"] >= 0.5'])


def test_seeds_do_not_tell_what_a_row_can_cost() -> None:
    """What is not declared is unknown of these trainings, and of any others."""
    errors = np.random.default_rng(0).normal(size=(2, 400))
    rows = [{"id": [str(it) for it in range(400)], "error": side, "seed": [at] * 400} for at, side in enumerate(errors)]
    result = headworks.gate(saved("a.parquet", *rows), saved("b.parquet", *rows), conditions=["mae <= base.mae + 9"])
    found = result.conditions[0].findings
    assert [(it.outcome, it.interval, it.p_passes) for it in found] == [("cannot tell", None, 1)] * 2
    assert all("declare the most in `error-bound`" in it.reason for it in found)


def test_metrics_are_those_of_the_books() -> None:
    """Counted by hand on four rows."""
    rows = {"id": list("abcd"), "label": [0, 0, 1, 1], "prediction": [0, 1, 1, 1]}
    rows["probabilities"] = [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.0, 1.0]]
    read = read_predictions(saved("x.parquet", rows))
    once = np.ones((1, 4))
    values = {
        "accuracy": 0.75,
        'precision["1"]': 2 / 3,
        'f1["1"]': 0.8,
        "macro_f1": (2 / 3 + 0.8) / 2,
        "log_loss": -np.log([0.9, 0.4, 0.8, 1]).mean(),
        "brier": (2 * 0.1**2 + 2 * 0.6**2 + 2 * 0.2**2) / 4,
        "ece": (0.1 + 0.6 + 0.2) / 4,
    }
    for name, value in values.items():
        subject = parse_condition(f"{name} >= 0.5").subject
        assert row_sums(subject, read, 0)(once)[0] == pytest.approx(value), name
    never = parse_condition('precision["0"] >= 0.5').subject
    assert row_sums(never, read, 0)(np.array([[0, 1, 1, 1]]))[0] == 0


@hypothesis.given(
    scores=st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(1, 9)), min_size=2, max_size=12).filter(
        lambda rows: len({is_own for _, is_own, _ in rows}) > 1
    )
)
def test_rankings_are_those_of_scikit_learn(scores: list[tuple[int, bool, int]]) -> None:
    """With weights, and rows that are ranked alike."""
    levels, is_own, weights = (np.array(it) for it in zip(*scores, strict=True))
    second, ids = levels / 4, np.arange(len(scores)).astype(np.str_)
    read = Predictions(
        source="x",
        ids=ids,
        labels=np.where(is_own, "1", "0"),
        classes=("0", "1"),
        predicted=np.where(second > 0.5, "1", "0")[None],
        probabilities=np.stack([1 - second, second], axis=1)[None],
        slices={},
        groups=None,
        seeds=("",),
    )
    for name, expected in (("roc_auc", roc_auc_score), ("average_precision", average_precision_score)):
        found = row_sums(parse_condition(f'{name}["1"] >= 0.5').subject, read, 0)(weights[None].astype(float))
        assert found[0] == pytest.approx(expected(is_own, second, sample_weight=weights))


@hypothesis.given(
    rows=st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 9)), min_size=2, max_size=12),
    scale=st.sampled_from([1e-9, 1, 1e9]),
)
def test_r2_is_that_of_scikit_learn(rows: list[tuple[int, int, int]], scale: float) -> None:
    """With weights, far from 0, and where labels are equal and right."""
    labels, errors, weights = (np.array(it, float) for it in zip(*rows, strict=True))
    labels = labels * scale + scale
    errors *= scale * (np.ptp(labels) > 0)
    ids = np.arange(len(rows)).astype(np.str_)
    read = Predictions(
        source="x",
        ids=ids,
        labels=labels.astype(np.str_),
        predicted=np.empty((1, 0), np.str_),
        errors=errors[None],
        slices={},
        groups=None,
        seeds=("",),
    )
    found = row_sums(parse_condition("r2 >= 0.5").subject, read, 0)(weights[None])
    assert found[0] == pytest.approx(r2_score(labels, labels + errors, sample_weight=weights), rel=1e-6, abs=1e-6)


def test_what_compares_labels_takes_different_ones() -> None:
    """Without them there is no value; R² takes numbers as labels, and the most that an error can be."""
    right = {"id": list("abcd"), "label": [0, 0, 1, 1], "prediction": [0, 0, 1, 1], "stroke": list("xxyy")}
    right["probabilities"] = np.eye(2)[[0, 0, 1, 1]].tolist()
    file = saved("x.parquet", right)
    (condition,) = headworks.gate(file, conditions=['slice["stroke"].roc_auc["1"] >= 0.5']).conditions
    assert [it.outcome for it in condition.findings] == ["cannot tell"] * 2
    assert {it.reason for it in condition.findings} == {"roc_auc takes rows of class 1 and others: judge by more rows"}
    errors = saved("e.parquet", {"id": list("ab"), "error": [0.5, 0.1], "label": [3.0, 3.0]})
    assert only(headworks.gate(errors, conditions=["r2 >= 0.5"])).reason.startswith("r2 takes rows of different labels")
    errors = saved("e.parquet", {"id": list("ab"), "error": [0.4, 0.1], "label": [3.0, 4.0]})
    finding = only(headworks.gate(errors, conditions=["r2 >= 0.5"]))
    assert finding.candidate == pytest.approx(1 - 0.17 / 0.5)
    assert "declare the most in `error-bound`" in finding.reason
    with pytest.raises(ConfigurationError, match=r"e.parquet has a label that differs from the mean by -0.5 in row a"):
        headworks.gate(errors, conditions=["r2 >= 0.5"], settings=gate_settings({"error-bound": 0.4}))
    with pytest.raises(
        ConfigurationError, match=r"r2 is computed from a `label` column, which e.parquet does not have"
    ):
        headworks.gate(saved("e.parquet", {"id": ["a"], "error": [0.5]}), conditions=["r2 >= 0.5"])


def test_rows_that_a_candidate_lost_are_ranked_as_badly_as_can_be() -> None:
    """One of the class comes last, and another one first."""
    shares = [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.1, 0.9]]
    rows = {"id": list("abcd"), "label": [0, 0, 1, 1], "prediction": [0, 1, 1, 1], "probabilities": shares}
    lost = rows | {"prediction": [0, None, 1, None], "probabilities": [shares[0], None, shares[2], None]}
    files = saved("lost.parquet", lost), saved("x.parquet", rows)
    for name, value, best in (("roc_auc", 0.25, 0.75), ("average_precision", (1 / 2 + 2 / 4) / 2, (1 + 2 / 3) / 2)):
        text = f'{name}["1"] >= base.{name}["1"] - 0.1'
        finding = only(headworks.gate(*files, conditions=[text], settings=gate_settings({"min-shared": 0.5})))
        assert [finding.candidate, finding.base] == pytest.approx([value, best])


def test_the_true_class_may_be_among_the_most_probable_ones() -> None:
    """Of classes that are as probable, the first in order count; a lost row is wrong, and the exact test decides."""
    shares = [[0.1, 0.2, 0.3, 0.4], [0.25] * 4, [0.4, 0.3, 0.2, 0.1], [0.7, 0.1, 0.1, 0.1]]
    rows = {"id": list("abcd"), "label": [0, 1, 2, 0], "prediction": [3, 0, 0, 0], "probabilities": shares}
    file = saved("x.parquet", rows)
    read, once = read_predictions(file), np.ones((1, 4))
    for name, value in {"top2_accuracy": 0.5, "top3_accuracy": 0.75}.items():
        assert row_sums(parse_condition(f"{name} >= 0.5").subject, read, 0)(once)[0] == value
    with pytest.raises(ConfigurationError, match=r"top5_accuracy is 1 for every model where there are 4 classes"):
        headworks.gate(file, conditions=["top5_accuracy >= 0.5"])
    best = rows | {"prediction": [0, 1, 2, 0], "probabilities": np.eye(4)[[0, 1, 2, 0]].tolist()}
    condition = "top2_accuracy >= base.top2_accuracy - 0.1"
    finding = only(headworks.gate(file, saved("y.parquet", best), conditions=[condition]))
    assert (finding.method, finding.candidate, finding.base, finding.wins, finding.losses) == ("score", 0.5, 1, 0, 2)
    lost = rows | {"prediction": [3, 0, 0, None], "probabilities": [*shares[:3], None]}
    settings = gate_settings({"min-shared": 0.5})
    lossy = headworks.gate(saved("z.parquet", lost), file, conditions=[condition], settings=settings)
    assert only(lossy).candidate == 0.25


def test_a_class_that_the_table_does_not_name_leaves_macro_f1_open() -> None:
    """A candidate that loses one of a hundred rows does not pass for that; a class `2.0` in the table is `2`."""
    labels = np.repeat(["0", "1", "2", "rare"], [700, 600, 600, 100])
    columns = {"id": np.arange(2000).astype(str), "label": labels}
    base = saved("x.parquet", columns | {"prediction": labels})
    lossy = saved("y.parquet", columns | {"prediction": np.where(labels == "rare", "0", labels)})
    condition = "macro_f1 >= base.macro_f1 - 0.03"
    for classes, outcome in ((["0", "1", "2.0"], "cannot tell"), (["0", "1", "2.0", "rare"], "fails")):
        found = only(headworks.gate(lossy, base, conditions=[condition], settings=gate_settings({"classes": classes})))
        assert found.outcome == outcome
        assert ("does not name class rare: name all" in found.reason) == (outcome == "cannot tell")


def test_a_measurement_is_not_computed_from_predictions() -> None:
    """Whoever asks for that is told so."""
    read = read_predictions(saved("x.parquet", {"id": ["a"], "label": [0], "prediction": [0]}))
    with pytest.raises(ConfigurationError, match="model_bytes is measured, and not computed from predictions"):
        row_sums(parse_condition("model_bytes <= 9").subject, read, 0)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ('slice["strok"].accuracy >= 0.5', "no slice column 'strok'. Did you mean 'stroke'?"),
        ('slice["strok=thin"].accuracy >= 0.5', "no slice column 'strok'. Did you mean 'stroke'?"),
        ('slice["stroke=thinx"].accuracy >= 0.5', "no row with stroke=thinx. Did you mean 'thin'?"),
        ('recall["11"] >= 0.5', "no class '11'. Did you mean '1'?"),
        ("mae <= 0.5", "mae is computed from an `error` column, which candidate.parquet does not have"),
        ("model_bytes <= 9", "model_bytes was not measured of the candidate"),
    ],
)
def test_what_the_files_do_not_have_cannot_be_asked_for(condition: str, words: str) -> None:
    """With the name that may have been meant."""
    with pytest.raises(ConfigurationError) as caught:
        judged(Model(40), Model(40), condition)
    assert words in str(caught.value)


def test_a_class_without_rows_has_no_recall() -> None:
    """It is refused by name; of the values of a slice, those without any are left out."""
    rows = {"id": list("abcd"), "label": [0, 0, 1, 0], "prediction": [0, 2, 1, 0], "stroke": list("xxyy")}
    file = saved("x.parquet", rows)
    for name, words in (('recall["2"]', "no row of class '2'"), ('slice["stroke=x"].recall["1"]', " with stroke=x")):
        with pytest.raises(ConfigurationError, match=words):
            headworks.gate(file, conditions=[f"{name} >= 0.5"])
    result = headworks.gate(file, conditions=['slice["stroke"].recall["1"] >= 0.5'])
    assert [it.subject for it in result.conditions[0].findings] == ['slice["stroke=y"].recall["1"]']
    with pytest.raises(ConfigurationError, match="has no row of class '2'"):
        headworks.gate(file, conditions=['slice["stroke"].recall["2"] >= 0.5'])


def test_an_interval_stays_where_its_metric_can_be() -> None:
    """F1 of a class that was never predicted right lies from 0 to 1; without a bound, an error has no largest value."""
    rows = {"id": list("abcd"), "label": [0, 0, 1, 1], "prediction": [0, 0, 0, 0]}
    interval = only(headworks.gate(saved("x.parquet", rows), conditions=['f1["1"] >= 0.5'])).interval
    assert interval is not None
    assert interval.low == 0
    assert 0.99 < interval.high <= 1
    errors = {"id": [str(it) for it in range(60)], "error": [0.5] * 59 + [30.0]}
    file = saved("e.parquet", errors)
    open_ended = only(headworks.gate(file, conditions=["mae <= 3"]))
    assert (open_ended.outcome, open_ended.interval) == ("cannot tell", None)
    assert only(headworks.gate(file, conditions=["mae <= 0.01"])).outcome == "fails"
    interval = only(headworks.gate(file, conditions=["mae <= 3"], settings=gate_settings({"error-bound": 30}))).interval
    assert interval is not None
    assert 3 < interval.high < 30


@pytest.mark.parametrize(
    ("name", "setting", "most"),
    [("mae", "error-bound", 9), ("rmse", "error-bound", 2), ("log_loss", "log-loss-clip", 9), ("brier", "", 2)],
)
def test_what_a_row_can_cost_has_to_be_declared(name: str, setting: str, most: float) -> None:
    """Rows that are alike say only that a dear one is rare: as rare as their number, and its cost, allow."""

    def found(rows: int, bound: str, declared: dict[str, Any], group: str = "") -> Finding:
        ids = [f"{it:03}" for it in range(rows)]
        sides = []
        for number, (share, error) in enumerate(((0.95, 0.01), (0.95, 0.01))):
            columns: dict[str, Any] = {"id": ids, "patient": [it[:2] for it in ids]}
            classes = {"label": [0] * rows, "prediction": [0] * rows, "probabilities": [[share, 1 - share]] * rows}
            columns |= {"error": [error] * rows} if name in {"mae", "rmse"} else classes
            sides.append(saved(f"{number}.parquet", columns))
        settings = gate_settings(declared | ({"group": "patient"} if group else {}))
        return only(headworks.gate(*sides, conditions=[f"{name} {bound}"], settings=settings))

    declared = {setting: most} if setting else {}
    bound = f"<= base.{name} + {0.3 if name == 'brier' else 0.5}"
    if setting:
        unknown = found(180, bound, {})
        assert (unknown.outcome, unknown.interval, unknown.p_passes) == ("cannot tell", None, 1)
        assert f"declare the most in `{setting}`" in unknown.reason
    passed = found(180, bound, declared)
    assert (passed.outcome, passed.reason) == ("passes", "")
    few = found(12, bound, declared)
    assert (few.outcome, few.reason) == ("cannot tell", "")
    assert found(180, bound, declared, "patient").outcome == "cannot tell"


def test_labels_alone_have_no_probabilities() -> None:
    """What is computed from those is refused, and not given out as 0."""
    rows = {"id": ["a"], "label": ["x"], "prediction": ["x"]}
    for name, words in (("log_loss", "`probabilities`"), ("ece", "`score` column")):
        with pytest.raises(ConfigurationError, match=words):
            headworks.gate(saved("x.parquet", rows), conditions=[f"{name} <= 0.5"])


def test_without_a_base_only_absolute_conditions_are_judged() -> None:
    """A missing base is never a pass."""
    file = saved("x.parquet", Model().columns())
    assert headworks.gate(file, conditions=["accuracy >= 0.9"]).outcome == "passes"
    with pytest.raises(CannotDecideError, match="There is no base to compare with"):
        headworks.gate(file)


def test_no_condition_is_no_pass() -> None:
    """It would be one for every model."""
    with pytest.raises(UsageError, match="There are no conditions to judge a model by"):
        headworks.gate(saved("x.parquet", Model().columns()), conditions=[])


@pytest.mark.parametrize("size", [1e-200, 1e29])
def test_errors_of_any_size_are_judged(size: float) -> None:
    """Squares of them may be too small for a number, and what would settle it is unknown then."""
    generator = np.random.default_rng(0)
    sides = [{"id": [str(it) for it in range(50)], "error": generator.normal(size=50) * size} for _ in range(2)]
    files = [saved(f"{name}.parquet", side) for name, side in zip("ab", sides, strict=True)]
    conditions = ["mae <= base.mae * 1.01", "rmse <= base.rmse * 1.01"]
    result = headworks.gate(*files, conditions=conditions, settings=gate_settings({"resamples": 2000}))
    assert [it.outcome for it in result.conditions] == ["cannot tell"] * 2


def test_more_values_than_draws_can_tell_apart_are_refused() -> None:
    """And nothing is drawn before."""
    rows = {"id": ["a"], "label": ["x"], "prediction": ["x"]}
    file = saved("x.parquet", rows)
    settings = gate_settings({"reliability": 0.9999999})
    with pytest.raises(ConfigurationError, match=r"0\.9999999 for each of 1 values takes more than 1,000,000 draws"):
        headworks.gate(file, file, conditions=["macro_f1 >= 0.5"], settings=settings)
    errors = saved("e.parquet", {"id": ["a"], "error": [1.0]})
    assert headworks.gate(errors, conditions=["mae <= 0.5"], settings=settings).outcome == "cannot tell"


def judged_by_runs(condition: str, mine: Sequence[float], theirs: Sequence[float] = ()) -> Finding:
    """Return the finding about measurements."""
    name = condition.split(maxsplit=1)[0]
    result = headworks.gate(
        {},
        {},
        conditions=[condition],
        measurements={name: tuple(mine)},
        base_measurements={name: tuple(theirs)} if theirs else None,
    )
    return result.conditions[0].findings[0]


def test_measurements_are_compared() -> None:
    """Seven pairs of runs tell something at 0.99, if all of them lie on one side of the bound; a size is exact."""
    p99 = "latency_p99_ms <= base.latency_p99_ms + 1"
    near, far = [3.0, 3.1, 2.9, 3.2, 2.8, 3.3, 2.7], [5.0, 5.1, 4.9, 5.2, 4.8, 5.3, 4.7]
    found = judged_by_runs(p99, near, near)
    assert (found.outcome, found.method, found.estimate, found.runs) == ("passes", "runs", 0, 7)
    assert found.interval == pytest.approx((-0.1, 0.1))
    assert judged_by_runs(p99, far, near).outcome == "fails"
    assert judged_by_runs(p99, near[:6], near[:6]).outcome == "cannot tell"
    assert judged_by_runs(p99, near[:6], near[:6]).interval is None
    assert judged_by_runs(p99, [*near[:6], 5], near).outcome == "cannot tell"
    assert judged_by_runs(p99, [*near, *near[:3], 9.0], [*near, *near[:4]]).outcome == "passes"  # ten of eleven
    for size, theirs, outcome in ((105, 100, "passes"), (120, 100, "fails"), (110, 100, "passes")):
        found = judged_by_runs("model_bytes <= base.model_bytes + 10", [size], [theirs])
        assert (found.outcome, found.method, found.interval) == (outcome, "measured", None)
    assert judged_by_runs("requests_per_second >= 9", [10.0]).outcome == "cannot tell"
    assert judged_by_runs("requests_per_second >= 9", [10.5] * 7).outcome == "passes"
    for value in ([float("nan")], []):
        with pytest.raises(ConfigurationError, match="The measurements of the candidate: latency_p99_ms is"):
            judged_by_runs("latency_p99_ms <= 9", value)
    assert judged_by_runs(p99, [1e30, 2e29] * 4, [1e-99, 3e-99] * 4).outcome == "fails"
    assert judged_by_runs(p99, [1.5e-99, 2.5e-99] * 4, [1.5e-99, 3.5e-99] * 4).outcome == "passes"
    with pytest.raises(ConfigurationError, match="latency_p99_ms was not measured of the base in runs of 100 requests"):
        judged_by_runs(p99, near)
    with pytest.raises(ConfigurationError, match="measured 7 times of the candidate and 2 times of the base"):
        judged_by_runs(p99, near, near[:2])


def test_one_measurement_of_a_noisy_quantity_tells_nothing() -> None:
    """Half of all runs are above their median, whichever of two equal models has the better one."""
    for mine, theirs in ((3.0, 9.0), (9.0, 3.0)):
        assert judged_by_runs("latency_p99_ms <= base.latency_p99_ms", [mine], [theirs]).outcome == "cannot tell"
    assert judged_by_runs("latency_p99_ms <= 500", [3.25]).outcome == "cannot tell"


def test_a_rounded_measurement_may_be_any_that_rounds_to_it() -> None:
    """So 5 ms against 5 ms, however often, is no proof of less than 20% more: it may be 5.4 against 4.6."""
    rounded, finer = [5.0] * 9, [5.01, 4.99, 5.02] * 3
    condition = "latency_p99_ms <= base.latency_p99_ms * 1.2"
    assert judged_by_runs(condition, rounded, rounded).outcome == "cannot tell"
    assert judged_by_runs(condition, finer, finer).outcome == "passes"
    assert judged_by_runs("latency_p99_ms <= base.latency_p99_ms * 1.5", rounded, rounded).outcome == "passes"
    assert judged_by_runs("latency_p99_ms >= 0.1", [0.0] * 9).outcome == "cannot tell"


RUN = {"latencies_ms": [it / 8 for it in range(1, 101)], "requests_per_second": 80.5}


def runs_file(name: str, *runs: object) -> str:
    """Write the requests of runs and return the file's name."""
    Path(name).write_text(json.dumps({"format": 2, "runs": runs}))
    return name


def test_the_requests_of_runs_are_read() -> None:
    """Percentiles by nearest rank, one for each run, where a run has a request above it."""
    mine, theirs = {**RUN, "model": "candidate"}, {"model": "base", "latencies_ms": [2.5] * 20}
    file = runs_file("runs.json", mine, theirs, theirs, mine)
    assert measurements_of(file, "") == {
        "latency_p50_ms": (6.25, 6.25),
        "latency_p95_ms": (11.875, 11.875),
        "latency_p99_ms": (12.375, 12.375),
        "requests_per_second": (80.5, 80.5),
    }
    assert base_measurements_of("", file) == {"latency_p50_ms": (2.5, 2.5), "latency_p95_ms": (2.5, 2.5)}
    assert base_measurements_of("", "") == base_measurements_of("", runs_file("mine.json", mine)) == {}
    with pytest.raises(ConfigurationError, match="say nothing beside runs of another time"):
        base_measurements_of(file, "mine.json")
    stranger = {**mine, "model": "x"}
    odd: list[list[object]] = [[mine, mine, theirs, theirs], [mine, theirs, mine], [theirs], [{}], [7], [stranger]]
    unknown: tuple[object, ...] = ([], {}, ["candidate"], None)
    odd += [[{**mine, "model": model}] for model in unknown]
    for runs in odd:
        with pytest.raises(ConfigurationError, match="each two in a row are one of each"):
            measurements_of(runs_file("odd.json", *runs), "")
    Path("odd.json").write_text('{"runs": 7}')
    with pytest.raises(ConfigurationError, match="each two in a row are one of each"):
        measurements_of("odd.json", "")
    with pytest.raises(ConfigurationError, match="latencies_ms is None"):
        measurements_of(runs_file("odd.json", {"model": "candidate"}), "")
    with pytest.raises(ConfigurationError, match=r"requests_per_second is \[1, 9999\]; it has to be a number from 0"):
        measurements_of(runs_file("odd.json", mine | {"requests_per_second": [1, 9999]}), "")


def test_measurements_are_read_from_json() -> None:
    """What no condition can use is left out; the size of a model is measured here."""
    Path("bench.json").write_text('{"latency_p99_ms": [1, 2.5], "host": "x"}')
    Path("model.onnx").write_bytes(b"12345")
    measured = measurements_of("bench.json", "model.onnx")
    assert measured == {"latency_p99_ms": (1.0, 2.5), "model_bytes": (5.0,)}
    assert measurements_of("", "missing.onnx") == {}
    with pytest.raises(UsageError, match=r"missing\.json cannot be read"):
        measurements_of("missing.json", "")
    for text, words in (
        ("{", "no valid JSON"),
        ("[]", "an object of measurements"),
        ('{"model_bytes": true}', "model_bytes is True"),
        ('{"model_bytes": []}', "model_bytes is \\[\\]"),
        ('{"model_bytes": [1, "x"]}', "a number, or a list of numbers"),
        ('{"model_bytes": NaN}', "model_bytes is nan"),
        ('{"model_bytes": -1}', "from 0 to 1e"),
        ('{"model_bytes": [1, 1e999]}', "from 0 to 1e"),
        ('{"latency_p50_ms": 1' + "0" * 400 + "}", "latency_p50_ms is 10"),
        ('{"latency_p50_ms": [1e308, 1e308]}', "latency_p50_ms is \\[1e"),
        ("[" * 200_000, "no valid JSON"),
    ):
        Path("bench.json").write_text(text)
        with pytest.raises(ConfigurationError, match=words):
            measurements_of("bench.json", "")


def test_conditions_read_the_predictions_that_they_name() -> None:
    """One file stands for all; several are told apart by name."""
    base = Model(400)
    files = {"test": saved("a.parquet", base.columns()), "all": saved("b.parquet", Model().columns())}
    rows = [{"condition": ACCURACY, "on": "all", "cannot-tell": "fail", "name": "overall"}, "accuracy >= 0.5"]
    settings = gate_settings({"predictions": dict.fromkeys(files, "x.parquet"), "conditions": rows})
    result = headworks.gate(files, files, settings=settings)
    assert [(it.name, it.on) for it in result.conditions] == [("overall", "all"), ("accuracy >= 0.5", "test")]
    assert [it.rows for it in result.comparisons] == [1797, 400]
    with pytest.raises(UsageError, match="give --candidate all=FILE"):
        headworks.gate({"test": "a.parquet"}, settings=settings)


@pytest.mark.parametrize(("mapped", "outcome"), [("pass", "passes"), ("fail", "fails"), ("", "cannot tell")])
def test_what_cannot_be_told_counts_as_the_table_says(mapped: str, outcome: str) -> None:
    """By the condition, and what was found is kept."""
    row = {"condition": ACCURACY} | ({"cannot-tell": mapped} if mapped else {})
    settings = gate_settings({"conditions": [row]})
    base = Model(40)
    other = base.worse(0)
    other.confidence[3] -= 0.01
    files = saved("a.parquet", other.columns()), saved("b.parquet", base.columns())
    (found,) = headworks.gate(*files, settings=settings).conditions
    assert (found.found, found.outcome) == ("cannot tell", outcome)


def compared(conditions: list[str], candidate: dict[str, Any], base: dict[str, Any], group: str = "") -> GateResult:
    """Return what the gate finds about two files."""
    files = saved("candidate.parquet", candidate), saved("base.parquet", base)
    return headworks.gate(*files, conditions=conditions, settings=gate_settings({"group": group}))


def test_a_slice_column_that_only_the_candidate_has_otherwise_decides_nothing() -> None:
    """It could hide a bad slice among the good ones; a column that nothing asks about may change."""
    base, worse = Model(), Model().worse(0.3, "thin").columns()
    merged = worse | {"stroke": ["all"] * len(base.labels)}
    assert compared([EACH], worse, base.columns()).outcome == "fails"
    rows = int((base.stroke != "all").sum())
    for condition in (EACH, 'slice["stroke=all"].accuracy >= base.accuracy - 0.5', 'slice["stroke"].accuracy >= 0.1'):
        with pytest.raises(CannotDecideError) as caught:
            compared([condition], merged, base.columns())
        assert str(caught.value).startswith(
            "candidate.parquet and base.parquet have different values in the slice column 'stroke' for"
            f" {rows:,} rows: 00000, 00001, 00002 and {rows - 3:,} more."
        )
        assert "where it is meant to change, add it under another name first" in str(caught.value)
    assert compared(["accuracy >= base.accuracy - 0.5"], merged, base.columns()).outcome == "passes"
    renamed = worse | {"width": worse["stroke"]}
    for condition in ('slice["width"].accuracy >= base.accuracy - 0.9', 'slice["width=thin"].accuracy >= 0.1'):
        with pytest.raises(CannotDecideError, match=r"the slice column 'width' and base.parquet has not.* later one\."):
            compared([condition], renamed, base.columns())


def test_a_slice_that_the_candidate_left_out_is_wrong_throughout() -> None:
    """So that none can be hidden; of those that are left, each may be asked for."""
    base = Model()
    base.stroke[base.stroke == "thin"] = "thick"
    base.stroke[:72] = "thin"
    whole = base.columns()
    rest = {name: values[72:] for name, values in whole.items()}
    elsewhere = whole | {"id": [f"x{it}" for it in whole["id"][:72]] + whole["id"][72:]}
    for candidate in (rest, elsewhere):
        outcomes = {it.subject[14:-11]: it.outcome for it in compared([EACH], candidate, whole).conditions[0].findings}
        assert outcomes == {"thin": "fails", "medium": "passes", "thick": "passes"}
    named = 'slice["stroke=medium"].accuracy >= base.accuracy - 0.05'
    result = compared([named], rest, whole)
    lost = "candidate.parquet has no prediction for 72 rows, which count as mistakes: 00000, 00001, 00002 and 69 more"
    assert (result.outcome, result.notes) == ("passes", (lost,))
    of_class = whole | {"label": np.where((base.labels == 9) & (base.stroke == "thin"), 8, base.labels)}
    (only_nine,) = np.flatnonzero(base.labels == 9)[-1:]
    of_class["stroke"] = np.where(np.arange(len(base.labels)) == only_nine, "dotted", base.stroke)
    rest = {name: [*values[:only_nine], *values[only_nine + 1 :]] for name, values in of_class.items()}
    for candidate, right in ((rest, 0.0), (of_class, 1.0)):
        findings = compared(['slice["stroke"].recall["9"] >= 0.1'], candidate, of_class).conditions[0].findings
        (dotted,) = [it for it in findings if "dotted" in it.subject]
        assert (dotted.candidate, dotted.rows, dotted.outcome) == (right, 1, "cannot tell")


def test_groups_have_to_be_the_same() -> None:
    """A candidate that takes every row for a group of its own would seem surer than it is."""
    rows = Model(400).columns()
    together, apart = rows | {"patient": [it[:4] for it in rows["id"]]}, rows | {"patient": rows["id"]}
    assert compared([ACCURACY], together, together, group="patient").outcome == "cannot tell"
    with pytest.raises(CannotDecideError, match="different values in the group column for 400 rows"):
        compared([ACCURACY], apart, together, group="patient")
    read = [
        read_predictions(saved(f"{it}.parquet", rows), group="patient") for it, rows in enumerate((apart, together))
    ]
    assert not is_asked_the_same([], read[0], read[1])
    assert is_asked_the_same([], read[1], read[1])


def test_rows_that_only_the_candidate_has_are_left_out() -> None:
    """Which is noted: of them nobody knows what the base says."""
    base = Model()
    columns = {name: values[:1790] for name, values in base.columns().items()}
    result = headworks.gate(saved("a.parquet", base.columns()), saved("b.parquet", columns), conditions=[ACCURACY])
    assert (result.outcome, result.notes) == ("passes", ("7 rows that only the candidate predicted were left out",))
    assert (result.comparisons[0].rows, result.comparisons[0].is_same) == (1790, False)


def without(columns: dict[str, Any], rows: np.ndarray[Any, Any], *, is_null: bool = False) -> dict[str, Any]:
    """Return columns without some rows, or with nothing predicted for these."""
    gone = set(rows.tolist())
    if is_null:
        said = {"prediction", "probabilities", "error"} & columns.keys()
        nulls = {name: [None if at in gone else it for at, it in enumerate(columns[name])] for name in said}
        return columns | nulls
    return {name: [it for at, it in enumerate(values) if at not in gone] for name, values in columns.items()}


@pytest.mark.parametrize("is_null", [False, True])
def test_rows_that_a_candidate_lost_are_its_mistakes(*, is_null: bool) -> None:
    """Five points worse is one as well, without any word about the rows that are wrong; by slice, class and group."""
    base, worse = Model(), Model()
    lost = np.flatnonzero((base.stroke == "thin") & ~base.is_wrong & (base.labels < 5))[:88]
    worse.is_wrong[lost] = True
    conditions = [ACCURACY, EACH, 'recall["3"] >= base.recall["3"] - 0.02', "accuracy >= 0.96"]
    conditions += [f"{it} >= base.{it} - 0.02" for it in ("macro_f1", 'f1["3"]', 'precision["3"]')]
    groups = {"patient": [str(it // 20) for it in range(1797)]}
    mine, theirs = worse.columns() | groups, base.columns() | groups
    told = compared(conditions, mine, theirs)
    result = compared(conditions, without(mine, lost, is_null=is_null), theirs)
    assert [it.outcome for it in result.conditions[:4]] == ["fails"] * 4
    for one, other in zip(result.conditions[:4], told.conditions[:4], strict=True):
        assert one.findings == other.findings
    for one, other in zip(result.conditions[4:], told.conditions[4:], strict=True):
        assert one.findings[0].candidate <= other.findings[0].candidate
        assert one.outcome != "passes"
    note = f"candidate.parquet has no prediction for 88 rows, which count as mistakes: {lost[0]:05}, "
    assert [it for it in result.notes if it.startswith(note)] == list(result.notes)
    assert (result.comparisons[0].rows, result.comparisons[0].only_base) == (1797, 88)
    grouped = compared(conditions[:1], without(mine, lost, is_null=is_null), theirs, group="patient")
    assert grouped.conditions == compared(conditions[:1], mine, theirs, group="patient").conditions


@pytest.mark.parametrize("is_null", [False, True])
@pytest.mark.parametrize(
    "condition",
    [
        "log_loss <= base.log_loss + 9",
        "brier <= base.brier + 1",
        "ece <= base.ece + 0.5",
        "ece <= 0.9",
        "accuracy <= 0.999",
        "mae <= base.mae + 9",
        "rmse <= 9",
    ],
)
def test_what_lost_rows_do_to_a_metric_may_not_be_known(condition: str, *, is_null: bool) -> None:
    """Nor is a mistake one where few of them are asked for; how many and which is said."""
    errors = {"id": [f"{it:05}" for it in range(400)], "error": np.linspace(-1, 1, 400)}
    whole = errors if condition[1:4] in {"ae ", "mse"} else Model(400).columns()
    with pytest.raises(CannotDecideError) as caught:
        compared([condition], without(whole, np.arange(7), is_null=is_null), whole)
    words = "candidate.parquet has no prediction for 7 rows: 00000, 00001, 00002 and 4 more. What they do to"
    assert f"{words} {condition.split(maxsplit=1)[0]} is not known. Let the candidate predict" in str(caught.value)


def test_a_lost_row_of_a_slice_that_only_the_candidate_knows_decides_nothing() -> None:
    """Without it, whoever names the slices could lose the rows of a bad one."""
    columns = Model(400).columns()
    whole = columns | {"width": columns["stroke"]}
    mine = without(whole, np.arange(7))
    one, other = (read_predictions(saved(f"{len(it)}.parquet", it)) for it in (whole, columns))
    subjects = [parse_condition(f'slice["{it}"].accuracy >= 0.1').subject for it in ("stroke", "width")]
    assert [is_asked_the_same([it], one, other) for it in subjects] == [True, False]
    with pytest.raises(CannotDecideError, match=r"the slice column 'width' and base\.parquet has not"):
        compared(['slice["width=thin"].accuracy >= base.accuracy - 0.5'], mine, columns)
    assert compared(["accuracy >= base.accuracy - 0.5"], mine, columns).outcome == "passes"


def test_what_the_base_did_not_predict_is_not_compared() -> None:
    """It is a row that only the candidate has, also where it lacks it as well."""
    columns = Model(400).columns()
    base = without(columns, np.arange(7), is_null=True)
    result = compared([ACCURACY], columns, base)
    assert result.notes == ("7 rows that only the candidate predicted were left out",)
    both = compared([ACCURACY], without(columns, np.arange(3), is_null=True), base)
    assert both.comparisons[0].rows == 393
    same = compared([ACCURACY], base, base)
    assert same.comparisons[0].rows == 393
    assert same.notes[-1].startswith("not one prediction of candidate.parquet differs from those of the base")


def test_a_class_of_which_a_candidate_lost_all_rows_is_still_one() -> None:
    """With and without probabilities, of which it has none for that class."""
    base = Model(400).columns()
    rare = np.flatnonzero(np.array(base["label"]) == 9)[:5]
    whole = without(base, np.flatnonzero(np.array(base["label"]) == 9)[5:])
    assert len(rare) == 5
    gone = without(whole, np.flatnonzero(np.array(whole["label"]) == 9))
    gone["prediction"] = [it % 9 for it in gone["prediction"]]
    for probabilities in ([[1 / 9] * 9] * len(gone["id"]), None):
        mine = {name: it for name, it in (gone | {"probabilities": probabilities}).items() if it is not None}
        (finding,) = compared(['recall["9"] >= base.recall["9"]'], mine, whole).conditions[0].findings
        assert (finding.candidate, finding.rows) == (0.0, 5)


def test_equal_predictions_are_not_the_same_model() -> None:
    """Not even to the last bit: a tree of which one leaf differs has them, and a rule for rows that nobody asked."""
    base = Model(40).columns()
    bare = {name: base[name] for name in ("id", "label", "prediction")}
    errors = {"id": bare["id"], "error": np.arange(40) / 3}
    for columns in (bare, base, bare | {"score": np.linspace(0.5, 0.9, 40)}, errors):
        condition = "mae <= base.mae + 0.001" if "error" in columns else "accuracy >= base.accuracy - 0.001"
        result = compared([condition], columns, columns)
        assert not result.comparisons[0].is_same
        assert result.outcome == "cannot tell"
        assert result.notes[0].startswith("not one prediction of candidate.parquet differs from those of the base")


@pytest.mark.parametrize(
    ("units", "size", "margin"),
    [(1, 1, 0.001), (40, 1, 0.03), (360, 1, 0.01), (360, 1, 0.03), (5, 20, 0.07), (2, 180, 0.3)],
)
def test_models_at_the_bound_hardly_ever_pass_by_their_labels(units: int, size: int, margin: float) -> None:
    """Where each row, or each group, is lost by chance: counted over all that chance can give."""
    rows = units * size
    labels = {"id": [f"{it:03}" for it in range(rows)], "label": ["a", *"b" * (rows - 1)] if rows > 1 else ["a"]}
    groups = {"patient": [str(it // size) for it in range(rows)]} if size > 1 else {}
    chance = 0.0
    for wrong in range(units + 1):
        chances = math.comb(units, wrong) * margin**wrong * (1 - margin) ** (units - wrong)
        if chances < 1e-9:
            continue
        predicted = [it if at >= wrong * size else "c" for at, it in enumerate(labels["label"])]
        if predicted == ["c"] * rows:
            continue  # of which a file says that nothing can be right
        one, other = (labels | groups | {"prediction": it} for it in (predicted, labels["label"]))
        result = compared([f"accuracy >= base.accuracy - {margin}"], one, other, "patient" if groups else "")
        chance += chances * (result.outcome == "passes")
    assert chance <= 0.01


def test_small_losses_add_up_to_one_that_the_anchor_stops(tmp_path: Path) -> None:
    """Each of ten changes loses 0.018, within the margin of its base; the sum is beyond that of the anchor."""
    conditions = (ACCURACY, "accuracy >= anchor.accuracy - 0.05")
    files, outcomes = [], []
    for step in range(11):
        model = Model(2000)
        model.is_wrong = np.arange(2000) < 40 + 36 * step
        files.append(saved(f"{step}.parquet", model.columns()))
    for new, base in zip(files[1:], files, strict=False):
        result = headworks.gate(new, base, anchor=files[0], conditions=conditions)
        outcomes.append([it.outcome for it in result.conditions])
    assert [base for base, _ in outcomes] == ["passes"] * 10
    assert [anchor for _, anchor in outcomes] == ["passes"] * 2 + ["cannot tell"] + ["fails"] * 7
    shown = json.loads(result.as_json())
    assert [(it["on"], it["rival"], it["base"]) for it in shown["comparisons"]] == [
        ("", "base", "9.parquet"),
        ("", "anchor", "0.parquet"),
    ]


def test_without_an_anchor_its_conditions_are_left_out() -> None:
    """Which is said; where it was asked for, where all are about it, or it lacks what one names, that is an error."""
    file = saved("a.parquet", Model().columns())
    conditions = [ACCURACY, "accuracy >= anchor.accuracy - 0.05", "model_bytes <= anchor.model_bytes"]
    result = headworks.gate(file, file, settings=gate_settings({"conditions": conditions}))
    assert (result.outcome, len(result.conditions), list(result.unjudged)) == ("passes", 1, conditions[1:])
    asked_for = partial(headworks.gate, file, file)
    for given in ({"conditions": conditions}, {"settings": gate_settings({"conditions": conditions[1:2]})}):
        with pytest.raises(CannotDecideError, match="no anchor to compare with, which 'accuracy >= anchor"):
            asked_for(**given)
    assert "is not judged, since there is no anchor: name its predictions in --anchor" in result.notes[0]
    large, small = {"model_bytes": (2.0,)}, {"model_bytes": (1.0,)}
    anchored = partial(headworks.gate, file, file, conditions=conditions, measurements=large)
    result = anchored(anchor=file, anchor_measurements=small)
    assert [it.outcome for it in result.conditions] == ["passes", "passes", "fails"]
    with pytest.raises(CannotDecideError, match="no anchor to compare with, which 'accuracy >= anchor"):
        anchored(anchor_measurements=small)
    with pytest.raises(ConfigurationError, match=r"was not measured of the anchor\. Name a file with it in --anchor-m"):
        anchored(anchor=file)


def test_a_model_is_held_to_the_best_of_its_peers() -> None:
    """Each has to be reached, since nobody knows which is the best; one that is as good is said by name."""
    model = Model()
    file = saved("network.parquet", model.columns())
    peers = [saved(f"{name}.parquet", it.columns()) for name, it in (("knn", model.worse(0.1)), ("svm", model))]
    condition = "accuracy >= peers.best.accuracy - 0.01"
    judged_beside = partial(headworks.gate, file, conditions=[condition])
    result = judged_beside(peers=peers)
    assert [(it.subject, it.outcome) for it in result.conditions[0].findings] == [
        ("accuracy against knn", "passes"),
        ("accuracy against svm", "passes"),
    ]
    assert [it for it in result.notes if "simpler" in it] == [
        f"a simpler model, svm, is as good: exchanged, the two reach {condition!r} as well"
    ]
    assert [(it.rival, it.base) for it in result.comparisons] == [("peers", it) for it in peers]
    worse = headworks.gate(peers[0], conditions=[condition], peers=[file, peers[1]])
    assert (worse.outcome, [it.outcome for it in worse.conditions[0].findings]) == ("fails", ["fails"] * 2)
    with pytest.raises(
        CannotDecideError, match=r"There are no peers to compare with\. Name their predictions in --peer"
    ):
        judged_beside()


def test_the_same_measurements_of_two_models_are_no_proof_that_they_are_one() -> None:
    """Whoever calls may hold both in one object."""
    once = {"latency_p99_ms": (3.0,)}
    result = headworks.gate(
        {}, conditions=["latency_p99_ms <= base.latency_p99_ms"], measurements=once, base_measurements=once
    )
    assert (only(result).method, result.outcome) == ("runs", "cannot tell")


def test_peers_in_files_of_one_name_are_told_apart_by_their_folders() -> None:
    """A weak one must not take the place of a good one."""
    for name in ("good", "weak"):
        Path(name).mkdir()
    file = saved("network.parquet", Model().worse(0.2).columns())
    peers = [saved("good/p.parquet", Model().columns()), saved("weak/p.parquet", Model().worse(0.5).columns())]
    result = headworks.gate(file, conditions=["accuracy >= peers.best.accuracy - 0.01"], peers=peers)
    assert [(it.subject, it.outcome) for it in result.conditions[0].findings] == [
        (f"accuracy against {peers[0]}", "fails"),
        (f"accuracy against {peers[1]}", "passes"),
    ]


def test_a_model_is_held_to_what_it_reaches_on_the_rows_that_it_learnt_from() -> None:
    """Which are all that there are, so that the metric on them is a number; without them nothing can be told."""
    learnt = saved("train.parquet", Model(500).worse(0).columns())
    reached = 1 - Model(500).is_wrong.mean()
    condition = "accuracy >= train.accuracy - 0.05"
    for share, outcome in ((0, "passes"), (0.1, "fails")):
        file = saved("held-out.parquet", Model().worse(share).columns())
        result = headworks.gate(file, conditions=[condition], train=learnt)
        assert result.outcome == outcome
        assert only(result).bound == pytest.approx(reached - 0.05)
        assert result.notes == (
            f"accuracy is {reached:.4f} on the 500 rows that it learnt from: the bound is {reached - 0.05:.4f}",
        )
    with pytest.raises(CannotDecideError, match="needs the predictions of the rows that the model learnt from"):
        headworks.gate(file, conditions=[condition])


@pytest.mark.parametrize(
    ("condition", "lost", "reason"),
    [
        ("accuracy >= train.accuracy - 0.05", 250, "has rows without a prediction"),
        ("accuracy >= train.accuracy - 0.99", 0, r"accuracy is 0\.9.* between 0 and 1, so that .* decides nothing"),
        ("accuracy <= train.accuracy + 0.5", 0, r"a bound of 1\.\d+ decides nothing"),
        ("accuracy >= train.accuracy + 0.5", 0, r"a bound of 1\.\d+ decides nothing\. Name another margin\."),
        ("accuracy <= train.accuracy - 0.99", 0, r"a bound of -0\.\d+ decides nothing"),
    ],
)
def test_what_a_model_learnt_from_is_no_excuse(condition: str, lost: int, reason: str) -> None:
    """Rows without a prediction would count as mistakes there, and let it pass."""
    columns = Model(500).columns()
    columns["prediction"] = np.where(np.arange(500) < lost, "", columns["prediction"])
    learnt, file = saved("train.parquet", columns), saved("held-out.parquet", Model().columns())
    with pytest.raises(CannotDecideError, match=reason):
        headworks.gate(file, conditions=[condition], train=learnt)
