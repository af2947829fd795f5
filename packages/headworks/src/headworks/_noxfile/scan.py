"""Takes a noxfile apart: which names its code reaches, and what of it does more than to give a name its meaning."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING

from headworks._noxfile.calls import is_plain, read_calls
from headworks._noxfile.paths import HOLE, PathReader, dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from headworks._noxfile.calls import Reads

    Settings = dict[str | None, ast.expr]

__all__ = ["Scan"]

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)
_WHEN = {"requires", "default", "allow_parallel"}  # settings of a session that say when it runs, not what it does
_DYNAMIC = {"globals", "vars", "locals", "sys.modules"}
_LOADING = {"exec", "eval", "compile", "__import__", "runpy.run_path", "runpy.run_module"}  # run code from anywhere
_LOADING |= {f"importlib.{it}" for it in ("import_module", "reload", "util", "machinery")}
_DECORATORS = (
    "nox.",
    "functools.",
    "contextlib.",
    "dataclasses.",
    "typing.",
    "staticmethod",
    "classmethod",
    "property",
)


class Scan:
    """One module: the noxfile, or a file of the repository that it imports.

    Attributes:
        imports: the modules that it imports, with a dot in front for each level of a relative import.
        dynamic: why it cannot be told which names are reached; empty where it can.
        is_loading: whether it runs code that cannot be told where it comes from.
        sessions: the name of each function that a decorator makes a session, with the settings in that decorator.
        definitions: the statements that give each name its meaning.
        always: the statements that do more than that.
        load_parts: the code that is executed when the module is loaded.
    """

    def __init__(self, source: bytes, path: str, covered: Iterable[str] = ()) -> None:
        """Parse a module.

        Args:
            source: its content.
            path: where it is, relative to the noxfile's folder.
            covered: files of which every session has its part already, so that a session may read them.

        Raises:
            SyntaxError: this Python cannot parse it.
            ValueError: it is no text.
        """
        body = ast.parse(source).body
        self._covered = frozenset(covered)
        self._origins: dict[str, str] = {}
        self.imports: set[str] = set()
        self.dynamic = ""
        self.is_loading = False
        self._inspect(body)
        self.load_parts = [it for statement in body for it in _load_part(statement)]
        self.sessions = [it for statement in body for it in self._sessions(statement)]
        self.definitions: dict[str, list[ast.stmt]] = {}
        for statement in body:
            for name in _bound_names(statement):
                self.definitions.setdefault(name, []).append(statement)
        self.always = [it for it in body if not self._is_definition(it)]
        single = {name: _value(found[0]) for name, found in self.definitions.items() if len(found) == 1}
        self._paths = PathReader({name: value for name, value in single.items() if value}, path)
        self._on_load = self.reach(self.load_parts)

    def full_name(self, name: str) -> str:
        """Return a dotted name with the module that its first part was imported from."""
        first, dot, rest = name.partition(".")
        return self._origins.get(first, first) + dot + rest

    def reach(self, code: Iterable[ast.AST]) -> set[str]:
        """Return the module's names that some code reaches, directly or through others."""
        found: set[str] = set()
        waiting = list(code)
        while waiting:
            names = {it.id for it in ast.walk(waiting.pop()) if isinstance(it, ast.Name)} & self.definitions.keys()
            waiting += [it for name in names - found for it in self.definitions[name]]
            found |= names
        return found

    def reads(self, code: Iterable[ast.AST], names: Iterable[str]) -> Reads:
        """Return what some code reads that is executed on loading, and what the definitions of some names read."""
        on_load, later = list(code), []
        for name in names:
            for statement in self.definitions[name]:
                is_later = isinstance(statement, _FUNCTIONS) and name not in self._on_load
                on_load += _load_part(statement) if is_later else [statement]
                later += [statement] if is_later else []
        reads = read_calls(on_load, self._paths, self.full_name, self.definitions)
        # What runs in a session reads whatever it is told to; of that, only the files count that it names as they are.
        named = read_calls(later, self._paths, self.full_name, self.definitions).content
        reads.content |= {path for path in named if HOLE not in path} - self._covered
        return reads

    def _inspect(self, body: list[ast.stmt]) -> None:
        """Drop what only people read, and note imports and what reaches names in ways that cannot be told."""
        for node in (it for statement in body for it in ast.walk(statement)):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self._note_import(node)
            elif isinstance(node, _DEFINITIONS) and ast.get_docstring(node, clean=False) is not None:
                del node.body[0]
        for node in (it for statement in body for it in ast.walk(statement)):
            if isinstance(node, (ast.Name, ast.Attribute)):
                name = self.full_name(dotted(node))
                self.is_loading = self.is_loading or name in _LOADING
                if name in _DYNAMIC | _LOADING or name.endswith(".__dict__"):
                    self.dynamic = self.dynamic or f"line {node.lineno} uses {name}"

    def _note_import(self, node: ast.Import | ast.ImportFrom) -> None:
        """Note what is imported, and under which names."""
        if isinstance(node, ast.Import):
            for it in node.names:
                first = it.name.partition(".")[0]
                self.imports.add(it.name)
                self._origins[it.asname or first] = it.name if it.asname else first
            return
        module = "." * node.level + (node.module or "")
        for it in node.names:
            inner = f"{module}.{it.name}" if node.module else module + it.name
            self.imports |= {module, inner}
            self._origins[it.asname or it.name] = inner
            if it.name == "*":
                self.dynamic = self.dynamic or f"line {node.lineno} imports everything from {module}"

    def _sessions(self, statement: ast.stmt) -> Iterator[tuple[str, Settings]]:
        """Yield the name of a session's function with its settings, and remove from these what is no part of the work.

        When a session runs, and after which others, is in its digest in another way and does not change how it ends.
        """
        if not isinstance(statement, _FUNCTIONS):
            return
        for it in statement.decorator_list:
            name = self.full_name(dotted(it.func if isinstance(it, ast.Call) else it))
            if name.rpartition(".")[2] == "session":
                keywords = it.keywords if isinstance(it, ast.Call) else []
                yield statement.name, {keyword.arg: keyword.value for keyword in keywords}
                keywords[:] = [keyword for keyword in keywords if keyword.arg not in _WHEN]

    def _is_definition(self, statement: ast.stmt) -> bool:
        """Tell whether a statement does nothing but to give a name its meaning."""
        if isinstance(statement, _FUNCTIONS):
            is_plain_call = all(self._is_plain(it) for it in _load_part(statement)[len(statement.decorator_list) :])
            return is_plain_call and all(map(self._is_known_decorator, statement.decorator_list))
        if isinstance(statement, ast.ClassDef):
            is_plain_class = all(self._is_plain(it) for it in (*statement.bases, *statement.keywords))
            is_known = all(map(self._is_known_decorator, statement.decorator_list))
            return is_plain_class and is_known and all(map(self._is_definition, statement.body))
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            names = (
                [it.name for it in statement.names] if isinstance(statement, ast.Import) else [statement.module or ""]
            )
            return {it.partition(".")[0] for it in names} <= sys.stdlib_module_names | {"nox"}
        value = _value(statement)
        if value is None:
            is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            return is_text or isinstance(statement, (ast.AnnAssign, ast.Pass))
        return self._is_plain(value)

    def _is_plain(self, value: ast.AST) -> bool:
        """Tell whether nothing but its value comes from an expression."""
        functions = {name for name, its in self.definitions.items() if isinstance(its[0], _DEFINITIONS)}
        return is_plain(value, self.full_name, self.definitions, functions)

    def _is_known_decorator(self, node: ast.expr) -> bool:
        """Tell whether a decorator does nothing but what nox and the standard library say."""
        function = node.func if isinstance(node, ast.Call) else node
        if isinstance(function, ast.Name) and len(found := self.definitions.get(function.id, [])) == 1:
            value = _value(found[0])
            function = value.func if isinstance(value, ast.Call) else function
        name = self.full_name(dotted(function))
        return name.startswith(_DECORATORS) or name.rpartition(".")[2] in {"session", "parametrize"}


def _load_part(statement: ast.AST) -> list[ast.AST]:
    """Return what of a statement is executed when the module is loaded."""
    if isinstance(statement, _FUNCTIONS):
        arguments = statement.args
        return [*statement.decorator_list, *arguments.defaults, *(it for it in arguments.kw_defaults if it)]
    return [statement]


def _value(statement: ast.stmt) -> ast.expr | None:
    """Return what a statement assigns, where it assigns to names alone."""
    if isinstance(statement, ast.Assign) and all(isinstance(it, ast.Name) for it in statement.targets):
        return statement.value
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.value
    return None


def _bound_names(statement: ast.stmt) -> set[str]:
    """Return the names that a statement gives a meaning."""
    if isinstance(statement, _DEFINITIONS):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {it.asname or it.name.partition(".")[0] for it in statement.names}
    found: set[str] = set()
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, _DEFINITIONS):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            found |= _bound_names(node)
        elif not isinstance(node, (ast.comprehension, ast.Lambda)):  # which have variables of their own
            waiting += ast.iter_child_nodes(node)
    return found
