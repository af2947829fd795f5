"""Answers of whole commands, given again as long as all that they were made from is the same.

An answer is remembered under its arguments, the working folder, the environment, the interpreter, the platform, the
day and the code of the engine. With it stand the questions that git was asked for it, with git's answers, and a stamp
of each file and folder that was looked at and is not as in git's index. Before it is given again, git is asked the same
questions, and every stamp is compared. Whatever else an answer may come from (a remote store, a program that was
started, a file so young that a change might not show in its times) has it forgotten, with `doubt`.

Who makes an answer says with `note_file` and `note_question` what it is made from, before it is read.
"""

from __future__ import annotations

import os
import sys
import time

from headworks._quick.git import LOOK, environment, folder_of, index_stamp, start, top_of
from headworks._quick.memory import Memory

TYPE_CHECKING = False  # importing it from typing takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    from headworks._quick.process import Process

    Question: TypeAlias = tuple[str, tuple[str, ...], bytes]  # the top folder, the command, and what it reads
    Answer: TypeAlias = tuple[int, bytes]
    Look: TypeAlias = tuple[int, tuple[int, ...], tuple[bytes, bytes]]

TOOK = "\0"  # stands in an answer for the time that it took, and is in no text for people
_KIND = "answer"
_COMMANDS = {"plan", "run"}
_DAY = 86_400_000_000_000  # nanoseconds
_TICK = 2_000_000_000  # nanoseconds; the coarsest clock of a common file system, FAT's
_MOST_QUESTIONS = 16
_MOST_STAMPS = 10_000
# Asked about object ids, which never change.
_UNNOTED = (("cat-file",), ("ls-tree",))


def are_settled(times: Iterable[int], now: int) -> bool:
    """Tell whether any later change of a file would show in its times.

    A time that is about now could stay as it is although the file changes within the same tick of the clock. One in the
    future, as an archive or another machine's clock may leave it, could not: a change would set it to now.

    Args:
        times: When the content and when anything of the file last changed, in nanoseconds since the epoch.
        now: The time at which the file was looked at.
    """
    return all(abs(now - it) > _TICK for it in times)


class _Notes:
    """The sources of an answer: questions to git, and stamps of files."""

    def __init__(self, memory: Memory, key: str) -> None:
        """Take where it is to be remembered."""
        self.memory = memory
        self.key = key
        self.questions: dict[Question, Answer] = {}
        self.stamps: dict[tuple[str, bool], tuple[int, ...]] = {}


_notes: _Notes | None = None
_looks: dict[str, Look] = {}


def _stamp(path: str, *, follow: bool) -> tuple[int, ...]:
    """Return a stamp that changes whenever a file or folder is written to or replaced; empty where there is none."""
    try:
        found = os.stat(path, follow_symlinks=follow)
    except (OSError, ValueError):
        return ()
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev, found.st_mode


def _key(arguments: list[str], folder: str, top: str) -> str:
    """Return everything that an answer depends on, except files and git."""
    library = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in os.confstr_names else ""
    machine = (*os.uname(), library, os.geteuid(), sys.executable, sys.version, tuple(sys.flags))
    return repr((arguments, folder, top, machine, time.time_ns() // _DAY, sorted(os.environ.items())))


def recall(arguments: list[str]) -> int | None:
    """Write the answer to a command line and return its exit code, or None where it has to be made (anew)."""
    global _notes  # noqa: PLW0603  # what is made from now on is one answer
    _notes = None
    _looks.clear()
    begin = time.monotonic()
    if not arguments or arguments[0] not in _COMMANDS or not hasattr(os, "posix_spawnp"):
        return None
    try:
        folder = os.getcwd()
        top = top_of(folder)
        memory = Memory(os.path.join(folder_of(top), "headworks"))
    except OSError:
        return None
    key = _key(arguments, folder, top)
    _notes = _Notes(memory, key)
    remembered = memory.get(_KIND, key)
    if remembered is None or not _is_same(top, *remembered[:2]):
        return None
    out, err, code = remembered[2:]
    try:
        _write(err, out.replace(TOOK, f"{time.monotonic() - begin:.1f} s"))
    except (AttributeError, OSError):  # nobody reads, which the command line knows how to say
        return None
    return int(code)


def _is_same(top: str, questions: dict[Question, Answer], stamps: dict[tuple[str, bool], tuple[int, ...]]) -> bool:
    """Tell whether all sources of an answer are unchanged; if not, keep the answers of git about the work tree."""
    began, index = time.time_ns(), index_stamp(top)
    look = {it: known for it, known in questions.items() if it[1] in LOOK}
    asked = _ask(look)
    is_same = all(_stamp(path, follow=follow) == known for (path, follow), known in stamps.items())
    answers = {it: process.output() for it, process in asked.items()}
    if is_same and answers == look:
        answers |= {it: process.output() for it, process in _ask(questions.keys() - look.keys()).items()}
    if is_same and answers == questions:
        return True
    files, dirty = (answers.get((top, it, b""), (1, b"")) for it in LOOK)
    if (files[0], dirty[0]) == (0, 0):
        _looks[top] = began, index, (files[1], dirty[1])
    return False


def _ask(questions: Iterable[Question]) -> dict[Question, Process]:
    """Ask git; no question is answered where there is no git."""
    environ = environment(os.environ)
    try:
        return {it: start(*it, environ) for it in questions}
    except OSError:
        return {}


def _write(err: str, out: str) -> None:
    """Write an answer as the command line does."""
    for stream, text in ((sys.stderr, err), (sys.stdout, out)):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # no test replaces them by less
        stream.write(text)
        stream.flush()


def handed_look(top: str) -> Look | None:
    """Return the latest look at a work tree, with the time and the stamp of the index before it; only once."""
    look = _looks.pop(top, None)
    for command, output in zip(LOOK, look[2] if look else (), strict=False):
        note_question(top, command, b"", (0, output))
    return look


def note_file(path: str | bytes, *, follow: bool = True) -> None:
    """Note that an answer depends on a file or folder, which is read only now; a missing one counts as well.

    Args:
        path: The file or folder.
        follow: Whether what a link leads to counts, and not the link.
    """
    if _notes is None:
        return
    name = os.path.abspath(os.fsdecode(path))
    stamp = _stamp(name, follow=follow)
    is_young = not are_settled(stamp[:2], time.time_ns())
    if is_young or _notes.stamps.setdefault((name, follow), stamp) != stamp or len(_notes.stamps) > _MOST_STAMPS:
        doubt()


def note_question(top: str, arguments: tuple[str, ...], given: bytes, answer: Answer) -> None:
    """Note that an answer depends on an answer of git."""
    if _notes is None or any(arguments[: len(it)] == it for it in _UNNOTED):
        return
    known = _notes.questions.setdefault((top, arguments, given), answer)
    is_fetch = "fetch" in arguments  # which changes what git says next
    if known != answer or is_fetch or len(_notes.questions) > _MOST_QUESTIONS:
        doubt()


def doubt() -> None:
    """Remember no answer of this process: it depends on something that cannot be compared later."""
    global _notes  # noqa: PLW0603  # see above
    _notes = None


def remember(out: str, err: str = "", code: int = 0) -> None:
    """Remember the answer of this process, unless there is a doubt.

    Args:
        out: All that it writes to the standard output, with `TOOK` for the time that it took.
        err: All that it writes to the standard error.
        code: Its exit code.
    """
    if _notes is not None:
        _notes.memory.put(_KIND, _notes.key, (_notes.questions, _notes.stamps, out, err, code))
        doubt()
