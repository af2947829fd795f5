"""HTTP server for an exported model."""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from headworks_serving._app import create_app
    from headworks_serving._config import ServingConfig
    from headworks_serving._model import Model, load_model
    from headworks_serving._server import serve

__all__ = ["Model", "ServingConfig", "create_app", "load_model", "serve"]

_MODULES: Final = {
    "Model": "_model",
    "ServingConfig": "_config",
    "create_app": "_app",
    "load_model": "_model",
    "serve": "_server",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that a command handles signals before it imports everything."""
    if name not in _MODULES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
