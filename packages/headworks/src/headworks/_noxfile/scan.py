"""The structure of one module: the names that its code uses, and the statements in it that have side effects."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from headworks._noxfile.calls import is_plain, read_calls
from headworks._noxfile.paths import HOLE, PathReader, dotted

if TYPE_CHECKING:
    from headworks._noxfile.calls import Reads

    Settings = dict[str | None, ast.expr]

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)
_ORDER = {"requires", "default", "allow_parallel"}  # settings of a session that decide when it runs, not how it ends
_DYNAMIC = {"globals", "vars", "locals", "sys.modules"}
_LOADING = {"exec", "eval", "compile", "__import__", "runpy.run_path", "runpy.run_module"}  # run code from anywhere
_LOADING |= {f"importlib.{name}" for name in ("import_module", "reload", "util", "machinery")}
_OPTIONS = "nox.options."
_KNOWN_MODULES = sys.stdlib_module_names | {"nox"}
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


def is_known(name: str) -> bool:
    """Tell whether a full name is one of nox or of the standard library."""
    return name.partition(".")[0] in _KNOWN_MODULES


def is_option(name: str) -> bool:
    """Tell whether a full name is that of an option of nox, of all of them, or of nox itself, which has them."""
    return name == "nox" or f"{name}.".startswith(_OPTIONS)


class Scan:
    """One module: the noxfile, or a file of the repository that it imports.

    Attributes:
        imports: The modules that it imports, with a dot in front for each level of a relative import.
        imported: The full names that each of its names is imported by.
        dynamic: Why its code may reach any name; empty where it may not.
        has_open_options: Whether its code does more with options of nox than to set them while it is loaded.
        is_loading: Whether it may run code from any file.
        sessions: The name of each function that a decorator makes a session, with the settings in that decorator, by
            the name that nox knows it by; without those of which that is not written out.
        definitions: The statements that define each name.
        always: The statements with side effects.
        load_parts: The code that is executed when the module is loaded.
        callables: The functions and classes among its names.
        paths: Reads the paths in its code.
    """

    def __init__(self, source: bytes, path: str, in_digest: Iterable[str] = ()) -> None:
        """Parse a module.

        Args:
            source: Its content.
            path: Where it is, relative to the noxfile's folder.
            in_digest: Files of which every session has its part in the digest.

        Raises:
            SyntaxError: This Python cannot parse it.
            ValueError: It is not text.
        """
        body = ast.parse(source).body
        self._in_digest = frozenset(in_digest)
        self._origins: dict[str, str] = {}
        self.imported: dict[str, set[str]] = {}
        self.imports: set[str] = set()
        self.dynamic = ""
        self.is_loading = False
        self._inspect(body)
        self.load_parts = [part for statement in body for part in _load_part(statement)]
        self.sessions = dict(session for statement in body for session in self._sessions(statement))
        self.definitions: dict[str, list[ast.stmt]] = {}
        for statement in body:
            for name in _bound_names(statement):
                self.definitions.setdefault(name, []).append(statement)
        self.callables = {name for name, (first, *_) in self.definitions.items() if isinstance(first, _DEFINITIONS)}
        self.always = [statement for statement in body if not self._is_definition(statement)]
        mentions = [name for statement in body for name in self.uses([statement]) if is_option(name)]
        self.has_open_options = len(mentions) > len(list(filter(None, map(self.option, self.always))))
        once = {name: _value(statements[0]) for name, statements in self.definitions.items() if len(statements) == 1}
        self.paths = PathReader({name: value for name, value in once.items() if value}, path)
        self._on_load = self.reach(self.load_parts)

    def full_name(self, name: str) -> str:
        """Return a dotted name with the module that its first part was imported from."""
        first, dot, rest = name.partition(".")
        return self._origins.get(first, first) + dot + rest

    def reach(self, code: Iterable[ast.AST]) -> set[str]:
        """Return the module's names that some code reaches, directly or through others."""
        reached: set[str] = set()
        waiting = list(code)
        while waiting:
            names = {node.id for node in ast.walk(waiting.pop()) if isinstance(node, ast.Name)}
            new = (names & self.definitions.keys()) - reached
            waiting += [statement for name in new for statement in self.definitions[name]]
            reached |= new
        return reached

    def uses(self, code: Iterable[ast.AST]) -> Iterator[str]:
        """Yield every name from another module in some code, with that module, as often as it is there."""
        waiting = list(code)
        while waiting:
            node = waiting.pop()
            name = dotted(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""
            first, dot, rest = name.partition(".")
            if first:
                yield from (origin + dot + rest for origin in self.imported.get(first, ()))
            else:
                waiting += ast.iter_child_nodes(node)

    def option(self, statement: ast.stmt) -> str:
        """Return the option of nox that a statement sets, to a value without a side effect; else an empty text."""
        match statement:
            case ast.Assign(targets=[ast.Attribute() as target], value=value) if is_plain(value, self):
                name = self.full_name(dotted(target))
                return name.removeprefix(_OPTIONS) if name.startswith(_OPTIONS) else ""
            case _:
                return ""

    def reads(self, code: Iterable[ast.AST], names: Iterable[str]) -> Reads:
        """Return the files that code executed on loading reads, and those that the definitions of some names read."""
        on_load, later = list(code), []
        for name in names:
            for statement in self.definitions[name]:
                is_later = isinstance(statement, _FUNCTIONS) and name not in self._on_load
                on_load += _load_part(statement) if is_later else [statement]
                later += [statement] if is_later else []
        reads = read_calls(on_load, self)
        # A session may read any file that it is told to; here, only those count that its code names in full.
        named = read_calls(later, self).content
        reads.content |= {path for path in named if HOLE not in path} - self._in_digest
        return reads

    def texts(self, code: Iterable[ast.AST]) -> Iterator[str]:
        """Yield every text that is written out in some code, and every path that is put together of such texts.

        The parts of a path that has a hole in it are no paths themselves.
        """
        for piece in code:
            self.paths.enter(piece)
            waiting = [piece]
            while waiting:
                node = waiting.pop()
                is_path = isinstance(node, ast.JoinedStr) or (
                    isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
                )
                if isinstance(node, ast.expr) and HOLE not in (text := self.paths.read(node)):
                    yield text
                if not is_path:
                    waiting += ast.iter_child_nodes(node)

    def _inspect(self, body: list[ast.stmt]) -> None:
        """Drop docstrings, and note imports and code that may reach any name."""
        for node in _walk(body):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self._note_import(node)
            elif isinstance(node, _DEFINITIONS) and ast.get_docstring(node, clean=False) is not None:
                del node.body[0]
        for node in _walk(body):
            if isinstance(node, (ast.Name, ast.Attribute)):
                name = self.full_name(dotted(node))
                self.is_loading = self.is_loading or name in _LOADING
                if name in _DYNAMIC | _LOADING or name.endswith(".__dict__"):
                    self.dynamic = self.dynamic or f"line {node.lineno} uses {name}"

    def _note_import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                self.imports.add(alias.name)
                self._note_origin(alias.asname or first, alias.name if alias.asname else first)
            return
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            inner = f"{module}.{alias.name}" if node.module else module + alias.name
            self.imports |= {module, inner}
            self._note_origin(alias.asname or alias.name, inner)
            if alias.name == "*":
                self.dynamic = self.dynamic or f"line {node.lineno} imports everything from {module}"

    def _note_origin(self, name: str, origin: str) -> None:
        self._origins[name] = origin
        self.imported.setdefault(name, set()).add(origin)

    def _sessions(self, statement: ast.stmt) -> Iterator[tuple[str, tuple[str, Settings]]]:
        """Yield a session by its name, and remove the settings of `_ORDER` from the decorator.

        The order of sessions is in their digests in another way.
        """
        if not isinstance(statement, _FUNCTIONS):
            return
        for decorator in statement.decorator_list:
            name = self.full_name(dotted(decorator.func if isinstance(decorator, ast.Call) else decorator))
            if name.rpartition(".")[2] == "session":
                keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
                settings = {keyword.arg: keyword.value for keyword in keywords}
                keywords[:] = [keyword for keyword in keywords if keyword.arg not in _ORDER]
                title = settings.get("name", ast.Constant(None if None in settings else statement.name))
                if isinstance(title, ast.Constant) and isinstance(title.value, str):
                    yield title.value, (statement.name, settings)

    def _is_definition(self, statement: ast.stmt) -> bool:
        """Tell whether a statement only defines a name, without a side effect."""
        if isinstance(statement, _DEFINITIONS) and not all(map(self._is_known_decorator, statement.decorator_list)):
            return False
        if isinstance(statement, _FUNCTIONS):
            return all(is_plain(it, self) for it in _load_part(statement)[len(statement.decorator_list) :])
        if isinstance(statement, ast.ClassDef):
            # A base of the repository's own may do anything with the classes that are made of it.
            heads = (*statement.bases, *(it.value for it in statement.keywords))
            return all(map(self._is_known_base, heads)) and all(map(self._is_definition, statement.body))
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            names = [it.name for it in statement.names]
            if isinstance(statement, ast.ImportFrom):
                names = ["." * statement.level + (statement.module or "")]
            return all(map(is_known, names))
        value = _value(statement)
        if value is None:
            is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            return is_text or isinstance(statement, (ast.AnnAssign, ast.Pass))
        return is_plain(value, self)

    def _is_known_base(self, node: ast.expr) -> bool:
        """Tell whether a base of a class is one of Python, of nox or of the standard library."""
        first = dotted(node.value if isinstance(node, ast.Subscript) else node).partition(".")[0]
        if origins := self.imported.get(first):
            return all(map(is_known, origins))
        return isinstance(node, ast.Constant) or (hasattr(builtins, first) and first not in self.definitions)

    def _is_known_decorator(self, node: ast.expr) -> bool:
        """Tell whether a decorator is one of nox or of the standard library, under any name."""
        function = node.func if isinstance(node, ast.Call) else node
        if isinstance(function, ast.Name) and len(statements := self.definitions.get(function.id, [])) == 1:
            value = _value(statements[0])
            function = value.func if isinstance(value, ast.Call) else function
        name = self.full_name(dotted(function))
        return name.startswith(_DECORATORS) or name.rpartition(".")[2] in {"session", "parametrize"}


def _walk(body: list[ast.stmt]) -> Iterator[ast.AST]:
    return (node for statement in body for node in ast.walk(statement))


def _load_part(statement: ast.AST) -> list[ast.AST]:
    """Return the part of a statement that is executed when the module is loaded."""
    if isinstance(statement, _FUNCTIONS):
        return [*statement.decorator_list, *statement.args.defaults, *filter(None, statement.args.kw_defaults)]
    return [statement]


def _value(statement: ast.stmt) -> ast.expr | None:
    """Return the value that a statement assigns to names, and to nothing else."""
    if isinstance(statement, ast.Assign) and all(isinstance(target, ast.Name) for target in statement.targets):
        return statement.value
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return statement.value
    return None


def _bound_names(statement: ast.stmt) -> set[str]:
    """Return the names that a statement defines."""
    names: set[str] = set()
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, _DEFINITIONS):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif not isinstance(node, (ast.comprehension, ast.Lambda)):  # these have variables of their own
            waiting += ast.iter_child_nodes(node)
    return names
