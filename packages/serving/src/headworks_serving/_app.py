"""The ASGI application: the layers around every answer, and the answers to errors; `_api` has the endpoints."""

import logging
from http import HTTPStatus
from typing import Final

from headworks_serving._api import Api, reply
from headworks_serving._coding import CODINGS, Compression
from headworks_serving._config import ServingConfig
from headworks_serving._log import LOGGER, line
from headworks_serving._metrics import REFUSED
from headworks_serving._model import Model
from headworks_serving.errors import EncodingError, InferenceError, RequestError, SlowBodyError
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ERRORS: Final = (HTTPException, RequestError, InferenceError, ClientDisconnect, Exception)


def create_app(model: Model, config: ServingConfig | None = None) -> Starlette:
    """Return the application that serves a model.

    Args:
        model: A loaded model.
        config: Limits of requests and inferences.

    Returns:
        An ASGI application. While its `state.draining` is true, it answers that it is not ready, and each answer asks
        the client to close the connection. `state.replace_model` is a function that takes another model.
    """
    api = Api(model, config or ServingConfig())
    app = _Application(api)
    app.router.redirect_slashes = False  # A redirect would be an answer that is not part of the protocol.
    app.state.draining = False
    app.state.count_answer = api.metrics.count_answer
    app.state.replace_model = api.replace_model
    return app


class _Application(Starlette):
    """Starlette with layers for every answer, also around Starlette's outermost one, which answers a defect."""

    def __init__(self, api: Api) -> None:
        super().__init__(routes=api.routes(), exception_handlers=dict.fromkeys(_ERRORS, _answer_error))
        self._api = api

    def build_middleware_stack(self) -> ASGIApp:
        answers = Compression(super().build_middleware_stack(), self._api.pool)
        return self._api.metrics.counting(_CloseWhileDraining(answers))


class _CloseWhileDraining:
    """Asks clients to close their connection with each answer once the server stops."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_closing(message: Message) -> None:
            if message["type"] == "http.response.start" and scope["app"].state.draining:
                MutableHeaders(raw=message["headers"])["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, send_closing)


async def _answer_error(request: Request, error: Exception) -> Response:
    """Return the answer to a failed request, always of the form `{"error": "..."}`, and log it."""
    path, headers = request.scope["path"][:100], {}
    match error:
        case HTTPException(status_code=HTTPStatus.METHOD_NOT_ALLOWED):
            allowed = sorted((error.headers or {}).get("Allow", "").split(", "))
            headers = {"Allow": ", ".join(allowed)}
            status, text = error.status_code, f"{request.method} is not allowed for {path}; use {' or '.join(allowed)}"
        case HTTPException():
            status, text = error.status_code, f"there is nothing at {path}; the Open Inference Protocol starts at /v2"
        case RequestError() | InferenceError():
            status, text = error.status, str(error)
            if isinstance(error, SlowBodyError):
                headers = {"Connection": "close"}  # The rest of the body must not keep the connection busy.
            if isinstance(error, EncodingError):
                headers = {"Accept-Encoding": CODINGS}
        case ClientDisconnect():
            status, text = HTTPStatus.BAD_REQUEST, "the client went away before its request was complete"
        case _:
            status, text = HTTPStatus.INTERNAL_SERVER_ERROR, "the server has a defect; its log says more"
    level = logging.ERROR if status == HTTPStatus.INTERNAL_SERVER_ERROR else logging.WARNING
    if REFUSED not in request.scope:
        LOGGER.log(level, line("refused", status=int(status), method=request.method, path=path, error=text))
    return reply({"error": text}, status, headers)
