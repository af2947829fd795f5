"""The paths that an expression in a noxfile can evaluate to.

A path is a text in which `HOLE` stands for anything. An expression that cannot be followed is a single hole, so that no
file is ever missed.
"""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Mapping

HOLE = "\0"
_MAX_DEPTH = 20  # of names that stand for each other, which may be a circle
_SAME = {"resolve", "absolute", "expanduser", "as_posix", "strip", "rstrip"}
_MAKERS = {"Path", "PurePath", "PosixPath", "PurePosixPath", "str", "fspath", "abspath", "realpath", "normpath", "join"}
_LISTS = {"sorted", "list", "tuple", "set", "reversed", "frozenset"}


def dotted(node: ast.AST) -> str:
    """Return the dotted name of an expression, with a leading dot where it does not start with a name."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    names.append(node.id if isinstance(node, ast.Name) else "")
    return ".".join(reversed(names))


def normal(path: str) -> str:
    """Return a path without detours; the part before a `..` above a hole is unknown, and becomes a hole."""
    if ".." in path and HOLE in path.rpartition("..")[0]:
        return HOLE + path.rpartition("..")[2].lstrip("/")
    text = posixpath.normpath(path)
    if text.startswith(HOLE):  # which may be the noxfile's own folder
        text = HOLE + text.lstrip(f"{HOLE}/")
    while HOLE + HOLE in text:
        text = text.replace(HOLE + HOLE, HOLE)
    return "" if text == "." else text


class PathReader:
    """Evaluates path expressions over the names that a module assigns."""

    def __init__(self, assigned: Mapping[str, ast.expr], file: str) -> None:
        """Take the value of each name that is assigned exactly once, and the path of the module itself."""
        self._assigned = assigned
        self._file = file
        self._bound: dict[str, str] = {}
        self._hidden: set[str] = set()
        self._depth = 0

    def enter(self, code: ast.AST) -> None:
        """Start on a piece of code, inside which a function's own names hide those of the module."""
        self._bound, self._hidden = {}, set()
        nodes = list(ast.walk(code))
        if isinstance(code, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            assigned = (node for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
            self._hidden = {node.arg for node in nodes if isinstance(node, ast.arg)} | {node.id for node in assigned}
        for node in nodes:
            if isinstance(node, (ast.comprehension, ast.For)):
                self._bind(node.target, node.iter)

    def _bind(self, target: ast.expr, iterable: ast.expr) -> None:
        """Bind the variables of a loop; one that two loops share may be anything."""
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                path = self.read(iterable, element=True) if node is target else HOLE
                self._bound[node.id] = HOLE if node.id in self._bound else path

    def read(self, node: ast.expr | None, *, element: bool = False) -> str:
        """Return the path that an expression evaluates to, or that each element of it does."""
        if node is None or self._depth > _MAX_DEPTH:
            return HOLE
        self._depth += 1
        try:
            return self._elements(node) if element else self._path(node)
        finally:
            self._depth -= 1

    def listed(self, call: ast.Call) -> str:
        """Return the pattern that a call of `glob`, `rglob`, `iterdir` or `listdir` lists."""
        owner, _, name = dotted(call.func).rpartition(".")
        first = self.read(call.args[0]) if call.args else HOLE
        if name in {"glob", "iglob"} and (owner == "glob" or isinstance(call.func, ast.Name)):
            return _opened(first)
        if name in {"listdir", "scandir", "walk"}:
            return _joined(first, HOLE)
        folder = self.read(call.func.value) if isinstance(call.func, ast.Attribute) else HOLE
        return _joined(folder, {"iterdir": HOLE, "rglob": HOLE + _opened(first)}.get(name, _opened(first)))

    def _elements(self, node: ast.expr) -> str:
        """Return the pattern for the elements of a list of paths."""
        match node:
            case ast.Call(func=ast.Name(id=name), args=[inner]) if name in _LISTS:
                return self.read(inner, element=True)
            case ast.Call(func=ast.Attribute(attr="glob" | "rglob" | "iterdir")):
                return self.listed(node)
            case ast.Name(id=name) if name not in self._hidden:
                return self.read(self._assigned.get(name), element=True)
            case _:
                return HOLE

    def _path(self, node: ast.expr) -> str:
        path = HOLE
        match node:
            case ast.Constant(value=str(constant)):
                path = constant
            case ast.JoinedStr(values=values):
                path = "".join(map(self.read, values))
            case ast.FormattedValue(value=value, format_spec=None, conversion=-1):
                path = self.read(value)
            case ast.Name(id=name):
                path = self._name(name)
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                path = _joined(self.read(left), self.read(right))
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                path = self.read(left) + self.read(right)
            case ast.Attribute(value=value, attr="parent"):
                path = _parent(self.read(value))
            case ast.Call():
                path = self._call(node)
            case _:
                pass
        return path

    def _name(self, name: str) -> str:
        if name == "__file__":
            return self._file
        if name in self._bound:
            return self._bound[name]
        return HOLE if name in self._hidden else self.read(self._assigned.get(name))

    def _call(self, call: ast.Call) -> str:
        owner, _, name = dotted(call.func).rpartition(".")
        arguments = list(map(self.read, call.args))
        if isinstance(call.func, ast.Attribute) and name in _SAME:
            return self.read(call.func.value)
        if isinstance(call.func, ast.Attribute) and name in {"joinpath", "with_name"}:
            start = self.read(call.func.value)
            arguments = [_parent(start) if name == "with_name" else start, *arguments]
        elif name == "dirname" and arguments:
            return _parent(arguments[0])
        elif name not in _MAKERS or call.keywords or (name == "join" and not owner.endswith("path")):
            return HOLE
        path = ""
        for argument in arguments:
            path = _joined(path, argument)
        return path


def _joined(left: str, right: str) -> str:
    if right.startswith("/") or left in {"", "."}:
        return right
    return left + right if left.endswith(HOLE) else f"{left.rstrip('/')}/{right}"


def _opened(pattern: str) -> str:
    """Return a glob pattern with one hole from its first wildcard to its last."""
    first = min((pattern.find(mark) for mark in "*?[" if mark in pattern), default=-1)
    if first < 0:
        return pattern
    return pattern[:first] + HOLE + pattern[max(pattern.rfind(mark) for mark in "*?]") + 1 :]


def _parent(path: str) -> str:
    head, _, name = path.rpartition("/")
    return head + HOLE if HOLE in name else head
