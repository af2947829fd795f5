"""The program: it gives the remembered answer where that is still right, and runs the command line elsewhere."""

from __future__ import annotations

import gc
import os
import sys

from headworks._quick.answers import recall

_INTERRUPTED = 130  # `Exit.INTERRUPTED`, whose import would take longer than an answer
_GARBAGE = 100_000  # objects after which the interpreter looks for circles among them, which a plan hardly makes


def program() -> int:
    """Answer the command line that this process was started with, and return its exit code."""
    gc.set_threshold(_GARBAGE)
    try:
        code = recall(sys.argv[1:])
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception:  # noqa: BLE001  # whatever it is: an answer that cannot be recalled is made anew
        code = None
    if code is None:
        try:
            from headworks._cli import program as run  # the rest of the engine, which takes 40 ms to import
        except KeyboardInterrupt:
            return _INTERRUPTED
        return run()
    if "atexit" not in sys.modules:  # pragma: no cover  # measuring coverage uses it
        os._exit(code)  # taking the interpreter apart takes 2 ms
    return code


if __name__ == "__main__":
    sys.exit(program())
