r"""Conditions: what a candidate model must reach, as people write it.

    condition := subject (">=" | "<=") bound
    subject   := [ "slice" "[" text "]" "." ] metric
    metric    := name [ "[" text "]" ]                      a class, as in recall["7"]
    bound     := number | "base" "." subject [ "*" number ] [ ("+" | "-") number ]

A text stands in double quotes, with `\"` for a quote in it and `\\` for a backslash.
`slice["stroke=thin"]` is one value of a slice column; `slice["stroke"]` is every value, each judged for itself. After
`base.` the slice may be left out: the base is always judged on the same rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import NoReturn

from headworks._nearest import suggestion
from headworks.errors import ConfigurationError

__all__ = ["ERRORS", "LARGEST", "MEASUREMENTS", "METRICS", "PER_CLASS", "Condition", "Subject", "parse_condition"]

PER_CLASS = frozenset({"f1", "precision", "recall"})
ERRORS = frozenset({"mae", "rmse"})
METRICS = frozenset({"accuracy", "brier", "ece", "log_loss", "macro_f1"}) | PER_CLASS | ERRORS
MOST = dict.fromkeys(METRICS - ERRORS - {"log_loss"}, 1.0) | {"brier": 2.0}  # of those that have an upper end
MEASUREMENTS = frozenset({"latency_p50_ms", "latency_p95_ms", "latency_p99_ms", "model_bytes", "requests_per_second"})
LARGEST = 1e30  # of all numbers that are asked for or found, so that their squares and products are finite
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
    """

    metric: str
    label: str = ""
    column: str = ""
    value: str | None = None

    @property
    def is_measurement(self) -> bool:
        """Whether it is measured of the model, not of predictions."""
        return self.metric in MEASUREMENTS

    def of(self, value: str) -> Subject:
        """Return the same of one value of the slice column."""
        return Subject(metric=self.metric, label=self.label, column=self.column, value=value)

    def __str__(self) -> str:
        """Return it as it is written in a condition."""
        value = "" if self.value is None else f"={self.value}"
        rows = f"slice[{_quoted(self.column + value)}]." if self.column else ""
        return rows + self.metric + (f"[{_quoted(self.label)}]" if self.label else "")


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What the candidate must reach: subject >= factor * base + offset, or <=.

    Attributes:
        text: as it was written.
        subject: what is judged.
        is_floor: whether the subject must be at least the bound; else at most.
        factor: how often the base's value counts; 0 for a bound that does not depend on the base.
        offset: what is added to it.
    """

    text: str
    subject: Subject
    is_floor: bool
    factor: float
    offset: float

    @property
    def is_relative(self) -> bool:
        """Whether the bound depends on the base."""
        return self.factor != 0

    def of(self, subject: Subject) -> Condition:
        """Return the same for another subject."""
        return replace(self, subject=subject)


def _quoted(text: str) -> str:
    """Return a text as it is written in a condition."""
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def parse_condition(text: str) -> Condition:
    """Return a condition.

    Raises:
        ConfigurationError: it is none; the message shows where, and the name that may have been meant.
    """
    return _Parser(text).condition()


class _Parser:
    """Reads a condition from left to right."""

    def __init__(self, text: str) -> None:
        """Split the text into tokens, each with its kind and place."""
        self._text = text
        self._tokens: list[tuple[str, str, int]] = []
        place = 0
        while text[place:].strip():
            found = _TOKEN.match(text, place)
            if found is None:
                start = len(text) - len(text[place:].lstrip())
                self._refuse(f"{text[start]!r} means nothing here", start)
            kind = str(found.lastgroup)
            said = re.sub(r'\\(["\\])', r"\1", found[kind]) if kind == "text" else found[kind]
            self._tokens.append((kind, said, found.end() - len(found[0].lstrip())))
            place = found.end()
        self._next = 0

    def condition(self) -> Condition:
        """Read a whole condition."""
        subject = self._subject()
        sign = self._take("sign", {">=", "<="}, "`>=` or `<=`")
        place = self._place
        factor, offset = self._bound(subject)
        self._check(subject.metric, place, factor, offset, is_floor=sign == ">=")
        if self._next < len(self._tokens):
            self._refuse("the condition should end here", self._place)
        return Condition(text=self._text, subject=subject, is_floor=sign == ">=", factor=factor, offset=offset)

    def _check(self, metric: str, place: int, factor: float, offset: float, *, is_floor: bool) -> None:
        """Refuse a bound that every model reaches, or none, whatever it predicts."""
        if metric in MOST:
            most = MOST[metric]
            is_far = abs(offset) > most or (factor != 0 and abs(offset) == most)
            if is_far or (factor * most + offset <= 0 if is_floor else offset >= most):
                reason = f"{metric} lies between 0 and {most:g}, so that a bound of {offset:g} decides nothing"
                self._refuse(f"{reason}; write three points as 0.03", place)
        elif is_floor and not factor and offset <= 0:
            self._refuse(f"{metric} is never below 0, so that a bound of {offset:g} decides nothing", place)

    def _subject(self) -> Subject:
        """Read a metric with the rows that it is about."""
        column, value = "", None
        if self._peek("name", {"slice"}):
            self._next += 1
            column, has_value, rest = self._bracketed('a slice column, as in slice["stroke=thin"]').partition("=")
            value = rest if has_value else None
            self._take("sign", {"."}, "`.` and a metric")
        place = self._place
        metric = self._take("name", None, "a metric")
        if metric not in METRICS | MEASUREMENTS or (column and metric in MEASUREMENTS):
            known = METRICS if column else METRICS | MEASUREMENTS
            self._refuse(f"there is no metric {metric!r}" + (" of a slice" if column else ""), place, metric, known)
        label = ""
        if metric in PER_CLASS:
            label = self._bracketed(f'a class, as in {metric}["7"]')
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

    def _bound(self, subject: Subject) -> tuple[float, float]:
        """Read what the subject is compared with."""
        if not self._peek("name", None):
            return 0.0, self._number("a number or `base.`")
        self._take("name", {"base"}, "a number or `base.`", {"base"})
        self._take("sign", {"."}, "`.` and a metric")
        place = self._place
        base = self._subject()
        bare = Subject(metric=subject.metric, label=subject.label)
        if base not in {subject, bare}:
            self._refuse(f"the base can only be judged by the same as the candidate, {subject}", place)
        factor, offset = 1.0, 0.0
        if self._peek("sign", {"*"}):
            self._next += 1
            place = self._place
            factor = self._number("a number")
            if factor <= 0:
                self._refuse(f"a base that counts {factor:g} times does not count; write the number alone", place)
        if self._peek("sign", {"+", "-"}):
            offset = self._number("a number")
        return factor, offset

    def _number(self, what: str) -> float:
        """Read a number that may have a sign."""
        factor = 1.0
        if self._peek("sign", {"+", "-"}):
            factor = -1.0 if self._tokens[self._next][1] == "-" else 1.0
            self._next += 1
        place = self._place
        number = float(self._take("number", None, what))
        if number > LARGEST:
            self._refuse(f"the number is too large; it may be {LARGEST:g} at most", place)
        return factor * number

    @property
    def _place(self) -> int:
        """Where the next token is."""
        return self._tokens[self._next][2] if self._next < len(self._tokens) else len(self._text)

    def _peek(self, kind: str, values: set[str] | None) -> bool:
        """Tell whether the next token is of a kind, and one of some values."""
        if self._next >= len(self._tokens):
            return False
        found, value, _ = self._tokens[self._next]
        return found == kind and (values is None or value in values)

    def _take(self, kind: str, values: set[str] | None, what: str, known: set[str] | None = None) -> str:
        """Return the next token, which has to be of a kind, and one of some values."""
        if not self._peek(kind, values):
            found = self._tokens[self._next][1] if self._next < len(self._tokens) else ""
            self._refuse(f"{what} should be here", self._place, found, known or set())
        self._next += 1
        return self._tokens[self._next - 1][1]

    def _refuse(
        self, reason: str, place: int, name: str = "", known: frozenset[str] | set[str] = frozenset()
    ) -> NoReturn:
        """Raise an error that points at a place."""
        meant = suggestion(name, known) if name else ""
        message = f"The condition is not understood: {reason}.{meant}\n    {self._text}\n    {' ' * place}^"
        raise ConfigurationError(message)
