"""A remote store is read through, written only when asked to, and trusted no more than the local one."""

from __future__ import annotations

import functools
import http.server
import os
import resource
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar

import fsspec
import pytest

from headworks._store.remote import Remote
from headworks._store.store import Store
from headworks._store.verdict import Verdict
from headworks.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Serving, Stage


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A file server that says nothing."""

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Return the folder that is shared."""
    (tmp_path / "shared").mkdir()
    return tmp_path / "shared"


@pytest.fixture(params=["file", "memory", "http"])
def url(request: pytest.FixtureRequest, shared: Path, serving: Serving) -> Iterator[str]:
    """Return the address of a remote store: a local folder, memory, and a folder behind a real HTTP server."""
    if request.param == "memory":
        name = f"memory://{os.urandom(8).hex()}"
        yield name
        fsspec.filesystem("memory").rm(name, recursive=True)
    elif request.param == "file":
        yield shared.as_uri()
    else:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(shared)))
        with serving(server) as address:
            yield address


def published(stage: Stage, url: str, shared: Path) -> Verdict:
    """Record a session with outputs and write it to the remote; over HTTP that is the server's folder."""
    stage.store.remote = Remote(shared.as_uri() if url.startswith("http") else url, write=True)
    stage.write({"out/a": "one", "out/b": "two"})
    return stage.record("build", outputs=["out"])


def elsewhere(tmp_path: Path, url: str) -> Store:
    """Return the store of another machine that reads the remote."""
    return Store(tmp_path / "elsewhere", remote=Remote(url))


def test_a_remote_is_read_through(stage: Stage, url: str, shared: Path, tmp_path: Path) -> None:
    """A verdict recorded on one machine counts on another, which then has it without the remote."""
    verdict = published(stage, url, shared)
    store = elsewhere(tmp_path, url)
    assert store.verdicts([verdict.digest, "0" * 64]) == {verdict.digest: verdict}
    (stage.root / "out/a").write_text("changed")
    assert store.restore(verdict, stage.root) is not None
    assert (stage.root / "out/a").read_text() == "one"
    assert store.problems == []
    alone = Store(tmp_path / "elsewhere")
    (stage.root / "out/a").write_text("changed")
    assert alone.verdict(verdict.digest) == verdict
    assert alone.restore(verdict, stage.root) is not None


def test_one_verdict_is_looked_up_as_many_are(stage: Stage, url: str, shared: Path, tmp_path: Path) -> None:
    """And a store that cannot be written to gives it all the same."""
    verdict = published(stage, url, shared)
    (tmp_path / "elsewhere").write_text("")
    assert elsewhere(tmp_path, url).verdict(verdict.digest) == verdict
    assert elsewhere(tmp_path, url).verdict("0" * 64) is None


def test_a_remote_failure_counts(stage: Stage, url: str, shared: Path, tmp_path: Path) -> None:
    """What failed anywhere is reused nowhere."""
    verdict = published(stage, url, shared)
    stage.record("build", passed=False)
    assert elsewhere(tmp_path, url).verdicts([verdict.digest]) == {}


def test_what_is_damaged_on_a_remote_is_a_miss(stage: Stage, shared: Path, tmp_path: Path) -> None:
    """Records and blobs are checked as local ones are; a blob that is lost is one more miss."""
    verdict = published(stage, shared.as_uri(), shared)
    for blob in shared.glob("blobs/*/*"):
        blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    store = elsewhere(tmp_path, shared.as_uri())
    assert store.verdict(verdict.digest) == verdict
    (stage.root / "out/a").unlink()
    assert store.restore(verdict, stage.root) is None
    for blob in shared.glob("blobs/*/*"):
        blob.unlink()
    assert store.restore(verdict, stage.root) is None
    for record in shared.glob("passed/*/*"):
        record.write_bytes(b"forged")
    assert Store(tmp_path / "third", remote=Remote(shared.as_uri())).verdict(verdict.digest) is None


def test_a_damaged_local_blob_is_fetched_again(stage: Stage, shared: Path) -> None:
    """The remote mends the local store."""
    verdict = published(stage, shared.as_uri(), shared)
    for blob in stage.blobs():
        blob.write_bytes(b"")
    (stage.root / "out/a").unlink()
    assert stage.store.restore(verdict, stage.root) is not None


def test_a_remote_is_not_written_to_unless_told(stage: Stage, shared: Path) -> None:
    """Reading is for all, writing for trusted runs."""
    stage.store.remote = Remote(shared.as_uri())
    stage.record("build")
    assert list(shared.iterdir()) == []


def test_what_a_remote_has_is_not_written_twice(stage: Stage, shared: Path) -> None:
    """Outputs are large; one that was cut short is written again."""
    published(stage, shared.as_uri(), shared)
    blobs = sorted(shared.glob("blobs/*/*"))
    before = [it.stat().st_mtime_ns for it in blobs]
    blobs[0].write_bytes(b"")
    published(stage, shared.as_uri(), shared)
    assert [it.stat().st_mtime_ns for it in blobs][1:] == before[1:]
    assert blobs[0].stat().st_size > 0


def test_a_remote_that_cannot_be_written_says_so_once(stage: Stage, shared: Path) -> None:
    """The local store has the verdicts all the same."""
    (shared / "passed").write_text("in the way")
    published(stage, shared.as_uri(), shared)
    stage.record("other")
    [problem] = stage.store.problems
    assert problem.startswith(f"The verdict of build could not be written to the remote store {shared.as_uri()}: ")
    assert problem.endswith("or run without --write-remote.")
    assert {it.session for it in stage.store.ls()} == {"build", "other"}
    with pytest.raises(StoreError, match=r"x could not be written to the remote store file:.* --write-remote"):
        Remote(shared.as_uri(), write=True).write("passed/x", b"x", what="x")


@pytest.mark.parametrize("part", ["manifest", "file"])
def test_a_damaged_output_is_not_spread(stage: Stage, shared: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """What goes bad between recording and sending stays here."""
    remote = Remote(shared.as_uri(), write=True)
    real = remote.push

    def push(*arguments: Any) -> None:  # noqa: ANN401  # those of the real one
        for blob in stage.blobs():
            if blob.read_bytes().startswith(b"[[") == (part == "manifest"):
                blob.write_bytes(b"damaged")
        real(*arguments)

    monkeypatch.setattr(remote, "push", push)
    stage.store.remote = remote
    stage.write({"out": "one"})
    stage.record("build", outputs=["out"])
    assert "could not be written to the remote store" in stage.store.problems[0]
    assert not list(shared.glob("passed/*/*"))


def test_a_remote_out_of_reach_is_asked_once(stage: Stage) -> None:
    """All it may have is missing, and the person is told once."""
    remote = Remote("http://127.0.0.1:1")
    stage.store.remote = remote
    verdict = stage.record("build")
    assert stage.store.verdicts(["0" * 64, "1" * 64]) == {}
    assert stage.store.verdicts(["2" * 64, verdict.digest]) == {verdict.digest: verdict}
    [problem] = stage.store.problems
    assert problem.startswith("The remote store http://127.0.0.1:1 could not be read (")
    assert stage.store.restore(Verdict(**vars(verdict) | {"outputs": {"out": "0" * 64}}), stage.root) is None


class Breaking:
    """A file system that answers a number of requests and then goes away."""

    async_impl = False

    def __init__(self, files: Any, answers: int) -> None:  # noqa: ANN401  # fsspec has no types
        """Stand before real files."""
        self._files = files
        self._answers = answers

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # fsspec has no types
        """Answer or break."""
        self._answers -= 1
        if self._answers < 0:
            raise TimeoutError
        return getattr(self._files, name)


@pytest.mark.parametrize("answers", range(4))
def test_a_remote_that_goes_away_gives_no_pass(stage: Stage, shared: Path, tmp_path: Path, answers: int) -> None:
    """A pass is believed only once it is known that there is no failure, and restored only whole."""
    verdict = published(stage, shared.as_uri(), shared)
    store = elsewhere(tmp_path, shared.as_uri())
    assert store.remote is not None
    store.remote._files = Breaking(store.remote._files, answers)
    found = store.verdict(verdict.digest)
    assert found == (verdict if answers >= 2 else None)
    (stage.root / "out/a").write_text("changed")
    assert store.restore(verdict, stage.root) is None
    assert (stage.root / "out/a").read_text() == "changed"
    assert store.problems == [
        f"The remote store {shared.as_uri()} could not be read (TimeoutError); what it holds counts as missing."
    ]


class Silent(http.server.BaseHTTPRequestHandler):
    """A server that never answers, or answers that something is wrong with it."""

    ends: ClassVar[threading.Event]
    asked: ClassVar[list[str]]
    status: ClassVar[int]

    def do_GET(self) -> None:
        """Take note, and answer only if there is something to say, whatever is asked for."""
        self.asked.append(self.path)
        if self.status:
            self.send_error(self.status)
        else:
            self.ends.wait(60)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(params=[0, 500])
def broken(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, serving: Serving
) -> Iterator[tuple[str, type[Silent]]]:
    """Return the address of a server that accepts connections and is of no use, and its handler."""
    monkeypatch.setattr("headworks._store.patience._SECONDS", 0.3)

    class Handler(Silent):
        ends, asked, status = threading.Event(), [], request.param

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(server) as address:
        yield address, Handler
        Handler.ends.set()


def test_a_remote_that_is_of_no_use_is_asked_once(stage: Stage, broken: tuple[str, type[Silent]]) -> None:
    """However many verdicts there are, it costs the patience of one run, and gives one warning."""
    url, handler = broken
    stage.store.remote = Remote(url, write=True)
    begin = time.monotonic()
    assert stage.store.verdicts([f"{number:064}" for number in range(20)]) == {}
    asked = len(handler.asked)
    verdict = stage.record("build")
    assert stage.store.verdicts([verdict.digest, "1" * 64]) == {verdict.digest: verdict}
    assert stage.store.restore(Verdict(**vars(verdict) | {"outputs": {"out": "0" * 64}}), stage.root) is None
    assert stage.store.remote.read_folder("ledger/x") is None
    assert time.monotonic() - begin < 30  # each request would otherwise wait for a minute
    assert len(handler.asked) == asked
    [problem] = stage.store.problems
    assert problem.startswith(f"The remote store {url} could not be read (")
    assert problem.endswith("; what it holds counts as missing. Nothing is written there.")


class Hanging:
    """A file system that answers until something is written to it."""

    async_impl = False

    def __init__(self, files: Any, ends: threading.Event) -> None:  # noqa: ANN401  # fsspec has no types
        """Stand before real files."""
        self._files = files
        self._ends = ends

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # fsspec has no types
        """Answer, or wait until the test has ended."""
        return (lambda *_arguments: self._ends.wait(60)) if name == "pipe_file" else getattr(self._files, name)


def test_a_write_that_never_ends_is_left(stage: Stage, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs no more patience than a read."""
    monkeypatch.setattr("headworks._store.patience._SECONDS", 0.1)
    remote = stage.store.remote = Remote(shared.as_uri(), write=True)
    ends = threading.Event()
    remote._files = Hanging(remote._files, ends)
    begin = time.monotonic()
    verdicts = [stage.record("one"), stage.record("two")]
    assert time.monotonic() - begin < 30
    ends.set()
    assert stage.store.ls() == sorted(verdicts, key=lambda it: it.session)
    assert len(stage.store.problems) == 1
    assert "it kept this run waiting for 0.1 s" in stage.store.problems[0]


class Refusing(fsspec.AbstractFileSystem):  # type: ignore[misc]  # it ships no types
    """A file system that connects when it is made."""

    cachable = False

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401  # those of any file system
        """Refuse to be."""
        super().__init__(**settings)
        raise ConnectionRefusedError(111, "Connection refused")


def test_a_remote_that_cannot_be_connected_to_is_a_miss(stage: Stage) -> None:
    """Also where that is tried at once; no password is shown."""
    fsspec.register_implementation("refusing", Refusing, clobber=True)
    stage.store.remote = Remote("refusing://somebody:secret@127.0.0.1/x")
    assert stage.store.verdicts(["0" * 64]) == {}
    [problem] = stage.store.problems
    assert problem.startswith("The remote store refusing://127.0.0.1/x could not be read ([Errno 111] Connection")


@pytest.mark.parametrize("how", ["full", "no folder"])
def test_a_local_store_that_takes_nothing_is_not_the_remotes_fault(
    stage: Stage, url: str, shared: Path, tmp_path: Path, how: str
) -> None:
    """Nothing can be fetched then; it is said which of the two is to be mended."""
    verdict = published(stage, url, shared)
    store = elsewhere(tmp_path, url)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if how == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    else:
        (tmp_path / "elsewhere").write_text("")
    (stage.root / "out/a").unlink()
    try:
        assert store.restore(verdict, stage.root) is None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    [problem] = store.problems
    assert problem.startswith(f"The store {tmp_path / 'elsewhere'} could not be written to (")
    assert "Free space with `headworks store gc`" in problem


def test_the_environment_names_a_remote(stage: Stage, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HEADWORKS_REMOTE counts unless another is given; an empty one is none."""
    monkeypatch.setenv("HEADWORKS_REMOTE", shared.as_uri())
    assert Store.default(stage.root).remote is not None
    assert Store.default(stage.root, remote="").remote is None


def test_an_address_that_makes_no_sense_is_named() -> None:
    """With the reason that fsspec gives."""
    with pytest.raises(ConfigurationError, match="The remote store nonsense://x cannot be used: Protocol not known"):
        Remote("nonsense://x")


def test_a_remote_needs_fsspec(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has not installed it is told how."""
    monkeypatch.delitem(sys.modules, "headworks._store.remote")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ConfigurationError, match=r"needs the package fsspec: pip install 'headworks\[remote\]'"):
        Store.default(stage.root, remote="memory://x")
