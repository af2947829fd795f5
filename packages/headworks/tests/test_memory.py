"""Facts are remembered as long as nothing happens to them."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING

import pytest

from headworks._quick import memory
from headworks._quick.memory import Memory

if TYPE_CHECKING:
    from pathlib import Path

FACT = [("a", b"\xff", 1, 2.5, None, {"x": (True,)})]


def test_a_fact_is_remembered_by_kind_and_key(tmp_path: Path) -> None:
    """Another kind or key is another fact."""
    memory = Memory(str(tmp_path / "new/folder"))
    assert memory.get("kind", "key") is None
    memory.put("kind", "key", FACT)
    assert Memory(str(tmp_path / "new/folder")).get("kind", "key") == FACT
    assert memory.get("kind", "other") is None
    assert memory.get("other", "key") is None


@pytest.mark.parametrize("damage", [b"", b"x", b"\0" * 4, b"\0" * 40])
def test_a_damaged_fact_is_none(tmp_path: Path, damage: bytes) -> None:
    """Whatever happens to the file, no wrong fact comes back."""
    memory = Memory(str(tmp_path / "memory"))
    memory.put("kind", "key", FACT)
    (file,) = (tmp_path / "memory").iterdir()
    file.write_bytes(damage)
    assert memory.get("kind", "key") is None


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    """The checksum covers the whole fact."""
    memory = Memory(str(tmp_path / "memory"))
    memory.put("kind", "key", FACT)
    (file,) = (tmp_path / "memory").iterdir()
    content = file.read_bytes()
    for number in range(len(content) * 8):
        damaged = bytearray(content)
        damaged[number // 8] ^= 1 << number % 8
        file.write_bytes(damaged)
        assert memory.get("kind", "key") is None


def test_where_nothing_can_be_written_nothing_is_remembered(tmp_path: Path) -> None:
    """A clone that cannot be written to is planned all the same."""
    (tmp_path / "file").touch()
    memory = Memory(str(tmp_path / "file"))
    memory.put("kind", "key", FACT)
    assert memory.get("kind", "key") is None


def test_only_the_newest_facts_of_a_kind_are_kept(tmp_path: Path) -> None:
    """The folder does not grow with history."""
    memory = Memory(str(tmp_path / "memory"))
    memory.put("other", "key", FACT)
    for number in range(40):
        memory.put("kind", str(number), FACT)
        os.utime(memory._path("kind", str(number)), (number, number))
    assert memory.get("kind", "0") is None
    assert memory.get("kind", "39") == FACT
    assert memory.get("other", "key") == FACT
    assert len(list((tmp_path / "memory").iterdir())) == 17


def test_all_modules_of_a_large_noxfile_are_kept(tmp_path: Path) -> None:
    """Each is a fact, and a plan that forgot some would read them again each time."""
    memory = Memory(str(tmp_path / "memory"))
    for number in range(40):
        memory.put("module", str(number), FACT)
    assert all(memory.get("module", str(number)) == FACT for number in range(40))


def test_facts_of_other_code_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade may give the same facts another form."""
    memory = Memory(str(tmp_path / "memory"))
    memory.put("kind", "key", FACT)
    monkeypatch.setattr("headworks._quick.memory._FORM", b"other")
    assert Memory(str(tmp_path / "memory")).get("kind", "key") is None


def test_facts_are_the_same_without_the_interpreters_own_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older Python has it under another name, for which OpenSSL's stands in."""
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "_sha2", None)
        importlib.reload(memory)
        memory.Memory(str(tmp_path / "memory")).put("kind", "key", FACT)
    importlib.reload(memory)
    assert memory.Memory(str(tmp_path / "memory")).get("kind", "key") == FACT
