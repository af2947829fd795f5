"""Errors, and all exit codes.

HeadworksError
├── UsageError              2  the command was asked for something that is not there
├── ConfigurationError      2  a file of the repository says something wrong (also a ValueError)
├── StoreError              2  the store cannot be read or written (also an OSError)
├── SessionFailedError      1  a session ended with a failure
└── CannotDecideError       3  what was found is not enough to decide; never a pass

A message says what happened, where, and what to do next.
"""

from enum import IntEnum

__all__ = [
    "CannotDecideError",
    "ConfigurationError",
    "Exit",
    "HeadworksError",
    "SessionFailedError",
    "StoreError",
    "UsageError",
]


class Exit(IntEnum):
    """The exit codes of the command; one that is not 0 never counts as passed."""

    PASSED = 0  # or was asked for nothing that could fail
    FAILED = 1  # a session or a gate failed
    USAGE = 2  # the command line or a file of the repository says something wrong
    UNDECIDED = 3  # what was found is not enough to decide, as where a disk is full
    INTERRUPTED = 130  # somebody pressed Ctrl-C; as shells have it, 128 and the number of SIGINT
    BROKEN_PIPE = 141  # nobody reads what is written; 128 and the number of SIGPIPE


class HeadworksError(Exception):
    """Anything that Headworks reports in one message and without a traceback."""

    exit_code = Exit.USAGE


class UsageError(HeadworksError):
    """The command was asked for something that is not there: a session, a revision, a repository."""


class ConfigurationError(HeadworksError, ValueError):
    """A file of the repository, or what nox makes of it, says something that cannot be right."""


class StoreError(HeadworksError, OSError):
    """The store of verdicts cannot be read or written."""


class SessionFailedError(HeadworksError):
    """A session ended with a failure."""

    exit_code = Exit.FAILED


class CannotDecideError(HeadworksError):
    """What was found is not enough to decide, which is never a pass."""

    exit_code = Exit.UNDECIDED
