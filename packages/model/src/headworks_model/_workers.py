"""Runs a function on many arguments in several processes that end with the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver
from typing import TYPE_CHECKING, TypeVar

from headworks_model.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.context import ForkServerContext, SpawnContext

# What every process needs, loaded once; the first optimizer would load torch._dynamo.
PRELOADED = ["headworks_model._crossfit", "torch._dynamo"]
Argument = TypeVar("Argument")
Result = TypeVar("Result")


def run_all(function: Callable[[Argument], Result], arguments: Sequence[Argument], *, jobs: int) -> Iterator[Result]:
    """Yield what a function returns for each argument, in the order in which they are done.

    Args:
        function: One of a module.
        arguments: Can be pickled, as what is returned must be.
        jobs: How many processes; with 1, all is done in this one, in the order given.

    Raises:
        TrainingError: A process was killed.
    """
    if jobs == 1:
        yield from map(function, arguments)
        return
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(jobs, mp_context=context(), initializer=follow_parent) as pool:
        try:
            for future in as_completed([pool.submit(function, it) for it in arguments]):
                yield future.result()
        except BaseException as error:
            # Not even Ctrl-C waits for what is under way.
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            if not isinstance(error, BrokenProcessPool):
                raise
            message = "a process that trained was killed, for lack of memory perhaps: use --resume and fewer --jobs."
            raise TrainingError(message) from error


def context() -> ForkServerContext | SpawnContext:
    """Return a way to start processes: from one that has loaded torch already, where the system can."""
    if "forkserver" not in multiprocessing.get_all_start_methods():  # pragma: no cover - only Windows cannot
        return multiprocessing.get_context("spawn")
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(PRELOADED)
    # Ctrl-C goes to all processes of a terminal, and this one alone shall answer it: the others inherit the mask.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return server


def follow_parent() -> None:  # pragma: no cover - it runs in the processes, whose coverage is not measured
    """End this process when the one that started it does, even if that one is killed."""

    def leave() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=leave, daemon=True).start()
