"""The git repository around a project, and the git commands that read it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from headworks._quick.process import MAX_INPUT, Process, complaint
from headworks.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Repository", "blob_id"]

# Settings that let git overlook a change are overruled: a false alarm costs one more hash, an oversight a false pass.
_SETTINGS = ["core.checkStat=default", "core.trustctime=true", "core.fsmonitor=false", "core.quotePath=false"]
_SETTINGS += ["core.ignoreCase=false", "core.symlinks=true"]
_SETTINGS += ["core.fileMode=true"] if os.name == "posix" else []  # elsewhere files have no mode to be seen
_MAX_ARGUMENTS = 24_000  # bytes of paths in one command line; Windows takes no more than 32,767 in all
_NOXFILE = "noxfile.py"


def blob_id(content: bytes, like: bytes) -> bytes:
    """Return the object id that git gives to a content, in the hash function of another id."""
    import hashlib

    function = hashlib.sha1 if len(like) == 40 else hashlib.sha256  # noqa: PLR2004  # hexadecimal digits of SHA-1
    return function(b"blob %d\0" % len(content) + content).hexdigest().encode()


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which git finds the repository by itself, even inside one of its hooks."""
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith("GIT_") or name in _KEPT or name.startswith(_NUMBERED)
    }
    return kept | {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


_KEPT = {
    *("GIT_ASKPASS", "GIT_CONFIG_COUNT", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM"),
    *("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "GIT_SSL_NO_VERIFY"),
}
_NUMBERED = ("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_")  # as many as GIT_CONFIG_COUNT says


class Repository:
    """A project in a git repository.

    Attributes:
        root: the project's folder, which holds noxfile.py.
        top: the top folder of the git work tree; every path in a listing is relative to it.
        prefix: where the root lies below the top, empty or with a slash at its end.
    """

    def __init__(self, folder: str, environ: Mapping[str, str] | None = None) -> None:
        """Find the repository and the project that a folder lies in.

        Args:
            folder: the project's folder or one below it.
            environ: the environment of git, by default that of this process.

        Raises:
            UsageError: the folder lies in no git work tree.
        """
        here = os.path.realpath(folder)
        self.environ = os.environ if environ is None else environ
        self._git_environ = _environment(self.environ)
        self.top = self._upward(here, ".git", until="")
        if not self.top:
            message = f"{here} lies in no git repository, and Headworks reads what git tracks. Run `git init` there."
            raise UsageError(message)
        self.root = self._upward(here, _NOXFILE, until=self.top) or self.top
        below = os.path.relpath(self.root, self.top).replace(os.sep, "/")
        self.prefix = "" if below == "." else below + "/"

    @staticmethod
    def _upward(folder: str, name: str, until: str) -> str:
        """Return the nearest folder, itself or above, that holds a name; empty where none does."""
        while not os.path.lexists(os.path.join(folder, name)):
            parent = os.path.dirname(folder)
            if folder in {until, parent}:
                return ""
            folder = parent
        return folder

    def start(self, *arguments: str, given: bytes = b"") -> Process:
        """Start a git command in the top folder.

        Raises:
            UsageError: there is no git.
        """
        settings = [it for setting in _SETTINGS for it in ("-c", setting)]
        try:
            return Process(["git", "-C", self.top, *settings, *arguments], self._git_environ, given=given)
        except FileNotFoundError:
            message = "There is no git on PATH; install it, version 2.30 or newer."
            raise UsageError(message) from None

    def finish(self, process: Process) -> bytes:
        """Return the output of a git command that must succeed.

        Raises:
            UsageError: it failed; the message is git's own.
        """
        code, output = process.output()
        if code:
            command = " ".join(process.arguments[3 + 2 * len(_SETTINGS) :][:6])
            message = f"`git {command}` failed in {self.top}: {complaint(process)}"
            raise UsageError(message)
        return output

    def run(self, *arguments: str, given: bytes = b"") -> bytes:
        """Return the output of a git command that must succeed."""
        return self.finish(self.start(*arguments, given=given))

    def ask(self, *arguments: str) -> str | None:
        """Return the first line that a git command writes, or None where it fails."""
        code, output = self.start(*arguments).output()
        return None if code else os.fsdecode(output).partition("\n")[0]

    def head(self) -> str:
        """Return the id of the commit that is checked out, empty before the first one."""
        return self.ask("rev-parse", "--verify", "--quiet", "HEAD") or ""

    def index_stamp(self) -> tuple[int, ...]:
        """Return what changes whenever the index is written."""
        try:
            found = os.stat(self.git_folder() + "/index")
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_ino, found.st_size

    def git_folder(self) -> str:
        """Return the folder with this work tree's index, which a linked work tree or submodule keeps elsewhere."""
        place = os.path.join(self.top, ".git")
        if os.path.isdir(place):
            return place
        with open(place, encoding="utf-8", errors="surrogateescape") as file:
            target = file.read().strip().removeprefix("gitdir: ")
        return os.path.join(self.top, target)

    def hashes(self, paths: Iterable[bytes], *options: str) -> dict[bytes, bytes]:
        """Return the object ids of files of the work tree, as git would store them now, line endings included.

        Args:
            paths: the files.
            options: of `git hash-object`, as in `--no-filters` for the bytes as they are.

        Raises:
            UsageError: a file cannot be read, or vanished meanwhile.
        """
        found: dict[bytes, bytes] = {}
        for chunk in _chunks(list(paths)):
            output = self.run("hash-object", *options, "--", *map(os.fsdecode, chunk))
            found.update(zip(chunk, output.split(), strict=True))
        return found

    def contents(self, oids: list[bytes]) -> list[bytes]:
        """Return the contents of stored objects."""
        found: list[bytes] = []
        step = MAX_INPUT // 66  # an id of SHA-256 and a line end
        for first in range(0, len(oids), step):
            output = self.run("cat-file", "--batch", given=b"".join(oid + b"\n" for oid in oids[first : first + step]))
            found += _batch(output)
        return found


def _batch(output: bytes) -> Iterable[bytes]:
    """Yield the contents that `git cat-file --batch` wrote, each after a line with its size.

    Raises:
        UsageError: git lacks one.
    """
    position = 0
    while position < len(output):
        end = output.index(b"\n", position)
        oid, _, size_text = output[position:end].partition(b" ")
        if size_text == b"missing":
            message = f"git lacks the object {oid.decode()}. Look with `git fsck`, and try `git fetch --refetch`."
            raise UsageError(message)
        size = int(size_text.rpartition(b" ")[2])
        yield output[end + 1 : end + 1 + size]
        position = end + size + 2


def _chunks(paths: list[bytes]) -> Iterable[list[bytes]]:
    """Yield the paths in runs that fit into a command line."""
    chunk: list[bytes] = []
    room = _MAX_ARGUMENTS
    for path in paths:
        room -= len(path) + 8
        if room < 0:
            yield chunk
            chunk, room = [], _MAX_ARGUMENTS
        chunk.append(path)
    if chunk:
        yield chunk
