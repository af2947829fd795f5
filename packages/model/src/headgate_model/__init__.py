"""Network, training, evaluation and export."""

from __future__ import annotations

from headgate_model._config import TrainConfig, load_config
from headgate_model._evaluate import Floors, evaluate, load_floors, shortfalls
from headgate_model._export import export
from headgate_model._network import ConvNet, NetworkFactory, Probabilities, build_network
from headgate_model._progress import Progress
from headgate_model._runtime import predict
from headgate_model._state import Epoch
from headgate_model._trained import Trained, load_trained
from headgate_model._training import train

__all__ = [
    "ConvNet",
    "Epoch",
    "Floors",
    "NetworkFactory",
    "Probabilities",
    "Progress",
    "TrainConfig",
    "Trained",
    "build_network",
    "evaluate",
    "export",
    "load_config",
    "load_floors",
    "load_trained",
    "predict",
    "shortfalls",
    "train",
]
