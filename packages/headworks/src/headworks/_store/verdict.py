"""A verdict: the record of how one session ended."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headworks._hashes import digest_texts

if TYPE_CHECKING:
    from headworks._store.witness import Witness

_HEXADECIMAL = frozenset("0123456789abcdef")


def is_digest(value: object) -> bool:
    """Whether a value is a SHA-256 in lower-case hexadecimal, and so also safe as a file name."""
    return isinstance(value, str) and len(value) == 64 and _HEXADECIMAL.issuperset(value)  # noqa: PLR2004  # 256 / 4


def is_plain_path(path: str) -> bool:
    """Whether a relative path stays below its folder, on every platform."""
    return not ("\\" in path or "\0" in path or path[1:2] == ":" or {"", ".", ".."} & set(path.split("/")))


def is_output_path(path: str) -> bool:
    """Whether a path is one below the repository's root, other than git's own files."""
    return is_plain_path(path) and path.partition("/")[0].lower() != ".git"


def flaky_reason(session: str) -> str:
    """Return why no verdict covers a session that has both passed and failed, and the command that helps."""
    command = shlex.join(["headworks", "store", "forget", session])
    return f"has both passed and failed just as it is, which proves nothing; `{command}` forgets both"


def observed_digest(core: str, witness: Witness) -> str:
    """Return the digest of a session that was watched, from that of all but files and the witness of what it read."""
    return digest_texts([core, witness.digest])


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The record of how one session ended, for one digest.

    Attributes:
        session: The session's name as nox shows it, as in `tests-3.13(data)`.
        digest: SHA-256 over everything that the outcome can depend on.
        passed: Whether it passed. Only a passed verdict is ever reused.
        finished: When it ended, ISO 8601 in UTC.
        seconds: How long it ran.
        commit: The commit that was checked out, or an empty string before the first.
        platform: Where it ran, as in `linux-x86_64`.
        outputs: Each declared output path with the SHA-256 of its content.
        components: Each part of the digest by name, with its hash.
        core: The digest of all but files, where the session was watched; else empty.
        witness: The lines of what it was seen to read, as text; empty where it was not watched.
        checked: When the promise of its row was last checked, ISO 8601 in UTC; empty where it was not.
        until: The day on which its witness ends, ISO 8601; empty where that has no end.
    """

    session: str
    digest: str
    passed: bool
    finished: str
    seconds: float
    commit: str
    platform: str
    outputs: Mapping[str, str]
    components: Mapping[str, str]
    core: str = ""
    witness: Sequence[str] = ()
    checked: str = ""
    until: str = ""

    def as_data(self) -> dict[str, Any]:
        """Return it in a form that JSON can hold."""
        return vars(self) | {"outputs": dict(self.outputs), "components": dict(self.components)}
