"""What strace writes is parsed strictly: every name comes out as it is, and a line nobody understands is an error."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks._observe.trace import Call, Ended, TraceError, births, calls, match_arguments, unescape

if TYPE_CHECKING:
    from pathlib import Path

NAMES = st.binary(min_size=1, max_size=40).filter(lambda it: b"\0" not in it)
LETTERS = {9: b"t", 10: b"n", 11: b"v", 12: b"f", 13: b"r"}


def escaped(text: bytes, also: bytes = b"") -> bytes:
    """Return a text as strace writes it: an octal number is as short as the letter after it allows."""
    parts = []
    for place, letter in enumerate(text):
        if letter in b'"\\' and letter not in also:
            parts.append(b"\\%c" % letter)
        elif letter in LETTERS:
            parts.append(b"\\" + LETTERS[letter])
        elif letter in also or not 32 <= letter < 127:
            is_before_digit = text[place + 1 : place + 2] in {b"%d" % it for it in range(8)}
            parts.append(b"\\%03o" % letter if is_before_digit else b"\\%o" % letter)
        else:
            parts.append(b"%c" % letter)
    return b"".join(parts)


def line(folder: bytes, name: bytes, place: bytes) -> bytes:
    """Return the line of a file that was opened."""
    of_folder, of_place = (escaped(it, b"<>") for it in (folder, place))
    return b'7 openat(AT_FDCWD<%b>, "%b", O_RDONLY) = 3<%b>\n' % (of_folder, escaped(name), of_place)


@given(NAMES, NAMES, NAMES)
def test_any_name_comes_out_as_it_is(folder: bytes, name: bytes, place: bytes) -> None:
    """Whatever bytes it has: quotes, brackets, ends of lines, or what looks like the rest of a call."""
    call, end = calls([line(folder, name, place), b"7 +++ exited with 0 +++\n"])
    assert isinstance(call, Call)
    assert (call.process, call.name, call.result, call.error) == (7, "openat", 3, "")
    assert unescape(call.place or b"") == place
    assert match_arguments(call, "dp") == ([folder, name], b"O_RDONLY")
    assert end == Ended(7)


@given(st.sampled_from([b") = 5", b" <unfinished ...>", b'", O_RDONLY) = 3</x', b") = ? ENOENT (x"]), NAMES)
def test_a_name_that_looks_like_a_call_is_a_name(odd: bytes, rest: bytes) -> None:
    """An author of files cannot hide a read behind one."""
    for name in (odd + rest, rest + odd, odd):
        call, _ = calls([line(b"/r", name, b"/r/" + name), b"7 +++ exited with 0 +++\n"])
        assert isinstance(call, Call)
        assert match_arguments(call, "dp")[0][1] == name
        assert unescape(call.place or b"") == b"/r/" + name


@given(st.binary(max_size=60))
def test_any_bytes_are_parsed_or_refused(text: bytes) -> None:
    """Nothing but the one error comes out."""
    try:
        found = list(calls([it + b"\n" for it in text.split(b"\n")]))
    except TraceError:
        return
    assert all(isinstance(it, Call | Ended) for it in found)


def test_strace_writes_names_like_that(tmp_path: Path) -> None:
    """The program that is installed escapes names in a way that is understood."""
    names = [bytes({*range(1, 256)} - {47}), b"\x011", b"\x018", b"\xffz", b'<>"\\', b" = 3<x>", b"a\nb", b"\x7f9"]
    names = [*(names[0][it : it + 100] for it in range(0, 254, 100)), *names[1:]]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(b"")
    log = tmp_path / "log"
    options = ["-f", "-q", "-y", "-s", "4096", "--seccomp-bpf", "-e", "trace=%file", "-o", str(log)]
    subprocess.run(["strace", *options, "cat", *names], cwd=tmp_path, check=True)
    lines = log.read_bytes().splitlines(keepends=True)
    found = list(calls(lines))
    opened = {
        (match_arguments(it, "dp")[0][1], unescape(it.place or b""))
        for it in found
        if isinstance(it, Call) and it.name == "openat"
    }
    assert {(name, os.fsencode(tmp_path / os.fsdecode(name))) for name in names} <= opened
    assert len(found) == len(lines)


def test_calls_that_others_interrupt_are_put_together() -> None:
    """One that never returned has no result; one that strace did not see begin, in a killed process, is nothing."""
    trace = [
        b'12 openat(AT_FDCWD</r>, "a", O_RDONLY <unfinished ...>\n',
        b'13 access("b", R_OK)                   = -1 ENOENT (No such file or directory)\n',
        b"12    --- SIGCHLD {si_signo=SIGCHLD, si_pid=13} ---\n",
        b"12 <... openat resumed>) = 4</r/a>(deleted)\n",
        b'13 openat(AT_FDCWD</r>, "c", O_RDONLY <unfinished ...>) = ?\n',
        b'14 access("d", R_OK) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)\n',
        b"14 ???( <unfinished ...>) = ?\n",
        b"15 ????() = ?\n",
        b"13    +++ killed by SIGKILL +++\n",
        b"14 +++ killed by SIGSEGV (core dumped) +++\n",
        b"12 +++ exited with 3 +++\n",
    ]
    assert list(calls(trace)) == [
        Call(13, "access", b'"b", R_OK', -1, None, "ENOENT"),
        Call(12, "openat", b'AT_FDCWD</r>, "a", O_RDONLY', 4, b"/r/a", ""),
        Call(14, "access", b'"d", R_OK', None, None, "ERESTARTSYS"),
        Ended(13, is_killed=True),
        Ended(14),
        Ended(12),
    ]


def test_a_thread_that_starts_a_program_takes_the_place_of_its_process() -> None:
    """Its call, if it has begun one, ends under the number of the process."""
    trace = [
        b'12 access("a", R_OK) = 0\n',
        b'13 execve("/r/b", ["b"], 0x1 /* 1 vars */ <unfinished ...>\n',
        b"12    +++ superseded by execve in pid 13 +++\n",
        b"12 <... execve resumed>) = 0\n",
        b'14 access("c", R_OK) = 0\n',
        b"12 +++ superseded by execve in pid 14 +++\n",
        b"12 +++ exited with 0 +++\n",
    ]
    found = list(calls(trace))
    assert found[1:3] == [Ended(12, 13), Call(12, "execve", b'"/r/b", ["b"], 0x1 /* 1 vars */', 0, None, "")]
    assert found[-2:] == [Ended(12, 14), Ended(12)]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([b"nonsense\n"], "a line that is not understood: 'nonsense'"),
        ([b'7 access("a", R_OK) = 0'], "its last line is not whole"),
        ([b'7 access("a", R_OK) = 0\n'], "ends before the processes do"),
        ([b"7 access( <unfinished ...>\n"], "ends before the processes do"),
        ([b"7 <... access resumed>) = 0\n"], "the end of a call without its start"),
        ([b"7 access( <unfinished ...>\n", b"7 <... open resumed>) = 0\n"], "the end of a call without its start"),
    ],
)
def test_a_doubtful_trace_is_an_error(lines: list[bytes], message: str) -> None:
    """A read may be hidden in what is missing or not understood."""
    with pytest.raises(TraceError, match=message):
        list(calls(lines))


def test_arguments_are_taken_by_their_form() -> None:
    """A path that strace cut short is an error; one that is no path is nothing."""
    call = Call(7, "linkat", b'5</r/a>, "b", AT_FDCWD</r>(deleted), "c\\303\\244", 0', 0, None, "")
    assert match_arguments(call, "dpdp") == ([b"/r/a", b"b", b"/r", b"c\xc3\xa4"], b"0")
    assert match_arguments(call._replace(arguments=b"AT_FDCWD, NULL"), "dp") == ([None, None], b"")
    assert match_arguments(call._replace(arguments=b"0x7ff, 3"), "p") == ([None], b"3")
    with pytest.raises(TraceError, match="a call that is not understood: 'linkat"):
        match_arguments(call._replace(arguments=b'"cut"..., 3'), "p")


def test_the_parent_of_a_process_is_known_before_its_first_call() -> None:
    """Its number is known only when its parent goes on, and may be used again."""
    trace = [
        b"1 clone(child_stack=NULL, flags=CLONE_VM|CLONE_FS|SIGCHLD <unfinished ...>\n",
        b'2 access("fork( = 5", R_OK) = 0\n',
        b"1 <... clone resumed>, child_tidptr=0x7f) = 2\n",
        b"3 vfork( <unfinished ...>\n",
        b"3 <... vfork resumed>)              = 2\n",
        b"3 clone3({flags=CLONE_FS, exit_signal=0} => {parent_tid=[0]}, 88) = 4\n",
        b"3 fork() = -1 EAGAIN (Resource temporarily unavailable)\n",
        b"9 <... fork resumed>) = 5\n",
    ]
    assert {child: list(parents) for child, parents in births(trace).items()} == {
        2: [(1, True), (3, False)],
        4: [(3, True)],
        5: [(9, False)],
    }
