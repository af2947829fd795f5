"""What the calls in a noxfile read.

A noxfile is executed before any session runs, and what it reads then can decide about every session. Each call is of
one kind: it reads the content of files, it lists files, it is known to do neither, it only changes a list or a dict, it
may read anything, or its outcome is up to time, chance, the network or another program, for which nothing that git
tracks stands.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from headworks._noxfile.paths import HOLE, dotted, normal

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from headworks._noxfile.paths import PathReader

__all__ = ["Reads", "is_plain", "read_calls"]


def _words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


_CONTENT_METHODS = _words("load_toml open read_bytes read_text")
_LISTING = _words("glob iglob iterdir listdir rglob scandir walk")
_CHECKS = _words("exists is_dir is_file isdir isfile lexists")
_UNSTABLE = _words("os.system os.popen date.today datetime.now datetime.utcnow datetime.today urlopen")
_UNSTABLE_MODULES = _words(
    "http httpx multiprocessing random requests secrets socket subprocess tempfile time urllib uuid"
)
_PURE = _words(
    "Path Path.cwd PurePath PurePosixPath abs all any bool bytes callable chr dict divmod enumerate filter float "
    "format frozenset hasattr hash hex id int isinstance issubclass iter len list map max min next object oct ord "
    "os.cpu_count os.fsdecode os.fsencode os.fspath os.getcwd os.getenv parametrize pathlib.Path pathlib.Path.cwd "
    "pathlib.PurePath pathlib.PurePosixPath pow print range repr reversed round session set shutil.which slice "
    "sorted str sum super tuple type zip"
)
_PURE_MODULES = _words(
    "argparse ast base64 collections contextlib copy dataclasses enum fnmatch functools hashlib itertools json "
    "logging math nox operator os.environ os.path packaging platform posixpath re shlex string sys textwrap tomli "
    "tomllib types typing warnings"
)
_PURE_METHODS = _words(
    "absolute as_posix capitalize casefold copy count decode difference encode endswith expanduser find format "
    "format_map get index intersection is_absolute isalnum isalpha isdigit isidentifier islower issubset issuperset "
    "isupper items join joinpath keys ljust lower lstrip parametrize partition relative_to removeprefix "
    "removesuffix replace resolve rfind rindex rjust rpartition rsplit rstrip session split splitlines startswith "
    "strip swapcase symmetric_difference title translate union upper values with_name with_stem with_suffix zfill"
)
_CHANGES = _words("add append clear discard extend insert pop popitem remove reverse setdefault sort update")


class Reads:
    """What some code reads.

    Attributes:
        content: texts that stand for the files whose content is read; a hole in one stands for anything.
        names: texts that stand for the files that are listed.
        unstable: the first thing that nothing in the repository decides; empty where there is none.
    """

    def __init__(self) -> None:
        """Start with nothing read."""
        self.content: set[str] = set()
        self.names: set[str] = set()
        self.unstable = ""

    def add(self, path: str, kind: set[str]) -> None:
        """Note that a path is read; of the machine outside the repository only the content of files is of interest."""
        text = normal(path)
        if not text.startswith(("/", "~")):
            kind.add(text)
        elif kind is self.content:
            self.unstable = self.unstable or f"reads {text}"


def read_calls(
    code: Iterable[ast.AST], paths: PathReader, full_name: Callable[[str], str], local: Container[str]
) -> Reads:
    """Return what code reads.

    Args:
        code: pieces of code.
        paths: reads the paths in it.
        full_name: gives the name of something with the module that it was imported from.
        local: the names that the module itself defines; what they stand for is read on its own.
    """
    reads = Reads()
    for piece in code:
        paths.enter(piece)
        calls = [it for it in ast.walk(piece) if isinstance(it, ast.Call)]
        for call in calls:
            if (name := full_name(dotted(call.func))) not in local:
                _classify(call, name, paths, reads)
        # A function that reads may also be handed on, to be called elsewhere.
        called = {id(call.func) for call in calls}
        others = (it for it in ast.walk(piece) if isinstance(it, (ast.Name, ast.Attribute)) and id(it) not in called)
        if any(_kind(full_name(dotted(it))) == "content" for it in others):
            reads.content.add(HOLE)
    return reads


def is_plain(value: ast.AST, full_name: Callable[[str], str], local: Container[str], functions: Container[str]) -> bool:
    """Tell whether nothing but its value comes from an expression, as far as can be told from the calls in it.

    Args:
        value: the expression.
        full_name: gives the name of something with the module that it was imported from.
        local: the names that the module itself defines.
        functions: those of them that are functions or classes, which a call may hand on to be called.
    """
    calls = [it for it in ast.walk(value) if isinstance(it, ast.Call)]
    names = [full_name(dotted(it.func)) for it in calls]
    handed = [it for call in calls for given in (*call.args, *call.keywords) for it in ast.walk(given)]
    handed_names = [dotted(it) for it in handed if isinstance(it, (ast.Name, ast.Attribute))]
    is_handed = any(it in functions or ("." in it and it.rpartition(".")[2] in _CHANGES) for it in handed_names)
    return not is_handed and all(name not in local and _kind(name) not in {"changes", "unknown"} for name in names)


def _kind(name: str) -> str:
    """Return the kind of a call: content, names, unstable, pure, changes or unknown."""
    last = name.rpartition(".")[2]
    is_method = "." in name
    if (last in _CONTENT_METHODS and is_method) or name in {"open", "load_toml"}:
        return "content"
    if last in _LISTING | _CHECKS:
        return "names"
    if name.partition(".")[0] in _UNSTABLE_MODULES or any(f".{name}".endswith(f".{it}") for it in _UNSTABLE):
        return "unstable"
    if is_method and last in _CHANGES:
        return "changes"
    is_module = any(name.startswith(f"{it}.") for it in _PURE_MODULES)
    is_pure = is_module or name in _PURE or (is_method and last in _PURE_METHODS)
    return "pure" if is_pure or last.endswith(("Error", "Exception")) else "unknown"


def _classify(call: ast.Call, name: str, paths: PathReader, reads: Reads) -> None:
    """Add what one call reads."""
    kind = _kind(name)
    if kind == "content":
        reads.add(_subject(call, name, paths), reads.content)
    elif kind == "names":
        is_check = name.rpartition(".")[2] in _CHECKS
        reads.add(_subject(call, name, paths) if is_check else paths.listed(call), reads.names)
    elif kind == "unstable":
        reads.unstable = reads.unstable or f"calls {name} in line {call.lineno}"
    elif kind == "unknown":
        reads.content.add(HOLE)


def _subject(call: ast.Call, name: str, paths: PathReader) -> str:
    """Return the path that a call is about."""
    is_function = name.startswith(("os.", "io.", "codecs.")) or name.endswith("load_toml")
    if isinstance(call.func, ast.Attribute) and not is_function:
        return paths.read(call.func.value)
    if call.args:
        return paths.read(call.args[0])
    return paths.read(call.keywords[0].value) if call.keywords else "pyproject.toml"  # load_toml's default
