"""Notes every file that a Python process opens; a copy named `sitecustomize` is put on the path of an audited session.

It runs on whatever Python a session uses, and must not break it: it imports little, and nothing of this package.
"""

from __future__ import annotations

import os
import runpy
import sys
from typing import Any

__all__ = ["run_shadowed_sitecustomize", "watch"]


def watch(log: str) -> None:
    """Write the absolute path of every file that this process opens to read into a file, each ended by a NUL."""
    notes = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(event: str, arguments: tuple[Any, ...]) -> None:  # pragma: no cover  # audit hooks are not traced
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            path, mode, flags = arguments
            is_read = not set(mode) & set("wax") if mode else not flags & (os.O_WRONLY | os.O_CREAT)
            if is_read:
                os.write(notes, os.fsencode(os.path.join(os.getcwd(), os.fsdecode(path))) + b"\0")

    sys.addaudithook(note)


def run_shadowed_sitecustomize(folder: str) -> None:
    """Run the module of the same name that the one in a folder hides, if there is one."""
    for other in sys.path:
        path = os.path.join(other, "sitecustomize.py")
        if os.path.abspath(other) != os.path.abspath(folder) and os.path.isfile(path):
            runpy.run_path(path, run_name="sitecustomize")
            return


if __name__ == "sitecustomize":  # pragma: no cover  # a copy runs, in the processes of a session
    if hasattr(sys, "addaudithook"):  # since Python 3.8
        watch(os.environ["HEADWORKS_AUDIT"])
    run_shadowed_sitecustomize(os.path.dirname(__file__))
