"""Clearing a store removes what was unused longest, and never makes anything else go wrong."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headworks._store.files import seal
from headworks._store.journal import Journal
from headworks._store.store import Store
from headworks.errors import StoreError

if TYPE_CHECKING:
    from conftest import Stage

    from headworks._store.verdict import Verdict

DAY = 86_400.0
UNFINISHED, BLOB = "tmp/0123456789abcdef", "blobs/ab/" + "c" * 62


def age(stage: Stage, days: float, *names: str) -> None:
    """Make files of the store older; all of them, or those below some folders."""
    then = time.time() - days * DAY
    for name in names or ("passed", "failed", "blobs", "tmp"):
        for path in Path(stage.store.root, name).rglob("*"):
            os.utime(path, (then, then))


def build(stage: Stage, name: str, content: str) -> Verdict:
    """Record a session with one output."""
    stage.write({name: content})
    return stage.record(name, outputs=[name])


def test_what_was_not_used_for_long_goes(stage: Stage) -> None:
    """With its outputs, except those that a verdict that stays needs as well."""
    old = build(stage, "old", "shared")
    stage.write({"out/old": "only here"})
    older = stage.record("older", outputs=["out"])
    age(stage, 40)
    new = stage.record("new", outputs=["old"])
    age(stage, 40, "blobs")
    cleared = stage.store.gc(max_age=30 * DAY)
    assert (cleared.verdicts, cleared.kept, cleared.blobs) == (2, 1, 2)
    assert cleared.size == sum(it.stat().st_size for it in stage.blobs()) > 0
    assert stage.store.verdicts([old.digest, older.digest, new.digest]) == {new.digest: new}
    (stage.root / "old").unlink()
    assert stage.store.restore(new, stage.root) is not None
    assert Store(stage.store.root).ls() == [new]


def test_what_a_model_passed_the_gate_by_stays_as_long_as_the_model(stage: Stage) -> None:
    """Since it can still be promoted, whatever became of the verdict of the predictions."""
    build(stage, "model", "a model")
    stage.write({"predictions": "of it"})
    [model] = [it.parent.name + it.name for it in stage.blobs() if it.read_text() == "a model"]
    content = stage.store.blobs.put_file(stage.root / "predictions")
    Journal(stage.store.root, "gates", model).note({"outcome": "passes", "files": {"predictions": content}})
    Path(stage.store.root, "gates", model, "000002").write_text("damaged")
    age(stage, 40)
    assert stage.store.gc().blobs == 0
    assert stage.store.gc(max_size=0).kept == 0
    assert stage.blobs() == []


def test_what_was_used_lately_stays(stage: Stage) -> None:
    """However long ago it was recorded."""
    verdict = build(stage, "old", "x")
    age(stage, 40)
    stage.store.mark_used([verdict.digest])
    stage.store.mark_used([verdict.digest])
    assert stage.store.gc(max_age=30 * DAY).kept == 1
    assert Path(stage.store.root, "used", time.strftime("%Y-%m-%d", time.gmtime())).read_text() == f"{verdict.digest}\n"
    assert stage.store.verdict(verdict.digest) == verdict


def test_old_notes_of_use_go_too(stage: Stage) -> None:
    """Those of days that no longer count; other files there are passed over."""
    stage.record("lint")
    for name in ("2020-01-01", "notes"):
        stage.store.mark_used(["0" * 64])
        Path(stage.store.root, "used", name).write_text("x\n")
    stage.store.gc(max_age=30 * DAY)
    assert len(list(Path(stage.store.root, "used").iterdir())) == 2
    assert not Path(stage.store.root, "used", "2020-01-01").exists()


def test_the_longest_unused_goes_until_the_rest_fits(stage: Stage) -> None:
    """Size is that of the outputs, each content counted once."""
    verdicts = []
    for number in range(4):
        verdicts.append(build(stage, f"out{number}", f"{number}" * 1000))
        age(stage, 10 - number, "blobs", f"passed/{verdicts[-1].digest[:2]}")
    for number, verdict in enumerate(verdicts):
        age(stage, 10 - number, f"passed/{verdict.digest[:2]}")
    stage.store.gc(max_size=2500)
    assert list(stage.store.verdicts(it.digest for it in verdicts).values()) == verdicts[2:]
    assert len(stage.blobs()) == 4


def test_without_limits_only_rubbish_goes(stage: Stage) -> None:
    """What killed processes left, and blobs that nothing names."""
    verdict = build(stage, "out", "x")
    for name in (UNFINISHED, BLOB):
        path = Path(stage.store.root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("rubbish")
    age(stage, 40)
    assert stage.store.gc().verdicts == 0
    assert stage.store.verdict(verdict.digest) == verdict
    assert not [it for it in Path(stage.store.root).rglob("*") if it.is_file() and it.read_text() == "rubbish"]


def test_what_is_not_the_stores_stays(stage: Stage) -> None:
    """HEADWORKS_STORE may name a folder with files of its own, such as `/var` with its `tmp` and `log`."""
    names = ["tmp/report.txt", "tmp/deep/0123456789abcdef", "logs/lint.log", "blobs/ab/cd", "failed/notes", "used/x"]
    for name in names:
        path = Path(stage.store.root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    Path(stage.store.root, "blobs/ab/folder").mkdir()
    Path(stage.store.root, "failed/folder").mkdir()
    verdict = build(stage, "out", "x")
    for path in Path(stage.store.root).rglob("*"):
        os.utime(path, (0, 0))
    assert stage.store.gc(max_size=0, max_age=1).verdicts == 1
    assert stage.store.verdict(verdict.digest) is None
    assert {name for name in names if Path(stage.store.root, name).read_text() == "mine"} == set(names)
    assert stage.store.ls() == []


@pytest.mark.parametrize("form", ["seal", "verdict"])
def test_a_store_of_a_newer_version_is_not_cleared(stage: Stage, form: str) -> None:
    """What its verdicts need cannot be told, and may not be taken for rubbish."""
    new, old = build(stage, "new", "x"), build(stage, "old", "y")
    path = Path(stage.store.root, "passed", new.digest[:2], new.digest[2:])
    content = json.dumps({"format": 3, "outputs": {}}).encode()
    path.write_bytes(seal(content) if form == "verdict" else b"headworks 3 " + content)
    age(stage, 40)
    with pytest.raises(StoreError, match=r"has verdicts of a newer version of Headworks.* Clear it with that version"):
        stage.store.gc(max_age=DAY)
    assert len(stage.blobs()) == 4
    assert stage.store.ls() == [old]
    assert stage.store.unreadable() == 1


@pytest.mark.parametrize("content", [b"", b"headworks x y", b"headworks 1 x", seal(b"[]"), seal(b'{"format": "2"}')])
def test_a_damaged_record_goes(stage: Stage, content: bytes) -> None:
    """It is not taken for one of a newer version."""
    verdict = build(stage, "out", "x")
    Path(stage.store.root, "passed", verdict.digest[:2], verdict.digest[2:]).write_bytes(content)
    assert stage.store.gc().verdicts == 1
    assert stage.store.unreadable() == 0


def test_young_files_stay(stage: Stage) -> None:
    """They may belong to a verdict that another process is just writing."""
    blob = Path(stage.store.root, BLOB)
    unfinished = Path(stage.store.root, UNFINISHED)
    for path in (blob, unfinished):
        path.parent.mkdir(parents=True)
        path.write_text("new")
    stage.store.gc(max_size=0, max_age=0)
    assert blob.exists()
    assert unfinished.exists()


def test_a_flaky_digest_stays_flaky(stage: Stage) -> None:
    """Its failure is not forgotten while its pass is remembered, however old the failure is."""
    digest = stage.record("lint", passed=False).digest
    age(stage, 40)
    stage.record("lint")
    stage.store.gc(max_age=30 * DAY)
    assert stage.store.verdict(digest) is None
    assert len(stage.store.flaky()) == 1
    age(stage, 40)
    assert stage.store.gc(max_age=30 * DAY).verdicts == 1
    assert stage.store.ls() == []


def test_an_old_failure_goes(stage: Stage) -> None:
    """A digest that only failed is forgotten like one that passed."""
    stage.record("lint", passed=False)
    assert stage.store.gc(max_age=30 * DAY).kept == 1
    age(stage, 40)
    assert stage.store.gc(max_age=30 * DAY).kept == 0
    assert stage.store.ls() == []


@pytest.mark.parametrize("part", ["record", "manifest", "blob"])
def test_what_is_damaged_goes(stage: Stage, part: str) -> None:
    """A verdict whose record or outputs are gone is of no use."""
    verdict = build(stage, "out", "x")
    if part == "record":
        Path(stage.store.root, "passed", verdict.digest[:2], verdict.digest[2:]).write_text("")
    else:
        [blob] = [it for it in stage.blobs() if (it.read_text() == "x") == (part == "blob")]
        blob.unlink()
    assert stage.store.gc().verdicts == 1
    assert stage.store.verdicts([verdict.digest]) == {}


def test_a_store_that_is_not_there_needs_no_clearing(stage: Stage) -> None:
    """It is cleared already."""
    assert stage.store.gc(max_size=0).kept == 0


def test_a_store_that_cannot_be_cleared_says_so(stage: Stage) -> None:
    """A folder stands in the way of the index."""
    stage.record("lint")
    Path(stage.store.root, "index").unlink()
    Path(stage.store.root, "index").mkdir()
    with pytest.raises(StoreError, match="What is left could not be written to the store"):
        stage.store.gc()


def test_a_record_that_another_process_removes_is_passed_over(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two may clear at the same time."""
    stage.record("lint")
    real = os.stat

    def stat(path: str, **settings: object) -> os.stat_result:
        if "passed/" in str(path) and not settings:
            raise FileNotFoundError(path)
        return real(path)

    monkeypatch.setattr(os, "stat", stat)
    assert stage.store.gc(max_size=0).verdicts == 0
