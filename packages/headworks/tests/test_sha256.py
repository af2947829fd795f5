"""SHA-256 is the standard one, wherever it comes from."""

import hashlib
import importlib
import sys

import pytest

from headworks._quick import sha256 as _sha256


@pytest.mark.parametrize("missing", [[], ["_sha2"], ["_sha2", "_sha256"]])
def test_the_digest_is_the_standard_one(missing: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without the interpreter's own implementation, under either of its names."""
    with monkeypatch.context() as patch:
        for name in missing:
            patch.setitem(sys.modules, name, None)
        importlib.reload(_sha256)
        assert _sha256.digest(b"ab", b"c") == hashlib.sha256(b"2:ab1:c").hexdigest()
    importlib.reload(_sha256)


def test_parts_are_told_apart() -> None:
    """Moving a byte from one part to the next makes another digest."""
    assert len({_sha256.digest(*parts) for parts in [(b"ab", b"c"), (b"a", b"bc"), (b"abc",), (b"abc", b"")]}) == 4
