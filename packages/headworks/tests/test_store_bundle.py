"""A bundle carries a store to another machine, and a hostile one is refused."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headworks._store.bundle import RefusedBundleError
from headworks._store.files import seal, seal_json
from headworks._store.journal import Journal
from headworks._store.records import Record, write_record
from headworks._store.store import Store
from headworks.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Stage

    Change = Callable[[tarfile.TarInfo, bytes], tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def bundle(stage: Stage, tmp_path: Path) -> Path:
    """Return a bundle of a store with a pass that has outputs, a failure, and a flaky digest."""
    stage.write({"out/a": "one", "out/b": "two"})
    stage.record("build", outputs=["out"])
    stage.record("bad", passed=False)
    stage.record("flaky")
    stage.record("flaky", passed=False)
    path = tmp_path / "bundle.tar"
    assert stage.store.export(path) == 4
    return path


@pytest.fixture
def other(tmp_path: Path) -> Store:
    """Return another store, which is empty."""
    return Store(tmp_path / "other")


def rewritten(bundle: Path, change: Change) -> Path:
    """Return a bundle in which each member went through a function."""
    path = bundle.with_name("hostile.tar")
    with tarfile.open(bundle) as old, tarfile.open(path, "w") as new:
        for member in old:
            content = old.extractfile(member)
            assert content is not None
            info, data = change(member, content.read())
            if info.isreg():
                info.size = len(data)
            new.addfile(info, io.BytesIO(data))
    return path


def test_all_that_counts_is_carried(bundle: Path, stage: Stage, other: Store) -> None:
    """Passes with their outputs, and failures, so that what is flaky stays flaky."""
    assert other.import_(bundle) == 4
    assert other.ls() == stage.store.ls()
    [verdict] = other.verdicts(it.digest for it in stage.store.ls()).values()
    assert verdict.session == "build"
    (stage.root / "out/a").write_text("changed")
    assert other.restore(verdict, stage.root) is not None
    assert (stage.root / "out/a").read_text() == "one"
    assert other.import_(bundle) == 0


def test_what_the_gate_noted_is_carried_once(stage: Stage, other: Store, tmp_path: Path) -> None:
    """A test set is asked no more often for it: the same model is not counted twice, whoever asked first."""
    digest, first = "5" * 64, "a" * 16
    (tmp_path / "first.csv").write_text("predictions")
    content = stage.store.blobs.put_file(tmp_path / "first.csv")
    notes = [("ledger", digest, {"model": "x", "when": "1"}), ("ledger", digest, {"model": "y", "when": "2"})]
    notes += [("gates", digest, {"outcome": "passes"}), ("baselines", first, {"on": "test", "content": content})]
    for kind, name, entry in [*notes, ("aliases", "production", {"content": content})]:
        Journal(stage.store.root, kind, name).note(entry)
    Journal(stage.store.root, "baselines", first).note({"on": "lost", "content": "0" * 64})
    Path(stage.store.root, "gates", digest, "000002").write_text("damaged")
    Journal(other.root, "ledger", digest).note({"model": "y", "when": "3"})
    for _ in range(2):
        stage.store.export(tmp_path / "bundle.tar")
        other.import_(tmp_path / "bundle.tar")
    found = Journal(other.root, "ledger", digest).entries()
    assert found == [{"model": "y", "when": "3"}, {"model": "x", "when": "1"}]
    assert Journal(other.root, "gates", digest).entries() == [{"outcome": "passes"}]
    assert Journal(other.root, "baselines", first).entries() == [{"on": "test", "content": content}]
    assert other.blobs.path(content).read_text() == "predictions"
    assert not Path(other.root, "aliases").exists()


@pytest.mark.parametrize("data", [b"x" * 10, b"x" * (2 << 20), seal(b"[]"), seal(b"{")])
def test_a_note_that_is_none_is_refused(other: Store, tmp_path: Path, data: bytes) -> None:
    """Nothing of its bundle is taken."""
    with tarfile.open(tmp_path / "bundle.tar", "w") as archive:
        for kind, content in (("gates", seal(b"{}")), ("ledger", data)):
            member = tarfile.TarInfo(f"{kind}/{'5' * 64}/000001")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    with pytest.raises(StoreError, match="was refused"):
        other.import_(tmp_path / "bundle.tar")
    assert not Path(other.root, "gates").exists()


def test_equal_stores_give_equal_bundles(bundle: Path, other: Store, tmp_path: Path) -> None:
    """A cache that compares them keeps one."""
    other.import_(bundle)
    other.export(tmp_path / "again.tar")
    assert (tmp_path / "again.tar").read_bytes() == bundle.read_bytes()


def test_what_is_known_is_not_carried_again(bundle: Path, stage: Stage, other: Store, tmp_path: Path) -> None:
    """Each bundle is whole by itself, so that one imports without the other."""
    other.import_(bundle)
    digest = "5" * 64
    mark = Path(other.root, "kept", digest)
    mark.parent.mkdir()
    mark.write_bytes(seal_json(["1", ""]))
    for model in "xy":
        Journal(other.root, "ledger", digest).note({"model": model})
    assert other.export(tmp_path / "first.tar", [bundle]) == 0
    with tarfile.open(tmp_path / "first.tar") as archive:
        assert archive.getnames() == [f"ledger/{digest}/000001", f"ledger/{digest}/000002", f"kept/{digest}"]
    stage.record("tests", outputs=["out"])
    stage.record("tests", passed=False)
    stage.store.export(tmp_path / "new.tar")
    other.import_(tmp_path / "new.tar")
    Journal(other.root, "ledger", digest).note({"model": "z"})
    (tmp_path / "damaged.tar").write_text("damaged")
    known = [bundle, tmp_path / "first.tar", tmp_path / "damaged.tar", tmp_path / "missing.tar"]
    assert other.export(tmp_path / "second.tar", known) == 2
    third = Store(tmp_path / "third")
    assert third.import_(tmp_path / "second.tar") == 2
    assert Journal(third.root, "ledger", digest).entries() == [{"model": "z"}]
    assert not Path(third.root, "kept").exists()
    third.import_(bundle)
    assert third.ls() == other.ls()


@pytest.mark.parametrize("part", ["one", "manifest", "passed", "failed"])
def test_what_is_damaged_is_left_out(bundle: Path, stage: Stage, other: Store, tmp_path: Path, part: str) -> None:
    """A bundle holds only what can be relied on."""
    for path in Path(stage.store.root).rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        kind = "manifest" if content.startswith(b"[[") else path.relative_to(stage.store.root).parts[0]
        if part in {kind, content.decode()}:
            path.is_dir() or path.write_bytes(content[:-1])
    assert stage.store.export(tmp_path / "less.tar") < 4
    other.import_(tmp_path / "less.tar")
    assert other.ls() == [it for it in stage.store.ls() if it in other.ls()]
    assert {it.session for it in other.verdicts(it.digest for it in other.ls()).values()} == (
        {"build"} if part == "failed" else set()
    )


def test_an_empty_store_gives_an_empty_bundle(other: Store, tmp_path: Path) -> None:
    """Which can be taken in."""
    assert other.export(tmp_path / "empty.tar") == 0
    assert other.import_(tmp_path / "empty.tar") == 0


def test_a_bundle_that_cannot_be_written_says_so(stage: Stage, tmp_path: Path) -> None:
    """And leaves nothing behind."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"could not be written: File exists\. Name a file that can be"):
        stage.store.export(tmp_path / "file" / "bundle.tar")
    assert (tmp_path / "file").read_text() == ""


def test_a_bundle_that_is_not_there_is_named(other: Store, tmp_path: Path) -> None:
    """With what would be one."""
    with pytest.raises(StoreError, match=r"There is no bundle .*none\.tar\. Name a file that"):
        other.import_(tmp_path / "none.tar")


def renamed(name: str) -> Change:
    """Give every blob another name."""

    def change(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        member.name = name if member.name.startswith("blobs") else member.name
        return member, data

    return change


def typed(kind: bytes, target: str = "") -> Change:
    """Make every blob something that is no file."""

    def change(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if member.name.startswith("blobs"):
            member.type, member.linkname, member.size = kind, target, 0
            return member, b""
        return member, data

    return change


def altered(folder: str, content: bytes) -> Change:
    """Give the members of a folder another content."""

    def change(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        return member, content if member.name.startswith(folder) else data

    return change


HOSTILE = {
    "upward": renamed("../../escaped"),
    "absolute": renamed("/escaped"),
    "within": renamed("blobs/ab/../../index"),
    "index": renamed("index"),
    "short": renamed("blobs/ab/cd"),
    "link": typed(tarfile.SYMTYPE, "/etc/passwd"),
    "hard link": typed(tarfile.LNKTYPE, "/etc/passwd"),
    "folder": typed(tarfile.DIRTYPE),
    "device": typed(tarfile.CHRTYPE),
    "wrong content": altered("blobs", b"forged"),
    "damaged pass": altered("passed", b"forged"),
    "damaged failure": altered("failed", seal(b"{}")),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_bundle_is_refused(bundle: Path, other: Store, tmp_path: Path, change: Change) -> None:
    """No verdict is taken from it, and nothing is written outside the store."""
    around = {it for it in tmp_path.rglob("*") if "other" not in it.parts}
    with pytest.raises(StoreError, match=r"was refused: its member .* Nothing was taken"):
        other.import_(rewritten(bundle, change))
    assert other.ls() == []
    assert {it for it in tmp_path.rglob("*") if "other" not in it.parts} - around == {tmp_path / "hostile.tar"}


def test_a_bundle_that_lacks_outputs_is_refused(stage: Stage, other: Store, tmp_path: Path) -> None:
    """A pass is taken only with all that it promises."""
    stage.write({"out": "one"})
    verdict = stage.verdict("build", outputs=["out"])
    data = write_record(Record(verdict=verdict, place=""))
    for content in ({}, {verdict.outputs["out"]: b'[["","file","' + b"0" * 64 + b'"]]'}):
        with tarfile.open(tmp_path / "bundle.tar", "w") as archive:
            for name, blob in content.items():
                member = tarfile.TarInfo(f"blobs/{name[:2]}/{name[2:]}")
                member.size = len(blob)
                archive.addfile(member, io.BytesIO(blob))
            member = tarfile.TarInfo(f"passed/{verdict.digest[:2]}/{verdict.digest[2:]}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        with pytest.raises(StoreError, match="was refused"):
            other.import_(tmp_path / "bundle.tar")
    assert other.ls() == []


def test_a_bundle_that_lacks_a_part_of_an_output_is_refused(stage: Stage, other: Store, tmp_path: Path) -> None:
    """The manifest alone is not enough."""
    stage.write({"out": "one"})
    stage.record("build", outputs=["out"])
    stage.store.export(tmp_path / "bundle.tar")
    with tarfile.open(tmp_path / "bundle.tar") as old, tarfile.open(tmp_path / "less.tar", "w") as new:
        for member in old:
            content = old.extractfile(member)
            assert content is not None
            if (data := content.read()) != b"one":
                new.addfile(member, io.BytesIO(data))
    with pytest.raises(StoreError, match="was refused: it lacks outputs of build"):
        other.import_(tmp_path / "less.tar")


def test_a_sparse_giant_is_refused(other: Store, tmp_path: Path) -> None:
    """A member that claims to be larger than the bundle itself never gets to the disk."""
    member = tarfile.TarInfo("blobs/ab/" + "c" * 62)
    member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 50)}
    member.pax_headers["GNU.sparse.name"] = member.name
    data = b"1\n%d\n0\n" % (1 << 50)
    member.size = 1024
    with tarfile.open(tmp_path / "bundle.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(member, io.BytesIO(data.ljust(1024, b"\0")))
    with pytest.raises(StoreError, match="was refused"):
        other.import_(tmp_path / "bundle.tar")


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_a_giant_header_is_refused(other: Store, tmp_path: Path, kind: bytes) -> None:
    """A size that no machine has is no reason to break."""
    member = tarfile.TarInfo("blobs/ab/" + "c" * 62)
    member.type, member.size = kind, 1 << 62
    (tmp_path / "bundle.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) + b"\0" * 2048)
    with pytest.raises(StoreError, match="was refused"):
        other.import_(tmp_path / "bundle.tar")


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_headers_before_headers_without_end_are_refused(other: Store, tmp_path: Path, kind: bytes) -> None:
    """Reading them goes as deep as there are."""
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, 11
    header = member.tobuf(tarfile.GNU_FORMAT) + b"11 path=ab\n".ljust(512, b"\0")
    (tmp_path / "bundle.tar").write_bytes(header * 2_000 + bytes(1024))
    with pytest.raises(RefusedBundleError, match="not a tar archive"):
        other.import_(tmp_path / "bundle.tar")


def test_what_is_no_file_is_refused(other: Store, tmp_path: Path) -> None:
    """A pipe is not waited for."""
    os.mkfifo(tmp_path / "pipe.tar")
    (tmp_path / "link.tar").symlink_to("nothing")
    for path in (tmp_path, tmp_path / "pipe.tar", tmp_path / "link.tar"):
        with pytest.raises(RefusedBundleError, match="was refused: it is no file"):
            other.import_(path)


def test_a_file_that_cannot_be_read_is_refused(bundle: Path, other: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is that of the system."""

    def refuse(*_arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(RefusedBundleError, match=r"was refused: it cannot be read \(Permission denied\)"):
        other.import_(bundle)


def test_a_giant_record_is_refused(bundle: Path, other: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more of it is read than a record has."""
    monkeypatch.setattr("headworks._store.bundle.SEALED_LIMIT", 100)
    with pytest.raises(RefusedBundleError, match="is damaged"):
        other.import_(bundle)


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b" + b"\0" * 100])
def test_other_files_are_refused(other: Store, tmp_path: Path, content: bytes) -> None:
    """Compressed ones too: a small file must not unpack to a giant."""
    (tmp_path / "bundle.tar").write_bytes(content)
    with pytest.raises(StoreError, match="not a tar archive, or one cut short"):
        other.import_(tmp_path / "bundle.tar")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(min_value=0), place=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_a_damaged_bundle_gives_nothing_false(bundle: Path, stage: Stage, cut: int, place: int, bit: int) -> None:
    """Cut short or with a bit flipped, it is refused, or gives verdicts that were in it."""
    data = bytearray(bundle.read_bytes())
    data[place % len(data)] ^= 1 << bit
    path = bundle.with_name("damaged.tar")
    path.write_bytes(data[: len(data) - cut % 3 * (cut % len(data)) // 3])
    other = Store(bundle.with_name(os.urandom(8).hex()))
    try:
        other.import_(path)
    except StoreError:
        assert other.ls() == []
    assert all(it in stage.store.ls() for it in other.ls())
