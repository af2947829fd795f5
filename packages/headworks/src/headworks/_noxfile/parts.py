"""The parts of a module that each session in it uses, in a form that can be remembered."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, TypedDict

from headworks._hashes import digest
from headworks._noxfile.paths import HOLE
from headworks._noxfile.scan import Scan, is_known, is_option

if TYPE_CHECKING:
    from headworks._noxfile.calls import Reads

PackedReads = tuple[list[str], list[str], str, str]
_SETTINGS = "settings"  # the name of the part of the code that does more, on loading, than to define names
# Options of nox that decide which sessions run and when, or that every run with a verdict sets by itself.
_ORDER = frozenset(
    ("allow_parallel", "keywords", "parallel", "report", "reuse_existing_virtualenvs", "reuse_venv", "sessions")
) | {"stop_on_first_error", "tags"}
_ENVIRONMENT = _ORDER | {"default_venv_backend", "download_python", "error_on_external_run"}  # with no environment


class CodeFacts(TypedDict):
    """Some code of a module, with what it reaches there.

    Attributes:
        parts: A hash for each name reached.
        reads: The files that this code reads.
        uses: The names in it that come from other modules, with these.
        notifies: Whether it may have nox run other sessions.
    """

    parts: dict[str, str]
    reads: PackedReads
    uses: list[str]
    notifies: bool


class SessionFacts(CodeFacts):
    """A session of a module.

    Attributes:
        requires: The sessions that nox runs before it; None where they are not written out.
        default: Whether a bare nox runs it.
        exclusive: Whether nothing may run beside it.
    """

    requires: list[str] | None
    default: bool
    exclusive: bool


class ModuleFacts(TypedDict):
    """A module.

    Attributes:
        imports: The modules that it imports.
        dynamic: Why its code may reach any name; empty where it may not.
        load: The files read when it is loaded.
        all: The files that any of its code reads.
        notifies: Whether any of its code may have nox run other sessions.
        sessions: Its sessions, by the name that nox knows them by, where that is written out.
        names: The code of each name that other modules may use; none of the noxfile itself.
        loaded: The code that does more, on loading, than to define names.
    """

    imports: list[str]
    dynamic: str
    load: PackedReads
    all: PackedReads
    notifies: bool
    sessions: dict[str, SessionFacts]
    names: dict[str, CodeFacts]
    loaded: CodeFacts


def read_module(source: bytes, path: str, in_digest: Iterable[str] = (), *, is_imported: bool = False) -> ModuleFacts:
    """Return the facts about a module; one that cannot be parsed may read any file.

    Args:
        source: Its content.
        path: Where it is, relative to the noxfile's folder.
        in_digest: Files of which every session has its part in the digest.
        is_imported: Whether other modules use its names.
    """
    anything: PackedReads = ([HOLE], [], "", "")
    try:
        scan = Scan(source, path, in_digest)
    except (SyntaxError, ValueError, RecursionError) as error:
        why = f"it cannot be parsed: {error}"
        loaded = CodeFacts(parts={}, reads=anything, uses=[], notifies=False)
        return ModuleFacts(
            imports=[], dynamic=why, load=anything, all=anything, notifies=False, sessions={}, names={}, loaded=loaded
        )
    return ModuleFacts(
        imports=sorted(scan.imports),
        dynamic=scan.dynamic,
        load=_packed(scan.reads(scan.load_parts, scan.reach(scan.load_parts))),
        all=anything if scan.is_loading else _packed(scan.reads(scan.load_parts, scan.definitions)),
        notifies=_notifies(statement for name in scan.definitions for statement in scan.definitions[name]),
        sessions={title: _session(scan, *session) for title, session in scan.sessions.items()},
        names={name: _code(scan, {name}, []) for name in scan.definitions if is_imported},
        loaded=_code(scan, (), scan.always),
    )


def _session(scan: Scan, name: str, settings: dict[str | None, ast.expr]) -> SessionFacts:
    backend = settings.get("venv_backend")
    has_none = isinstance(backend, ast.Constant) and backend.value == "none"
    passed = _ENVIRONMENT if has_none else _ORDER
    load = [it for it in scan.always if scan.has_open_options or scan.option(it) not in passed]
    return SessionFacts(
        **_code(scan, {name}, load),
        requires=_requires(settings),
        default=not _is_false(settings.get("default")),
        exclusive=_is_false(settings.get("allow_parallel")),
    )


def _code(scan: Scan, names: Collection[str], load: list[ast.stmt]) -> CodeFacts:
    """Return the facts about some names, and about code that is executed when the module is loaded."""
    reached = scan.reach([*(it for name in names for it in scan.definitions[name]), *load]).union(names)
    defined = [it for name in reached for it in scan.definitions[name]]
    uses = {*scan.uses([*defined, *load]), *(it for name in names for it in scan.imported.get(name, ()))}
    named = scan.definitions.get(_SETTINGS, ()) if _SETTINGS in reached else ()
    return CodeFacts(
        parts={it: _hash(scan.definitions[it]) for it in sorted(reached)} | {_SETTINGS: _hash([*named, *load])},
        reads=_packed(scan.reads(load, reached)),
        uses=sorted(it for it in uses if is_option(it) or not is_known(it)),
        notifies=_notifies(defined),
    )


def _notifies(code: Iterable[ast.AST]) -> bool:
    nodes = (node for piece in code for node in ast.walk(piece))
    return any(isinstance(node, ast.Attribute) and node.attr == "notify" for node in nodes)


def _packed(reads: Reads) -> PackedReads:
    return sorted(reads.content), sorted(reads.names), reads.unstable, reads.unseen


def _requires(settings: dict[str | None, ast.expr]) -> list[str] | None:
    """Return the sessions that a decorator requires, or None where they are not written out."""
    value = settings.get("requires", settings.get(None))
    if value is None:
        return []
    if not isinstance(value, (ast.List, ast.Tuple)):
        return None
    names = [name.value for name in value.elts if isinstance(name, ast.Constant) and isinstance(name.value, str)]
    return names if len(names) == len(value.elts) else None


def _is_false(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and value.value is False


def _hash(code: Iterable[ast.AST]) -> str:
    """Return a hash of code that layout and comments do not change."""
    return digest(*(_dump(piece).encode("utf-8", "surrogatepass") for piece in code))


def _dump(node: object) -> str:
    """Return a syntax tree as text without positions and empty fields: Python 3.12 added an empty `type_params`."""
    if isinstance(node, list):
        return "[" + ",".join(map(_dump, node)) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = ((name, getattr(node, name, None)) for name in node._fields if name not in {"ctx", "kind", "type_comment"})
    filled = (f"{name}={_dump(value)}" for name, value in fields if value is not None and value != [])
    return f"{type(node).__name__}({','.join(filled)})"
