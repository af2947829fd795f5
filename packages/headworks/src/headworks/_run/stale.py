"""Removes what tools made of sources as they were before, and would take for the sources as they are.

What is removed is made again when it is needed, and no process that runs meanwhile loses a file that it has found.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from headworks._tree.listing import SUBMODULE

if TYPE_CHECKING:
    from headworks._tree.snapshot import Snapshot

_LOCAL = re.compile(r"headworks-.*|environments-v\d+|sdists-v\d+(/(editable|path))?")


def remove_stale_bytecode(snapshot: Snapshot) -> None:
    """Remove compiled modules that are not younger than the last change of their source.

    Python compares the second and the size that the source had, so that it runs a module that was compiled before
    another change in that second; and it compares nothing where a module was compiled to be trusted.

    Args:
        snapshot: The work tree. Modules beside its files count as well, though git ignores them.
    """
    top = os.fsencode(snapshot.repository.top)
    folders = {os.path.dirname(path) for path in snapshot.listing.ending(b".py")}
    for module in [it for folder in folders for it in _stale(os.path.join(top, folder))]:
        os.unlink(module)
    for line in snapshot.listing.lines(b"H %b " % SUBMODULE):
        if inner := snapshot.within(line[:-1].partition(b"\t")[2]):
            remove_stale_bytecode(inner)


def _stale(folder: bytes) -> list[bytes]:
    """Return the compiled modules beside sources that were changed after they were compiled, or in the same instant."""
    try:
        names = os.listdir(os.path.join(folder, b"__pycache__"))
    except OSError:
        return []
    sources = {name: os.path.join(folder, name.partition(b".")[0] + b".py") for name in names}
    places = {os.path.join(folder, b"__pycache__", name): it for name, it in sources.items() if os.path.exists(it)}
    return [it for it, source in places.items() if os.stat(it).st_mtime_ns <= os.stat(source).st_ctime_ns]


def forget_local_builds(environ: Mapping[str, str], root: str) -> None:
    """Have uv build wheels of local folders anew, and the environments of its cache in which it installed such.

    It takes a wheel for that of the sources as long as `pyproject.toml` has the times that it had, unless the command
    names the folder itself; and the environment of `uv run --with FOLDER` as long as the same is asked for.

    Args:
        environ: The environment, which says where the cache of uv is.
        root: The folder that sessions run in.
    """
    cache = glob.escape(_uv_cache(environ, root))
    stale = [it for kind in ("editable", "path") for it in glob.iglob(f"{cache}/sdists-v*/{kind}/*/revision.rev")]
    for place in glob.iglob(f"{cache}/environments-v*/*/*/lib/*/site-packages/*.dist-info/direct_url.json"):
        with contextlib.suppress(OSError):
            if b'"dir_info"' in Path(place).read_bytes():
                stale.append(str(Path(place).parents[4]))
    for place in stale:
        with contextlib.suppress(OSError):
            os.unlink(place)


def _uv_cache(environ: Mapping[str, str], root: str) -> str:
    """Return the folder of uv's cache, which need not exist."""
    home = environ.get("HOME") or os.path.expanduser("~")
    caches = environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    return os.path.join(root, environ.get("UV_CACHE_DIR") or os.path.join(caches, "uv"))


@contextlib.contextmanager
def caches_without_local_builds(environ: Mapping[str, str], root: str) -> Iterator[Callable[[], dict[str, str]]]:
    """Make caches for uv in which nothing is built of local folders yet, and all else is that of its own cache.

    So sessions that run side by side do not build a package in one folder, where nobody could tell who read what.

    Args:
        environ: The environment, which says where the cache of uv is.
        root: The folder that sessions run in.

    Yields:
        Makes a cache for a session, and returns the variable that names it; none where uv has no cache so far, or
        where environments would have links into it.
    """
    cache = Path(_uv_cache(environ, root))
    if not cache.is_dir() or environ.get("UV_LINK_MODE") == "symlink":
        yield dict
        return
    with tempfile.TemporaryDirectory(prefix="headworks-", dir=cache) as folder:  # uv renames files within its cache

        def make() -> dict[str, str]:
            place = Path(tempfile.mkdtemp(dir=folder))
            for source in _shared_parts(cache):
                target = place / source.relative_to(cache)
                target.parent.mkdir(exist_ok=True)
                target.symlink_to(source)
            return {"UV_CACHE_DIR": str(place)}

        yield make
        for place in Path(folder).iterdir():
            for made in _shared_parts(place):
                if not made.is_symlink():
                    target = cache / made.relative_to(place)
                    target.parent.mkdir(exist_ok=True)
                    with contextlib.suppress(OSError):  # another session has made it as well
                        made.rename(target)


def _shared_parts(cache: Path) -> list[Path]:
    """Return the folders in a cache of uv that have nothing in them which was built of a local folder."""
    parts = [*cache.glob("sdists-v*/*"), *cache.iterdir()]
    return [it for it in parts if it.is_dir() and not _LOCAL.fullmatch(it.relative_to(cache).as_posix())]
