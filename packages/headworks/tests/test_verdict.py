"""A verdict is believed only where its file is, to the bit, what was written for that digest and outcome."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks._store.files import seal, unseal
from headworks._store.records import Record, read_record, write_record
from headworks._store.verdict import Verdict, is_digest, is_output_path, observed_digest
from headworks._store.witness import Witness

DIGEST = "ab" * 32
VERDICT = Verdict(
    session="tests-3.13(data)",
    digest=DIGEST,
    passed=True,
    finished="2026-01-31T12:00:00+00:00",
    seconds=1.5,
    commit="c0ffee",
    platform="linux-x86_64",
    outputs={"artifacts/data": "cd" * 32},
    components={"files": "1", "lock": "2"},
)
RECORD = Record(verdict=VERDICT, place="here")


def changed(**fields: object) -> bytes:
    """Return a sealed record in which some fields have other values."""
    content = json.loads(unseal(write_record(RECORD)) or b"")
    content["verdict"] |= fields
    return seal(json.dumps(content).encode())


def test_what_is_read_is_what_was_written() -> None:
    """A verdict comes back whole, with its place."""
    assert read_record(write_record(RECORD), DIGEST, passed=True) == RECORD


LINES = ["file 12 a.txt", "missing - b.txt"]
CORE = "cd" * 32


@pytest.mark.parametrize(
    ("core", "lines", "is_sound"),
    [
        (CORE, LINES, True),
        (CORE, LINES[:1], False),
        (CORE, [*LINES, "file"], False),
        (CORE, [*LINES, 1], False),
        ("x", LINES, False),
        ("", LINES, False),
    ],
)
def test_a_verdict_of_a_watched_session_is_that_of_its_witness(core: str, lines: list[Any], *, is_sound: bool) -> None:
    """Its digest tells: no line can be added, left out or changed."""
    digest = observed_digest(CORE, Witness.parse(LINES))
    found = read_record(changed(digest=digest, core=core, witness=lines), digest, passed=True)
    assert (found is not None) == is_sound


@given(place=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_a_flipped_bit_is_seen(place: int, bit: int) -> None:
    """No record with one bit changed is believed, wherever the bit is."""
    data = bytearray(write_record(RECORD))
    data[place % len(data)] ^= 1 << bit
    assert read_record(bytes(data), DIGEST, passed=True) is None


@given(length=st.integers(min_value=0))
def test_a_record_cut_short_is_seen(length: int) -> None:
    """No record that lacks its end is believed."""
    data = write_record(RECORD)
    assert read_record(data[: length % len(data)], DIGEST, passed=True) is None


def test_a_record_says_what_its_name_says() -> None:
    """A record moved to another digest or outcome is not believed."""
    data = write_record(RECORD)
    assert read_record(data, "ff" * 32, passed=True) is None
    assert read_record(data, DIGEST, passed=False) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"session": 1},
        {"passed": 1},
        {"digest": "../../../etc/passwd"},
        {"seconds": "1"},
        {"seconds": True},
        {"seconds": -1},
        {"seconds": float("nan")},
        {"seconds": float("inf")},
        {"outputs": []},
        {"outputs": {"../outside": "cd" * 32}},
        {"outputs": {"artifacts/data": "cd"}},
        {"components": {"files": 1}},
        {"components": None},
        {"unknown": ""},
    ],
)
def test_a_field_that_makes_no_sense_is_not_believed(fields: dict[str, Any]) -> None:
    """A record that is sealed but was written by something else is a miss."""
    assert read_record(changed(), DIGEST, passed=True) is not None
    assert read_record(changed(**fields), DIGEST, passed=True) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"1",
        b"{}",
        b'{"format":2,"place":"","verdict":{}}',
        b'{"format":1,"place":"","verdict":3}',
        b"[" * 99_999,
    ],
)
def test_other_content_is_not_believed(content: bytes) -> None:
    """A sealed file of another form, or of a later format, is a miss."""
    assert read_record(seal(content), DIGEST, passed=True) is None


@given(st.binary())
def test_a_seal_holds_anything(data: bytes) -> None:
    """What was sealed comes back; what was not does not."""
    assert unseal(seal(data)) == data
    assert unseal(data) is None


@pytest.mark.parametrize(
    "path", ["", ".", "..", "/etc", "a/../b", "a//b", "a/", "a\\b", "C:/x", "a\0b", ".git/config", ".GIT/x"]
)
def test_a_path_that_leads_elsewhere_is_no_output(path: str) -> None:
    """An output lies below the repository, and git's own folder is no place for one."""
    assert not is_output_path(path)


@pytest.mark.parametrize("path", ["a", "artifacts/data", "a.b/c d", ".gitx/y", "häuser"])
def test_a_path_below_the_repository_is_an_output(path: str) -> None:
    """Ordinary names are taken as they are."""
    assert is_output_path(path)


def test_a_digest_is_a_sha256() -> None:
    """Nothing else is, so that a digest is always safe as a file name."""
    assert is_digest(DIGEST)
    assert not any(is_digest(value) for value in ("", "a" * 63, "A" * 64, "g" * 64, "../" + "a" * 61, 7, None))
