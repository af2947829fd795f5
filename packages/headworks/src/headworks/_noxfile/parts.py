"""What of a module concerns each session in it, in a form that can be remembered."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from headworks._noxfile.paths import HOLE
from headworks._noxfile.scan import Scan
from headworks._quick.sha256 import digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headworks._noxfile.calls import Reads

    PackedReads = tuple[list[str], list[str], str]

__all__ = ["read_module"]

_SETTINGS = "settings"  # the name of what holds for all sessions


def read_module(source: bytes, path: str, covered: Iterable[str] = ()) -> dict[str, Any]:
    """Return what a module says.

    Args:
        source: its content.
        path: where it is, relative to the noxfile's folder.
        covered: files of which every session has its part already.

    Returns:
        `imports` are the modules that it imports; `dynamic` is why it cannot be told what its code reaches, empty where
        it can; `load` is what is read when it is loaded, `all` what any of its code reads; `sessions` has for each
        session, by the name that nox knows it by, what `_session` returns; `notifies` tells whether any code in it may
        have nox run other sessions.
    """
    try:
        scan = Scan(source, path, covered)
    except (SyntaxError, ValueError, RecursionError) as error:
        everything: PackedReads = ([HOLE], [], "")
        unread = {"imports": [], "dynamic": f"it cannot be parsed: {error}", "sessions": {}, "notifies": False}
        return unread | {"load": everything, "all": everything}
    return {
        "imports": sorted(scan.imports),
        "dynamic": scan.dynamic,
        "load": _packed(scan.reads(scan.load_parts, scan.reach(scan.load_parts))),
        "all": ([HOLE], [], "") if scan.is_loading else _packed(scan.reads(scan.load_parts, scan.definitions)),
        "notifies": _notifies(it for tops in scan.definitions.values() for it in tops),
        "sessions": {_title(name, settings): _session(scan, name, settings) for name, settings in scan.sessions},
    }


def _title(name: str, settings: dict[str | None, ast.expr]) -> str:
    """Return the name that nox knows a session by; empty where that cannot be told."""
    value = settings.get("name")
    if value is None:
        return "" if None in settings else name
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


def _session(scan: Scan, name: str, settings: dict[str | None, ast.expr]) -> dict[str, Any]:
    """Return what concerns one session.

    `parts` has a hash for each name reached, `reads` is what that code reads, `requires` are the sessions that nox runs
    before it, None where that cannot be told, `default` is False where nox runs it only when asked to, `exclusive`
    tells whether nothing may run beside it, and `notifies` whether it may make nox run others.
    """
    names = scan.reach([*scan.definitions[name], *scan.always]) | {name}
    return {
        "parts": {it: _hash(scan.definitions[it]) for it in sorted(names)} | {_SETTINGS: _hash(scan.always)},
        "reads": _packed(scan.reads(scan.always, names)),
        "requires": _requires(settings),
        "default": not _is_false(settings.get("default")),
        "exclusive": _is_false(settings.get("allow_parallel")),
        "notifies": _notifies(it for reached in names for it in scan.definitions[reached]),
    }


def _notifies(code: Iterable[ast.AST]) -> bool:
    """Tell whether code may have nox run other sessions."""
    return any(isinstance(it, ast.Attribute) and it.attr == "notify" for top in code for it in ast.walk(top))


def _packed(reads: Reads) -> PackedReads:
    """Return what is read in a form that can be remembered."""
    return sorted(reads.content), sorted(reads.names), reads.unstable


def _requires(settings: dict[str | None, ast.expr]) -> list[str] | None:
    """Return the sessions that a decorator names as required before, or None where it does not say so plainly."""
    value = settings.get("requires", settings.get(None))
    if value is None:
        return []
    elements = value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value]
    texts = [it.value for it in elements if isinstance(it, ast.Constant) and isinstance(it.value, str)]
    return texts if isinstance(value, (ast.List, ast.Tuple)) and len(texts) == len(elements) else None


def _is_false(value: ast.expr | None) -> bool:
    """Tell whether an expression is plainly False."""
    return isinstance(value, ast.Constant) and value.value is False


def _hash(code: Iterable[ast.AST]) -> str:
    """Return a hash of some code, whatever its layout and comments are."""
    return digest(*(_dump(it).encode("utf-8", "surrogatepass") for it in code))


def _dump(node: object) -> str:
    """Return the syntax tree as text, the same under every Python: without positions and without what is empty."""
    if isinstance(node, list):
        return "[" + ",".join(map(_dump, node)) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = ((name, getattr(node, name, None)) for name in node._fields if name not in {"ctx", "kind", "type_comment"})
    said = (f"{name}={_dump(it)}" for name, it in fields if it is not None and it != [])
    return f"{type(node).__name__}({','.join(said)})"
