"""A session's digest has the part of the noxfile that can decide about it, and all of it where that cannot be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks._noxfile.mentions import Mentions, read_mentions
from headworks._noxfile.module import Noxfile, SessionCode
from headworks._noxfile.parts import read_module
from headworks._noxfile.paths import HOLE, normal
from headworks._quick.memory import Memory
from headworks._tree.git import Repository
from headworks._tree.snapshot import WorkTreeSnapshot
from headworks.errors import UsageError

if TYPE_CHECKING:
    from conftest import Scratch

NOXFILE = '''
"""What nox can do here."""
import nox
from pathlib import Path

ROOT = Path(__file__).parent
FLAGS = ["-q"]
OTHER = ["-v"]
nox.options.reuse_venv = "yes"
ALL = nox.parametrize("package", ["a", "b"])


def run(session):
    """Run pytest."""
    session.run("pytest", *FLAGS)


@nox.session(python=["3.12"], requires=["lint"])
@ALL
def tests(session, package):
    """Test."""
    run(session)


@nox.session(name="lint-all", default=False, venv_backend="none")
def lint(session):
    session.run("ruff", *OTHER)
'''


def noxfile(scratch: Scratch) -> Noxfile:
    """Read the noxfile of the work tree."""
    repository = Repository(str(scratch.root))
    return Noxfile(WorkTreeSnapshot(repository), Memory(repository.git_folder() + "/headworks"))


def code(source: str, session: str = "tests") -> SessionCode:
    """Return the code that a session uses of a noxfile that is alone in its repository."""
    facts = read_module(source.encode(), "noxfile.py", ["pyproject.toml", "uv.lock"])
    part = facts["sessions"][session]
    content, names, unstable, unseen = part["reads"]
    assert not facts["dynamic"]
    return SessionCode(
        parts=part["parts"],
        content=frozenset(content),
        names=frozenset(names),
        unstable=unstable,
        unseen=unseen,
    )


@pytest.mark.parametrize(
    ("old", "new", "sessions"),
    [
        ('FLAGS = ["-q"]', 'FLAGS = ["-x"]', {"tests"}),
        ('OTHER = ["-v"]', 'OTHER = ["-x"]', {"lint-all"}),
        ('session.run("pytest"', 'session.run("py.test"', {"tests"}),
        ('reuse_venv = "yes"', 'reuse_venv = "no"', set()),
        ('reuse_venv = "yes"', 'sessions = ["tests"]', set()),
        ('reuse_venv = "yes"', 'error_on_external_run = "no"', {"tests"}),
        ('reuse_venv = "yes"', "verbose = True", {"tests", "lint-all"}),
        ("import nox\n", "import nox\nnox.options.sessions += ['lint']\n", {"tests", "lint-all"}),
        ("import nox\n", "import nox\nclass New(type(1)): pass\n", {"tests", "lint-all"}),
        ("import nox\n", "import nox\nclass A: pass\nclass New(A): pass\n", {"tests", "lint-all"}),
        ("import nox\n", "import nox\nimport typing\nclass New(typing.Generic[T], metaclass=type): pass\n", set()),
        ('["a", "b"]', '["a"]', {"tests"}),
        ('python=["3.12"]', 'python=["3.13"]', {"tests"}),
        ('requires=["lint"]', "requires=[]", set()),
        ("default=False", "default=True", set()),
        ("default=False", "default=False, allow_parallel=False", set()),
        ('"""Run pytest."""', '"""Run all tests."""', set()),
        ('FLAGS = ["-q"]', "FLAGS = [\n    '-q'  # quiet\n]", set()),
        ("import nox\n", "import nox\nimport os\n", set()),
        ("import nox\n", "import nox\nimport os\n\nos.environ['A'] = 'b'\n", {"tests", "lint-all"}),
        ("import nox\n", "import nox\nHERE, THERE = 1, 2\n", {"tests", "lint-all"}),
        ("import nox\n", "import nox\nNEW: object = object()\n", set()),
        ("import nox\n", "import nox\nif FLAGS:\n    import os\n", {"tests", "lint-all"}),
        ("import nox\n", "import nox\nif FLAGS:\n    class New: pass\n", {"tests", "lint-all"}),
        ("import nox\n", "import nox\nimport pytest\n", {"tests", "lint-all"}),
        ("import nox\n", "import nox\nclass New:\n    a: int\n    b = 1\n\n    def c(self): pass\n", set()),
        (
            "import nox\n",
            "import nox\nclass New(nox.Session):\n    nox.options.reuse_venv = 'no'\n",
            {"tests", "lint-all"},
        ),
        ("import nox\n", "import nox\nclass New(make()): pass\n", {"tests", "lint-all"}),
        ("import nox\n", "import nox\ndef new(it=make(), *, other=1): pass\n", {"tests", "lint-all"}),
        ("import nox\n", "import nox\nimport os\nNEW = list(map(os.environ.update, []))\n", {"tests", "lint-all"}),
        ("import nox\n", "import nox\nNEW = sorted([], key=run)\n", {"tests", "lint-all"}),
        ("import nox\n", "import nox\nNEW = sorted(FLAGS, key=len)\n", set()),
        ("import nox\n", "import nox\nNEW = FLAGS.append('-x')\n", {"tests", "lint-all"}),
        ("@nox.session(name", "@register\n@nox.session(name", {"tests", "lint-all"}),
    ],
)
def test_a_change_reaches_the_sessions_that_it_concerns(old: str, new: str, sessions: set[str]) -> None:
    """Functions, decorators, names reached through others, and statements that are no definitions; not layout."""
    before = read_module(NOXFILE.encode(), "noxfile.py")["sessions"]
    after = read_module(NOXFILE.replace(old, new, 1).encode(), "noxfile.py")["sessions"]
    changed = {name for name in before if before[name]["parts"] != after[name]["parts"]}
    assert changed == sessions
    assert NOXFILE.count(old) >= 1


def test_what_nox_is_told_about_a_session_is_known() -> None:
    """Its name, what must run before it, and whether it runs when nothing is asked for."""
    facts = read_module(NOXFILE.encode(), "noxfile.py")["sessions"]
    assert {name: (session["requires"], session["default"]) for name, session in facts.items()} == {
        "tests": (["lint"], True),
        "lint-all": ([], False),
    }


@pytest.mark.parametrize(
    "settings", ["requires=NEEDS", "requires=[*NEEDS]", "requires=['a', NEEDS]", "name='x', **NEEDS"]
)
def test_requirements_that_are_not_written_out_cannot_be_told(settings: str) -> None:
    """Only nox knows them then, and it does not tell."""
    source = f"import nox\nNEEDS = []\n@nox.session({settings})\ndef x(session): pass\n"
    assert read_module(source.encode(), "noxfile.py")["sessions"]["x"]["requires"] is None


@pytest.mark.parametrize("settings", ["name=NAME", "**SETTINGS"])
def test_a_session_whose_name_cannot_be_told_is_not_found(settings: str) -> None:
    """Whoever asks for it by the name that nox gives, or without one, then gets the whole file."""
    source = f"import nox\n@nox.session({settings})\ndef x(session): pass\n"
    assert read_module(source.encode(), "noxfile.py")["sessions"] == {}


HEAD = """
import json, os, subprocess, nox, tomllib
import datetime as dt
from glob import iglob
from nox.project import load_toml as load
from pathlib import Path

ROOT = Path(__file__).resolve().parent
DATA = "data" + "/x"
NAMES = [p.stem for p in sorted(Path("packages").glob("*.d"))]


def helper(path, name):
    return json.loads((path / name).read_text())
"""
SESSION = "\n\n@nox.session\ndef tests(session):\n    print(VALUE)\n"


@pytest.mark.parametrize(
    ("value", "content", "names"),
    [
        ("1", "", ""),
        ("load('x.toml')", "x.toml", ""),
        ("load(filename='x.toml')", "x.toml", ""),
        ("nox.project.load_toml()", "pyproject.toml", ""),
        ("tomllib.loads(Path('a', 'b.toml').read_text())", "a/b.toml", ""),
        ("json.load(open(DATA))", "data/x", ""),
        ("(ROOT / 'a' / DATA).read_bytes()", "a/data/x", ""),
        ("ROOT.joinpath('a').with_name('b').open()", "b", ""),
        ("os.path.join(os.path.dirname(__file__), 'a'), open(os.path.join('b', 'c'))", "b/c", ""),
        ("{n: load(f'packages/{n}/x.toml') for n in NAMES}", "packages/*/x.toml", "packages/*.d"),
        ("{n: load(f'packages/{n!r}.toml') for n in NAMES}", "packages/*.toml", "packages/*.d"),
        ("[load(p) for p in Path('a').glob('b/**/*.toml')]", "a/b/*.toml", "a/b/*.toml"),
        ("[p.read_text() for p in ROOT.rglob('*.txt')]", "*.txt", "*.txt"),
        ("[(p / 'x').read_text() for p in Path('a').iterdir()]", "a/*x", "a/*"),
        ("[open(p) for p in iglob('a/?.txt')]", "*", "a/*.txt"),
        ("os.listdir('a')", "", "a/*"),
        ("Path('/a').exists() or (lambda: 1)", "", ""),
        ("os.path.dirname('a/b') + open('c')", "c", ""),
        ("open(os.path.dirname('a/b'))", "a", ""),
        ("Path('a').exists() and os.path.isfile('b')", "", "a b"),
        ("[x.read_text() for x in NAMES for x in NAMES]", "*", "packages/*.d"),
        ("[x.read_text() for x, y in NAMES]", "*", "packages/*.d"),
        ("Path('../x').read_text()", "../x", ""),
        ("(ROOT / NAMES[0] / '..' / 'x').read_text()", "*x", "packages/*.d"),
        ("Path('a/b/c').parent.parent.joinpath('x').read_text()", "a/x", ""),
        ("(Path('a') / NAMES[0]).parent.read_text()", "a*", "packages/*.d"),
        ("(Path('a') / f'{NAMES}x').parent.read_text()", "a*", "packages/*.d"),
        ("list(map(Path.read_text, NAMES))", "*", "packages/*.d"),
        ("something(1)", "*", ""),
        ("Path.home() / 'x'", "*", ""),
        ("dict(a=re.compile('x')).get('y')", "", ""),
        ("ValueError('x')", "", ""),
        ("[it for it in [1] if (lambda: it)()]", "*", ""),
        ("Path('b').with_suffix('.toml').open()", "*", ""),
        ("UNKNOWN.open()", "*", ""),
        # What is unknown may be the folder of the noxfile.
        ("open(f'{os.getcwd()}/a/b')", "*a/b", ""),
        ("open(f'{os.getcwd()}/{NAMES}/b')", "*b", "packages/*.d"),
    ],
)
def test_what_is_read_on_loading_is_found(value: str, content: str, names: str) -> None:
    """Paths are followed through names, joins, formats and globs; what cannot be followed may be anything."""
    head = HEAD.replace("import json, os", "import json, os, re") if "re." in value else HEAD
    used = code(f"{head}VALUE = {value}{SESSION}")
    assert {path.replace("\0", "*") for path in used.content} == set(content.split())
    assert {path.replace("\0", "*") for path in used.names} == set(names.split())
    assert not used.unstable


def test_a_function_that_is_called_on_loading_is_read_as_such() -> None:
    """Its arguments may be anything, whatever the module calls the same."""
    used = code(f"{HEAD}path = 'a'\nVALUE = helper(Path('a'), 'b')\n{SESSION}")
    assert used.content == {"\0"}
    assert set(used.parts) == {"Path", "VALUE", "helper", "json", "nox", "path", "settings", "tests"}


def test_what_a_session_names_is_read_when_it_runs() -> None:
    """Only files that stand there as they are; pyproject.toml and the lock are in every digest in another way."""
    body = (
        "open('a/b')\n    open('uv.lock')\n    load('pyproject.toml')\n    helper(ROOT, 'c')\n    subprocess.run('x')\n"
    )
    used = code(f"{HEAD}\n@nox.session\ndef tests(session):\n    {body}    os.listdir('d')\n    something()\n")
    assert used.content == {"a/b"}
    assert used.names == set()
    assert not used.unstable


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("dt.date.today().year", "calls datetime.date.today in line 15"),
        ("Path('/etc/os-release').read_text()", "reads /etc/os-release"),
        ("open('~/x')", "reads ~/x"),
    ],
)
def test_what_nothing_in_the_repository_decides_is_told(value: str, reason: str) -> None:
    """The clock, files elsewhere: no digest stands for these."""
    assert code(f"{HEAD}VALUE = {value}{SESSION}").unstable == reason


@pytest.mark.parametrize("call", ["subprocess.check_output", "os.popen"])
def test_what_only_who_watches_can_tell_is_told(call: str) -> None:
    """Other programs may read anything."""
    used = code(f"{HEAD}VALUE = {call}('x'){SESSION}")
    assert (used.unstable, used.unseen) == ("", f"calls {call} in line 15")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("from os.path import *", "line 15 imports everything from os.path"),
        ("exec('x = 1')", "line 15 uses exec"),
        ("globals()['x'] = 1", "line 15 uses globals"),
        ("import importlib; importlib.import_module('x')", "line 15 uses importlib.import_module"),
        ("import sys as s; s.modules[__name__].x = 1", "line 15 uses sys.modules"),
        ("nox.__dict__.clear()", "line 15 uses nox.__dict__"),
    ],
)
def test_code_that_reaches_names_in_hidden_ways_is_told(line: str, reason: str) -> None:
    """Nothing can then be said about what a session reaches."""
    assert read_module(f"{HEAD}{line}\n".encode(), "noxfile.py")["dynamic"] == reason


@given(st.lists(st.sampled_from(NOXFILE.split("\n")), max_size=30), st.binary(max_size=3))
def test_any_noxfile_is_read(lines: list[str], end: bytes) -> None:
    """One that is no Python counts as a whole; nox will say what is wrong with it."""
    facts = read_module("\n".join(lines).encode() + end, "noxfile.py")
    assert facts["sessions"] or facts["load"]


def test_the_parts_of_a_session_are_named(scratch: Scratch) -> None:
    """As people see them in an explanation."""
    scratch.commit({"noxfile.py": NOXFILE})
    read = noxfile(scratch)
    assert set(read.code("lint-all").parts) == {f"noxfile.py: {name}" for name in ("OTHER", "lint", "nox", "settings")}
    assert read.code("tests").requires == ("lint",)
    assert {name: read.code(name).is_default for name in read.sessions()} == {"tests": True, "lint-all": False}
    assert read.on_load().parts == {}


@pytest.mark.parametrize(
    "change",
    ["from os import *\n", "def extra(session): session.notify('x')\nFLAGS.append(extra)\n", "def broken(:\n"],
)
def test_a_noxfile_that_cannot_be_told_counts_as_a_whole(scratch: Scratch, change: str) -> None:
    """And so does it for a session that nobody can find in it."""
    scratch.commit({"noxfile.py": NOXFILE + change})
    assert list(noxfile(scratch).code("tests").parts) == ["noxfile.py"]
    assert list(noxfile(scratch).code("unknown").parts) == ["noxfile.py"]
    assert noxfile(scratch).code("unknown").requires is None


def test_files_that_the_noxfile_imports_are_part_of_it(scratch: Scratch) -> None:
    """Modules and packages beside it, what these import, and wherever Python's path may lead."""
    source = "import tools.nox_helpers\nfrom tools import more\nimport yaml, elsewhere\n" + NOXFILE
    files = {
        "noxfile.py": source,
        "tools/__init__.py": "",
        "tools/nox_helpers.py": "from . import near\nfrom .deep.x import y\nimport os\nX = open('data.txt')\n",
        "tools/near.py": "from ...away import x",
        "tools/deep/x.py": "",
        "tools/unused.py": "",
        "lib/python/elsewhere/__init__.py": "",
    }
    scratch.commit(files)
    read = noxfile(scratch)
    used = ["lib/python/elsewhere/__init__.py", "tools/__init__.py", "tools/deep/x.py", "tools/near.py"]
    assert {*read.modules()} == {"tools/nox_helpers.py", *used}
    settings = {f"{name}: settings" for name in ("noxfile.py", *read.modules())}
    assert settings <= read.code("lint-all").parts.keys()
    assert read.on_load().content == {"data.txt"}
    assert read.code("lint-all").content == set()
    scratch.write({"tools/near.py": "# changed\n"})
    assert noxfile(scratch).key != read.key


@pytest.mark.parametrize("helper", ["import noxfile", "from . import noxfile", "from .noxfile import FLAGS"])
def test_a_noxfile_that_is_imported_itself_counts_as_a_whole(scratch: Scratch, helper: str) -> None:
    """What a helper reaches in it is reached by all who use the helper."""
    scratch.commit({"noxfile.py": "import helper\n" + NOXFILE, "helper.py": helper})
    assert set(noxfile(scratch).code("tests").parts) == {"noxfile.py", "noxfile.py imports helper.py"}


@pytest.mark.parametrize("place", ["noxfile.py", "helper.py"])
@pytest.mark.parametrize("call", ["importlib.import_module('x')", "exec(x)", "runpy.run_path(x)"])
def test_code_that_may_come_from_anywhere_depends_on_all_files(scratch: Scratch, place: str, call: str) -> None:
    """Even if it is run by a session only, in the noxfile or in what that imports."""
    files = {"noxfile.py": "import helper\n" + NOXFILE, "helper.py": ""}
    files[place] += f"\ndef load():\n    import importlib, runpy\n    {call}\n"
    scratch.commit(files)
    assert "\0" in noxfile(scratch).code("tests").content


def test_a_project_below_the_top_has_its_own_modules(scratch: Scratch) -> None:
    """Imports and paths are relative to the noxfile's folder."""
    scratch.commit({"python/noxfile.py": "import helper\n" + NOXFILE, "python/helper.py": "from .x import y"})
    repository = Repository(str(scratch.root / "python"))
    read = Noxfile(WorkTreeSnapshot(repository), Memory("/nowhere"))
    assert "python/helper.py: settings" in read.code("tests").parts


HELPERS = {
    "noxfile.py": """
import helper, nox
import pkg.tools as tools
from pkg import again, near

@nox.session
def one(session):
    helper.one()

@nox.session
def two(session):
    tools.two(near)

@nox.session
def three(session):
    again(), tools.three()
""",
    "helper.py": "import values\nMORE = 1\n\ndef one():\n    return values.ONE\n\ndef unused():\n    return MORE\n",
    "values.py": "ONE = 1\nTWO = 2\n",
    "pkg/__init__.py": "from .tools import three as again\n",
    "pkg/tools.py": "from values import TWO\n\ndef two(it):\n    return TWO\n\ndef three():\n    return 3\n",
    "pkg/near.py": "NEAR = 1\n",
}


@pytest.mark.parametrize(
    ("file", "old", "new", "sessions"),
    [
        ("values.py", "ONE = 1", "ONE = 3", {"one"}),
        ("values.py", "TWO = 2", "TWO = 3", {"two"}),
        ("values.py", "TWO = 2", "TWO = make()", {"one", "two", "three"}),
        ("helper.py", "return MORE", "return 2", set()),
        ("helper.py", "MORE = 1", "MORE = 2", set()),
        ("helper.py", "return values.ONE", "return MORE", {"one"}),
        ("helper.py", "import values", "import os, values\nos.environ['A'] = 'b'", {"one", "two", "three"}),
        ("helper.py", "import values", "import values\nglobals()", {"one", "two", "three"}),
        ("pkg/tools.py", "return 3", "return 4", {"three"}),
        ("pkg/__init__.py", "import three", "import two", {"one", "two", "three"}),
        ("pkg/near.py", "NEAR = 1", "NEAR = 2", {"two"}),
    ],
)
def test_a_change_of_a_helper_reaches_the_sessions_that_use_it(
    scratch: Scratch, file: str, old: str, new: str, sessions: set[str]
) -> None:
    """Through names, modules that are handed on, and what is done while it is loaded."""
    scratch.commit(HELPERS)
    names = ("one", "two", "three")
    before = {name: noxfile(scratch).code(name).parts for name in names}
    assert old in HELPERS[file]
    scratch.write({file: HELPERS[file].replace(old, new, 1)})
    after = noxfile(scratch)
    assert {name for name in names if after.code(name).parts != before[name]} == sessions


@pytest.mark.parametrize("code", ["len(nox.options.sessions)", "print(nox)"])
def test_options_that_code_reads_count_for_it(scratch: Scratch, code: str) -> None:
    """Whatever they decide otherwise."""
    files = {"noxfile.py": "import helper\n" + NOXFILE.replace('session.run("ruff"', 'helper.run("ruff"')}
    scratch.commit(files | {"helper.py": f"import nox\n\ndef run(*_):\n    {code}\n"})
    before = noxfile(scratch)
    scratch.write({"noxfile.py": files["noxfile.py"].replace('reuse_venv = "yes"', 'reuse_venv = "no"')})
    after = noxfile(scratch)
    assert after.code("lint-all").parts != before.code("lint-all").parts
    assert after.code("tests").parts == before.code("tests").parts


def test_the_noxfile_is_read_once(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it changes, what it says is remembered."""
    scratch.commit({"noxfile.py": NOXFILE})
    before = noxfile(scratch).code("tests")
    monkeypatch.setattr("headworks._noxfile.parts.read_module", None)
    assert noxfile(scratch).code("tests") == before


def test_a_missing_noxfile_is_named(scratch: Scratch) -> None:
    """Ignored ones are missing as well."""
    scratch.commit({".gitignore": "noxfile.py\n", "noxfile.py": NOXFILE})
    with pytest.raises(UsageError, match=r"There is no noxfile\.py in .* that git knows"):
        noxfile(scratch)


def mentions(source: str, session: str = "tests") -> Mentions:
    """Return the names in the code of a session of a noxfile."""
    return read_mentions({"noxfile.py": source.encode()}, session)


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ("session.run('pytest', 'data/a.txt', '-c', '--config=conf/x.toml')", {"data/a.txt", "conf/x.toml"}),
        ("session.run('sh', '-c', 'cat one.txt ./two.txt')", {"one.txt", "two.txt"}),
        ("session.run('x', '/srv/a', '~/b', '../c')", set()),
        ("session.run(f'no/{session.name}', HERE / 'no' / session.name, HERE / 'docs' / 'i.md')", {"docs/i.md"}),
        ("helper(session)", {"of/helper"}),
        ("session.run('ruff', '.')", {""}),
    ],
)
def test_the_paths_in_the_code_of_a_session_are_found(body: str, paths: set[str]) -> None:
    """Those that are written out in full, in all code that it reaches; no docstrings and no parameters."""
    source = (
        "import nox\nfrom pathlib import Path\n\nHERE = Path(__file__).parent\n\n\ndef helper(session):\n"
        '    "Use no/docstring."\n    session.run("x", "of/helper")\n\n\n'
        "@nox.session\ndef other(session):\n    open('of/other')\n\n\n"
        f"@nox.session\n@nox.parametrize('package', ['no/parameter'])\ndef tests(session, package):\n    {body}\n"
    )
    found = {it for it in mentions(source).paths if not it or (set("/.") & set(it) and " " not in it)}
    assert found == paths
    assert not mentions(source).is_moving


@pytest.mark.parametrize(
    ("body", "asking"),
    [
        ("session.run('pip-audit')", "pip-audit"),
        ("session.run('twine', 'check', 'dist')", ""),
        ("session.run('twine', 'upload', 'dist')", "twine"),
        ("session.run('sh', '-c', '/usr/bin/curl x')", "curl"),
        ("session.run('git', 'ls-files')", ""),
        ("urllib.request.urlopen('x')", "urllib.request"),
        ("get('x')", "requests"),
    ],
)
def test_code_that_asks_other_machines_is_found(body: str, asking: str) -> None:
    """By the names of programs, with their commands where these decide, and of modules."""
    head = "import urllib.request\nimport nox\nfrom requests import get\n\n"
    assert mentions(f"{head}@nox.session\ndef tests(session):\n    {body}\n").asking == asking


def test_a_session_that_has_another_name_or_none_is_found() -> None:
    """Its name counts as well; of one that cannot be told, all code counts."""
    source = "import nox\n\n@nox.session(name='link_check')\ndef x(session): session.cd('a/b')\n\n\ndef y(): 'c/d'\n"
    found = mentions(source, "link_check")
    assert (found.asking, found.is_moving, {it for it in found.paths if "/" in it}) == ("link-check", True, {"a/b"})
    assert {it for it in mentions(source, "made").paths if "/" in it} == {"a/b"}
    broken = mentions("def broken(:\n")
    assert broken.paths == {""}
    assert broken.groups is None


def test_names_in_imported_files_count(scratch: Scratch) -> None:
    """For every session."""
    source = "import nox\nimport helper\n\n@nox.session\ndef tests(session): helper.go(session)\n"
    scratch.commit({"noxfile.py": source, "helper.py": "def go(session): session.run('cat', 'a/b')\n"})
    assert "a/b" in noxfile(scratch).mentions("tests").paths


def test_two_unknown_parts_side_by_side_are_one() -> None:
    """A pattern has one hole there, wherever in the path it is."""
    assert normal(f"a/{HOLE}{HOLE}/b") == f"a/{HOLE}/b"
