"""Network, training, evaluation, cross-fitting and export.

Names are imported when they are first used, so that nothing of torch is loaded before it is needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headworks_model._config import TrainConfig, load_config
    from headworks_model._crossfit import crossfit
    from headworks_model._evaluate import Floors, evaluate, load_floors, shortfalls
    from headworks_model._export import export
    from headworks_model._network import ConvNet, NetworkFactory, Probabilities, build_network
    from headworks_model._progress import FoldProgress, Progress
    from headworks_model._runtime import predict
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
    "_config": ("TrainConfig", "load_config"),
    "_crossfit": ("crossfit",),
    "_evaluate": ("Floors", "evaluate", "load_floors", "shortfalls"),
    "_export": ("export",),
    "_network": ("ConvNet", "NetworkFactory", "Probabilities", "build_network"),
    "_progress": ("FoldProgress", "Progress"),
    "_runtime": ("predict",),
    "_state": ("Epoch",),
    "_trained": ("Trained", "load_trained"),
    "_training": ("train",),
}
_HOME = {name: home for home, names in _NAMES.items() for name in names}

if not TYPE_CHECKING:  # pragma: no branch - for type checkers, which know the names from above and find wrong ones

    def __getattr__(name: str) -> object:
        """Import a public name from the module that defines it, as PEP 562 provides."""
        if name not in _HOME:
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """Return all public names, imported already or not."""
    return sorted({*globals(), *__all__})
