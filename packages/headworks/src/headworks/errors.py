"""What can go wrong, each with the exit code that the command ends with.

HeadworksError
├── UsageError              2  the command was asked for something that is not there
├── ConfigurationError      2  a file of the repository says something wrong (also a ValueError)
├── StoreError              2  the store cannot be read or written (also an OSError)
├── SessionFailedError      1  a session ended with a failure
└── CannotDecideError       3  what was found is not enough to decide; never a pass

A message says what happened, where, and what to do next.
"""

__all__ = [
    "CannotDecideError",
    "ConfigurationError",
    "HeadworksError",
    "SessionFailedError",
    "StoreError",
    "UsageError",
]


class HeadworksError(Exception):
    """Anything that Headworks reports in one message and without a traceback."""

    exit_code = 2


class UsageError(HeadworksError):
    """The command was asked for something that is not there: a session, a revision, a repository."""


class ConfigurationError(HeadworksError, ValueError):
    """A file of the repository, or what nox makes of it, says something that cannot be right."""


class StoreError(HeadworksError, OSError):
    """The store of verdicts cannot be read or written."""


class SessionFailedError(HeadworksError):
    """A session ended with a failure."""

    exit_code = 1


class CannotDecideError(HeadworksError):
    """What was found is not enough to decide, which is never a pass."""

    exit_code = 3
