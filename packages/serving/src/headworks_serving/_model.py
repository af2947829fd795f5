"""An exported model: one ONNX file that describes its input and the meaning of its output."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from headworks_serving.errors import InferenceError, ModelError
from numpy.typing import NDArray

INPUT: Final = "image"
OUTPUT: Final = "probabilities"
_REMEDY = "export it again with `python -m headworks_model export`"


@dataclass(frozen=True, kw_only=True)
class Model:
    """A loaded model, ready to predict; its methods may be called from several threads.

    Attributes:
        name: The stem of the file's name, unless given.
        labels: The name of each class, in the order of the probabilities.
        image_shape: Height, width and channels of one image.
        metadata: Every `headworks.*` property of the file.
    """

    name: str
    labels: tuple[str, ...]
    image_shape: tuple[int, int, int]
    metadata: dict[str, str]
    session: Any

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities of every class.

        Args:
            images: Pixels from 0 to 255, shape (N, H, W, C).

        Returns:
            Probabilities, shape (N, K).

        Raises:
            InferenceError: The model fails on these images, or does not give N x K finite numbers.
        """
        try:
            (output,) = self.session.run([OUTPUT], {INPUT: images})
        except Exception as error:  # The errors of ONNX Runtime have no other common base class.
            message = f'model "{self.name}" cannot compute: {_first_line(error)}'
            raise InferenceError(message) from error
        probabilities: NDArray[np.float32] = output
        if probabilities.shape != (len(images), len(self.labels)) or not np.isfinite(probabilities).all():
            message = (
                f'model "{self.name}" did not give {len(self.labels)} finite probabilities for each of {len(images)} '
                f"images, but an output of shape {list(probabilities.shape)}"
            )
            raise InferenceError(message)
        return probabilities


def load_model(path: Path, *, threads: int = 1, name: str = "", content: bytes | None = None) -> Model:
    """Read a model file, check that it can be served, and run it once.

    Args:
        path: The ONNX file.
        threads: Threads that one inference may use.
        name: The name of the model; the stem of the file unless given.
        content: The content of the file, if it was read before.

    Returns:
        The model, warmed up: its first prediction is as fast as any later one.

    Raises:
        ModelError: The file is missing, not an ONNX model, or not of the form that `headworks_model` exports.
    """
    session = _open_session(path, threads, read_file(path) if content is None else content)
    metadata = _read_metadata(path, session)
    model = Model(
        name=name or path.stem,
        labels=_read_labels(path, metadata),
        image_shape=_read_image_shape(path, session),
        metadata=metadata,
        session=session,
    )
    _warm_up(path, model)
    return model


def _import_runtime() -> Any:  # noqa: ANN401 - onnxruntime ships no types
    """Import ONNX Runtime without its telemetry.

    By default, it writes an identifier of the machine to the home folder and sends events from its import on; its
    Privacy.md names the variable that prevents both. The call is for an earlier import elsewhere.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime  # noqa: PLC0415 - only from here on is its telemetry off

    onnxruntime.disable_telemetry_events()
    return onnxruntime


def read_file(path: Path) -> bytes:
    """Return the content of a model's file.

    Raises:
        ModelError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"cannot read the model {path}: {error.strerror}; {_REMEDY}, or correct the path"
        raise ModelError(message) from error


def _open_session(path: Path, threads: int, content: bytes) -> Any:  # noqa: ANN401 - onnxruntime ships no types
    ort = _import_runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads would keep the cores busy between requests.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # Errors are raised; the runtime must not print them as well.
    try:
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # The errors of ONNX Runtime have no other common base class.
        message = f"{path} is not an ONNX model that ONNX Runtime can load ({_first_line(error)}); {_REMEDY}"
        raise ModelError(message) from error


def _read_metadata(path: Path, session: Any) -> dict[str, str]:  # noqa: ANN401 - onnxruntime ships no types
    metadata: dict[str, str] = session.get_modelmeta().custom_metadata_map
    needed = ("headworks.labels", "headworks.dataset_digest", "headworks.weights_digest")
    missing = [name for name in needed if not metadata.get(name)]
    if missing:
        message = f"{path} lacks the metadata {', '.join(missing)}; {_REMEDY}"
        raise ModelError(message)
    return {name: value for name, value in sorted(metadata.items()) if name.startswith("headworks.")}


def _read_labels(path: Path, metadata: dict[str, str]) -> tuple[str, ...]:
    try:
        labels = json.loads(metadata["headworks.labels"])
    except (ValueError, RecursionError):
        labels = None
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        message = f"the metadata headworks.labels of {path} is not a JSON list of class names; {_REMEDY}"
        raise ModelError(message)
    if len(set(labels)) < len(labels):
        message = f"the metadata headworks.labels of {path} names a class twice; {_REMEDY}"
        raise ModelError(message)
    return tuple(labels)


def _read_image_shape(path: Path, session: Any) -> tuple[int, int, int]:  # noqa: ANN401 - onnxruntime ships no types
    inputs = [(tensor.name, tensor.type, tensor.shape) for tensor in session.get_inputs()]
    outputs = {tensor.name: tensor.type for tensor in session.get_outputs()}
    match inputs:
        case [(name, "tensor(uint8)", [batch, int(height), int(width), int(channels)])] if (
            name == INPUT and not isinstance(batch, int)
        ):
            if outputs.get(OUTPUT) == "tensor(float)":
                return height, width, channels
    message = (
        f"{path} takes {inputs} and gives {outputs}; a served model takes one input {INPUT!r}, tensor(uint8), "
        f"[batch, H, W, C] with a free batch, and gives {OUTPUT!r}, tensor(float); {_REMEDY}"
    )
    raise ModelError(message)


def _warm_up(path: Path, model: Model) -> None:
    """Predict once for one image and once for two, to find a graph of a fixed batch size."""
    try:
        for batch in (1, 2):
            model.predict(np.zeros((batch, *model.image_shape), np.uint8))
    except InferenceError as error:
        message = f"{path} fails on blank images: {error}; {_REMEDY}"
        raise ModelError(message) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
