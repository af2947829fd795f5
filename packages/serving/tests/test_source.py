"""A server takes a model only if it is signed where it has to be, and takes up a new one while it runs."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from headworks_serving import ServingConfig, _source
from headworks_serving._signature import PublicKey
from headworks_serving._source import Source
from headworks_serving.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Server

PEM = serialization.Encoding.PEM


def write_public(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> Path:
    """Write the public half of a key."""
    path.write_bytes(key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    return path


def make_keys(folder: Path, curve: ec.EllipticCurve) -> tuple[Path, Path]:
    """Return the files of a new private and public key."""
    key = ec.generate_private_key(curve)
    private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "private.pem").write_bytes(private)
    return folder / "private.pem", write_public(folder / "public.pem", key)


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """Return the files of a private and a public key."""
    return make_keys(tmp_path, ec.SECP256R1())


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    """Return a private key."""
    return ec.generate_private_key(ec.SECP256R1())


def sign(model: Path, private: Path, signature: Path) -> None:
    """Sign a model as `nox -s sign` does."""
    signature.parent.mkdir(parents=True, exist_ok=True)
    options = [f"--private_key={private}", f"--signature={signature}"]
    subprocess.run([sys.executable, "-m", "model_signing", "sign", "key", str(model), *options], check=True)


def statement(content: bytes, **changes: object) -> dict[str, Any]:
    """Return what model signing states about a file."""
    resource = {"name": ".", "algorithm": "sha256", "digest": hashlib.sha256(content).hexdigest()}
    predicate = {"resources": [resource], "serialization": {"method": "files"}}
    return {"predicateType": "https://model_signing/signature/v1.0", "predicate": predicate | changes}


def envelope(key: ec.EllipticCurvePrivateKey, payload: bytes) -> dict[str, Any]:
    """Return a bundle of a payload that a key has signed."""
    kind = b"application/vnd.in-toto+json"
    signed = b" ".join([b"DSSEv1", b"%d" % len(kind), kind, b"%d" % len(payload), payload])
    raw = base64.b64encode(key.sign(signed, ec.ECDSA(hashes.SHA256()))).decode()
    return {"dsseEnvelope": {"payload": base64.b64encode(payload).decode(), "signatures": [{"sig": raw}]}}


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda it: str(it.name))
def test_what_model_signing_signs_is_taken(curve: ec.EllipticCurve, model_path: Path, tmp_path: Path) -> None:
    """On each curve that it knows; the server needs far less for that than the package that signs."""
    keys = make_keys(tmp_path, curve)
    sign(model_path, keys[0], tmp_path / "model.sig")
    PublicKey(keys[1]).verify(model_path.read_bytes(), tmp_path / "model.sig", "m")
    with pytest.raises(ModelError, match="is the signature of another model than m"):
        PublicKey(keys[1]).verify(b"another", tmp_path / "model.sig", "m")


def test_only_a_signature_of_one_whole_file_by_the_key_counts(key: ec.EllipticCurvePrivateKey, tmp_path: Path) -> None:
    """Another key, a payload that was changed, another statement, and JSON of any form."""
    public, content, file = PublicKey(write_public(tmp_path / "public.pem", key)), b"a model", tmp_path / "m.sig"
    sound = json.dumps(statement(content)).encode()
    file.write_text(json.dumps(envelope(key, sound)))
    public.verify(content, file, "m")
    other = statement(content)["predicate"]["resources"][0]
    changed = envelope(key, sound)
    changed["dsseEnvelope"]["payload"] = base64.b64encode(sound + b" ").decode()
    statements = [
        statement(content) | {"predicateType": "https://slsa.dev/provenance/v1"},
        statement(content, resources=[]),
        statement(content, resources=[other, other]),
        statement(content, resources=[other | {"name": "weights"}]),
        statement(content, resources=[other | {"algorithm": "blake3"}]),
        statement(content, serialization={"method": "shards"}),
        [],
    ]
    bundles: list[Any] = [
        envelope(ec.generate_private_key(ec.SECP256R1()), sound),
        changed,
        *(envelope(key, json.dumps(it).encode()) for it in statements),
        envelope(key, b"no JSON"),
        {"dsseEnvelope": {"payload": "%", "signatures": [{"sig": "%"}]}},
        {"dsseEnvelope": {"payload": "", "signatures": []}},
        {},
        [],
        None,
    ]
    for bundle in bundles:
        file.write_text(json.dumps(bundle))
        with pytest.raises(ModelError, match=r"m\.sig is no signature of a model by .*public.pem; sign the model m"):
            public.verify(content, file, "m")
    for text in (b"", b"[" * 100_000, b"\xff"):
        file.write_bytes(text)
        with pytest.raises(ModelError, match="is no signature"):
            public.verify(content, file, "m")
    file.unlink()
    with pytest.raises(ModelError, match=r"the model m is not signed: .*m\.sig: No such file"):
        public.verify(content, file, "m")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot read the public key .*: No such file"),
        (b"-----BEGIN", "cannot read the public key .*: it is no PEM file"),
        (ec.generate_private_key(ec.SECP256K1()), "is of another kind than P-256, P-384 and P-521"),
        (rsa.generate_private_key(65537, 2048), "is of another kind than P-256, P-384 and P-521"),
    ],
    ids=["missing", "no PEM", "another curve", "RSA"],
)
def test_a_key_that_is_none_ends_the_start(tmp_path: Path, content: object, words: str) -> None:
    """A server that cannot check signatures must not serve."""
    path = tmp_path / "public.pem"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        write_public(path, content)
    with pytest.raises(ConfigError, match=words):
        Source("model.onnx", ServingConfig(public_key=path))


def test_the_extra_is_named_where_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package needs no cryptography otherwise."""
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    with pytest.raises(ConfigError, match=r"install headworks-serving\[signature\]"):
        PublicKey(tmp_path / "public.pem")


def test_a_server_refuses_a_model_without_its_signature(
    start: Callable[..., Server],
    keys: tuple[Path, Path],
    model_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The signature lies beside the file; the key is an option, or a variable."""
    model = Path(shutil.copy(model_path, tmp_path / "digits.onnx"))
    server = start(model, f"--public-key={keys[1]}")
    assert server.process.wait(30) == 2
    assert "digits.onnx is not signed" in server.log
    sign(model, keys[0], tmp_path / "digits.onnx.sig")
    monkeypatch.setenv("HEADWORKS_PUBLIC_KEY", str(keys[1]))
    server = start(model)
    assert httpx.get(f"{server.url}/v2/models/digits/ready").status_code == 200
    model.write_bytes(model.read_bytes() + b"\0")
    assert start(model).process.wait(30) == 2


def test_only_an_alias_can_be_followed() -> None:
    """A file and a digest never name another model."""
    for given in ("model.onnx", f"alias:production@sha256:{'0' * 64}"):
        with pytest.raises(ConfigError, match="names one model, which nothing moves; follow an alias"):
            Source(given, ServingConfig(follow=True))


def test_a_server_takes_up_a_signed_model_and_keeps_its_own_instead_of_an_unsigned_one(
    start: Callable[..., Server],
    make_model: Callable[..., Path],
    promoted: Callable[..., Path],
    keys: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No request is refused meanwhile, and the name stays, by which clients ask."""
    store = tmp_path / "store"
    monkeypatch.setenv("HEADWORKS_STORE", str(store))
    digests = {}
    for name in ("w1", "w2", "w3"):
        metadata = {"headworks.labels": '["a", "b", "c"]', "headworks.dataset_digest": "d"}
        model = make_model(tmp_path / f"{name}.onnx", metadata=metadata | {"headworks.weights_digest": name})
        digests[name] = hashlib.sha256(model.read_bytes()).hexdigest()
        if name != "w2":
            sign(model, keys[0], store / "signatures" / f"{digests[name]}.sig")
    promoted(store, (tmp_path / "w1.onnx").read_bytes())
    server = start(Path("alias:production"), f"--public-key={keys[1]}", "--follow")

    def served() -> str:
        metadata = httpx.get(f"{server.url}/v2/models/digits").json()["parameters"]
        body = {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 4, 4, 1], "data": [0] * 16}]}
        assert httpx.post(f"{server.url}/v2/models/digits/infer", json=body).status_code == 200
        return str(metadata["headworks.weights_digest"])

    assert served() == "w1"
    promoted(store, (tmp_path / "w2.onnx").read_bytes(), 2)
    assert server.wait_for("event=kept model=digits digest=(\\w+) error=.* is not signed") == digests["w1"]
    assert served() == "w1"
    promoted(store, (tmp_path / "w3.onnx").read_bytes(), 3, "another.onnx")
    assert server.wait_for("event=switched model=digits digest=(\\w+)") == digests["w3"]
    assert served() == "w3"
    assert 'weights_digest="w3"' in httpx.get(f"{server.url}/metrics").text
    assert server.stop() == 0


def test_a_refused_model_is_told_once_and_tried_again(
    promoted: Callable[..., Path],
    model_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its file may be on its way, and a large one must not be read each second."""
    promoted(tmp_path, model_path.read_bytes())
    source = Source("alias:production", ServingConfig(follow=True), {"HEADWORKS_STORE": str(tmp_path)})
    source.load()
    assert source.newer() is None
    blob = promoted(tmp_path, (other := model_path.read_bytes() + b"\0"), 2)
    blob.write_bytes(other[:100])
    assert [source.newer(), source.newer()] == [None, None]
    assert ["missing or damaged" in it.getMessage() for it in caplog.records] == [True]
    monkeypatch.setattr(_source, "_RETRY_SECONDS", 0.0)
    source._retry = 0.0
    assert [source.newer(), source.newer()] == [None, None]
    assert len(caplog.records) == 1
    promoted(tmp_path, model_path.read_bytes(), 3)
    assert source.newer() is None
