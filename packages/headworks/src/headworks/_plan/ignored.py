"""Refuses outputs that git tracks or does not ignore: a run replaces them, and they would count as sources."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from headworks._project.needs import PLACE
from headworks._quick.answers import note_file
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from headworks._tree.snapshot import Snapshot

_WITHIN = "/x"  # a file in an output that is a folder, which a pattern with a slash at its end ignores


def refuse_visible_outputs(outputs: Mapping[str, str], snapshot: Snapshot) -> None:
    """Refuse outputs that git sees, before anything that lies there is removed.

    Args:
        outputs: Each output that may be cleared or restored, with the function of its session.
        snapshot: The work tree.

    Raises:
        ConfigurationError: Git tracks what lies at an output, or would not ignore what a session writes there.
    """
    prefix = snapshot.repository.prefix
    owners = {prefix + path: owner for path, owner in outputs.items()}
    for path, owner in owners.items():
        start, end = snapshot.listing.span(os.fsencode(path))
        if start < end:
            [(_, _, seen), *_] = snapshot.listing.records(start, end)
            _refuse_seen(path, owner, os.fsdecode(seen), snapshot)
    for path in owners.keys() - _ignored(list(owners), snapshot):
        message = (
            f"{PLACE} {owners[path]}: git does not ignore the output {path}, so that what a run writes there would"
            f" count as a source. Add /{path} to .gitignore, or name a path in a folder that git ignores."
        )
        raise ConfigurationError(message)


def _refuse_seen(path: str, owner: str, seen: str, snapshot: Snapshot) -> None:
    """Say which file git sees at an output."""
    is_tracked = snapshot.repository.run("ls-files", "-z", "--", f":(top,literal){seen}")
    message = (
        f"{PLACE} {owner}: git {'tracks' if is_tracked else 'does not ignore'} {seen}, which"
        f" {'is' if seen == path else 'lies in'} the output{'' if seen == path else f' {path}'}, and a run or a restore"
        " would replace it. Name a path of the session's own in a folder that .gitignore lists, as in artifacts/."
    )
    raise ConfigurationError(message)


def _ignored(paths: list[str], snapshot: Snapshot) -> set[str]:
    """Return those paths that git ignores for a rule outside of them: one within is gone when they are cleared."""
    found: set[str] = set()
    repository = snapshot.repository
    places = [os.path.join(repository.top, path) for path in paths]
    for place in places:
        note_file(place, follow=False)
    names = [*paths, *(path + _WITHIN for path, place in zip(paths, places, strict=True) if not os.path.islink(place))]
    given = b"".join(os.fsencode(name) + b"\0" for name in names)
    [(_, code, output)] = repository.ask_all(("check-ignore", "-v", "-z", "--stdin"), given=given)
    if code not in {0, 1}:
        raise ConfigurationError(_trouble(paths, repository.top))
    fields = os.fsdecode(output).split("\0")
    for source, pattern, name in zip(fields[::4], fields[2::4], fields[3::4], strict=False):
        path = name.removesuffix(_WITHIN)
        if not pattern.startswith("!") and not source.startswith(f"{path}/"):
            found.add(path)
    return found


def _trouble(paths: list[str], top: str) -> str:
    """Return why git cannot tell whether it ignores some paths: one lies behind a link, or in a repository within."""
    for path in paths:
        *folders, _ = path.split("/")
        for number in range(1, len(folders) + 1):
            folder = "/".join(folders[:number])
            if os.path.islink(os.path.join(top, folder)):
                return f"{PLACE}: the output {path} lies behind the symbolic link {folder}. Make that a folder."
            if os.path.lexists(os.path.join(top, folder, ".git")):
                return f"{PLACE}: the output {path} lies in {folder}, another repository. Name a path outside of it."
    return f"{PLACE}: git cannot tell whether it ignores {', '.join(paths)}. Name paths below the project's folder."
