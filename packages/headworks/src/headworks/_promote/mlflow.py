"""MLflow's model registry, through the documented REST API of its server.

Its client `mlflow-skinny` would bring tens of packages, a web framework among them, report its use to its makers, and
retry for minutes where nothing listens. The price of these lines is that the server has to hand out files itself, as it
does by default.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from operator import itemgetter
from typing import IO, TYPE_CHECKING, Any, NoReturn, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from headworks._quantities import few
from headworks._store.files import copy_hashed
from headworks.errors import CannotDecideError, HeadworksError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")

CONTENT = "headworks.sha256"
_EXPERIMENT = "headworks"  # of the runs that own the files
_FILES = "mlflow-artifacts/artifacts"
_PRESENT = "RESOURCE_ALREADY_EXISTS"
_TIMEOUT = 120  # seconds for an answer, as MLflow's own client waits
_WORDS = 300  # letters of an error


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version of a registered model.

    Attributes:
        model: The name of the model.
        number: Its number.
        source: The address of the folder with its files, which never changes.
        tags: Its tags.
    """

    model: str
    number: str
    source: str
    tags: Mapping[str, str]


class _RefusedError(UsageError):
    """The server refused a request, for a reason that has a code."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class Registry:
    """The registry of a server.

    Every method that asks it raises UsageError where it refuses, as for an unknown model, and CannotDecideError where
    it cannot be reached or understood.
    """

    def __init__(self, address: str) -> None:
        """Take the address of a server, and ask nothing yet.

        Raises:
            UsageError: It is no such address.
        """
        if urlsplit(address).scheme not in {"http", "https"}:
            message = (
                f"{address!r} is not the address of an MLflow server. Name one by MLFLOW_TRACKING_URI or"
                " --tracking-uri, as in http://127.0.0.1:5000."
            )
            raise UsageError(message)
        self._address = address.rstrip("/")

    def version(self, reference: str) -> Version:
        """Return the version that `NAME@ALIAS` or `NAME/NUMBER` names."""
        name, _, alias = reference.rpartition("@")
        path, fields = "mlflow/registered-models/alias", {"name": name, "alias": alias}
        if not name:
            name, _, number = reference.rpartition("/")
            path, fields = "mlflow/model-versions/get", {"name": name, "version": number}
        if not all(fields.values()):
            message = f"{reference!r} names no version: write NAME@ALIAS or NAME/NUMBER, as in digits@production."
            raise UsageError(message)
        return self._ask("GET", path, fields, lambda it: _version(it["model_version"]))

    def publish(self, file: Path, name: str, content: str, file_name: str) -> tuple[Version, bool]:
        """Return the version of a model whose file has a SHA-256, and whether it was made now."""
        query = {"filter": f"tags.`{CONTENT}` = '{content}'", "max_results": 1000}
        tagged = self._ask(
            "GET", "mlflow/model-versions/search", query, lambda it: [*map(_version, it.get("model_versions", ()))]
        )
        for it in tagged:
            if it.model == name and it.source.endswith(f"/{content}"):  # tags can be changed, a source cannot
                return it, False
        with _allowing(_PRESENT):
            self._ask("POST", "mlflow/registered-models/create", {"name": name}, dict)
        with _allowing(_PRESENT):
            self._ask("POST", "mlflow/experiments/create", {"name": _EXPERIMENT}, dict)
        known = {"experiment_name": _EXPERIMENT}
        experiment = self._ask(
            "GET", "mlflow/experiments/get-by-name", known, lambda it: it["experiment"]["experiment_id"]
        )
        # MLflow takes a source only where a run owns it.
        started = {"experiment_id": experiment, "run_name": f"{name} {content[:12]}", "start_time": _milliseconds()}
        run, root = self._ask(
            "POST", "mlflow/runs/create", started, lambda it: itemgetter("run_id", "artifact_uri")(it["run"]["info"])
        )
        source = f"{root}/{content}"
        with file.open("rb") as data:
            size = {"Content-Length": str(os.fstat(data.fileno()).st_size)}
            with self._answer("PUT", f"{_FILES}/{quote(_folder(source))}/{quote(file_name)}", data, size):
                pass
        self._ask(
            "POST", "mlflow/runs/update", {"run_id": run, "status": "FINISHED", "end_time": _milliseconds()}, dict
        )
        fields = {"name": name, "source": source, "run_id": run, "tags": [{"key": CONTENT, "value": content}]}
        return self._ask("POST", "mlflow/model-versions/create", fields, lambda it: _version(it["model_version"])), True

    def tag(self, version: Version, tags: Mapping[str, str]) -> None:
        """Set tags of a version."""
        for key, value in tags.items():
            fields = {"name": version.model, "version": version.number, "key": key, "value": value}
            self._ask("POST", "mlflow/model-versions/set-tag", fields, dict)

    def move(self, alias: str, to: Version) -> tuple[str, str]:
        """Move an alias to a version.

        Returns:
            The number of the version that it was before, and of the one that this method had moved it to last; each is
            empty where there is none.
        """
        name, key = {"name": to.model}, f"headworks.alias.{alias}"
        before, moved = self._ask(
            "GET",
            "mlflow/registered-models/get",
            name,
            lambda it: (
                _pairs(it["registered_model"], "aliases", "alias", "version"),
                _pairs(it["registered_model"], "tags", "key", "value"),
            ),
        )
        self._ask("POST", "mlflow/registered-models/alias", name | {"alias": alias, "version": to.number}, dict)
        self._ask("POST", "mlflow/registered-models/set-tag", name | {"key": key, "value": to.number}, dict)
        return before.get(alias, ""), moved.get(key, "")

    def fetch(self, version: Version, suffix: str, target: Path) -> str:
        """Write the file of a version, or of several the only one with a suffix, and return its SHA-256."""
        fields = {"name": version.model, "version": version.number}
        source = self._ask("GET", "mlflow/model-versions/get-download-uri", fields, lambda it: str(it["artifact_uri"]))
        folder = _folder(source)
        sizes = self._ask("GET", _FILES, {"path": folder}, _sizes)
        chosen = list(sizes) if len(sizes) == 1 else [it for it in sizes if it.endswith(suffix)]
        if len(chosen) != 1:
            message = (
                f"Version {version.number} of {version.model} has the files {few(list(sizes))}: name --output such that"
                " exactly one of them ends alike."
            )
            raise UsageError(message)
        with self._answer("GET", f"{_FILES}/{quote(folder)}/{quote(chosen[0])}") as answer:
            content, size = copy_hashed(answer, target)
        if size != sizes[chosen[0]]:
            self._puzzle(f"{size} of {sizes[chosen[0]]} bytes of {chosen[0]}")
        return content

    def _ask(self, method: str, path: str, fields: Mapping[str, object], read: Callable[[Any], T]) -> T:
        """Return a part of the server's answer to a request."""
        query, data = (f"?{urlencode(fields)}", None) if method == "GET" else ("", json.dumps(fields).encode())
        with self._answer(method, path + query, data, {"Content-Type": "application/json"}) as answer:
            text = answer.read()
        try:
            return read(json.loads(text))
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            self._puzzle(f"{text[:_WORDS].decode(errors='replace')!r} to {path}")

    def _puzzle(self, answer: str) -> NoReturn:
        message = f"The MLflow server {self._address} answered {answer}. See that it is one, and try again."
        raise CannotDecideError(message) from None

    @contextlib.contextmanager
    def _answer(
        self, method: str, path: str, data: bytes | IO[bytes] | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[IO[bytes]]:
        url = f"{self._address}/api/2.0/{path}"
        request = urllib.request.Request(url, data, dict(headers or {}), method=method)  # noqa: S310 - checked above
        if login := _login():
            request.add_unredirected_header("Authorization", login)
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310 - the same
                yield answer
        except urllib.error.HTTPError as error:
            raise self._refusal(error) from None
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            message = (
                f"The MLflow server {self._address} cannot be reached: {getattr(error, 'reason', error)}. Start it or"
                " name another one by --tracking-uri, and try again: nothing is made twice."
            )
            raise CannotDecideError(message) from None

    def _refusal(self, error: urllib.error.HTTPError) -> HeadworksError:
        """Return the error for an answer that is one."""
        try:
            said = json.load(error)
            code, words = str(said["error_code"]), str(said["message"])
        except (KeyError, TypeError, ValueError):
            code, words = "", error.reason
        message = f"The MLflow server {self._address} refused: {words[:_WORDS].rstrip('.')}."
        if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return CannotDecideError(f"{message} Look into its log, and try again.")
        if error.code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            advice = "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN."
        else:
            advice = f"See {self._address}/#/models."
        return _RefusedError(f"{message} {advice}", code)


def _login() -> str:
    """Return the header that MLflow's client would send, by the same variables."""
    name, password, token = (os.environ.get(f"MLFLOW_TRACKING_{it}", "") for it in ("USERNAME", "PASSWORD", "TOKEN"))
    if name and password:
        return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"
    return f"Bearer {token}" if token else ""


def _folder(source: str) -> str:
    """Return the path below which the server hands out files."""
    place = urlsplit(source)
    if place.scheme != "mlflow-artifacts":
        message = (
            f"The files lie at {source}, where MLflow's server does not hand them out itself: start it with"
            " --serve-artifacts and --artifacts-destination, or download them by `mlflow artifacts download`."
        )
        raise UsageError(message)
    return place.path.strip("/")


@contextlib.contextmanager
def _allowing(code: str) -> Iterator[None]:
    """Let the server refuse for one reason."""
    try:
        yield
    except _RefusedError as error:
        if error.code != code:
            raise


def _version(values: Any) -> Version:  # noqa: ANN401  # whatever JSON can hold
    return Version(
        model=str(values["name"]),
        number=str(values["version"]),
        source=str(values["source"]),
        tags=_pairs(values, "tags", "key", "value"),
    )


def _pairs(values: Any, rows: str, key: str, value: str) -> dict[str, str]:  # noqa: ANN401  # the same
    return {str(row[key]): str(row.get(value, "")) for row in values.get(rows, ())}


def _sizes(values: Any) -> dict[str, int]:  # noqa: ANN401  # the same
    rows = [row for row in values.get("files", ()) if not row.get("is_dir")]
    return {str(row["path"]): int(row.get("file_size", 0)) for row in rows}


def _milliseconds() -> int:
    return int(time.time() * 1000)
