"""A store that many machines read, behind any URL that fsspec understands."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from headworks._store.blobs import Blobs, blob_name, promoted_name
from headworks._store.files import unfinished
from headworks._store.patience import Patience
from headworks._store.records import observed_name, record_name
from headworks._store.tree import contents
from headworks.errors import ConfigurationError, StoreError

try:
    import fsspec
except ModuleNotFoundError as error:
    _REASON = "A remote store needs the package fsspec: pip install 'headworks[remote]'."
    raise ConfigurationError(_REASON) from error

if TYPE_CHECKING:
    from headworks._store.verdict import Verdict

    T = TypeVar("T")

_LOCAL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}  # what a disk says, and no network
_SECRETS = re.compile(r"(?<=://)[^/@\s]*@")
_WORDS = 300  # letters of an error
# File systems that create a file only where there is none, in one step. Those that look first, as fsspec does by
# default, let two writers pass at once.
_EXCLUSIVE = {"abfs", "file", "gs", "memory", "s3"}
_PROBE = "exclusive"  # a file that is there, once something was created


class Remote:
    """A remote store: a folder as a local one, without an index.

    A remote that fails, or keeps a run waiting, is not asked again by this process: everything in it is a miss.

    Attributes:
        problems: The first problem, in words; empty as long as the remote is asked.
        url: Its address.
        writes: Whether this run may write there.
    """

    def __init__(self, url: str, *, write: bool = False) -> None:
        """Read below a URL such as `s3://bucket/headworks`; write there if asked to."""
        self.problems: list[str] = []
        self.url = url
        self.writes = write
        self._patience = Patience()
        self._files, self._base = None, ""
        try:
            for part in url.split("::"):  # a slow import is not the remote's fault, and must not count as its time
                fsspec.get_filesystem_class(fsspec.core.split_protocol(part)[0] or "file")
            self._files, base = self._patience.call(lambda: fsspec.core.url_to_fs(url))
            self._base = base.rstrip("/")
        except (ImportError, ValueError) as error:
            message = f"The remote store {self.name} cannot be used: {error}"
            raise ConfigurationError(message) from error
        except Exception as error:  # noqa: BLE001  # some kinds connect at once, each with errors of its own
            self._note(error)

    @property
    def name(self) -> str:
        """Its address for people, without a password."""
        return _SECRETS.sub("", self.url)

    def _ask(self, function: Callable[[Any], T], size: Callable[[], int] = lambda: 0) -> T:
        """Call a function with the file system of the remote; see `Patience.call`."""
        return self._patience.call(lambda: function(self._files), size)

    def _look(self, function: Callable[[Any], T], nothing: T) -> T:
        """Call a function that reads; nothing if what it reads is not there, or the remote fails or has failed."""
        try:
            return nothing if self.problems else self._ask(function)
        except FileNotFoundError:
            return nothing
        except Exception as error:  # noqa: BLE001  # each kind of file system has errors of its own
            self._note(error)
            return nothing

    def passed(self, digests: list[str]) -> dict[str, bytes]:
        """Return the records of those digests that have passed and never failed."""
        passed = self.records(digests, passed=True)
        failed = self.records(list(passed), passed=False)
        # A pass counts only if it is known that the digest never failed, not if the remote went away in between.
        return {} if self.problems else {digest: data for digest, data in passed.items() if digest not in failed}

    def records(self, digests: list[str], *, passed: bool) -> dict[str, bytes]:
        """Return the records of those digests that have passed, or of those that have failed."""
        return self.read({digest: record_name(digest, passed=passed) for digest in digests})

    def read(self, names: Mapping[str, str]) -> dict[str, bytes]:
        """Return the content of the files that exist, by their keys."""
        keys = {f"{self._base}/{name}": key for key, name in names.items()}
        # Asynchronous file systems are asked for all files at once, others for one file a call.
        calls = [list(keys)] if getattr(self._files, "async_impl", False) else [[path] for path in keys]
        content: dict[str, bytes] = {}
        nothing: dict[str, Any] = {}
        for paths in calls if keys else ():
            read = self._look(methodcaller("cat", paths, on_error="return"), nothing)
            content |= {keys[path]: data for path, data in read.items() if isinstance(data, bytes)}
            for error in read.values():
                if isinstance(error, Exception) and not isinstance(error, FileNotFoundError):
                    self._note(error)
        return content

    def names(self, folder: str) -> set[str]:
        """Return the names in a folder; none if it cannot be read."""
        nothing: list[str] = []
        listed = self._look(lambda files: files.ls(f"{self._base}/{folder}", detail=False, refresh=True), nothing)
        return {path.rstrip("/").rpartition("/")[2] for path in listed}

    def read_folder(self, name: str) -> dict[str, bytes] | None:
        """Return the files of a folder by their names; None if it cannot be read."""
        read = self.read({file: f"{name}/{file}" for file in self.names(name)})
        return None if self.problems else read

    def write(self, name: str, data: bytes, *, what: str) -> None:
        """Write a file, for a run that may write.

        Raises:
            StoreError: It could not be written.
        """
        with self._writing(what):
            self._put(name, data)

    def create(self, name: str, data: bytes, *, what: str) -> bool:
        """Write a file unless there is one, for a run that may write; of several at once, one does.

        Returns:
            Whether this run did.

        Raises:
            StoreError: It could not be written, or a remote of this kind cannot tell which of two writers was first.
        """
        with self._writing(what):
            if not self.is_exclusive:
                message = (
                    "it does not refuse to overwrite a file, so that two writers would not notice each other; S3,"
                    " Google Cloud Storage, Azure's blobs and folders do"
                )
                raise OSError(message)
            # A request that is repeated, since its answer was lost, finds its own file.
            return self._created(name, data) or self.read({name: name}).get(name) == data

    @cached_property
    def is_exclusive(self) -> bool:
        """Whether only one of two writers creates a file: by its kind, and by trying it, as some services ignore it."""
        if not _EXCLUSIVE & self._protocols:
            return False
        with self._writing("A file that shows whether two writers notice each other"):
            self._created(_PROBE, b"")
            mark = os.urandom(16)
            # What the file then holds tells it also where an answer was lost.
            return not self._created(_PROBE, mark) and self.read({_PROBE: _PROBE}).get(_PROBE) != mark

    @property
    def _protocols(self) -> set[str]:
        """The names of its kind of file system."""
        protocol = getattr(self._files, "protocol", ())
        return {protocol} if isinstance(protocol, str) else set(protocol)

    def _created(self, name: str, data: bytes) -> bool:
        """Write a file unless there is one; tell whether that was so."""
        self._make_folder(name)
        path = f"{self._base}/{name}"

        def link(_files: object) -> None:
            with unfinished(Path(self._base, "tmp")) as part:
                part.write_bytes(data)
                os.link(part, path)  # whole at once, whatever ends this process

        try:
            create = link if "file" in self._protocols else methodcaller("pipe_file", path, data, mode="create")
            self._ask(create, lambda: len(data))
        except Exception:
            # Some services say it in words of their own, an answer may be lost of a request that was obeyed, and a
            # folder that cannot be made is a FileExistsError too: only a file that is there tells.
            if not self.read({name: name}):
                raise
            self._ask(methodcaller("invalidate_cache"))  # or its folder would look as it did before
            return False
        return True

    def keep(self, contents: Iterable[str], blobs: Blobs, *, what: str, is_promoted: bool) -> None:
        """Write blobs, for a run that may write; those of promoted models also where no rule by age deletes them.

        Raises:
            StoreError: They could not be written.
        """
        with self._writing(what):
            for content in contents:
                self._put_blob(content, blobs)
                if is_promoted:
                    self._put_blob(content, blobs, promoted_name(content))

    @contextlib.contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        """Turn an error of a run that writes into a StoreError."""
        try:
            yield
        except Exception as error:
            message = (
                f"{what} could not be written to the remote store {self.name}: {_words(error)}. Check the address and"
                " your rights, or run without --write-remote."
            )
            raise StoreError(message) from error

    def fetch_blob(self, content: str, blobs: Blobs) -> bool:
        """Copy a blob into a local store; False if the remote lacks it, or has it damaged."""
        if self.problems:
            return False
        try:
            with blobs.unfinished() as part:
                names = (blob_name(content), promoted_name(content))
                return any(self._fetch(name, part) and blobs.adopt(part, content) for name in names)
        except OSError as error:
            self._give_up(
                f"The store {blobs.root} could not be written to ({_words(error)}); what the remote store {self.name}"
                " has counts as missing. Free space with `headworks store gc`, or name another folder in"
                " HEADWORKS_STORE."
            )
            return False

    def _fetch(self, name: str, part: Path) -> bool:
        """Copy a file of the remote to a new one; False if there is none.

        Raises:
            OSError: The file could not be written.
        """

        def size() -> int:
            return part.stat().st_size if part.exists() else 0

        try:
            self._ask(lambda files: files.get_file(f"{self._base}/{name}", str(part)), size)
        except FileNotFoundError:
            return False
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _LOCAL:
                raise
            self._note(error)
            return False
        return True

    def push(self, verdict: Verdict, record: bytes, blobs: Blobs) -> None:
        """Write a verdict after its outputs, if this run may write; a failure is among the problems."""
        if not self.writes or self.problems:
            return
        name = record_name(verdict.digest, passed=verdict.passed)
        try:
            for content in sorted(contents(verdict, blobs)) if verdict.passed else ():
                self._put_blob(content, blobs)
            self._put(name, record)
            if verdict.core:
                self._put(observed_name(verdict.core, verdict.digest), b"")
        except Exception as error:  # noqa: BLE001  # each kind of file system has errors of its own
            self._give_up(
                f"The verdict of {verdict.session} could not be written to the remote store {self.name}:"
                f" {_words(error)}. Nothing more is written there or asked from there by this run. Check the address"
                " and your rights, or run without --write-remote."
            )

    def _put(self, name: str, data: bytes) -> None:
        """Write a file, in a folder that need not exist."""
        self._make_folder(name)
        self._ask(lambda files: files.pipe_file(f"{self._base}/{name}", data), lambda: len(data))

    def _put_blob(self, content: str, blobs: Blobs, name: str = "") -> None:
        """Write a blob unless it is there in full length."""
        name = name or blob_name(content)
        path = f"{self._base}/{name}"
        size = blobs.path(content).stat().st_size
        with contextlib.suppress(FileNotFoundError):
            if self._ask(lambda files: files.info(path)["size"]) == size:
                return
        self._make_folder(name)
        with blobs.unfinished() as part:
            if not blobs.copy_out(content, part):
                raise FileNotFoundError(content)
            self._ask(lambda files: files.put_file(str(part), path), lambda: size)

    def _make_folder(self, name: str) -> None:
        """Make the folder for a file; only some kinds of file system need it."""
        self._ask(lambda files: files.makedirs(f"{self._base}/{name}".rpartition("/")[0], exist_ok=True))

    def _note(self, error: Exception) -> None:
        """Remember that the remote could not be read."""
        more = " Nothing is written there." if self.writes else ""
        self._give_up(
            f"The remote store {self.name} could not be read ({_words(error)}); what it holds counts as missing.{more}"
        )

    def _give_up(self, problem: str) -> None:
        """Stop asking the remote, and remember the first reason."""
        self.problems += [] if self.problems else [problem]


def _words(error: Exception) -> str:
    """Return the message of an error in one line without passwords, or else its kind."""
    return _SECRETS.sub("", " ".join(str(error).split()))[:_WORDS] or type(error).__name__
