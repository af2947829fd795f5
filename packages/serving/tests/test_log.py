"""Log lines: one event, one line, readable by eye and by machine."""

import json
import logging
import re
import sys

from headworks_serving._log import LineFormatter, line
from hypothesis import example, given
from hypothesis import strategies as st


@given(st.text())
@example("a\nb")
@example('say "x" = 1')
@example("")
def test_any_value_stays_on_its_line_and_can_be_read_back(text: str) -> None:
    """Whatever a client sends cannot forge a line or a field of the log."""
    written = line("refused", error=text)
    assert len(written.splitlines()) == 1
    value = written.removeprefix("event=refused error=")
    assert (json.loads(value) if value.startswith('"') else value) == text


def format_record(name: str, message: str, *, failed: bool = False) -> str:
    """Return the line of a record."""
    try:
        1 / 0  # noqa: B018 - an exception is all that is wanted
    except ZeroDivisionError:
        trace = sys.exc_info() if failed else None
    record = logging.LogRecord(name, logging.WARNING, __file__, 1, message, None, trace)
    record.created, record.msecs = 0.25, 250.0
    return LineFormatter().format(record)


def test_a_line_has_a_time_in_utc_a_level_and_its_fields() -> None:
    """Numbers with a fraction have three digits of it."""
    text = format_record("headworks_serving", line("infer", rows=3, ms=1.23456))
    assert text == "1970-01-01T00:00:00.250Z WARNING event=infer rows=3 ms=1.235"


def test_a_line_of_another_library_becomes_an_event() -> None:
    """Nothing in the log has another form."""
    text = format_record("uvicorn.error", "Invalid HTTP request received.")
    assert text.endswith('event=log logger=uvicorn.error message="Invalid HTTP request received."')


def test_a_traceback_is_the_last_field_of_its_line() -> None:
    """A defect can be found without a line that belongs to nothing."""
    text = format_record("uvicorn.error", "it failed", failed=True)
    assert re.search(r' traceback="Traceback .*ZeroDivisionError: division by zero"$', text)
