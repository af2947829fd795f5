"""The names in the code of sessions: paths that are written out in full, and programs whose answers no file decides."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from headworks._noxfile.paths import dotted, normal
from headworks._noxfile.scan import Scan

# Programs that ask other machines, whose answers change without a commit; where they only do so by some of their
# commands, these.
_ASKING: dict[str, frozenset[str]] = dict.fromkeys(
    (
        *("codecov", "coveralls", "curl", "gh", "grype", "link-check", "linkcheck", "linkchecker", "links", "lychee"),
        *("markdown-link-check", "osv-scanner", "pip-audit", "rsync", "safety", "scp", "snyk", "ssh", "trivy", "wget"),
    ),
    frozenset(),
) | {
    "docker": frozenset({"pull", "push"}),
    "flit": frozenset({"publish"}),
    "git": frozenset({"clone", "fetch", "ls-remote", "pull", "push"}),
    "hatch": frozenset({"publish"}),
    "npm": frozenset({"audit", "publish"}),
    "pip": frozenset({"--outdated", "index"}),
    "poetry": frozenset({"publish"}),
    "twine": frozenset({"register", "upload"}),
    "uv": frozenset({"--outdated", "publish"}),
}
_ASKING_MODULES = ("http.client.", "httpx.", "requests.", "socket.", "urllib.request.", "urllib3.")
_MOVES = {"cd", "chdir"}
_GROUPS = {"--group", "--only-group"}


@dataclass(frozen=True, kw_only=True)
class Mentions:
    """The names in the code of a session.

    Attributes:
        paths: Texts that may be paths, relative to the noxfile's folder; the empty text is that folder.
        groups: The dependency groups that it asks an installer for; None where a name is not written out.
        asking: The first program or module of its code that asks other machines; empty where there is none.
        is_moving: Whether it works in another folder than the noxfile's.
    """

    paths: frozenset[str]
    groups: frozenset[str] | None
    asking: str
    is_moving: bool


def read_mentions(sources: Mapping[str, bytes], session: str) -> Mentions:
    """Return the names in the code of a session.

    Args:
        sources: The noxfile, which comes first, and the files that it imports, by their paths from its folder.
        session: The name that nox knows the session's function by.
    """
    texts, is_moving = {session}, False
    modules: set[str] = set()
    groups: set[str | None] = set()
    for path, source in sources.items():
        try:
            scan = Scan(source, path)
        except (SyntaxError, ValueError, RecursionError):  # of a newer Python: it may name anything
            return Mentions(paths=frozenset({""}), groups=None, asking="", is_moving=False)
        code = list(_code(scan, session))
        texts |= {text for text in scan.texts(code) if text}
        nodes = [node for piece in code for node in ast.walk(piece)]
        names = [scan.full_name(dotted(node)) for node in nodes if isinstance(node, (ast.Name, ast.Attribute))]
        modules |= {it.rpartition(".")[0] for it in names if it.startswith(_ASKING_MODULES)}
        is_moving |= any(isinstance(node, ast.Attribute) and node.attr in _MOVES for node in nodes)
        groups |= {group for node in nodes for group in _groups(node)}
    words = {word for text in texts for word in (*text.split(), text)}
    parts = {part for word in words for part in (word, word.rpartition("=")[2])}
    paths = frozenset(normal(it) for it in parts if it and not it.startswith(("-", "/", "~")))
    programs = {word.rpartition("/")[2].lower().replace("_", "-") for word in words}
    asking = {it for it in programs & _ASKING.keys() if not _ASKING[it] or _ASKING[it] & programs}
    return Mentions(
        # Code that asks where it lies itself names no input.
        paths=frozenset(it for it in paths - sources.keys() if not it.startswith("..")),
        groups=None if None in groups else frozenset(filter(None, groups)),
        asking=min(asking or modules, default=""),
        is_moving=is_moving,
    )


def _code(scan: Scan, session: str) -> Iterable[ast.AST]:
    """Yield the code of a module that a session uses, without decorators, whose values are parameters."""
    function, _ = scan.sessions.get(session, ("", {}))
    names = scan.definitions if scan.dynamic or not function else scan.reach(scan.definitions[function]) | {function}
    for statement in (it for name in sorted(names) for it in scan.definitions[name]):
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            statement.decorator_list = []
        yield statement


def _groups(node: ast.AST) -> Iterable[str | None]:
    """Yield the groups that a list of arguments names; None for one that is not written out."""
    arguments = node.args if isinstance(node, ast.Call) else getattr(node, "elts", [])
    texts = [it.value if isinstance(it, ast.Constant) and isinstance(it.value, str) else None for it in arguments]
    for text, following in pairwise([*texts, None]):
        name, _, value = (text or "").partition("=")
        if name in _GROUPS:
            yield value or following
    if isinstance(node, ast.JoinedStr) and any(
        str(getattr(it, "value", "")).startswith("--") for it in node.values[:1]
    ):
        yield None
