"""Network, training, evaluation, cross-fitting and export.

Names are imported when they are first used, so that torch is not loaded before it is needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headworks_model._crossfit import crossfit
    from headworks_model._evaluate import evaluate, shortfalls
    from headworks_model._export import export
    from headworks_model._network import ConvNet, NetworkFactory, Probabilities, build_network
    from headworks_model._progress import FoldProgress, Progress
    from headworks_model._runtime import predict
    from headworks_model._settings import Floors, TrainConfig, load_config, load_floors
    from headworks_model._state import Epoch
    from headworks_model._trained import Trained, load_trained
    from headworks_model._training import train

__all__ = [
    "ConvNet",
    "Epoch",
    "Floors",
    "FoldProgress",
    "NetworkFactory",
    "Probabilities",
    "Progress",
    "TrainConfig",
    "Trained",
    "build_network",
    "crossfit",
    "evaluate",
    "export",
    "load_config",
    "load_floors",
    "load_trained",
    "predict",
    "shortfalls",
    "train",
]

_NAMES = {
    "_crossfit": ("crossfit",),
    "_evaluate": ("evaluate", "shortfalls"),
    "_export": ("export",),
    "_network": ("ConvNet", "NetworkFactory", "Probabilities", "build_network"),
    "_progress": ("FoldProgress", "Progress"),
    "_runtime": ("predict",),
    "_settings": ("Floors", "TrainConfig", "load_config", "load_floors"),
    "_state": ("Epoch",),
    "_trained": ("Trained", "load_trained"),
    "_training": ("train",),
}
_HOME = {name: home for home, names in _NAMES.items() for name in names}

if not TYPE_CHECKING:  # pragma: no branch - type checkers know the names from above and find wrong ones

    def __getattr__(name: str) -> object:
        """Import a public name from the module that defines it (PEP 562)."""
        if name not in _HOME:
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """Return all public names, imported already or not."""
    return sorted({*globals(), *__all__})
