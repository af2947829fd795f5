"""Removes what tools made of sources as they were before, and would take for the sources as they are.

What is removed is made again when it is needed, and no process that runs meanwhile loses a file that it has found.
"""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from headworks._tree.listing import SUBMODULE

if TYPE_CHECKING:
    from headworks._tree.snapshot import Snapshot


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
    home = environ.get("HOME") or os.path.expanduser("~")
    caches = environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    cache = glob.escape(os.path.join(root, environ.get("UV_CACHE_DIR") or os.path.join(caches, "uv")))
    stale = [it for kind in ("editable", "path") for it in glob.iglob(f"{cache}/sdists-v*/{kind}/*/revision.rev")]
    for place in glob.iglob(f"{cache}/environments-v*/*/*/lib/*/site-packages/*.dist-info/direct_url.json"):
        with contextlib.suppress(OSError):
            if b'"dir_info"' in Path(place).read_bytes():
                stale.append(str(Path(place).parents[4]))
    for place in stale:
        with contextlib.suppress(OSError):
            os.unlink(place)
