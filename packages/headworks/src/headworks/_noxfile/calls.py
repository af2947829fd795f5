"""The files that the calls in a noxfile read.

nox executes a noxfile before any session, so a file that it reads then can decide about every session. A call reads the
content of files, lists files, does neither, changes a list or a dict, may read anything, or depends on time, chance,
the network or another program: on nothing that git tracks.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headworks._noxfile.paths import HOLE, PathReader, dotted, normal

if TYPE_CHECKING:
    from headworks._noxfile.scan import Scan


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CONTENT_METHODS = _words("load_toml open read_bytes read_text")
_LISTING = _words("glob iglob iterdir listdir rglob scandir walk")
_CHECKS = _words("exists is_dir is_file isdir isfile lexists")
_UNSTABLE = _words("date.today datetime.now datetime.utcnow datetime.today urlopen")
_UNSTABLE_MODULES = _words("http httpx random requests secrets socket time urllib uuid")
_PROGRAMS = _words("os.system os.popen")
_PROGRAM_MODULES = _words("multiprocessing subprocess tempfile")
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
_NAMES = (ast.Name, ast.Attribute)
_ELSEWHERE = ("/", "~")
_CHANGES = _words("add append clear discard extend insert pop popitem remove reverse setdefault sort update")


@dataclass
class Reads:
    """The files that some code reads; a hole in a path stands for anything.

    Attributes:
        content: The paths whose content is read.
        names: The paths that are listed.
        unstable: The first read that nothing in the repository decides; empty where there is none.
        unseen: The first program that is run, of which only who watches it can tell what it reads; empty where there is
            none.
    """

    content: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    unstable: str = ""
    unseen: str = ""


def read_calls(code: Iterable[ast.AST], module: Scan) -> Reads:
    """Return the files that pieces of a module's code read; the definitions of its names are read on their own."""
    reads = Reads()
    for piece in code:
        module.paths.enter(piece)
        calls = [node for node in ast.walk(piece) if isinstance(node, ast.Call)]
        for call in calls:
            if (name := module.full_name(dotted(call.func))) not in module.definitions:
                _add_call(reads, call, name, module.paths)
        # A function that reads may also be handed on, to be called elsewhere.
        called = {id(call.func) for call in calls}
        others = (node for node in ast.walk(piece) if isinstance(node, _NAMES) and id(node) not in called)
        if any(_kind(module.full_name(dotted(node))) == "content" for node in others):
            reads.content.add(HOLE)
    return reads


def is_plain(value: ast.AST, module: Scan) -> bool:
    """Tell whether an expression of a module has no side effect, as far as its calls show."""
    calls = [node for node in ast.walk(value) if isinstance(node, ast.Call)]
    arguments = [node for call in calls for given in (*call.args, *call.keywords) for node in ast.walk(given)]
    handed_on = [dotted(node) for node in arguments if isinstance(node, _NAMES)]
    # A function or class may be called by whom it is handed on to.
    if any(name in module.callables or ("." in name and name.rpartition(".")[2] in _CHANGES) for name in handed_on):
        return False
    names = [module.full_name(dotted(call.func)) for call in calls]
    return all(name not in module.definitions and _kind(name) not in {"changes", "unknown"} for name in names)


def _kind(name: str) -> str:
    """Return the kind of a call: content, names, unstable, program, pure, changes or unknown."""
    last = name.rpartition(".")[2]
    is_method = "." in name
    if (last in _CONTENT_METHODS and is_method) or name in {"open", "load_toml"}:
        return "content"
    if last in _LISTING | _CHECKS:
        return "names"
    if name.partition(".")[0] in _UNSTABLE_MODULES or f".{name}".endswith(tuple(f".{call}" for call in _UNSTABLE)):
        return "unstable"
    if name.partition(".")[0] in _PROGRAM_MODULES or name in _PROGRAMS:
        return "program"
    if is_method and last in _CHANGES:
        return "changes"
    is_of_module = any(name.startswith(f"{module}.") for module in _PURE_MODULES)
    is_pure = is_of_module or name in _PURE or (is_method and last in _PURE_METHODS)
    return "pure" if is_pure or last.endswith(("Error", "Exception")) else "unknown"


def _add_call(reads: Reads, call: ast.Call, name: str, paths: PathReader) -> None:
    match _kind(name):
        case "content":
            path = normal(_subject(call, name, paths))
            is_elsewhere = path.startswith(_ELSEWHERE)
            reads.content |= set() if is_elsewhere else {path}
            reads.unstable = reads.unstable or (f"reads {path}" if is_elsewhere else "")
        case "names":
            is_check = name.rpartition(".")[2] in _CHECKS
            path = normal(_subject(call, name, paths) if is_check else paths.listed(call))
            # Outside the repository, a name alone decides nothing.
            reads.names |= set() if path.startswith(_ELSEWHERE) else {path}
        case "unstable":
            reads.unstable = reads.unstable or f"calls {name} in line {call.lineno}"
        case "program":
            reads.unseen = reads.unseen or f"calls {name} in line {call.lineno}"
        case "unknown":
            reads.content.add(HOLE)
        case _:  # "pure" and "changes" read nothing
            pass


def _subject(call: ast.Call, name: str, paths: PathReader) -> str:
    """Return the path that a call is about."""
    is_function = name.startswith(("os.", "io.", "codecs.")) or name.endswith("load_toml")
    if isinstance(call.func, ast.Attribute) and not is_function:
        return paths.read(call.func.value)
    if call.args:
        return paths.read(call.args[0])
    return paths.read(call.keywords[0].value) if call.keywords else "pyproject.toml"  # load_toml's default
