"""Whatever happens to a store, what it gives back is what was recorded."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headworks._store.store import Store
from headworks.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Stage

# Records sessions one after the other, restores, clears and exports. What an output must hold follows from the digest.
WORKER = """
import hashlib, os, pathlib, random, sys
from headworks._store.store import Store
from headworks._store.verdict import Verdict

root, folder, seed = sys.argv[1:]
store, random, work = Store(root), random.Random(int(seed)), pathlib.Path(folder, f"work{seed}")
(work / ".git").mkdir(parents=True, exist_ok=True)
number = 0
while True:
    number += 1
    digest = hashlib.sha256(str(number % 40).encode()).hexdigest()
    out = work / "out"
    out.mkdir(exist_ok=True)
    for part in range(3):
        (out / str(part)).write_text(f"{digest} {part} " * 500)
    (out / "0").chmod(0o755)
    content = store.outputs(work).content("out")
    verdict = Verdict(session="s", digest=digest, passed=True, finished="2026-01-31T12:00:00+00:00", seconds=1,
        commit="", platform="", outputs={"out": content}, components={})
    store.record(verdict, work)
    if number == 1:
        print("started", flush=True)
    if number % 7 == 0:
        store.gc(max_size=900_000)
    if number % 11 == 0:
        store.export(work / "bundle.tar")
        store.import_(work / "bundle.tar")
    for verdict in store.verdicts(hashlib.sha256(str(it).encode()).hexdigest() for it in range(40)).values():
        if store.restore(verdict, work) is not None:
            for part in range(3):
                assert (out / str(part)).read_text() == f"{verdict.digest} {part} " * 500, "corrupt"
"""


def start(stage: Stage, seed: int) -> subprocess.Popen[str]:
    """Start a worker on the store, and wait until it has recorded something."""
    command = [sys.executable, "-c", WORKER, stage.store.root, str(stage.root), str(seed)]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "started\n"
    return worker


def end(worker: subprocess.Popen[str]) -> None:
    """Kill a worker that must not have failed by itself."""
    worker.kill()
    _, errors = worker.communicate()
    assert (worker.returncode, errors) == (-signal.SIGKILL, "")


def check(stage: Stage) -> int:
    """Restore all that the store has, and return how many verdicts that were; each must be whole and right."""
    store = Store(stage.store.root)
    restored = 0
    for verdict in store.verdicts(it.digest for it in store.ls()).values():
        if store.restore(verdict, stage.root) is not None:
            restored += 1
            parts = {it.name: it.read_text() for it in (stage.root / "out").iterdir()}
            assert parts == {str(part): f"{verdict.digest} {part} " * 500 for part in range(3)}
    return restored


def test_a_kill_at_any_moment_leaves_the_store_right(stage: Stage) -> None:
    """Whatever the process was doing: recording, restoring, clearing, exporting."""
    pauses = random.Random(0)  # noqa: S311  # no secret is made of it
    for seed in range(6):
        worker = start(stage, seed)
        time.sleep(pauses.random() / 4)
        end(worker)
        assert check(stage) > 0
    assert Store(stage.store.root).gc().kept > 0


def test_many_files_reach_the_disk_before_their_names(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """By one sync of all, which is much faster than one for each; the record that names them comes last."""
    named: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "sync", lambda: named.append((len(stage.blobs()), len(stage.store.ls()))))
    stage.write({f"out/{number}": str(number) for number in range(300)})
    stage.record("build", outputs=["out"])
    assert named == [(0, 0), (300, 0)]


def test_many_may_write_at_once(stage: Stage) -> None:
    """Processes that record, restore and clear the same store never see anything false."""
    workers = [start(stage, seed) for seed in range(3)]
    time.sleep(1.5)
    for _ in range(3):
        check(stage)
    for worker in workers:
        end(worker)
    assert check(stage) > 0


@pytest.mark.parametrize("seed", range(30))
def test_a_flipped_bit_anywhere_gives_nothing_false(stage: Stage, seed: int) -> None:
    """In any file of the store: what is given back is right, and what is not right is a miss."""
    chance = random.Random(seed)  # noqa: S311  # no secret is made of it
    stage.write({"out/a": "one", "out/b": "two"})
    verdict = stage.record("build", outputs=["out"])
    flaky = stage.record("flaky")
    stage.record("flaky", passed=False)
    path = chance.choice(sorted(it for it in Path(stage.store.root).rglob("*") if it.is_file()))
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    before = stage.tree("out")
    for store in (Store(stage.store.root), Store(stage.store.root)):
        known = store.verdicts([verdict.digest, flaky.digest])
        assert [(it.digest, it.outputs) for it in known.values()] in ([], [(verdict.digest, verdict.outputs)])
        shutil.rmtree(stage.root / "out", ignore_errors=True)
        if (found := store.verdict(verdict.digest)) is not None and store.restore(found, stage.root) is not None:
            assert found == verdict
            assert stage.tree("out") == before


def limited(size: int) -> None:
    """Let this process write no file larger than a size, as a full disk would not."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


RECORD = """
import sys
from headworks._store.store import Store
from headworks._store.verdict import Verdict
from headworks.errors import StoreError

store = Store(sys.argv[1])
verdict = Verdict(session="s", digest="1" * 64, passed=True, finished="2026-01-31T12:00:00+00:00", seconds=1, commit="",
    platform="", outputs={"out": store.outputs(sys.argv[2]).content("out")}, components={})
try:
    store.record(verdict, sys.argv[2])
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize("size", [0, 10, 300, 5_000])
def test_a_full_disk_is_said_and_leaves_nothing_half_made(stage: Stage, size: int) -> None:
    """Wherever the space ends: at the blob, its manifest, the record."""
    stage.write({"out/a": "x" * 6_000})
    command = [sys.executable, "-c", RECORD, stage.store.root, str(stage.root)]
    limit = functools.partial(limited, size)
    done = subprocess.run(command, check=True, capture_output=True, text=True, preexec_fn=limit)
    assert done.stderr == ""
    assert done.stdout.startswith("The verdict of s could not be written to the store")
    assert "File too large. Free space with `headworks store gc`" in done.stdout
    assert Store(stage.store.root).verdict("1" * 64) is None
    assert not list(Path(stage.store.root, "tmp").iterdir())


def test_a_restore_for_which_there_is_no_space_says_so(stage: Stage) -> None:
    """And what was there stays."""
    stage.write({"out/a": "x" * 6_000})
    verdict = stage.record("build", outputs=["out"])
    stage.write({"out/a": "changed"})
    before = stage.tree("out")
    with full(300), pytest.raises(StoreError, match=r"out could not be put back: File too large\. Free space"):
        stage.store.restore(verdict, stage.root)
    assert stage.tree("out") == before


@contextlib.contextmanager
def full(size: int) -> Iterator[None]:
    """Let this process, and what it starts and does not say otherwise, write no file larger than a size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_can_be_cleared(stage: Stage) -> None:
    """Although there is no space for another index: it is made anew once there is."""
    stage.write({"out": "x" * 6_000})
    old = stage.record("old", outputs=["out"])
    kept = stage.record("kept")
    for path in [*stage.blobs(), *Path(stage.store.root).glob(f"passed/{old.digest[:2]}/*")]:
        os.utime(path, (0, 0))
    with full(10):
        cleared = stage.store.gc(max_age=86_400)
    assert (cleared.verdicts, cleared.blobs, cleared.kept) == (1, 2, 1)
    assert Store(stage.store.root).verdicts([old.digest, kept.digest]) == {kept.digest: kept}
    with full(10):
        assert Store(stage.store.root).verdict(kept.digest) == kept
        assert stage.store.forget(["kept"]) == 1
    assert Store(stage.store.root).ls() == []


def test_a_full_disk_is_among_the_problems_once(stage: Stage) -> None:
    """However many verdicts find no space."""
    for name in ("one", "two"):
        with full(10), pytest.raises(StoreError):
            stage.record(name)
    [problem] = stage.store.problems
    assert problem.startswith(f"The verdict of one could not be written to the store {stage.store.root}: File too")
    assert problem.endswith("HEADWORKS_STORE. What is not recorded runs again.")


MOVE = """
import sys
from headworks._store.store import Store
from headworks.errors import StoreError

store, other, work, bundle = Store(sys.argv[1]), Store(sys.argv[2]), *sys.argv[3:]
for action in (
    lambda: store.export(bundle + ".new"),
    lambda: other.import_(bundle),
    lambda: store.restore(store.verdict(sys.stdin.readline().strip()), work),
):
    try:
        action()
    except StoreError as error:
        print(error)
"""


@pytest.mark.parametrize("size", [0, 300, 5_000])
def test_a_full_disk_stops_what_is_moved(stage: Stage, tmp_path: Path, size: int) -> None:
    """An export, an import and a restore each say so, and leave everything as it was."""
    stage.write({"out/a": "x" * 6_000})
    verdict = stage.record("build", outputs=["out"])
    stage.store.export(tmp_path / "bundle")
    stage.write({"out/a": "changed"})
    before = stage.tree("out")
    places = [stage.store.root, str(tmp_path / "other"), str(stage.root), str(tmp_path / "bundle")]
    done = subprocess.run(
        [sys.executable, "-c", MOVE, *places],
        check=False,
        capture_output=True,
        text=True,
        input=verdict.digest,
        preexec_fn=functools.partial(limited, size),
    )
    assert done.stderr == ""
    assert done.stdout.count("File too large") == 3
    assert not (tmp_path / "bundle.new").exists()
    assert Store(tmp_path / "other").ls() == []
    assert stage.tree("out") == before
    assert Store(stage.store.root).verdict(verdict.digest) == verdict
    assert {it.name for it in tmp_path.iterdir()} <= {"bundle", "home", "other", "scratch"}
    assert {it.name for it in stage.root.iterdir()} == {".git", "out"}


def test_a_clock_that_goes_backward_does_no_harm(stage: Stage) -> None:
    """Files from the future are found, restored, and not cleared too early."""
    stage.write({"out": "one"})
    verdict = stage.record("build", outputs=["out"], finished="2999-01-01T00:00:00+00:00")
    future = time.time() + 1e8
    for path in [*Path(stage.store.root).rglob("*"), stage.root / "out"]:
        os.utime(path, (future, future))
    store = Store(stage.store.root)
    assert store.gc(max_age=1).kept == 1
    assert store.verdict(verdict.digest) == verdict
    (stage.root / "out").write_text("two")
    os.utime(stage.root / "out", (future, future))
    assert store.restore(verdict, stage.root) is not None
    assert (stage.root / "out").read_text() == "one"
