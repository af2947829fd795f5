"""HTTP server for an exported model."""

from headgate_serving._app import create_app
from headgate_serving._config import ServingConfig
from headgate_serving._model import Model, load_model
from headgate_serving._server import serve

__all__ = ["Model", "ServingConfig", "create_app", "load_model", "serve"]
