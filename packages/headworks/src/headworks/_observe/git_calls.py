"""Judges calls of git by their arguments: which of them say nothing about the history of a repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["reads_history", "reads_refs", "reads_settings"]

_WITH_VALUE = {"-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--config-env"}
# They read git's settings, its index and the work tree, all of which are seen by themselves.
_HARMLESS = {
    *("", "check-attr", "check-ignore", "check-ref-format", "config", "diff-files", "hash-object", "help"),
    *("ls-files", "var", "version", "write-tree"),
}
_PLACES = {
    *("--absolute-git-dir", "--git-common-dir", "--git-dir", "--git-path", "--is-bare-repository"),
    *("--is-inside-git-dir", "--is-inside-work-tree", "--show-cdup", "--show-prefix"),
    *("--show-superproject-working-tree", "--show-toplevel"),
}


def reads_history(arguments: Sequence[str]) -> bool:
    """Return whether git's answer can depend on commits, branches or tags.

    Args:
        arguments: All arguments of the call; the first is the name of the program.
    """
    rest = list(arguments[1:])
    while rest and rest[0].startswith("-"):
        del rest[: 2 if rest[0] in _WITH_VALUE else 1]
    command, *options = rest or [""]
    if command == "rev-parse":
        return not set(options) <= _PLACES
    if command == "diff":  # the index and the work tree, unless it is asked for the index and HEAD, or for commits
        return not all(it.startswith("-") for it in options) or bool(
            {"--cached", "--staged", "--merge-base"} & {*options}
        )
    return command not in _HARMLESS


def reads_refs(command: str, name: str) -> bool:
    """Return whether an answer can depend on a ref that is no tag, or a folder of refs, which was looked for.

    Args:
        command: The command of git; empty for any other program.
        name: The name of the ref.
    """
    # To describe a commit, git walks through all refs for the tags among them. It looks where many refs are packed
    # whichever it wants.
    return not (command and name == "refs") and (" describe" not in command or "--all" in command)


def reads_settings(command: str) -> bool:
    """Return whether an answer is made of settings of the repository.

    Others depend on few of them, and CI keeps a password there that is another one in each run.

    Args:
        command: The command of git; empty for any other program.
    """
    words = command.split()
    return not words or not {"config", "remote"}.isdisjoint(words) or "@{u" in command
