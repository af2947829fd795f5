"""Metrics of the server, in the text format of Prometheus."""

from collections.abc import Callable
from typing import Final

from headworks_serving._model import Model
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Key in the scope of a request that its connection has answered; an answer of the application reaches nobody.
REFUSED: Final = "headworks_serving.refused"
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_ROWS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The metrics of one application, separate from others in the same process."""

    def __init__(self, model: Model, pending: Callable[[], float]) -> None:
        """Count for a model; `pending` returns the number of requests that wait for an answer."""
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._answers = Counter(
            "headworks_serving_answers", "Answers, by HTTP status.", ["status"], registry=self._registry
        )
        self._seconds = Histogram(
            "headworks_serving_infer_seconds",
            "Time from a request for predictions to its answer.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._rows = Histogram(
            "headworks_serving_infer_rows", "Images in one request.", buckets=_ROWS, registry=self._registry
        )
        Gauge("headworks_serving_pending", "Requests that wait for an answer.", registry=self._registry).set_function(
            pending
        )
        self._model = Info("headworks_serving_model", "The model that is served.", registry=self._registry)
        self.show_model(model)

    def show_model(self, model: Model) -> None:
        """Show another model as the one that is served."""
        digests = {name: model.metadata.get(f"headworks.{name}", "") for name in ("dataset_digest", "weights_digest")}
        self._model.info({"name": model.name, **digests})

    def observe_inference(self, rows: int, seconds: float) -> None:
        """Count one answered request for predictions."""
        self._rows.observe(rows)
        self._seconds.observe(seconds)

    def count_answer(self, status: int) -> None:
        """Count one answer."""
        self._answers.labels(int(status)).inc()

    async def answer(self, request: Request) -> Response:
        """Answer with all metrics, in the version of the text format that the client prefers."""
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(self._registry), headers={"Content-Type": content_type})

    def counting(self, app: ASGIApp) -> ASGIApp:
        """Return an application that counts the answers of another one by their status."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_counted(message: Message) -> None:
                if message["type"] == "http.response.start" and REFUSED not in scope:
                    self.count_answer(message["status"])
                await send(message)

            await app(scope, receive, send_counted)

        return counted
