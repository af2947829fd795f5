"""Errors, and all exit codes.

HeadworksError
├── UsageError              2  the command was asked for something that is not there
├── ConfigurationError      2  a file of the repository says something wrong (also a ValueError)
├── StoreError              2  the store cannot be read or written (also an OSError)
├── CannotDecideError       3  there is not enough to decide; never a pass
└── AliasMovedError         1  an alias points to another model than expected; it was left there

A message says what happened, where, and what to do next.
"""

from enum import IntEnum
from typing import Self

__all__ = [
    "AliasMovedError",
    "CannotDecideError",
    "ConfigurationError",
    "Exit",
    "HeadworksError",
    "StoreError",
    "UsageError",
]


class Exit(IntEnum):
    """The exit codes of the command.

    Attributes:
        meaning: What a code says.
    """

    meaning: str

    PASSED = 0, "all passed"
    FAILED = 1, "a session or gate failed, an audit found something, or an alias was moved by somebody else"
    USAGE = 2, "a mistake in the command or the configuration, which the message names"
    UNDECIDED = (
        3,
        "no decision: the gate has no base, something required was skipped, an unexpected error; never a pass",
    )
    INTERRUPTED = 130, "somebody interrupted it"  # as in shells, 128 and the number of SIGINT
    BROKEN_PIPE = 141, "nobody reads what it writes"  # 128 and the number of SIGPIPE

    def __new__(cls, code: int, meaning: str) -> Self:
        """Make a member of its code and meaning."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member


class HeadworksError(Exception):
    """Anything that Headworks reports in one message and without a traceback."""

    exit_code = Exit.USAGE


class UsageError(HeadworksError):
    """The command was asked for something that is not there: a session, a revision, a repository."""


class ConfigurationError(HeadworksError, ValueError):
    """A file of the repository, or the answer of nox, says something that cannot be right."""


class StoreError(HeadworksError, OSError):
    """The store of verdicts cannot be read or written."""


class CannotDecideError(HeadworksError):
    """There is not enough to decide, which is never a pass."""

    exit_code = Exit.UNDECIDED


class AliasMovedError(HeadworksError):
    """An alias points to another model than expected, so that it was left there."""

    exit_code = Exit.FAILED
