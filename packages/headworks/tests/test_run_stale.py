"""What tools made of sources as they were is not taken for the sources as they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headworks._cli import main
from headworks._run.stale import caches_without_local_builds, forget_local_builds, remove_stale_bytecode
from headworks._store.store import Store
from headworks._tree.git import Repository
from headworks._tree.snapshot import CommitSnapshot, WorkTreeSnapshot

if TYPE_CHECKING:
    from conftest import Scratch

SECOND = 10**9
# A build backend that needs nothing: a wheel of one module, whose source lies beside it.
BACKEND = """
import zipfile
NAME = "{name}"
def build_wheel(folder, config_settings=None, metadata_directory=None):
    wheel, info = f"{NAME}-1-py3-none-any.whl", f"{NAME}-1.dist-info"
    with zipfile.ZipFile(f"{folder}/{wheel}", "w") as file:
        file.write(f"{NAME}.py")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: {NAME}\\nVersion: 1\\n{needs}")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        file.writestr(f"{info}/RECORD", "")
    return wheel
"""
PROJECT = """
[project]
name = "{name}"
version = "1"
dependencies = [{needs}]
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
NOXFILE = """
import nox
nox.options.default_venv_backend = "uv"
@nox.session
def tests(session):
    session.run_install("uv", "pip", "install", "--offline", "--quiet", "./first", external=True)
    session.run("python", "-c", "import second; assert second.X == 1")
"""


def compiled(folder: Path, mode: str = "timestamp") -> Path:
    """Write a module, compile it, and give it other content of the same size and the same second."""
    source = folder / "module.py"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text("X = 1")
    command = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", mode, "module.py"]
    subprocess.run(command, check=True, cwd=folder)
    (module,) = (folder / "__pycache__").glob("module.*.pyc")
    status = source.stat()
    source.write_text("X = 2")
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
    return module


def value(folder: Path) -> str:
    """Return the value that the module has for whoever imports it."""
    command = [sys.executable, "-c", "import module; print(module.X)"]
    return subprocess.run(command, check=True, cwd=folder, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(
    ("place", "mode"),
    [("", "timestamp"), ("", "unchecked-hash"), ("deep/package", "timestamp"), ("inner", "timestamp")],
)
def test_a_compiled_module_does_not_outlive_its_source(scratch: Scratch, tmp_path: Path, place: str, mode: str) -> None:
    """Python tells by second and size, or not at all; in a submodule too."""
    folder = scratch.root / place
    if place == "inner":
        origin = type(scratch)(tmp_path / "origin")
        origin.commit({"module.py": "X = 0"})
        scratch.git("submodule", "--quiet", "add", str(origin.root), "inner")
    compiled(folder, mode)
    scratch.commit({".gitignore": "__pycache__\n"})
    assert value(folder) == "1"
    remove_stale_bytecode(WorkTreeSnapshot(Repository(str(scratch.root))))
    assert value(folder) == "2"


def test_compiled_modules_that_are_in_order_stay(scratch: Scratch) -> None:
    """Those that are younger than their source, and those without one, which Python does not import."""
    scratch.commit({".gitignore": "__pycache__\n", "empty/module.py": ""})
    module = compiled(scratch.root)
    later = module.stat().st_mtime_ns + SECOND
    os.utime(module, ns=(later, later))
    orphan = module.with_name("gone.cpython-313.pyc")
    orphan.write_bytes(b"")
    remove_stale_bytecode(WorkTreeSnapshot(Repository(str(scratch.root))))
    assert module.exists()
    assert orphan.exists()


def test_a_submodule_that_is_not_checked_out_has_none(scratch: Scratch, tmp_path: Path) -> None:
    """There is nothing to look for."""
    origin = type(scratch)(tmp_path / "origin")
    origin.commit({"module.py": "X = 0"})
    scratch.git("submodule", "--quiet", "add", str(origin.root), "inner")
    scratch.commit()
    commit = CommitSnapshot(Repository(str(scratch.root)), "HEAD")
    scratch.git("submodule", "--quiet", "deinit", "--force", "inner")
    assert commit.within(b"inner") is None
    remove_stale_bytecode(commit)


@pytest.mark.parametrize("variable", ["UV_CACHE_DIR", "XDG_CACHE_HOME", "HOME"])
def test_builds_of_folders_are_forgotten_wherever_the_cache_is(tmp_path: Path, variable: str) -> None:
    """Those of the index are not, nor environments without such a package."""
    cache = tmp_path / {"UV_CACHE_DIR": "x[y]", "XDG_CACHE_HOME": "x[y]/uv", "HOME": "x[y]/.cache/uv"}[variable]
    environ = {
        "HOME": str(tmp_path / "none"),
        variable: "x[y]" if variable == "UV_CACHE_DIR" else str(tmp_path / "x[y]"),
    }
    kept = [cache / "sdists-v9/pypi/a/revision.rev", cache / "environments-v2/a/kept"]
    gone = [cache / f"sdists-v9/{kind}/a/revision.rev" for kind in ("path", "editable")]
    gone.append(cache / "environments-v2/a/gone")
    for path in (kept[0], *gone[:2]):
        path.parent.mkdir(parents=True)
        path.touch()
    (cache / "environments-v2/a").mkdir(parents=True)
    for link, direct in (
        (kept[1], '{"url": "https://x", "archive_info": {}}'),
        (gone[2], '{"url": "x", "dir_info": {}}'),
    ):
        file = cache / f"archive-v0/{link.name}/lib/python3.13/site-packages/x-1.dist-info/direct_url.json"
        file.parent.mkdir(parents=True)
        file.write_text(direct)
        link.symlink_to(cache / "archive-v0" / link.name)
    forget_local_builds(environ, str(tmp_path))
    assert all(os.path.lexists(path) for path in kept)
    assert not any(os.path.lexists(path) for path in gone)


@pytest.fixture
def needing(scratch: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """Return a repository with a package that needs another one, in whose folder this process is."""
    files = {"noxfile.py": NOXFILE, ".gitignore": ".nox\n__pycache__\n", "second/second.py": "X = 1"}
    second = f"second @ file://{scratch.root}/second"
    for name, needs, required in (("first", f"Requires-Dist: {second}\\n", f'"{second}"'), ("second", "", "")):
        files[f"{name}/pyproject.toml"] = PROJECT.format(name=name, needs=required)
        files[f"{name}/backend.py"] = BACKEND.replace("{name}", name).replace("{needs}", needs)
    scratch.commit(files | {"first/first.py": ""})
    monkeypatch.chdir(scratch.root)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    return scratch


@pytest.mark.parametrize("arguments", [["run"], ["run", "--observe"]])
def test_a_package_that_another_one_needs_is_built_anew(needing: Scratch, arguments: list[str]) -> None:
    """Uv itself would install the wheel that it built before, since the times of `pyproject.toml` are the same."""
    assert main(arguments) == 0
    needing.commit({"second/second.py": "X = 2"})
    assert main(arguments) == 1


def test_sessions_side_by_side_each_see_what_their_packages_are_built_of(
    needing: Scratch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither installs what the other has built, of which it would have read nothing."""
    (tmp_path / "uv").mkdir()
    twice = NOXFILE.replace("tests(session)", "tests(session, number)")
    needing.commit({"noxfile.py": twice.replace("@nox", "@nox.parametrize('number', [1, 2])\n@nox")})
    assert main(["run", "--jobs", "2"]) == 0
    assert "all files" not in capsys.readouterr().out
    witnesses = [it.witness for it in Store.default().ls()]
    assert ["second/second.py" in str(it) for it in witnesses] == [True, True]


def test_a_cache_of_a_session_shares_all_but_local_builds(tmp_path: Path) -> None:
    """What uv makes in it goes to its own cache at the end, but for what it builds of local folders."""
    cache = tmp_path / "uv"
    shared, local = ("wheels-v1/a", "sdists-v1/pypi/a"), ("sdists-v1/path/a", "environments-v1/a")
    for it in (*shared, *local):
        (cache / it).mkdir(parents=True)
    with caches_without_local_builds({"UV_CACHE_DIR": "uv"}, str(tmp_path)) as make:
        places = [Path(make()["UV_CACHE_DIR"]) for _ in range(2)]
        for place in places:
            assert [(place / it).exists() for it in (*shared, *local)] == [True, True, False, False]
            for it in ("sdists-v1/path/b", "environments-v1/b", "sdists-v1/git/b", "sdists-v2/index/b", "simple-v1/b"):
                (place / it).mkdir(parents=True)
            (place / "wheels-v1/b").mkdir(exist_ok=True)
    made = sorted(
        it.relative_to(cache).as_posix() for it in (*cache.glob("*-v*/[ab]"), *cache.glob("sdists-v*/*/[ab]"))
    )
    new = ["sdists-v1/git/b", "sdists-v2/index/b", "simple-v1/b", "wheels-v1/b"]
    assert made == sorted([*shared, *local, *new])
    assert not [*cache.glob("headworks-*")]


@pytest.mark.parametrize(("mode", "has_cache"), [("", False), ("symlink", True)])
def test_where_no_cache_can_be_made_there_is_none(tmp_path: Path, mode: str, *, has_cache: bool) -> None:
    """Uv has none so far, in which nothing is built yet, or environments would have links into it."""
    (tmp_path / "r" / ("uv" if has_cache else "")).mkdir(parents=True)
    with caches_without_local_builds({"UV_CACHE_DIR": "uv", "UV_LINK_MODE": mode}, str(tmp_path / "r")) as make:
        assert make() == {}
    assert [it.name for it in (tmp_path / "r").rglob("*")] == ["uv"] * has_cache
