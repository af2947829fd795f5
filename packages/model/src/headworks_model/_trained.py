"""The result of a training: a folder with weights, their origin, and the log."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors
import safetensors.torch
import torch
from headworks_data import replace_files
from headworks_model import _files
from headworks_model._network import build_network
from headworks_model._settings import TrainConfig
from headworks_model._trial import try_network
from headworks_model.errors import ConfigError, TrainedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headworks_data import Dataset
    from headworks_model._state import Epoch, State
    from torch import nn

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained network and its origin."""

    network: nn.Module
    """The best weights, in inference mode; from uint8 [B, H, W, C] to logits, float32 [B, K]."""
    config: TrainConfig
    dataset_digest: str
    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    weights_digest: str
    """SHA-256 of `weights.safetensors`."""
    best_epoch: int
    epochs: int
    """Number of finished epochs."""
    torch: str
    """Version of torch in the training."""

    @property
    def origin(self) -> dict[str, object]:
        """All inputs of the weights, as plain values."""
        return {**self.config.to_dict(), "dataset_digest": self.dataset_digest, "torch": self.torch}

    def check_dataset(self, dataset: Dataset) -> None:
        """Raise TrainedError unless the network was trained on this dataset."""
        if dataset.digest != self.dataset_digest:
            message = (
                f"the network was trained on dataset {self.dataset_digest[:12]}, this is {dataset.digest[:12]}: "
                "rows of its test split may have been trained on. Train again on this dataset"
            )
            raise TrainedError(message)
        if dataset.classes != self.classes:
            message = (
                f"the classes of the network, {', '.join(self.classes)}, are not those of its dataset, "
                f"{', '.join(dataset.classes)}: its train.json was changed. Train again"
            )
            raise TrainedError(message)


def origin_of(dataset: Dataset, config: TrainConfig) -> dict[str, object]:
    """Return all inputs of the weights, as plain values that JSON preserves."""
    return {**config.to_dict(), "dataset_digest": dataset.digest, "torch": str(torch.__version__)}


def log_lines(history: Iterable[Epoch]) -> bytes:
    """Return one JSON object per epoch and line."""
    return "".join(json.dumps(dataclasses.asdict(epoch)) + "\n" for epoch in history).encode()


def save_trained(folder: Path, state: State, *, dataset: Dataset, config: TrainConfig) -> None:
    """Write `weights.safetensors`, `train.json` and `log.jsonl`, each whole or not at all."""
    weights = safetensors.torch.save(state.best)
    about = {
        "format": FORMAT,
        "config": config.to_dict(),
        "dataset_digest": dataset.digest,
        "classes": list(dataset.classes),
        "image_shape": list(dataset.image_shape),
        "weights_digest": hashlib.sha256(weights).hexdigest(),
        "best_epoch": state.best_epoch.epoch,
        "epochs": len(state.history),
        "validation_loss": state.best_epoch.validation_loss,
        "validation_accuracy": state.best_epoch.validation_accuracy,
        "torch": str(torch.__version__),
    }
    # The document goes last: by its digest a reader notices weights of another training.
    contents = {"log.jsonl": log_lines(state.history), "weights.safetensors": weights}
    replace_files(folder, {**contents, "train.json": _files.to_json(about)})


def load_trained(folder: str | Path) -> Trained:
    """Read a trained network.

    Args:
        folder: Folder of `train.json` and `weights.safetensors`.

    Raises:
        TrainedError: One of them is missing or damaged, or they do not belong together.
    """
    folder = Path(folder)
    if not (folder / "train.json").is_file():
        message = f"{folder} holds no finished training (there is no train.json): run `python -m headworks_model train`"
        raise TrainedError(message)
    try:
        about = json.loads((folder / "train.json").read_bytes())
        return _read_trained(about, (folder / "weights.safetensors").read_bytes())
    except (OSError, safetensors.SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        # A network that is no longer registered, or fails now, is not damage of the folder.
        if isinstance(error, ConfigError):
            raise
        reason = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else " ".join(str(error).split())
        message = f"{folder} is damaged ({reason}): train again"
        raise TrainedError(message) from error


def _read_trained(about: dict[str, Any], weights: bytes) -> Trained:
    """Build the network that a `train.json` describes, and load its weights."""
    if about["format"] != FORMAT:
        message = f"train.json is of format {about['format']}, this version reads {FORMAT}"
        raise ValueError(message)
    if hashlib.sha256(weights).hexdigest() != about["weights_digest"]:
        message = "weights.safetensors is not the file that train.json describes"
        raise ValueError(message)
    config = TrainConfig(**about["config"])
    height, width, channels = about["image_shape"]
    shape, num_classes = (height, width, channels), len(about["classes"])
    with torch.random.fork_rng(devices=[]):  # the drawn first weights are replaced
        network = build_network(config, image_shape=shape, num_classes=num_classes)
    network.load_state_dict(safetensors.torch.load(weights))
    try_network(network, config.network, shape, num_classes, trains=False)
    network.eval()
    return Trained(
        network=network,
        config=config,
        dataset_digest=about["dataset_digest"],
        classes=tuple(about["classes"]),
        image_shape=shape,
        weights_digest=about["weights_digest"],
        best_epoch=about["best_epoch"],
        epochs=about["epochs"],
        torch=about["torch"],
    )
