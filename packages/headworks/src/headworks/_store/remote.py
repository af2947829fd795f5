"""A store that many machines read, behind any URL that fsspec understands."""

from __future__ import annotations

import contextlib

from headworks._store.blobs import blob_name
from headworks._store.records import record_name
from headworks._store.tree import contents
from headworks.errors import ConfigurationError, StoreError

try:
    import fsspec  # type: ignore[import-untyped]  # it ships no types
except ModuleNotFoundError as error:
    _REASON = "A remote store needs the package fsspec: pip install 'headworks[remote]'."
    raise ConfigurationError(_REASON) from error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from headworks._store.blobs import Blobs
    from headworks._verdict import Verdict

__all__ = ["Remote"]


class Remote:
    """A remote store: a folder as a local one, without an index.

    A remote that cannot be reached is not asked again by this process: everything it may have is a miss.

    Attributes:
        problems: What went wrong, in words.
        url: Its address.
        writes: Whether this run may write there.
    """

    def __init__(self, url: str, *, write: bool = False) -> None:
        """Read what lies below a URL, as in `s3://bucket/headworks`; write there too if told so."""
        self.problems: list[str] = []
        self.url = url
        self.writes = write
        try:
            self._files, base = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            message = f"The remote store {url} cannot be used: {error}"
            raise ConfigurationError(message) from error
        self._base = base.rstrip("/")

    def passed(self, digests: list[str]) -> dict[str, bytes]:
        """Return the records of those digests that have passed and never failed."""
        passed = self._read({digest: record_name(digest, passed=True) for digest in digests})
        failed = self._read({digest: record_name(digest, passed=False) for digest in passed})
        # Whether a digest failed must be known to rely on its pass: if the remote went away in between, it is not.
        return {} if self.problems else {digest: data for digest, data in passed.items() if digest not in failed}

    def _read(self, names: dict[str, str]) -> dict[str, bytes]:
        """Return the content of those files that are there, by their keys; all are asked for at once."""
        if self.problems or not names:
            return {}
        paths = {f"{self._base}/{name}": key for key, name in names.items()}
        try:
            read = self._files.cat(list(paths), on_error="return")
        except Exception as error:  # noqa: BLE001  # each kind of file system has errors of its own
            self._note(error)
            return {}
        found: dict[str, bytes] = {}
        for path, data in read.items():
            if isinstance(data, bytes):
                found[paths[path]] = data
            elif not isinstance(data, FileNotFoundError):
                self._note(data)
        return found

    def read_folder(self, name: str) -> dict[str, bytes] | None:
        """Return the files of a folder by their names; None where it cannot be read, so that nobody knows."""
        if self.problems:
            return None
        try:
            listed = self._files.ls(f"{self._base}/{name}", detail=False, refresh=True)
        except FileNotFoundError:
            return {}
        except Exception as error:  # noqa: BLE001  # each kind of file system has errors of its own
            self._note(error)
            return None
        names = {it.rstrip("/").rpartition("/")[2] for it in listed}
        found = self._read({it: f"{name}/{it}" for it in names})
        return None if self.problems else found

    def write(self, name: str, data: bytes, *, what: str) -> None:
        """Write a file, for a run that may write.

        Raises:
            StoreError: Where it could not be written.
        """
        try:
            self._put(name, data)
        except Exception as error:
            raise self._unwritten(what, error) from error

    def _unwritten(self, what: str, error: Exception) -> StoreError:
        """Return the error for what could not be written."""
        message = (
            f"{what} could not be written to the remote store {self.url}: {_words(error)}. Check the address and your"
            " rights, or run without --write-remote."
        )
        return StoreError(message)

    def fetch_blob(self, content: str, blobs: Blobs) -> bool:
        """Copy a blob into a local store; False where the remote does not have it as it should be."""
        if self.problems:
            return False
        try:
            with blobs.unfinished() as part:
                self._files.get_file(f"{self._base}/{blob_name(content)}", str(part))
                return blobs.adopt(part, content)
        except FileNotFoundError:
            return False
        except Exception as error:  # noqa: BLE001  # each kind of file system has errors of its own
            self._note(error)
            return False

    def push(self, verdict: Verdict, record: bytes, blobs: Blobs) -> None:
        """Write a verdict, after its outputs, where this run may write.

        Raises:
            StoreError: Where it could not be written. The local store has it all the same.
        """
        if not self.writes:
            return
        name = record_name(verdict.digest, passed=verdict.passed)
        try:
            for content in sorted(contents(verdict, blobs)) if verdict.passed else ():
                self._put_blob(content, blobs)
            self._put(name, record)
        except Exception as error:
            what = f"The verdict of {verdict.session}"
            raise self._unwritten(what, error) from error

    def _put(self, name: str, data: bytes) -> None:
        """Write a file, in a folder that need not be there yet."""
        self._make_folder(name)
        self._files.pipe_file(f"{self._base}/{name}", data)

    def _put_blob(self, content: str, blobs: Blobs) -> None:
        """Write a blob unless it is there in full length."""
        path = f"{self._base}/{blob_name(content)}"
        with contextlib.suppress(FileNotFoundError):
            if self._files.info(path)["size"] == blobs.path(content).stat().st_size:
                return
        self._make_folder(blob_name(content))
        with blobs.unfinished() as part:
            if not blobs.copy_out(content, part):
                raise FileNotFoundError(content)
            self._files.put_file(str(part), path)

    def _make_folder(self, name: str) -> None:
        """Make the folder for a file, which only some kinds of file system need."""
        self._files.makedirs(f"{self._base}/{name}".rpartition("/")[0], exist_ok=True)

    def _note(self, error: Exception) -> None:
        """Remember in words what went wrong."""
        problem = f"The remote store {self.url} could not be read ({_words(error)}); what it holds counts as missing."
        if problem not in self.problems:
            self.problems.append(problem)


def _words(error: Exception) -> str:
    """Return what an error says, or at least its kind."""
    return str(error) or type(error).__name__
