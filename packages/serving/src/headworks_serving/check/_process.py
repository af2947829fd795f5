"""Runs a server as a process of its own, as its users do."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from headworks_serving.errors import CheckInputError, ServerFaultError

_READY: Final = re.compile(r" event=ready .*url=http://(\S+)")
_BAD_INPUT: Final = 2
_TICK: Final = 0.02
_STOP_SECONDS: Final = 30.0


@contextmanager
def started_server(model: Path, *, seconds: float) -> Iterator[str]:
    """Run a server on a free port during the block.

    Args:
        model: The ONNX file.
        seconds: Longest time to wait until it is ready.

    Yields:
        Its address, HOST:PORT.

    Raises:
        ServerFaultError: It does not start, is not ready in time, or does not end as it should.
    """
    command = [sys.executable, "-m", "headworks_serving", str(model), "--port", "0"]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        process = subprocess.Popen(command, stderr=log)  # noqa: S603 - our own module, without a shell
        try:
            yield _wait_for_address(process, log, seconds)
            _stop(process, log)
        finally:
            process.kill()
            process.wait()


def _wait_for_address(process: subprocess.Popen[bytes], log: IO[str], seconds: float) -> str:
    end = time.monotonic() + seconds
    while not (ready := _READY.search(_read(log))):
        status = process.poll()
        if status is not None:
            kind = CheckInputError if status == _BAD_INPUT else ServerFaultError
            message = f"the server ended with exit code {status} before it was ready:\n{_read(log).strip()}"
            raise kind(message)
        if time.monotonic() > end:
            message = f"the server was not ready after {seconds:g} s; its log:\n{_read(log).strip()}"
            raise ServerFaultError(message)
        time.sleep(_TICK)
    return ready[1]


def _stop(process: subprocess.Popen[bytes], log: IO[str]) -> None:
    process.terminate()
    try:
        status = process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired as error:
        message = f"the server still ran {_STOP_SECONDS:g} s after SIGTERM; its log:\n{_read(log).strip()}"
        raise ServerFaultError(message) from error
    if status and os.name == "posix":  # On other systems a process can only be killed.
        message = f"the server ended with exit code {status} after SIGTERM; its log:\n{_read(log).strip()}"
        raise ServerFaultError(message)


def _read(log: IO[str]) -> str:
    log.seek(0)
    return log.read()
