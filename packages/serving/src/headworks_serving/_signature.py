"""Signatures of models in the format of OpenSSF's model signing (https://github.com/sigstore/model-transparency).

A signature is a Sigstore bundle: an in-toto statement with the digest of the model, in a DSSE envelope that is signed
by an elliptic curve key. The package `model-signing` writes and checks such files, and needs 30 others; a server has to
check one form of them, for which `cryptography` is enough. Tests hold this module to signatures of that package.
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headworks_serving.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

_PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
_PREDICATE_TYPE: Final = "https://model_signing/signature/v1.0"


class PublicKey:
    """The key that models have to be signed with."""

    def __init__(self, path: Path) -> None:
        """Read a key from a PEM file.

        Raises:
            ConfigError: The file holds no key of a curve that model signing uses, or `cryptography` is not installed.
        """
        try:
            from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - an extra, and 40 ms
            from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - as above
        except ImportError as error:
            message = f"to check signatures with {path}, install headworks-serving[signature]"
            raise ConfigError(message) from error
        try:
            key = serialization.load_pem_public_key(path.read_bytes())
        except (OSError, ValueError) as error:
            message = f"cannot read the public key {path}: {getattr(error, 'strerror', None) or 'it is no PEM file'}"
            raise ConfigError(message) from error
        hashes = {"secp256r1": "SHA256", "secp384r1": "SHA384", "secp521r1": "SHA512"}
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in hashes:
            message = f"the public key {path} is of another kind than P-256, P-384 and P-521"
            raise ConfigError(message)
        self._path = path
        self._key: EllipticCurvePublicKey = key
        self._hash = hashes[key.curve.name]

    def verify(self, content: bytes, signature: Path, name: str) -> None:
        """Check that a model is signed.

        Args:
            content: The model's file.
            signature: The file of its signature.
            name: The model, for the message.

        Raises:
            ModelError: There is no signature of this file by this key.
        """
        try:
            signed = self._signed_digest(json.loads(signature.read_bytes()))
        except OSError as error:
            message = f"the model {name} is not signed: {signature}: {error.strerror}; sign it with `nox -s sign`"
            raise ModelError(message) from error
        except (LookupError, TypeError, ValueError, RecursionError) as error:
            message = f"{signature} is no signature of a model by {self._path}; sign the model {name} again"
            raise ModelError(message) from error
        if signed != hashlib.sha256(content).hexdigest():
            message = f"{signature} is the signature of another model than {name}; sign that one"
            raise ModelError(message)

    def _signed_digest(self, bundle: Any) -> str:  # noqa: ANN401 - any JSON
        """Return the SHA-256 of the model that a bundle signs, once its signature is checked.

        Raises:
            LookupError, TypeError, ValueError: It is no such bundle, or not signed by this key.
        """
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - as above
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA  # noqa: PLC0415 - as above

        envelope = bundle["dsseEnvelope"]
        payload = base64.b64decode(envelope["payload"], validate=True)
        raw = base64.b64decode(envelope["signatures"][0]["sig"], validate=True)
        # DSSE signs the type with the payload (https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md).
        signed = b"DSSEv1 %d %s %d %s" % (len(_PAYLOAD_TYPE), _PAYLOAD_TYPE.encode(), len(payload), payload)
        try:
            self._key.verify(raw, signed, ECDSA(getattr(hashes, self._hash)()))
        except InvalidSignature as error:
            raise ValueError from error
        statement = json.loads(payload)
        predicate = statement["predicate"]
        (resource,) = predicate["resources"]  # a model of several files is none that is served
        if (
            statement["predicateType"] != _PREDICATE_TYPE
            or predicate["serialization"]["method"] != "files"
            or (resource["name"], resource["algorithm"]) != (".", "sha256")
        ):
            raise ValueError
        return str(resource["digest"])
