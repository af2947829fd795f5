"""A server can start from the alias that a model was promoted to, and refuses what is not whole."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from headworks_serving._alias import find_model
from headworks_serving.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Server

    Promoted = Callable[..., Path]


def test_a_server_starts_from_an_alias(
    start: Callable[..., Server], model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, promoted: Promoted
) -> None:
    """The model has the name that its file had when it was promoted."""
    promoted(tmp_path / "store", model_path.read_bytes())
    monkeypatch.setenv("HEADWORKS_STORE", str(tmp_path / "store"))
    server = start(Path("alias:production"))
    assert httpx.get(f"{server.url}/v2/models/digits/ready").status_code == 200


def test_the_last_entry_decides(tmp_path: Path, promoted: Promoted) -> None:
    """However many there are; a path is a path."""
    environ = {"HEADWORKS_STORE": str(tmp_path)}
    promoted(tmp_path, b"one", 999_999)
    blob = promoted(tmp_path, b"two", 1_000_000, "other.onnx")
    (tmp_path / "aliases" / "production" / "notes.txt").write_text("no entry")
    found = find_model("alias:production", environ)
    assert (found.path, found.name, found.read()) == (blob, "other", b"two")
    assert found.signature == tmp_path / "signatures" / f"{hashlib.sha256(b'two').hexdigest()}.sig"
    found = find_model("some/model.onnx", environ)
    assert (found.path, found.name) == (Path("some/model.onnx"), "model")
    assert found.signature == Path("some/model.onnx.sig")


def test_a_digest_behind_an_alias_keeps_its_model(tmp_path: Path, promoted: Promoted) -> None:
    """A server of an earlier deployment starts again with the same model, wherever the alias points by now."""
    environ = {"HEADWORKS_STORE": str(tmp_path)}
    blob = promoted(tmp_path, b"one", 1)
    promoted(tmp_path, b"two", 2)
    (tmp_path / "aliases/production/000003").mkdir()
    digest = hashlib.sha256(b"one").hexdigest()
    found = find_model(f"alias:production@sha256:{digest}", environ)
    assert (found.path, found.read()) == (blob, b"one")
    with pytest.raises(ModelError, match=r"no entry in .* names it; see `headworks promotions`"):
        find_model(f"alias:production@sha256:{'0' * 64}", environ)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("alias:staging", "nothing was promoted to it in"),
        ("alias:../production", "set HEADWORKS_STORE"),
        ("alias:", "set HEADWORKS_STORE"),
        ("alias:production@sha256:c0ffee", "set HEADWORKS_STORE"),
    ],
)
def test_an_alias_that_is_none_is_refused(tmp_path: Path, promoted: Promoted, given: str, words: str) -> None:
    """With what to do."""
    promoted(tmp_path, b"one")
    with pytest.raises(ModelError, match=words):
        find_model(given, {"HEADWORKS_STORE": str(tmp_path)})
    with pytest.raises(ModelError, match="set HEADWORKS_STORE"):
        find_model("alias:production", {})


def test_what_is_not_whole_is_not_served(tmp_path: Path, promoted: Promoted) -> None:
    """A damaged model, a missing one, a damaged entry, and one that says something else."""
    environ = {"HEADWORKS_STORE": str(tmp_path)}
    blob = promoted(tmp_path, b"one")
    entry = tmp_path / "aliases" / "production" / "000001"
    blob.write_bytes(b"two")
    with pytest.raises(ModelError, match="missing or damaged"):
        find_model("alias:production", environ).read()
    blob.unlink()
    with pytest.raises(ModelError, match="missing or damaged"):
        find_model("alias:production", environ).read()
    entry.write_bytes(entry.read_bytes() + b" ")
    with pytest.raises(ModelError, match="is damaged; promote a model again"):
        find_model("alias:production", environ)
    for data in (b'{"content": "../../etc/passwd", "file": "x"}', b"[]", b"{", b"[" * 100_000):
        entry.write_bytes(f"headworks 1 {hashlib.sha256(data).hexdigest()}\n".encode() + data)
        with pytest.raises(ModelError, match="is damaged; promote a model again"):
            find_model("alias:production", environ)
    data = json.dumps({"content": hashlib.sha256(b"one").hexdigest(), "file": "x"}).encode()
    entry.write_bytes(f"headworks 2 {hashlib.sha256(data).hexdigest()}\n".encode() + data)
    with pytest.raises(ModelError, match="is damaged; promote a model again"):
        find_model("alias:production", environ)
    (entry.parent / "000002").mkdir()
    with pytest.raises(ModelError, match="000002 is damaged; promote a model again"):
        find_model("alias:production", environ)
