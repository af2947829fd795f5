"""The git repository around a project, and the git commands that read it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping

from headworks._quick.answers import note_file, note_question
from headworks._quick.git import environment, folder_of, index_stamp, shared_folder_of, start, top_of
from headworks._quick.process import Process, complaint
from headworks.errors import UsageError

_PART = 1 << 18  # bytes that are read at a time
_NOXFILE = "noxfile.py"
_SHA1 = 40  # hexadecimal digits
_WORDS = 6  # of a command, in a message


def blob_id(content: bytes, like: bytes) -> bytes:
    """Return the object id that git gives to a content, in the hash function of another id."""
    return _hashed(len(content), (content,), like)


def _file_id(name: bytes, like: bytes) -> bytes:
    """Return the object id of a file's bytes; git takes 3 ms to start, and seven times as long for each byte."""
    with open(name, "rb", buffering=0) as file:
        return _hashed(os.fstat(file.fileno()).st_size, iter(lambda: file.read(_PART), b""), like or b"0" * _SHA1)


def _hashed(size: int, parts: Iterable[bytes], like: bytes) -> bytes:
    hashed = (hashlib.sha1 if len(like) == _SHA1 else hashlib.sha256)(b"blob %d\0" % size)
    for part in parts:
        hashed.update(part)
    return hashed.hexdigest().encode()


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
        self._git_environ = environment(self.environ)
        self.top = top_of(here)
        if not self.top:
            message = f"{here} lies in no git repository, and Headworks reads what git tracks. Run `git init` there."
            raise UsageError(message)
        while here != self.top:  # the nearest folder with a noxfile is the project's; the top where there is none
            noxfile = os.path.join(here, _NOXFILE)
            note_file(noxfile, follow=False)
            if os.path.lexists(noxfile):
                break
            here = os.path.dirname(here)
        self.root = here
        below = os.path.relpath(self.root, self.top).replace(os.sep, "/")
        self.prefix = "" if below == "." else below + "/"

    def ask_all(self, *questions: tuple[str, ...], given: bytes = b"") -> list[tuple[Process, int, bytes]]:
        """Run some git commands at the same time in the top folder.

        Args:
            questions: The commands, each with its arguments.
            given: What each reads from its standard input.

        Returns:
            For each the process that has ended, its exit code and its output.

        Raises:
            UsageError: There is no git.
        """
        try:
            processes = [start(self.top, it, given, self._git_environ) for it in questions]
        except FileNotFoundError:
            message = "There is no git on PATH; install it, version 2.30 or newer."
            raise UsageError(message) from None
        answers = [it.output() for it in processes]
        for question, answer in zip(questions, answers, strict=True):
            note_question(self.top, question, given, answer)
        return [(process, *answer) for process, answer in zip(processes, answers, strict=True)]

    def outputs(self, *questions: tuple[str, ...], given: bytes = b"") -> list[bytes]:
        """Return the outputs of git commands that must succeed; see `ask_all`.

        Raises:
            UsageError: One failed; the message is git's own.
        """
        answers = self.ask_all(*questions, given=given)
        for question, (process, code, _) in zip(questions, answers, strict=True):
            if code:
                message = f"`git {' '.join(question[:_WORDS])}` failed in {self.top}: {complaint(process)}"
                raise UsageError(message)
        return [output for _, _, output in answers]

    def run(self, *arguments: str, given: bytes = b"") -> bytes:
        """Return the output of a git command that must succeed."""
        [output] = self.outputs(arguments, given=given)
        return output

    def ask(self, *arguments: str) -> str | None:
        """Return the first line that a git command writes, or None where it fails."""
        [(_, code, output)] = self.ask_all(arguments)
        return None if code else os.fsdecode(output).partition("\n")[0]

    def head(self) -> str:
        """Return the id of the commit that is checked out, empty before the first one."""
        return self.ask("rev-parse", "--verify", "--quiet", "HEAD") or ""

    def index_stamp(self) -> tuple[int, ...]:
        """Return a stamp that changes whenever the index is written."""
        return index_stamp(self.top)

    def git_folder(self) -> str:
        """Return the folder with this work tree's index, which a linked work tree or submodule keeps elsewhere."""
        return folder_of(self.top)

    def shared_folder(self) -> str:
        """Return the folder with all that the linked work trees of a repository share."""
        folder = self.git_folder()
        note_file(os.path.join(folder, "commondir"))
        return shared_folder_of(folder)

    def hashes(self, paths: Iterable[bytes], like: bytes) -> dict[bytes, bytes]:
        """Return the object ids of the bytes of files, without the filters that git would send them through.

        Args:
            paths: The files.
            like: An object id of the repository, empty where it has none.

        Raises:
            UsageError: a file cannot be read, or vanished meanwhile.
        """
        top = os.fsencode(self.top)
        try:
            return {path: _file_id(os.path.join(top, path), like) for path in paths}
        except OSError as error:
            message = f"{os.fsdecode(error.filename)} cannot be read: {error.strerror}."
            raise UsageError(message) from None

    def contents(self, oids: list[bytes]) -> list[bytes]:
        """Return the contents of stored objects."""
        given = b"".join(oid + b"\n" for oid in oids)
        return list(_batch(self.run("cat-file", "--batch", given=given))) if oids else []


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
