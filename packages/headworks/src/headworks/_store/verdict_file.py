"""The file that a verdict is kept in, and how it is told whether it may be believed."""

from __future__ import annotations

from typing import Any

from headworks._quick.sha256 import sha256
from headworks._store.verdict import Verdict, is_digest

__all__ = ["is_newer", "is_output_path", "is_plain_path", "read_verdict", "seal", "unseal", "write_verdict"]

_FORMAT = 1
_MAGIC = b"headworks 1 "


def is_plain_path(path: str) -> bool:
    """Whether a path names something below the folder it is joined to, on every platform."""
    return not ("\\" in path or "\0" in path or path[1:2] == ":" or {"", ".", ".."} & set(path.split("/")))


def is_output_path(path: str) -> bool:
    """Whether a path names something below the repository's root, other than git's own files."""
    return is_plain_path(path) and path.partition("/")[0].lower() != ".git"


def seal(data: bytes) -> bytes:
    """Return data under a first line that names the format and the data's SHA-256."""
    text: str = sha256(data).hexdigest()
    return _MAGIC + text.encode() + b"\n" + data


def unseal(sealed: bytes) -> bytes | None:
    """Return the data of a sealed file, or None where a bit of it is not what was written."""
    head, _, data = sealed.partition(b"\n")
    return data if head + b"\n" + data == seal(data) else None


def is_newer(sealed: bytes) -> bool:
    """Whether a sealed file, or the verdict in it, is in a form that only a newer version of this program knows."""
    import json

    name, _, rest = sealed.partition(b"\n")[0].partition(b" ")
    form = rest.partition(b" ")[0]
    if name == b"headworks" and form.isdigit() and int(form) > _FORMAT:
        return True
    try:
        found = json.loads(unseal(sealed) or b"")["format"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return False
    return type(found) is int and found > _FORMAT


def write_verdict(verdict: Verdict, *, place: str) -> bytes:
    """Return the content of the record file of a verdict.

    Args:
        verdict: The verdict.
        place: What tells repositories apart on one machine; see `headworks._store.place`.
    """
    import json

    fields: dict[str, Any] = {name: getattr(verdict, name) for name in Verdict.__annotations__}
    fields |= {"outputs": dict(verdict.outputs), "components": dict(verdict.components)}
    content = {"format": _FORMAT, "place": place, "verdict": fields}
    return seal(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())


def read_verdict(sealed: bytes, digest: str, *, passed: bool) -> tuple[Verdict, str] | None:
    """Return the verdict and the place of a record file, or None where anything about it is doubtful.

    Args:
        sealed: The file's content.
        digest: The digest that the file's name promises.
        passed: The outcome that the file's folder promises.
    """
    import json

    try:
        content = json.loads(unseal(sealed) or b"")
        if content.keys() != {"format", "place", "verdict"} or content["format"] != _FORMAT:
            return None
        verdict = Verdict(**content["verdict"])
        place = content["place"]
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    is_promised = verdict.digest == digest and verdict.passed is passed
    return (verdict, place) if is_promised and isinstance(place, str) and _is_sound(verdict) else None


def _is_sound(verdict: Verdict) -> bool:
    """Whether every field read from a file has its type and a value that can be acted upon."""
    texts = [verdict.session, verdict.finished, verdict.commit, verdict.platform]
    return (
        all(isinstance(text, str) for text in texts)
        and is_digest(verdict.digest)
        and type(verdict.seconds) in {int, float}
        and 0 <= verdict.seconds < float("inf")
        and isinstance(verdict.outputs, dict)
        and all(is_output_path(path) and is_digest(content) for path, content in verdict.outputs.items())
        and isinstance(verdict.components, dict)
        and all(isinstance(value, str) for value in verdict.components.values())
    )
