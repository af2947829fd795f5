"""Conditions of the gate are read as they are meant, and refused where they are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks._metrics.condition import RIVALS, Condition, Subject, parse_condition
from headworks._metrics.metrics import METRICS
from headworks.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "subject", "is_floor", "factor", "offset"),
    [
        ("accuracy >= base.accuracy - 0.01", Subject(metric="accuracy"), True, 1, -0.01),
        ("accuracy >= anchor.accuracy * 0.9 - 0.01", Subject(metric="accuracy"), True, 0.9, -0.01),
        ("accuracy >= peers.best.accuracy - 0.01", Subject(metric="accuracy"), True, 1, -0.01),
        ("accuracy >= train.accuracy - 0.05", Subject(metric="accuracy"), True, 1, -0.05),
        ('recall["7"] >= 0.95', Subject(metric="recall", label="7"), True, 0, 0.95),
        ('recall["7.0"] >= base.recall["7"]', Subject(metric="recall", label="7"), True, 1, 0),
        ("log_loss<=base.log_loss+.5", Subject(metric="log_loss"), False, 1, 0.5),
        ("ece <= 5e-2", Subject(metric="ece"), False, 0, 0.05),
        ("macro_f1 >= base.macro_f1", Subject(metric="macro_f1"), True, 1, 0),
        ("latency_p99_ms <= base.latency_p99_ms * 1.1 + 2", Subject(metric="latency_p99_ms"), False, 1.1, 2),
        ("model_bytes <= 1e6", Subject(metric="model_bytes"), False, 0, 1e6),
        ("rmse >= 1", Subject(metric="rmse"), True, 0, 1),
        ("r2 >= -2", Subject(metric="r2"), True, 0, -2),
        (
            'slice["stroke=thin"].accuracy >= base.accuracy - 0.02',
            Subject(metric="accuracy", column="stroke", value="thin"),
            *(True, 1, -0.02),
        ),
        (
            'slice["stroke"].f1["a b"] >= base.slice["stroke"].f1["a b"] - 0.02',
            Subject(metric="f1", label="a b", column="stroke"),
            *(True, 1, -0.02),
        ),
        (
            r'slice["who=a \"b\" = c"].recall["\\"] >= 0.5',
            Subject(metric="recall", label="\\", column="who", value='a "b" = c'),
            *(True, 0, 0.5),
        ),
        ("brier <= 1.5", Subject(metric="brier"), False, 0, 1.5),
    ],
)
def test_a_condition_is_read(text: str, subject: Subject, *, is_floor: bool, factor: float, offset: float) -> None:
    """Metrics with classes and slices, bounds with and without the base, in any spacing."""
    condition = parse_condition(text)
    rival = next((it for it in RIVALS if f" {it}." in text), "base" if factor else "")
    expected = Condition(text=text, subject=subject, is_floor=is_floor, factor=factor, offset=offset, rival=rival)
    assert condition == expected
    assert condition.is_relative is bool(factor)
    assert str(condition.subject) in text


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("accuracyx >= 0.9", 0, "there is no metric 'accuracyx'. Did you mean 'accuracy'?"),
        ("accuracy == 0.9", 9, "'=' means nothing here"),
        ("accuracy", 8, "`>=` or `<=` should be here"),
        ("accuracy >= ", 12, "a number, `base.` or `anchor.` or `peers.` or `train.` should be here"),
        (
            "accuracy >= bsae.accuracy",
            12,
            "a number, `base.` or `anchor.` or `peers.` or `train.` should be here. Did you mean 'base'?",
        ),
        ("accuracy >= peers.accuracy", 18, "`best`, which is every peer that there is, should be here"),
        ("model_bytes <= peers.best.model_bytes", 20, "model_bytes is measured, which `peers` is not"),
        ('slice["a"].accuracy >= train.accuracy', 28, "the rows that a model learnt from have no slices here"),
        ("accuracy >= base", 16, "`.` and a metric should be here"),
        ("accuracy >= base.recall", 23, "`[` and a class"),
        ("accuracy >= base.macro_f1 - 0.1", 17, "only be judged by the same as the candidate, accuracy"),
        ('slice["a"].accuracy >= base.slice["b"].accuracy', 28, 'the same as the candidate, slice["a"].accuracy'),
        ('slice["a"].model_bytes >= 1', 11, "there is no metric 'model_bytes' of a slice"),
        ("recall >= 0.9", 7, "`[` and a class"),
        ("recall[7] >= 0.9", 7, "in double quotes"),
        ('recall[""] >= 0.9', 7, "the text is empty"),
        ('slice["=x"].accuracy >= 0.9', 6, "the text is empty"),
        ('recall["7" >= 0.9', 11, "`]` should be here"),
        ("accuracy >= 0.9 0.8", 16, "the condition should end here"),
        ("accuracy >= base.accuracy * 0", 28, "a model that counts 0 times"),
        ("accuracy >= base.accuracy - x", 28, "a number should be here"),
        (
            "accuracy >= 95",
            12,
            "accuracy lies between 0 and 1, so that a bound of 95 decides nothing; write three points",
        ),
        ("macro_f1 >= base.macro_f1 - 3", 12, "a bound of -3 decides nothing"),
        ("accuracy >= -0.03", 12, "a bound of -0.03 decides nothing"),
        ("accuracy >= 0", 12, "a bound of 0 decides nothing"),
        ("brier <= 2", 9, "brier lies between 0 and 2, so that a bound of 2 decides nothing"),
        ("brier <= base.brier + 2", 9, "a bound of 2 decides nothing"),
        (r'recall["a\b"] >= 0.9', 7, "means nothing here"),
        ("accuracy <= 1", 12, "a bound of 1 decides nothing"),
        ("r2 >= 1.5", 6, "r2 is at most 1, so that a bound of 1.5 decides nothing"),
        ("r2 <= 1", 6, "a bound of 1 decides nothing"),
        ("accuracy >= base.accuracy - 1", 12, "a bound of -1 decides nothing"),
        ("accuracy <= base.accuracy + 1", 12, "a bound of 1 decides nothing"),
        ("accuracy >= base.accuracy * 0.5 - 0.5", 12, "a bound of -0.5 decides nothing"),
        ("macro_f1 >= base.macro_f1 * -1", 28, "a model that counts -1 times"),
        ("accuracy >= base.accuracy * -0.97", 28, "a model that counts -0.97 times"),
        ("requests_per_second >= 0", 23, "requests_per_second is never below 0"),
        ("log_loss <= -1", 12, "log_loss is never below 0, so that a bound of -1 decides nothing."),
        ("accuracy <= -0.5", 12, "a bound of -0.5 decides nothing"),
        ("accuracy <= base.accuracy - 1", 12, "a bound of -1 decides nothing"),
        ("accuracy >= base.accuracy + 1", 12, "a bound of 1 decides nothing"),
        ("model_bytes <= 1e999", 15, "the number is too large; it may be 1e+30 at most"),
        ("mae <= base.mae * 1e999", 18, "the number is too large"),
        ("__import__('os')", 10, "'(' means nothing here"),
        ("", 0, "a metric should be here"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused_where_it_ceases_to(text: str, place: int, words: str) -> None:
    """The message shows the text, points at the place, and names what may have been meant."""
    with pytest.raises(ConfigurationError) as caught:
        parse_condition(text)
    first, shown, arrow = str(caught.value).split("\n")
    assert words in first
    assert shown == f"    {text}"
    assert arrow == f"    {' ' * place}^"


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing else happens: no traceback, and nothing is evaluated."""
    try:
        condition = parse_condition(text)
    except ConfigurationError:
        return
    assert condition.subject.metric in METRICS
