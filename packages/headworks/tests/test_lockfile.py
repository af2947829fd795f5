"""Each package and dependency group gets the part of the lock that it can reach."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from headworks._project.lock import _READERS, Lock
from headworks._project.lock_uv import UvLock
from headworks._quick.memory import Memory
from headworks._tree.git import Repository
from headworks._tree.snapshot import WorkTreeSnapshot
from headworks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Scratch

LOCK = """
version = 1
revision = 3
requires-python = ">=3.11"

[manifest]
members = ["a", "b"]

[manifest.dependency-groups]
lint = [{ name = "linter", extras = ["fast"], specifier = ">=1" }]
test = [{ name = "tester", specifier = ">=1" }, { name = "b", editable = "packages/b" }]

[[package]]
name = "a"
source = { editable = "packages/a" }
dependencies = [{ name = "b" }, { name = "base", marker = "sys_platform == 'win32'" }]

[package.optional-dependencies]
more = [{ name = "forked", version = "2" }]

[package.dev-dependencies]
dev = [{ name = "tester" }]

[[package]]
name = "b"
version = "1"
source = { virtual = "packages/b" }
dependencies = [{ name = "forked" }]

[[package]]
name = "base"
version = "1"
source = { registry = "https://example.org/simple" }
dependencies = [{ name = "deep", extra = ["x"] }]

[[package]]
name = "deep"
version = "1"
source = { registry = "https://example.org/simple" }
dependencies = [{ name = "base" }]

[package.optional-dependencies]
x = [{ name = "only-x" }]
y = [{ name = "only-y" }]

[[package]]
name = "only-x"
version = "1"
source = { git = "https://example.org/x?rev=1" }

[[package]]
name = "only-y"
version = "1"
source = { registry = "https://example.org/simple" }

[[package]]
name = "forked"
version = "1"
source = { registry = "https://example.org/simple" }

[[package]]
name = "forked"
version = "2"
source = { registry = "https://example.org/simple" }

[[package]]
name = "tester"
version = "1"
source = { registry = "https://example.org/simple" }
dependencies = [{ name = "b" }]

[[package]]
name = "linter"
version = "1"
source = { registry = "https://example.org/simple" }

[package.optional-dependencies]
fast = [{ name = "deep" }]
"""


EVERYTHING = {"runtime packages/a", "own packages/a", "own packages/b", "groups test", "groups lint"}


def lock(scratch: Scratch) -> Lock:
    """Read the lock of the work tree."""
    repository = Repository(str(scratch.root))
    return Lock(WorkTreeSnapshot(repository), Memory(repository.git_folder() + "/headworks"))


def reached(scratch: Scratch, kind: str, name: str) -> set[str]:
    """Return the locked packages that something reaches; the rest of the lock is always reached."""
    entries = set(lock(scratch).entries(kind, name))
    assert "uv.lock in general" in entries
    return {it.removeprefix("uv.lock: ") for it in entries - {"uv.lock in general"}}


def test_each_start_reaches_its_part(scratch: Scratch) -> None:
    """Through dependencies and extras, markers or not, past cycles, to all forks that fit, and no further."""
    scratch.commit({"uv.lock": LOCK})
    wheel = {"base 1", "deep 1", "only-x 1 (https://example.org/x?rev=1)", "forked 2"}
    assert reached(scratch, "runtime", "packages/a") == wheel
    assert reached(scratch, "own", "packages/a") == wheel | {"tester 1"}
    assert reached(scratch, "own", "packages/b") == {"forked 1", "forked 2"}
    assert reached(scratch, "groups", "test") == {"tester 1"}
    assert reached(scratch, "groups", "lint") == (wheel | {"linter 1"}) - {"forked 2"}


def test_members_are_reached_through_what_is_locked(scratch: Scratch) -> None:
    """A package from elsewhere may need one of ours."""
    scratch.commit({"uv.lock": LOCK})
    assert lock(scratch).members("runtime", "packages/a") == ("packages/b",)
    assert lock(scratch).members("groups", "test") == ("packages/b",)
    assert lock(scratch).members("groups", "lint") == ()


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ('"tester"\nversion = "1"', '"tester"\nversion = "2"', {"own packages/a", "groups test"}),
        ('"only-y"\nversion = "1"', '"only-y"\nversion = "2"', set()),
        ("x?rev=1", "x?rev=2", {"runtime packages/a", "own packages/a", "groups lint"}),
        ('"only-x" }', '"only-y" }', {"runtime packages/a", "own packages/a", "groups lint"}),
        ("revision = 3", "revision = 4", set()),
        ("revision = 3", "resolution-markers = [\"sys_platform == 'linux'\"]", EVERYTHING),
        ("[manifest]", '[manifest]\noverrides = [{ name = "base" }]', EVERYTHING),
        ("[manifest]", '[manifest]\nnew = "what a later uv writes"', EVERYTHING),
    ],
)
def test_a_change_reaches_whom_it_concerns(scratch: Scratch, old: str, new: str, changed: set[str]) -> None:
    """The hash of a part differs exactly where something in the part does."""
    starts = [("runtime", "packages/a"), ("own", "packages/a"), ("own", "packages/b"), ("groups", "test")]
    starts.append(("groups", "lint"))
    scratch.write({"uv.lock": LOCK})
    before = {start: lock(scratch).hash(*start) for start in starts}
    scratch.write({"uv.lock": LOCK.replace(old, new)})
    assert {" ".join(start) for start in starts if lock(scratch).hash(*start) != before[start]} == changed


def test_what_the_lock_does_not_know_reaches_all_of_it(scratch: Scratch) -> None:
    """A package or group newer than the lock, and a lock of another form."""
    scratch.write({"uv.lock": LOCK})
    assert lock(scratch).hash("own", "packages/new") == lock(scratch).whole
    assert len(reached(scratch, "own", "packages/new")) == 10
    scratch.write({"uv.lock": LOCK.replace("version = 1\nrevision", "version = 2\nrevision")})
    assert lock(scratch).hash("own", "packages/a") == lock(scratch).whole


def test_without_a_lock_nothing_is_reached(scratch: Scratch) -> None:
    """The packages' own files still say what they need."""
    assert lock(scratch).hash("own", "packages/a") == ""
    assert lock(scratch).entries("own", "packages/a") == {}


def test_the_groups_of_a_root_package_are_its_own(scratch: Scratch) -> None:
    """A root that is a package has its groups in its entry."""
    scratch.write({"uv.lock": LOCK.replace('editable = "packages/a"', 'editable = "."')})
    assert reached(scratch, "own", "") == reached(scratch, "runtime", "") | {"tester 1"}
    assert reached(scratch, "groups", "dev") == {"tester 1"}


def test_the_lock_is_read_once(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it changes, its parts and their details are remembered."""
    scratch.write({"uv.lock": LOCK})
    before = reached(scratch, "own", "packages/a"), lock(scratch).hash("own", "packages/a")
    monkeypatch.setattr("headworks._project.lock_uv.parse", None)
    assert (reached(scratch, "own", "packages/a"), lock(scratch).hash("own", "packages/a")) == before


class OtherLock:
    """A lock of another tool, which has one package that one group reaches."""

    table = "[tool.other]"
    general = "0"

    def __init__(self, content: bytes, prefix: str) -> None:
        """Take the version from the file."""
        self.labels = [(f"{prefix}base {content.decode()}", "1")]

    def reaches(self) -> Iterator[tuple[str, str, set[int], set[str]]]:
        """Yield the group."""
        yield "groups", "test", {0}, set()


def test_a_lock_of_another_tool_is_one_row(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file gives each part its name; of two locks, that of the first row counts."""
    monkeypatch.setitem(_READERS, "other.lock", OtherLock)
    scratch.write({"other.lock": "3"})
    assert lock(scratch).entries("groups", "test") == {"other.lock in general": "0", "other.lock: base 3": "1"}
    assert lock(scratch).lacking(["packages/a"]) == {"other.lock lacks packages/a": ""}
    scratch.write({"uv.lock": LOCK})
    assert lock(scratch).file == "uv.lock"


def test_a_broken_lock_is_named(scratch: Scratch) -> None:
    """A conflict marker, for example."""
    scratch.write({"uv.lock": "<<<<<<< HEAD\n" + LOCK})
    with pytest.raises(ConfigurationError, match=r"uv\.lock is not valid TOML"):
        lock(scratch)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_lock_is_read_or_refused(data: st.DataObject) -> None:
    """Whatever stands where, nothing but our own error comes out."""
    pieces = LOCK.split('"')
    for _ in range(3):
        place = data.draw(st.integers(0, len(pieces) - 1))
        pieces[place] = data.draw(st.sampled_from(["", "a", "b", "forked", "1", ".", "= 1 #", "= [1] #", "\n[x]\n"]))
    with contextlib.suppress(ConfigurationError):
        reader = UvLock('"'.join(pieces).encode(), "")
        assert all(numbers <= set(range(len(reader.labels))) for _, _, numbers, _ in reader.reaches())


KEYS = ["package", "manifest", "version", "name", "source", "dependencies", "dev-dependencies", "editable", "extra"]
VALUES = st.recursive(
    st.sampled_from([1, "", "editable", "."]),
    lambda it: st.lists(it, max_size=3) | st.dictionaries(st.sampled_from(KEYS), it, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
@example({"package": ["x", {"source": {"editable": "."}, "dependencies": [1, {"name": "x", "extra": 1}, {}]}]})
def test_any_structure_is_read(data: dict[str, object]) -> None:
    """Values of the wrong kind are as good as none."""
    reader = UvLock("".join(f"{key} = {toml(value)}\n" for key, value in (data | {"version": 1}).items()).encode(), "")
    assert all(numbers <= set(range(len(reader.labels))) for _, _, numbers, _ in reader.reaches())


def toml(value: object) -> str:
    """Return a value in TOML, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(it)}" for key, it in value.items()) + "}"
    return "[" + ", ".join(map(toml, value)) + "]" if isinstance(value, list) else json.dumps(value)
