"""Promoted models reach MLflow's registry, and candidates come from it, whatever its server answers.

The server here speaks the part of the API that is used, and can be told to answer anything; `tests/registry` runs the
same commands against MLflow's own.
"""

from __future__ import annotations

import hashlib
import http.server
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from headworks import _cli
from headworks._gate.outcomes import terms
from headworks._project.gate_table import project_settings
from headworks._promote.alias import Move, move, moves
from headworks._store.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import Scratch, Serving, Stage

FILES = "mlflow-artifacts/artifacts"


class Server(http.server.ThreadingHTTPServer):
    """A registry in memory, with its experiments, runs and files."""

    def __init__(self) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.answers: dict[str, tuple[int, bytes]] = {}  # by path, in place of the right ones
        self.experiments: list[str] = []
        self.runs: list[str] = []
        self.files: dict[str, bytes] = {}
        self.models: dict[str, dict[str, dict[str, str]]] = {}
        self.versions: list[dict[str, Any]] = []
        self.logins: set[str | None] = set()

    def register(self, name: str, source: str, tags: dict[str, str]) -> dict[str, Any]:
        """Make a version."""
        self.models.setdefault(name, {"aliases": {}, "tags": {}})
        number = sum(it["name"] == name for it in self.versions) + 1
        self.versions.append({"name": name, "version": str(number), "source": source, "tags": tags})
        return self.versions[-1]

    def version(self, name: str, number: str) -> dict[str, Any]:
        """Return a version; KeyError if there is none."""
        known = {(it["name"], it["version"]): it for it in self.versions}
        return known[name, number]


class Handler(http.server.BaseHTTPRequestHandler):
    """One request to such a server."""

    server: Server

    def do_GET(self) -> None:
        """Answer."""
        url = urlsplit(self.path)
        path = url.path.removeprefix("/api/2.0/")
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.logins.add(self.headers.get("Authorization"))
        if path in self.server.answers:
            self._reply(*self.server.answers[path])
        elif path.startswith(f"{FILES}/"):
            name = unquote(path.removeprefix(f"{FILES}/"))
            if self.command == "PUT":
                self.server.files[name] = data
            self._reply(200, b"" if data else self.server.files[name])
        else:
            query = {key: values[0] for key, values in parse_qs(url.query).items()} or json.loads(data)
            try:
                status, body = 200, getattr(self, f"_{path}".translate(str.maketrans("/-", "__")))(**query)
            except KeyError as error:
                status, body = 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"{error} not found."}
            except FileExistsError:
                status, body = 400, {"error_code": "RESOURCE_ALREADY_EXISTS", "message": "It exists"}
            self._reply(status, json.dumps(body or {}).encode())

    do_POST = do_PUT = do_GET  # noqa: N815  # the names that http.server wants

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def _mlflow_artifacts_artifacts(self, path: str) -> object:
        sizes = {
            it.rpartition("/")[2]: len(data) for it, data in self.server.files.items() if it.startswith(f"{path}/")
        }
        folder = {"path": "folder", "is_dir": True}
        return {"files": [{"path": it, "is_dir": False, "file_size": size} for it, size in sizes.items()] + [folder]}

    def _mlflow_experiments_create(self, name: str) -> None:
        if name in self.server.experiments:
            raise FileExistsError
        self.server.experiments.append(name)

    def _mlflow_experiments_get_by_name(self, experiment_name: str) -> object:
        return {"experiment": {"experiment_id": str(self.server.experiments.index(experiment_name))}}

    def _mlflow_runs_create(self, experiment_id: str, **_values: object) -> object:
        self.server.runs.append("RUNNING")
        run = str(len(self.server.runs))
        root = f"mlflow-artifacts:/{experiment_id}/{run}/artifacts"
        return {"run": {"info": {"run_id": run, "artifact_uri": root}}}

    def _mlflow_runs_update(self, run_id: str, status: str, **_values: object) -> None:
        self.server.runs[int(run_id) - 1] = status

    def _mlflow_registered_models_create(self, name: str) -> None:
        if name in self.server.models:
            raise FileExistsError
        self.server.models[name] = {"aliases": {}, "tags": {}}

    def _mlflow_registered_models_get(self, name: str) -> object:
        model = self.server.models[name]
        aliases = [{"alias": alias, "version": version} for alias, version in model["aliases"].items()]
        return {"registered_model": {"name": name, "aliases": aliases, "tags": rows(model["tags"])}}

    def _mlflow_registered_models_set_tag(self, name: str, key: str, value: str) -> None:
        self.server.models[name]["tags"][key] = value

    def _mlflow_registered_models_alias(self, name: str, alias: str, version: str = "") -> object:
        aliases = self.server.models[name]["aliases"]
        if version:
            aliases[alias] = version
        return self._mlflow_model_versions_get(name, aliases[alias])

    def _mlflow_model_versions_get(self, name: str, version: str) -> object:
        known = self.server.version(name, version)
        return {"model_version": known | {"tags": rows(known["tags"])}}

    def _mlflow_model_versions_get_download_uri(self, name: str, version: str) -> object:
        return {"artifact_uri": self.server.version(name, version)["source"]}

    def _mlflow_model_versions_create(
        self, name: str, source: str, tags: list[dict[str, str]], **_values: object
    ) -> object:
        made = self.server.register(name, source, {it["key"]: it["value"] for it in tags})
        return self._mlflow_model_versions_get(name, made["version"])

    def _mlflow_model_versions_set_tag(self, name: str, version: str, key: str, value: str) -> None:
        self.server.version(name, version)["tags"][key] = value

    def _mlflow_model_versions_search(self, filter: str, max_results: str) -> object:  # noqa: A002  # its name in the API
        _, key, _, content, _ = filter.replace("'", "`").split("`")
        same = [it for it in self.server.versions if it["tags"].get(key) == content][: int(max_results)]
        return {"model_versions": [it | {"tags": rows(it["tags"])} for it in same]} if same else {}


def rows(values: dict[str, str]) -> list[dict[str, str]]:
    """Return tags as the API has them."""
    return [{"key": key, "value": value} for key, value in values.items()]


def sha256(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, serving: Serving) -> Iterator[Server]:
    """Return a registry that the environment names."""
    for name in ("USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    listening = Server()
    with serving(listening) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{address}/")
        yield listening


@pytest.fixture
def promote(scratch: Scratch, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Return a function that promotes a model to production, in whose repository this process is."""
    scratch.commit({"pyproject.toml": '[tool.headworks.gate]\npromote = { production = ["gate"] }\n'})
    monkeypatch.chdir(scratch.root)

    def promoted(text: str) -> str:
        content = stage.store.blobs.put_bytes(text.encode())
        when = "2026-02-01T00:00:00+00:00"
        entry = {"outcome": "passes", "when": when, "terms": terms(project_settings())}
        Journal(stage.store.root, "gates", content).note(entry)
        digest = stage.record("serve-check", commit="c0ffee", digest=sha256(f"check of {text}")).digest
        evidence = [{"check": "gate", "state": "passed", "when": when, "note": "base 1"}]
        evidence += [{"check": "serve-check", "state": "passed", "when": when, "digest": digest}]
        of = {"alias": "production", "file": "model one.onnx", "action": "promote", "by": "me", "when": when}
        to = Move(content=content, evidence=tuple(evidence), **of)
        move(stage.store, to, moves(stage.store, to.alias))
        return content

    return promoted


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return a function that runs a command and returns what it writes."""

    def run(*arguments: str, code: int = 0) -> str:
        exit_code = _cli.main(["mlflow", *arguments])
        output = capsys.readouterr()
        assert exit_code == code, output
        return output.out + output.err

    return run


PUSH = ("push", "production", "--name", "digits")


def test_a_promoted_model_becomes_a_version(
    server: Server, promote: Callable[[str], str], call: Callable[..., str]
) -> None:
    """With exactly its file, tags that say why, and the alias; a second push makes nothing."""
    content = promote("one")
    assert call(*PUSH) == f"digits@production is version 1 (new): {content[:12]} (model one.onnx)\n"
    assert call(*PUSH) == f"digits@production is version 1 (which was there): {content[:12]} (model one.onnx)\n"
    (version,) = server.versions
    assert version["source"] == f"mlflow-artifacts:/0/1/artifacts/{content}"
    assert server.files == {f"0/1/artifacts/{content}/model one.onnx": b"one"}
    evidence = [{"check": it, "state": "passed", "when": "2026-02-01T00:00:00+00:00"} for it in ("gate", "serve-check")]
    assert json.loads(version["tags"].pop("headworks.evidence")) == evidence
    assert version["tags"] == {
        "headworks.sha256": content,
        "headworks.commit": "c0ffee",
        "headworks.promoted": "2026-02-01T00:00:00+00:00",
    }
    assert server.models["digits"]["aliases"] == {"production": "1"}
    assert server.runs == ["FINISHED"]


def test_each_model_becomes_one_version(
    server: Server, promote: Callable[[str], str], call: Callable[..., str]
) -> None:
    """Neither that of another name is taken for it, nor one whose tag somebody copied."""
    promote("one")
    call(*PUSH)
    content = promote("two")
    server.register("digits", "mlflow-artifacts:/elsewhere", {"headworks.sha256": content})
    assert "is version 3 (new)" in call(*PUSH)
    assert "letters@production is version 1 (new)" in call("push", "production", "--name", "letters")
    assert server.experiments == ["headworks"]


def test_an_alias_that_somebody_else_moved_is_reported(
    server: Server, promote: Callable[[str], str], call: Callable[..., str]
) -> None:
    """It is moved all the same; where it was moved to the same version, there is nothing to report."""
    server.register("digits", "mlflow-artifacts:/elsewhere", {})
    aliases = server.models["digits"]["aliases"]
    aliases["production"] = "1"
    promote("one")
    warning = "headworks: warning: somebody else moved digits@production in MLflow: it was"
    assert f"{warning} version 1, and the last push had left no version. Now it is version 2.\n" in call(*PUSH)
    del aliases["production"]
    assert f"{warning} no version, and the last push had left version 2. Now it is version 2.\n" in call(*PUSH)
    promote("two")
    server.models["digits"]["tags"].clear()
    server.register("digits", f"mlflow-artifacts:/x/{sha256('two')}", {"headworks.sha256": sha256("two")})
    aliases["production"] = "3"
    assert "warning" not in call(*PUSH)


def test_a_version_is_downloaded_as_a_candidate(
    server: Server, promote: Callable[[str], str], call: Callable[..., str], tmp_path: Path
) -> None:
    """By alias or number, where the promotion takes it; by an alias that is no other here, `--to` names one."""
    content = promote("one")
    call(*PUSH)
    output = tmp_path / "new/a b.onnx"
    assert call("pull", "models:/digits@production", "--output", str(output)) == (
        f"{output} is version 1 of digits, {content[:12]}\n"
        f"It may be promoted to production (gate passed): `headworks promote '{output}' --to production`\n"
    )
    assert [it.read_text() for it in output.parent.iterdir()] == ["one"]
    server.models["digits"]["aliases"]["champion"] = "1"
    for reference in ("digits/1", "digits@champion"):
        call("pull", reference, "--output", str(output), "--to", "production")
    said = call("pull", "digits@champion", "--output", str(output), code=2)
    assert "does not say what 'champion' needs" in said
    said = call("pull", "digits/1", "--output", str(output), code=2)
    assert "Say by --to which alias digits/1 is a candidate for" in said


def test_a_model_without_evidence_is_no_candidate_yet(
    server: Server, promote: Callable[[str], str], call: Callable[..., str], tmp_path: Path
) -> None:
    """Whoever made the version, its file is there to be tested, and that is said."""
    promote("one")
    server.register("digits", "mlflow-artifacts:/3/model", {})
    server.files |= {"3/model/model.onnx": b"other", "3/model/MLmodel": b"flavors"}
    server.models["digits"]["aliases"]["production"] = "1"
    said = call("pull", "digits@production", "--output", str(tmp_path / "it.onnx"), code=1)
    assert f"it.onnx is version 1 of digits, {sha256('other')[:12]}, without the tag headworks.sha256\n" in said
    assert "is not promoted to production: gate has not run for exactly this file. Run `headworks gate`." in said
    assert (tmp_path / "it.onnx").read_text() == "other"
    said = call("pull", "digits@production", "--output", str(tmp_path / "it"), code=2)
    assert "has the files model.onnx, MLmodel: name --output such that exactly one of them ends alike." in said


def test_a_file_that_is_not_what_its_tag_says_is_not_written(
    server: Server, promote: Callable[[str], str], call: Callable[..., str], tmp_path: Path
) -> None:
    """It is a failure, and what was there stays."""
    content = promote("one")
    call(*PUSH)
    server.files[f"0/1/artifacts/{content}/model one.onnx"] = b"forged"
    (tmp_path / "it").write_text("before")
    said = call("pull", "digits@production", "--output", str(tmp_path / "it"), code=1)
    assert f"is {sha256('forged')[:12]}, and its tag headworks.sha256 says {content[:12]}" in said
    assert (tmp_path / "it").read_text() == "before"


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("digits", "'digits' names no version: write NAME@ALIAS or NAME/NUMBER"),
        ("digits@", "names no version"),
        ("/1", "names no version"),
        ("digits@other", "refused: 'other' not found. See"),
        ("letters@production", "refused: 'letters' not found. See"),
        ("digits/7", "not found. See"),
        ("digits/2", "The files lie at s3://bucket/model, where MLflow's server does not hand them out itself"),
    ],
)
def test_what_is_not_there_is_named(
    server: Server,
    promote: Callable[[str], str],
    call: Callable[..., str],
    tmp_path: Path,
    reference: str,
    words: str,
) -> None:
    """In one line, as a mistake of the call."""
    promote("one")
    call(*PUSH)
    server.register("digits", "s3://bucket/model", {})
    said = call("pull", reference, "--output", str(tmp_path / "it"), "--to", "production", code=2)
    assert words in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("address", ["", "databricks", "sqlite:///mlflow.db"])
def test_what_is_no_server_is_refused(promote: Callable[[str], str], call: Callable[..., str], address: str) -> None:
    """Before anything is asked."""
    promote("one")
    assert "is not the address of an MLflow server. Name one by" in call(*PUSH, "--tracking-uri", address, code=2)


@pytest.mark.parametrize(
    ("path", "status", "body", "code", "words"),
    [
        (
            "mlflow/registered-models/create",
            401,
            b"<p>Log in</p>",
            2,
            "refused: Unauthorized. Set MLFLOW_TRACKING_USER",
        ),
        ("mlflow/experiments/create", 400, b'{"error_code": "X", "message": "no"}', 2, "refused: no. See http://"),
        (
            f"{FILES}/0/1/artifacts/{sha256('one')}/model%20one.onnx",
            503,
            b"[]",
            3,
            "refused: Service Unavailable. Look",
        ),
        ("mlflow/runs/create", 200, b"<html>", 3, "answered '<html>' to mlflow/runs/create. See that it is one"),
        (
            "mlflow/model-versions/search",
            200,
            b'{"model_versions": [{"name": 1}]}',
            3,
            "to mlflow/model-versions/search",
        ),
        ("mlflow/registered-models/get", 200, b"[]", 3, "answered '[]' to mlflow/registered-models/get"),
    ],
)
def test_an_answer_that_is_an_error_or_damaged_decides_nothing(
    server: Server,
    promote: Callable[[str], str],
    call: Callable[..., str],
    path: str,
    status: int,
    body: bytes,
    code: int,
    words: str,
) -> None:
    """It is said in one line with what to do, and the next push does what is left."""
    content = promote("one")
    server.answers[path] = status, body
    said = call(*PUSH, code=code)
    assert words in said
    assert said.count("\n") == 1
    server.answers.clear()
    assert f": {content[:12]} (" in call(*PUSH)
    assert len(server.versions) == 1


def test_a_file_that_breaks_off_is_not_taken(
    server: Server, promote: Callable[[str], str], call: Callable[..., str], tmp_path: Path
) -> None:
    """Also where no tag says what it should be."""
    content = promote("one")
    call(*PUSH)
    server.versions[0]["tags"].clear()
    server.answers[f"{FILES}/0/1/artifacts/{content}/model%20one.onnx"] = 200, b"o"
    said = call("pull", "digits@production", "--output", str(tmp_path / "it"), code=3)
    assert "answered 1 of 3 bytes of model one.onnx" in said
    assert not (tmp_path / "it").exists()


def test_a_server_that_is_down_is_named(
    server: Server, promote: Callable[[str], str], call: Callable[..., str]
) -> None:
    """There is no decision."""
    promote("one")
    server.server_close()
    said = call(*PUSH, "--tracking-uri", "http://127.0.0.1:1", code=3)
    assert "The MLflow server http://127.0.0.1:1 cannot be reached: [Errno 111] Connection refused. Start it" in said


def test_a_server_is_logged_in_to_as_its_own_client_does(
    server: Server, promote: Callable[[str], str], call: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a name and a password, or a token."""
    promote("one")
    call(*PUSH)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "token")
    call(*PUSH)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    call(*PUSH)
    assert server.logins == {None, "Bearer token", "Basic bWU6c2VjcmV0"}
