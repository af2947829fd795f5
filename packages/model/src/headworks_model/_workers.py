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

# Modules for every process, loaded once; the first optimizer would load torch._dynamo.
PRELOADED = ["headworks_model._crossfit", "torch._dynamo"]
Argument = TypeVar("Argument")
Result = TypeVar("Result")


def run_all(function: Callable[[Argument], Result], arguments: Sequence[Argument], *, jobs: int) -> Iterator[Result]:
    """Yield the result of a function for each argument, in the order in which they finish.

    Args:
        function: A function of a module.
        arguments: Arguments that can be pickled, as the results.
        jobs: Number of processes; with 1, all is done in this one, in the order given.

    Raises:
        TrainingError: A process was killed.
    """
    if jobs == 1:
        yield from map(function, arguments)
        return
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(jobs, mp_context=context(), initializer=_follow_parent) as pool:
        try:
            for future in as_completed([pool.submit(function, argument) for argument in arguments]):
                yield future.result()
        except BaseException as error:
            # Even Ctrl-C does not wait for running trainings.
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            if not isinstance(error, BrokenProcessPool):
                raise
            message = "a training process was killed, perhaps for lack of memory: use --resume and fewer --jobs"
            raise TrainingError(message) from error


def context() -> ForkServerContext | SpawnContext:
    """Return the context of new processes: forks of a server that has loaded torch, where the system can."""
    if "forkserver" not in multiprocessing.get_all_start_methods():  # pragma: no cover - only Windows cannot
        return multiprocessing.get_context("spawn")
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(PRELOADED)
    # Ctrl-C goes to all processes of a terminal, and only this one must handle it: the others inherit the mask.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return server


def _follow_parent() -> None:  # pragma: no cover - it runs in the processes, where coverage is not measured
    """End this process with its parent, even if that is killed."""

    def leave() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=leave, daemon=True).start()
