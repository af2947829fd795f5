"""Has a model of the base predict the rows of another dataset, so that two models are judged by the same rows."""

from __future__ import annotations

import os
import subprocess
import sys

from headworks.errors import CannotDecideError

__all__ = ["predict_anew"]


def predict_anew(how: str | tuple[str, ...], model: str, out: str, root: str) -> None:
    """Write what a model predicts, as the table says under `predict`.

    Args:
        how: a Parquet file with the rows, for ONNX Runtime; or a command, with `{model}` and `{out}` for the files.
        model: the model's file.
        out: the file to write.
        root: the folder in which a command runs, and that a file is relative to.

    Raises:
        UsageError: ONNX Runtime is not installed.
        ConfigurationError: the model and the rows do not fit each other.
        CannotDecideError: the command did not write its file.
    """
    if isinstance(how, str):
        from headworks._metrics.exported import predict_rows

        predict_rows(model, os.path.join(root, how), out)
        return
    command = [it.replace("{model}", model).replace("{out}", out) for it in how]
    try:
        done = subprocess.run(command, cwd=root, stdout=sys.stderr, check=False)  # noqa: S603  # the table says so
        said = f"ended with exit code {done.returncode}" + ("" if done.returncode else f", and did not write {out}")
        is_done = not done.returncode and os.path.isfile(out)
    except OSError as error:
        said, is_done = f"could not be started ({error.strerror})", False
    if not is_done:
        message = (
            f"The dataset has changed, and the base's model could not predict its rows: `{' '.join(command)}` {said}."
            " Mend the command under `predict` in [tool.headworks.gate]."
        )
        raise CannotDecideError(message)
