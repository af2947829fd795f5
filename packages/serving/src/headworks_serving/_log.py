"""Plain log lines: a time, a level and `key=value` pairs, one line for each event, for any input of a client."""

import json
import logging
import math
import re
import time
from typing import Final

_SELDOM_SECONDS: Final = 60.0
LOGGER: Final = logging.getLogger("headworks_serving")
_PLAIN: Final = re.compile(r"[\w./:@+\[\]-]+", re.ASCII)


def line(event: str, **fields: object) -> str:
    """Return an event and its fields as `key=value` pairs, with values quoted as JSON if need be."""
    return " ".join(f"{key}={_quote(value)}" for key, value in {"event": event, **fields}.items())


def _quote(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


class LineFormatter(logging.Formatter):
    """Writes each record as one line in UTC; records of other libraries become the event `log`."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, with a traceback as its last field."""
        text = record.getMessage()
        if record.name != LOGGER.name:
            text = line("log", logger=record.name, message=text)
        if record.exc_info:
            text += " " + f"traceback={_quote(self.formatException(record.exc_info))}"
        return f"{self.formatTime(record)} {record.levelname} {text}"


def start_logging() -> None:
    """Send all events of this package, and warnings of libraries, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    LOGGER.setLevel(logging.INFO)


class Seldom:
    """Warns of events that may come a thousand times a second: at once, and then at most once a minute."""

    def __init__(self) -> None:
        """Begin without a warning."""
        self._next = -math.inf
        self._unsaid = 0

    def warn(self, event: str, **fields: object) -> None:
        """Log an event, with the number of those that were not logged since the last one."""
        now = time.monotonic()
        if now < self._next:
            self._unsaid += 1
            return
        LOGGER.warning(line(event, **fields, unsaid=self._unsaid))
        self._next, self._unsaid = now + _SELDOM_SECONDS, 0
