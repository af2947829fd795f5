r"""Conditions: the bounds that a candidate model has to reach, as people write them.

    condition := subject (">=" | "<=") bound
    subject   := [ "slice" "[" text "]" "." ] metric
    metric    := name [ "[" text "]" ]                      a class, as in recall["7"]
    bound     := number | rival "." subject [ "*" number ] [ ("+" | "-") number ]
    rival     := "base" | "anchor" | "peers" "." "best" | "train"

A text stands in double quotes, with `\"` for a quote in it and `\\` for a backslash.
`slice["stroke=thin"]` is one value of a slice column; `slice["stroke"]` is every value, each judged for itself. After
`base.` the slice may be left out: a rival is always judged on the same rows.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import NoReturn

from headworks._metrics.metrics import METRICS, Metric
from headworks._nearest import suggestion
from headworks.errors import ConfigurationError

BASE, ANCHOR, PEERS, TRAIN = "base", "anchor", "peers", "train"
RIVALS = (BASE, ANCHOR, PEERS, TRAIN)  # the models that a bound can name
LARGEST = 1e30  # of all numbers in conditions and files, so that their squares and products are finite
_WHOLE = re.compile(r"-?[0-9]+\.0*")
_TOKEN = re.compile(
    r'\s*(?:(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)|(?P<name>[A-Za-z_]\w*)|"(?P<text>(?:[^"\\]|\\["\\])*)"'
    r"|(?P<sign>>=|<=|[\[\].*+-]))"
)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A metric, and the rows that it is about.

    Attributes:
        metric: its name.
        label: the class that it is about; empty for one about all classes.
        column: the slice column; empty for all rows.
        value: the value of that column; None for each of them.
        limit: the most that a row can cost, as the table declares it; infinite where it declares nothing.
        classes: all classes that there are, as the table declares them; empty where it declares none.
    """

    metric: str
    label: str = ""
    column: str = ""
    value: str | None = None
    limit: float = math.inf
    classes: tuple[str, ...] = ()

    @property
    def definition(self) -> Metric:
        """The properties of the metric."""
        return METRICS[self.metric]

    @property
    def most(self) -> float:
        """The most that a row can cost or count, infinite where that is unknown."""
        return self.limit if math.isinf(self.definition.most) else self.definition.most

    @property
    def is_measurement(self) -> bool:
        """Whether it is measured of the model, not computed from predictions."""
        return self.definition.sums is None

    def __str__(self) -> str:
        """Return the subject as a condition has it."""
        value = "" if self.value is None else f"={self.value}"
        rows = f"slice[{_quoted(self.column + value)}]." if self.column else ""
        return rows + self.metric + (f"[{_quoted(self.label)}]" if self.label else "")


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A bound for the candidate: subject >= factor * rival + offset, or <=.

    Attributes:
        text: the condition as it was written.
        subject: the metric and its rows.
        is_floor: whether the subject must be at least the bound; else at most.
        factor: how often the rival's value counts; 0 without one.
        offset: the number that is added to it.
        rival: the model that the candidate is compared with, one of `RIVALS`; empty for a bound that is a number.
    """

    text: str
    subject: Subject
    is_floor: bool
    factor: float
    offset: float
    rival: str = ""

    @property
    def is_relative(self) -> bool:
        """Whether the bound depends on another model."""
        return bool(self.rival)


def _quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def parse_condition(text: str) -> Condition:
    """Return the condition that a text states.

    Raises:
        ConfigurationError: It states none; the message shows the place, and the nearest name.
    """
    return _Parser(one_form(text)).condition()


def one_form(text: str) -> str:
    """Return a text in Unicode's composed form, NFC: one letter may be written in two ways that look the same."""
    return unicodedata.normalize("NFC", text)


def class_name(text: str) -> str:
    """Return the name of a class, a whole number without a decimal point: some programs write one column as floats."""
    return text.partition(".")[0] if _WHOLE.fullmatch(text) else text


def why_void(subject: Subject, factor: float, offset: float, *, is_floor: bool) -> str:
    """Return why a bound decides nothing: every model reaches it, or none, whatever they predict; empty where it may.

    Args:
        subject: What has to reach the bound.
        factor: How often the rival's value counts; 0 without one.
        offset: The number that is added to it.
        is_floor: Whether the subject must be at least the bound; else at most.
    """
    least, most = subject.definition.least, subject.most
    lowest, highest = (offset + factor * it if factor else offset for it in (least, most))
    if is_floor:
        is_void = highest <= least or lowest > most or (factor != 0 and lowest == most)
    else:
        is_void = lowest >= most or highest < least or (factor != 0 and highest == least)
    lies = f"lies between 0 and {most:g}" if math.isfinite(most) else "is never below 0"
    lies = lies if math.isfinite(least) else f"is at most {most:g}"
    return f"{subject.metric} {lies}, so that a bound of {offset:g} decides nothing" if is_void else ""


class _Parser:
    """A parser that reads a condition from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str, int]] = []  # kind, value and place of each
        place = 0
        while text[place:].strip():
            match = _TOKEN.match(text, place)
            if match is None:
                start = len(text) - len(text[place:].lstrip())
                self._refuse(f"{text[start]!r} means nothing here", start)
            kind = str(match.lastgroup)
            value = re.sub(r'\\(["\\])', r"\1", match[kind]) if kind == "text" else match[kind]
            self._tokens.append((kind, value, match.end() - len(match[0].lstrip())))
            place = match.end()
        self._next = 0

    def condition(self) -> Condition:
        """Read a whole condition."""
        subject = self._subject()
        is_floor = self._take("sign", {">=", "<="}, "`>=` or `<=`") == ">="
        place = self._place
        rival, factor, offset = self._bound(subject)
        self._check_bound(subject, place, factor, offset, is_floor=is_floor)
        if self._next < len(self._tokens):
            self._refuse("the condition should end here", self._place)
        return Condition(text=self._text, subject=subject, is_floor=is_floor, factor=factor, offset=offset, rival=rival)

    def _check_bound(self, subject: Subject, place: int, factor: float, offset: float, *, is_floor: bool) -> None:
        """Refuse a bound that decides nothing."""
        if reason := why_void(subject, factor, offset, is_floor=is_floor):
            self._refuse(reason + ("; write three points as 0.03" if math.isfinite(subject.most) else ""), place)

    def _subject(self) -> Subject:
        column, value = "", None
        if self._peek("name", {"slice"}):
            self._next += 1
            column, has_value, rest = self._bracketed('a slice column, as in slice["stroke=thin"]').partition("=")
            value = rest if has_value else None
            self._take("sign", {"."}, "`.` and a metric")
        place = self._place
        metric = self._take("name", None, "a metric")
        known = [name for name, metric in METRICS.items() if metric.sums or not column]
        if metric not in known:
            self._refuse(f"there is no metric {metric!r}" + (" of a slice" if column else ""), place, metric, known)
        label = class_name(self._bracketed(f'a class, as in {metric}["7"]')) if METRICS[metric].takes_class else ""
        return Subject(metric=metric, label=label, column=column, value=value)

    def _bracketed(self, what: str) -> str:
        """Read a text in brackets."""
        self._take("sign", {"["}, f"`[` and {what}")
        place = self._place
        text = self._take("text", None, f"{what}, in double quotes")
        if not text.partition("=")[0]:
            self._refuse(f"the text is empty; it has to be {what}", place)
        self._take("sign", {"]"}, "`]`")
        return text

    def _bound(self, subject: Subject) -> tuple[str, float, float]:
        """Read a bound, as the rival, the factor of its value and an offset."""
        expected = f"a number, `{'.` or `'.join(RIVALS)}.`"
        if not self._peek("name", None):
            return "", 0.0, self._number(expected)
        rival = self._take("name", RIVALS, expected, RIVALS)
        if rival in {PEERS, TRAIN} and subject.is_measurement:
            self._refuse(f"{subject.metric} is measured, which `{rival}` is not", self._place)
        if rival == TRAIN and subject.column:
            self._refuse("the rows that a model learnt from have no slices here", self._place)
        if rival == PEERS:
            self._take("sign", {"."}, "`.best.` and a metric")
            self._take("name", {"best"}, "`best`, which is every peer that there is,", {"best"})
        self._take("sign", {"."}, "`.` and a metric")
        place = self._place
        if self._subject() not in {subject, replace(subject, column="", value=None)}:
            self._refuse(f"the {rival} can only be judged by the same as the candidate, {subject}", place)
        factor, offset = 1.0, 0.0
        if self._peek("sign", {"*"}):
            self._next += 1
            place = self._place
            factor = self._number("a number")
            if factor <= 0:
                self._refuse(f"a model that counts {factor:g} times does not count; write the number alone", place)
        if self._peek("sign", {"+", "-"}):
            offset = self._number("a number")
        return rival, factor, offset

    def _number(self, what: str) -> float:
        """Read a number that may have a sign."""
        sign = 1.0
        if self._peek("sign", {"+", "-"}):
            sign = -1.0 if self._tokens[self._next][1] == "-" else 1.0
            self._next += 1
        place = self._place
        number = float(self._take("number", None, what))
        if number > LARGEST:
            self._refuse(f"the number is too large; it may be {LARGEST:g} at most", place)
        return sign * number

    @property
    def _place(self) -> int:
        """The place of the next token in the text."""
        return self._tokens[self._next][2] if self._next < len(self._tokens) else len(self._text)

    def _peek(self, kind: str, values: Collection[str] | None) -> bool:
        """Tell whether the next token is of a kind, and one of some values."""
        if self._next >= len(self._tokens):
            return False
        next_kind, value, _ = self._tokens[self._next]
        return next_kind == kind and (values is None or value in values)

    def _take(self, kind: str, values: Collection[str] | None, what: str, known: Collection[str] = ()) -> str:
        """Return the next token, which has to be of a kind, and one of some values."""
        if not self._peek(kind, values):
            value = self._tokens[self._next][1] if self._next < len(self._tokens) else ""
            self._refuse(f"{what} should be here", self._place, value, known)
        self._next += 1
        return self._tokens[self._next - 1][1]

    def _refuse(self, reason: str, place: int, name: str = "", known: Collection[str] = ()) -> NoReturn:
        """Raise an error that points at a place."""
        meant = suggestion(name, known) if name else ""
        message = f"The condition is not understood: {reason}.{meant}\n    {self._text}\n    {' ' * place}^"
        raise ConfigurationError(message)
