"""Tiny models, servers in processes of their own, and datasets, for every test of the package."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from headworks_serving import load_model
from hypothesis import settings
from onnx import TensorProto, helper, numpy_helper

# How long one example takes says more about the machine than about the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

LABELS = ("zero", "one", "two \N{BLACK HEART SUIT}")
METADATA = {"headworks.labels": json.dumps(LABELS), "headworks.dataset_digest": "d1", "headworks.weights_digest": "w1"}


def build_model(
    path: Path,
    *,
    metadata: dict[str, str] | None = None,
    scale: float = 1 / 255,
    seed: int = 7,
    num_classes: int = 3,
    image: tuple[str, int, list[str | int]] = ("image", TensorProto.UINT8, ["batch", 4, 4, 1]),
    output: str = "probabilities",
    fault: str = "",
) -> Path:
    """Write a linear classifier; `fault` "gather" or "nan" makes it fail, or give no numbers, for a pixel of 255."""
    weights = np.random.default_rng(seed).normal(size=(16, num_classes)).astype(np.float32) * 4
    before = {
        "": [helper.make_node("Cast", ["in"], ["x"], to=TensorProto.FLOAT)],
        "gather": [
            helper.make_node("Cast", ["in"], ["index"], to=TensorProto.INT64),
            helper.make_node("Gather", ["table", "index"], ["x"]),
        ],
        "nan": [
            helper.make_node("Cast", ["in"], ["raw"], to=TensorProto.FLOAT),
            helper.make_node("Sub", ["limit", "raw"], ["rest"]),
            helper.make_node("Sqrt", ["rest"], ["x"]),
        ],
    }[fault]
    nodes = [
        helper.make_node("Identity", [image[0]], ["in"]),
        *before,
        helper.make_node("Mul", ["x", "scale"], ["scaled"]),
        helper.make_node("Flatten", ["scaled"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], [output], axis=1),
    ]
    constants = {
        "scale": np.float32(scale),
        "weights": weights,
        "table": np.arange(255, dtype=np.float32),
        "limit": np.float32(254),
    }
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info(*image)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", num_classes])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, METADATA if metadata is None else metadata)
    onnx.save(model, path)
    return path


def promote(store: Path, model: bytes, number: int = 1, file: str = "digits.onnx") -> Path:
    """Lay a model into a store as `headworks promote` does, and return where its file lies."""
    content = hashlib.sha256(model).hexdigest()
    blob = store / "blobs" / content[:2] / content[2:]
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(model)
    data = json.dumps({"content": content, "file": file, "action": "promote"}).encode()
    entry = store / "aliases" / "production" / f"{number:06}"
    entry.parent.mkdir(parents=True, exist_ok=True)
    entry.write_bytes(f"headworks 1 {hashlib.sha256(data).hexdigest()}\n".encode() + data)
    return blob


class Server:
    """A server in a process of its own, started as its users start it."""

    def __init__(self, model: Path, folder: Path, *options: str, python: tuple[str, ...] = (), home: str = "") -> None:
        """Start the process; its log goes to a file in the folder."""
        self._log = folder / f"server-{time.monotonic_ns()}.log"
        command = [sys.executable, *python, "-m", "headworks_serving", str(model), "--port", "0", *options]
        with self._log.open("wb") as log:
            environment = {**os.environ, **({"HOME": home, "XDG_CACHE_HOME": home} if home else {})}
            self.process = subprocess.Popen(command, stderr=log, env=environment)

    @property
    def log(self) -> str:
        """What the process has written so far."""
        return self._log.read_text("utf-8")

    def wait_for(self, pattern: str) -> str:
        """Return the first group of a pattern as soon as the log has a match."""
        for _ in range(1500):
            if found := re.search(pattern, self.log):
                return found[1]
            assert self.process.poll() is None, self.log
            time.sleep(0.02)
        pytest.fail(f"no {pattern} in the log: {self.log}")

    @property
    def url(self) -> str:
        """Where the server listens, once it is ready."""
        return self.wait_for(r"event=ready .*url=(\S+)")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture(scope="session")
def make_model() -> Callable[..., Path]:
    """Give the function that writes a model."""
    return build_model


@pytest.fixture(scope="session")
def promoted() -> Callable[..., Path]:
    """Give the function that lays a model into a store."""
    return promote


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a sound model."""
    return build_model(tmp_path_factory.mktemp("model") / "model.onnx")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Give the function that starts a server, and end what is left of those that it started."""
    servers: list[Server] = []

    def start_server(model: Path, *options: str, python: tuple[str, ...] = (), home: str = "") -> Server:
        servers.append(Server(model, tmp_path, *options, python=python, home=home))
        return servers[-1]

    yield start_server
    for server in servers:
        server.process.kill()
        server.process.wait()


@pytest.fixture(scope="session")
def server(model_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give a running server, shared by all tests that only ask it; none may have made it fail or end."""
    limits = ("--max-batch", "64", "--max-body", "20000")
    server = Server(model_path, tmp_path_factory.mktemp("server"), *limits)
    assert server.url
    yield server
    assert server.stop() == 0
    assert " ERROR " not in server.log


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[httpx.Client]:
    """Give a client of the shared server."""
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def images() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Give 100 images of noise, shape (100, 4, 4, 1)."""
    return np.random.default_rng(3).integers(0, 256, (100, 4, 4, 1), np.uint8)


@pytest.fixture
def evaluated(
    tmp_path: Path, model_path: Path, images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> tuple[Path, Path]:
    """Give a dataset folder and the predictions of the sound model for its test split, in another order."""
    ids = [f"{index:064x}" for index in range(len(images))]
    pixels = pa.FixedShapeTensorArray.from_numpy_ndarray(images)
    pq.write_table(pa.table({"id": ids, "image": pixels}), tmp_path / "test.parquet")
    (tmp_path / "dataset.json").write_text(json.dumps({"classes": LABELS}), "utf-8")
    probabilities = load_model(model_path).predict(images)[::-1]
    rows = pa.table(
        {
            "id": ids[::-1],
            "prediction": probabilities.argmax(axis=1),
            "probabilities": pa.FixedSizeListArray.from_arrays(probabilities.ravel(), 3),
        }
    )
    pq.write_table(rows, tmp_path / "predictions.parquet")
    return tmp_path, tmp_path / "predictions.parquet"


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """Let Ctrl-C reach the processes that tests start, also where a shell started the tests with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
