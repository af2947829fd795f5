"""The command line of the server."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import headworks_serving
from headworks_serving._config import ServingConfig
from headworks_serving._log import start_logging
from headworks_serving._signals import ending_on_signals
from headworks_serving.errors import ServingError


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a model until SIGTERM or SIGINT, and return the exit code: 0, or 2 for a wrong model or setting."""
    options = vars(_parser().parse_args(arguments))
    start_logging()
    try:
        with ending_on_signals() as stop:
            serve = headworks_serving.serve  # This imports all modules of a server, which takes a while.
            if not stop.is_set():
                serve(options.pop("model"), ServingConfig(**options))
    except ServingError as error:
        sys.stderr.write(f"headworks_serving: error: {error}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m headworks_serving",
        description="Serve an exported model over HTTP (Open Inference Protocol V2).",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    default = ServingConfig()
    add = parser.add_argument
    add("model", help="the ONNX file, or alias:NAME or alias:NAME@sha256:DIGEST in the store HEADWORKS_STORE")
    add("--follow", action="store_true", help="take up a model that the alias is moved to, without a restart")
    key = os.environ.get("HEADWORKS_PUBLIC_KEY")
    add("--public-key", type=Path, default=key or None, help="PEM file of the key that models have to be signed with")
    add("--host", default=default.host, help="name or address to listen on")
    add("--port", type=int, default=default.port, help="port to listen on; 0 takes a free one and logs it")
    add("--max-batch", type=int, default=default.max_batch, help="most images in one request")
    add("--max-body", type=int, default=default.max_body, help="most bytes in the body of one request")
    add("--max-head", type=int, default=default.max_head, help="most bytes in the head of one request")
    add("--max-pending", type=int, default=default.max_pending, help="most requests waiting for an answer")
    add("--max-connections", type=int, default=default.max_connections, help="most connections; others wait")
    add("--head-seconds", type=float, default=default.head_seconds, help="seconds in which a head must arrive")
    add("--body-seconds", type=float, default=default.body_seconds, help="seconds in which a body must arrive")
    add(
        "--answer-seconds",
        type=float,
        default=default.answer_seconds,
        help="seconds in which an answer must arrive",
    )
    add("--idle-seconds", type=float, default=default.idle_seconds, help="seconds to keep a silent connection open")
    add("--drain-seconds", type=float, default=default.drain_seconds, help="seconds that clients get at a stop")
    add("--workers", type=int, default=default.workers, help="inferences that run at a time")
    add("--threads", type=int, default=default.threads, help="threads of one inference")
    return parser
