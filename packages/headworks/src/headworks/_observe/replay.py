"""Follows the system calls of a session and of all processes that it starts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from headworks._observe.git_calls import reads_history
from headworks._observe.reads import Notes, source_of
from headworks._observe.trace import CUT, Ended, TraceError, births, calls, match_arguments, unescape

if TYPE_CHECKING:
    from headworks._observe.places import Places
    from headworks._observe.reads import Reads
    from headworks._observe.trace import Call

_ARGUMENT = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_SOCKET = re.compile(rb'sun_path=(@?)"((?:[^"\\]|\\.)*)"')
# They say who a user is and where a machine is, and take messages.
_SERVICES = (
    *("/dev/log", "/run/avahi-daemon/", "/run/nscd/", "/run/nslcd/", "/run/systemd/", "/var/lib/sss/pipes/"),
    "/var/run/nscd/",
)
_PORT = re.compile(rb"sin6?_port=htons\((\d+)\)")
_HERE = re.compile(rb'"(?:127\.[\d.]+|0\.0\.0\.0|::|::1|::ffff:127\.[\d.]+)"')
_HANDLE = re.compile(rb"<([^>]*)>")
_NAMESPACES = re.compile(rb"CLONE_NEW(?:NS|PID|USER)")
_TOOLS = {"nox", "uv", "virtualenv"}
_DIGESTED = {"nox": "noxfile.py", "uv": "pyproject.toml"}  # by tool, the file of which digests hold what it takes
_INSTALLERS = re.compile(r"(conda|mamba|micromamba|pip[0-9.]*|pipx|poetry|pdm|uv|uvx)(\.exe)?")
_LOADED = 2  # nox enters the noxfile's folder to load it, and again to run the code of the session
_ABSENT = {"ENOENT", "ENOTDIR"}
_UNRELATED = {"EBADF", "EFAULT", "EINTR", "ENAMETOOLONG", "ENOSYS"}  # errors that do not depend on what is there
# A call that names one file, or two, from the root on or in the folder of a descriptor, and one that lists a folder.
_NAMING = re.compile(
    rb'(\d+) +(\w+)\((?:(?:AT_FDCWD|\d+)<(/[^<>\\]*)>(?:\(deleted\))?, )?"(?:(/[^"\\]*)/)?([^"\\/]*)"'
    rb'(?:, (?:AT_FDCWD<[^<>\\]*>, )?"(/[^"\\]*)/([^"\\/]+)")?'
)
_LISTING = re.compile(rb"(\d+) +(getdents(?:64)?)\(\d+<()(/[^<>\\]*)/([^<>\\/]+)>()()")
# Calls that say nothing new when they are made again with the same result, unless they make a file.
_REPEATED = (b"access(", b"faccessat2(", b"lstat(", b"newfstatat(", b"openat(", b"readlink(", b"stat(", b"statx(")
_CHANGING = re.compile(rb"O_CREAT|O_TRUNC|<unfinished ")
_ADDRESS = re.compile(rb'0x[0-9a-f]+(?=[^"<>]*$)')  # where a call puts its answer: no part of a name, which would end
_MOST_SAID = 100_000  # lines that are remembered
_HEAD = 256  # bytes in which a script names its interpreter


@dataclass(kw_only=True)
class _Process:
    """The state of a process.

    Attributes:
        folder: Its working folder, in a list that threads share.
        tool: Its program, where that is the nox that runs the session, or makes environments for it.
        is_installer: Whether its program installs packages.
        is_frozen: Whether it takes the lock as it is, and does not compare it with the packages of the workspace.
        git: The command of a process of git; empty in any other.
        is_harmless: Whether the answer to that command says nothing about the history.
    """

    folder: list[str]
    tool: str = ""
    is_installer: bool = False
    is_frozen: bool = False
    git: str = ""
    is_harmless: bool = False


class _Step(NamedTuple):
    """A call with its paths made absolute; an empty path stands for a descriptor that the process has already."""

    process: _Process
    call: Call
    paths: list[str]
    link: str
    rest: bytes


class _Replay:
    """The state of all processes while their calls are followed."""

    def __init__(self, trace: str, places: Places, folder: str) -> None:
        self.notes = Notes(places)
        self._trace = trace
        self._first = folder
        with open(trace, "rb") as lines:
            self._births = births(lines)
        self._processes: dict[int, _Process] = {}
        self._leader = 0  # the first process: nox
        self._early: set[tuple[int, int]] = set()  # parent and child, where the child's first line came first
        self._sockets: set[str] = set()
        self._own_ports: set[int] = set()
        self._asked_ports: dict[bytes, int] = {}  # of this machine, by the sockets that reached them
        self._datagrams: set[bytes] = set()  # sockets without connections
        self._has_nox = False
        self._entered = 0  # how often nox has changed its working folder
        self._idle: set[bytes] = set()  # processes in a call of which the first half said nothing

    def run(self) -> None:
        with open(self._trace, "rb") as lines:
            for event in calls(self._news(lines)):
                process = self._process(event.process)
                self._leader = self._leader or event.process
                if isinstance(event, Ended):
                    self._idle.discard(b"%d" % event.process)
                    del self._processes[event.process]
                    if event.is_killed and self._leader not in self._processes:
                        self.notes.doubt("a process that it started still ran when nox had ended, and was killed")
                    if event.successor:
                        self._processes[event.process] = self._process(event.successor)
                        del self._processes[event.successor]
                elif event.name not in _CALLS:
                    message = f"it has a call that is not known: {event.name}"
                    raise TraceError(message)
                elif event.result is not None:
                    form, follow = _CALLS[event.name]
                    follow(self, self._step(process, event, form))
        for port in {*self._asked_ports.values()} - self._own_ports - self.notes.places.fetching:
            self._doubt_server(f"port {port} of this machine")
        if not self._leader:
            message = "it is empty, as where the system lets strace watch nothing"
            raise TraceError(message)
        if self._processes:
            raise TraceError(CUT)

    def _news(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the lines that can say anything new: most ask once more what an equal process has asked before."""
        said: set[tuple[bytes, str, str, bool, str, int]] = set()
        generation = self.notes.generation
        for line in lines:
            if self._is_idle(line):
                continue
            number, _, rest = line.partition(b" ")
            process = self._processes.get(int(number)) if number.isdigit() else None
            is_repeatable = process is not None and rest.lstrip(b" ").startswith(_REPEATED)
            if process is not None and is_repeatable and not _CHANGING.search(rest):
                if generation != self.notes.generation or len(said) > _MOST_SAID:
                    said.clear()
                    generation = self.notes.generation
                asker = (process.folder[0], process.tool, process.is_frozen, process.git, self._entered)
                key = (_ADDRESS.sub(b"", rest), *asker)
                if key in said:
                    continue
                said.add(key)
            yield line

    def _is_idle(self, line: bytes) -> bool:
        """Return whether a line says nothing, since what it names lies in folders where nothing counts.

        Most lines are such, and to follow their calls takes ten times as long.
        """
        found = _NAMING.match(line) or _LISTING.match(line)
        if found is None:
            number, _, rest = line.partition(b" ")
            is_end = number in self._idle and rest.lstrip(b" ").startswith(b"<... ")
            self._idle -= {number} if is_end else set()
            return is_end
        number, call, place, folder, name, new_folder, new_name = found.groups()
        follow = _NAMING_CALLS.get(call)
        if follow is None or not line.endswith(b"\n"):
            return False
        if follow in {_R.copy, _R.move}:
            is_idle = self._is_idle_at(folder or place, name) and self._is_idle_at(new_folder, new_name, is_made=True)
        else:  # an empty name stands for a descriptor
            is_made = follow is _R.make or b"O_CREAT" in line
            is_idle = not (folder or name) or self._is_idle_at(folder or place, name, is_made=is_made)
        if is_idle and line.endswith(b" <unfinished ...>\n"):
            self._idle.add(number)
        return is_idle

    def _is_idle_at(self, folder: bytes | None, name: bytes, *, is_made: bool = False) -> bool:
        """Return whether it says nothing that a process reads something by its name in a folder, or makes it there."""
        if (
            not folder
            or folder.startswith((b"/proc/", b"/dev/fd/"))
            or b"/.." in folder
            or name in {b"", b".", b"..", b".git"}
        ):
            return False
        place = os.fsdecode(folder)
        links = self.notes.idle_folder(place)
        return links is not None and os.fsdecode(name) not in links and (not is_made or self.notes.is_new(place))

    def _process(self, number: int) -> _Process:
        """Return the state of a process, which at first is that of its parent as it is now."""
        if number not in self._processes:
            state = _Process(folder=[self._first])
            if waiting := self._births.get(number):
                parent_number, is_shared = waiting.popleft()
                self._early.add((parent_number, number))
                parent = self._process(parent_number)
                state = replace(parent, folder=parent.folder if is_shared else [*parent.folder])
            self._processes[number] = state
        return self._processes[number]

    def _step(self, process: _Process, call: Call, form: str) -> _Step:
        arguments, rest = match_arguments(call, form) if form else ([], call.arguments)
        paths: list[str] = []
        folder: bytes | None = None
        link = ""
        for letter, it in zip(form, arguments, strict=True):
            if letter == "d":
                folder = it
            elif letter == "p":
                paths.append(self._path(process, folder, it))
            else:
                link = os.fsdecode(it or b"")
        if form == "d":
            paths.append(self._path(process, folder, b"."))
        return _Step(process, call, paths, link, rest)

    def _path(self, process: _Process, folder: bytes | None, text: bytes | None) -> str:
        """Return the absolute path that a call names, links not followed; empty where it names a descriptor."""
        if not text:
            return ""
        path = os.path.join(os.fsdecode(folder) if folder else process.folder[0], os.fsdecode(text))
        return path if path.startswith("/") else ""

    def _note(self, process: _Process, place: str, into: set[str]) -> None:
        folder, name = os.path.split(source_of(place))
        is_loading = process.tool == "nox" and self._entered < _LOADED
        if is_loading and source_of(place) in self.notes.places.modules:
            return
        tool = "" if process.tool == "nox" and not is_loading else process.tool
        is_digested = name == _DIGESTED.get(tool) and (folder == self._first or process.is_frozen)
        self.notes.note(
            place,
            into,
            git=process.git,
            is_harmless=process.is_harmless,
            is_tool=bool(process.tool),
            is_digested=is_digested,
        )

    def _is_done(self, step: _Step, path: str, *, follow: bool) -> bool:
        """Return whether a call succeeded and names a path; note what a failure says about the place."""
        error = step.call.error
        if error and path and error not in _UNRELATED:
            reads = self.notes.reads
            into = reads.sought if error in _ABSENT else reads.looked
            self._note(step.process, self.notes.resolve(path, follow=follow), into)
        return bool(path) and not error

    def open(self, step: _Step) -> None:
        """Follow a call that opens a file."""
        rest, reads = step.rest, self.notes.reads
        follow = b"O_NOFOLLOW" not in rest
        if not self._is_done(step, step.paths[0], follow=follow) or b"O_TMPFILE" in rest:
            return
        self.notes.resolve(step.paths[0], follow=follow)
        place = os.fsdecode(unescape(step.call.place or b""))
        if b"O_EXCL" in rest and b"O_CREAT" in rest:
            self.notes.made(place)
        elif step.call.name == "creat" or b"O_TRUNC" in rest or (b"O_CREAT" in rest and place in reads.sought):
            self.notes.own(place)
        elif place.startswith("/"):
            if b"O_CREAT" in rest and place not in reads.opened:
                reads.perhaps_own.add(place)
            if b"O_WRONLY" not in rest:
                self._note(step.process, place, reads.looked if b"O_PATH" in rest else reads.opened)

    def look(self, step: _Step) -> None:
        """Follow a call that asks about a file."""
        follow = b"NOFOLLOW" not in step.rest and not step.call.name.startswith(("l", "readlink"))
        if self._is_done(step, step.paths[0], follow=follow):
            place = self.notes.resolve(step.paths[0], follow=follow)
            self._note(step.process, place, self.notes.reads.looked)

    def enter(self, step: _Step) -> None:
        """Follow a change of the working folder."""
        self.look(step)
        if not step.call.error:
            self._entered += step.process.tool == "nox"
            step.process.folder[0] = self.notes.resolve(step.paths[0])

    def execute(self, step: _Step) -> None:
        """Follow the start of a program, with the interpreter that the system finds for a script."""
        path, process = step.paths[0], step.process
        if not self._is_done(step, path, follow=True):
            return
        place, name = self.notes.resolve(path), os.path.basename(path)
        command = step.rest.rpartition(b", 0x")[0]
        arguments = [os.fsdecode(unescape(it)) for it in _ARGUMENT.findall(command)]
        program = _program(name, arguments)
        # A nox that the session starts runs code of other sessions, which is not in this one's digest.
        process.tool = program if program in _TOOLS and not (program == "nox" and self._has_nox) else ""
        self._has_nox |= program == "nox"
        # Nox asks for the version of uv whenever it starts.
        process.is_installer = bool(_INSTALLERS.fullmatch(program)) and not {"version", "--version"} & {*arguments[1:3]}
        process.is_frozen = "--frozen" in arguments
        self.notes.reads.installs |= process.is_installer
        process.git = " ".join(["git", *arguments[1:]]) if name == "git" else ""
        process.is_harmless = bool(process.git) and not reads_history(arguments)
        self._note(process, place, self.notes.reads.opened)
        if self.notes.is_input(place) and (interpreter := _interpreter(place)):
            place = self.notes.resolve(self._path(process, None, interpreter))
            self._note(process, place, self.notes.reads.opened)

    def list(self, step: _Step) -> None:
        """Follow a call that reads the names in a folder."""
        if not step.call.error and step.paths[0]:
            place = self.notes.resolve(step.paths[0])
            self._note(step.process, place, self.notes.reads.listed)
            self.notes.reads.opened.discard(place)

    def make(self, step: _Step) -> None:
        """Follow a call that makes a folder, a link or a special file."""
        path = step.paths[-1]
        if self._is_done(step, path, follow=False):
            self.notes.made(self.notes.resolve(path, follow=False), step.link or None)

    def remove(self, step: _Step) -> None:
        """Follow a call that removes a file or folder."""
        if self._is_done(step, step.paths[0], follow=False):
            self.notes.own(self.notes.resolve(step.paths[0], follow=False))

    def move(self, step: _Step) -> None:
        """Follow a call that gives a file or folder another name."""
        # Which of the two names an error is about cannot be told, so both count.
        done = [self._is_done(step, path, follow=False) for path in step.paths]
        if all(done):
            old, new = (self.notes.resolve(path, follow=False) for path in step.paths)
            self.notes.moved(old, new)
            if b"RENAME_EXCHANGE" in step.rest:
                self.notes.moved(new, old)

    def copy(self, step: _Step) -> None:
        """Follow a call that gives a file a second name."""
        done = [self._is_done(step, path, follow=False) for path in step.paths]
        if all(done):
            old, new = step.paths
            self._note(step.process, self.notes.resolve(old), self.notes.reads.opened)
            self.notes.made(self.notes.resolve(new, follow=False))

    def shorten(self, step: _Step) -> None:
        """Follow a call that cuts a file."""
        if self._is_done(step, step.paths[0], follow=True) and step.rest == b"0":
            self.notes.own(self.notes.resolve(step.paths[0]))

    def bind(self, step: _Step) -> None:
        """Follow a call that gives a socket its address."""
        address = self._address(step)
        if address and not step.call.error:
            self._sockets.add(address)
            self.notes.made(address)
        self.name(step)

    def name(self, step: _Step) -> None:
        """Follow a call that tells which port of this machine is the session's own."""
        if not step.call.error and (port := _PORT.search(step.rest)):
            self._own_ports.add(int(port[1]))

    def socket(self, step: _Step) -> None:
        """Follow a call that makes a socket."""
        if b"SOCK_DGRAM" in step.rest and step.call.place:
            self._datagrams.add(step.call.place)

    def ask(self, step: _Step) -> None:
        """Follow a call that tells whether a socket has reached its port."""
        if b"SO_ERROR, [0]" not in step.rest and b"SO_ERROR, [" in step.rest:
            self._asked_ports.pop(_handle(step), None)

    def connect(self, step: _Step) -> None:
        """Follow a call that reaches another machine, or another process of this one, which may read for this one."""
        address = self._address(step)
        if address and not step.call.error and address not in self._sockets and not address.startswith(_SERVICES):
            self._doubt_server(address)
        port, handle = _PORT.search(step.rest), _handle(step)
        is_elsewhere = port and not _HERE.search(step.rest) and handle not in self._datagrams
        self.notes.reads.network |= bool(is_elsewhere) and not step.process.is_installer
        if port and _HERE.search(step.rest) and handle not in self._datagrams:
            self._asked_ports[handle] = int(port[1])
            if step.call.error not in {"", "EINPROGRESS"}:
                del self._asked_ports[handle]

    def _doubt_server(self, address: str) -> None:
        self.notes.doubt(
            f"it asked the process that listens at {address}, which was not watched (say in a row what that reads, or"
            " that the row has `cache = false`)"
        )

    def _address(self, step: _Step) -> str:
        """Return the address of a Unix socket; empty for any other."""
        found = _SOCKET.search(step.rest)
        if found is None:
            return ""
        text = unescape(found[2])
        return f"@{os.fsdecode(text)}" if found[1] else self.notes.resolve(self._path(step.process, None, text))

    def part(self, step: _Step) -> None:
        """Follow a call that makes a process, which may have other files at the same paths."""
        parent, child = step.call.process, step.call.result or 0
        if not step.call.error and _NAMESPACES.search(step.rest):
            self.notes.doubt("it made a namespace, in which paths may lead elsewhere")
        if child > 0 and (parent, child) not in self._early:
            self._process(child)  # before its parent goes elsewhere
        self._early.discard((parent, child))

    def hide(self, step: _Step) -> None:
        """Follow a call after which strace may not see every read."""
        if not step.call.error:
            self.notes.doubt(f"it called {step.call.name}, after which strace does not see every read")

    def ignore(self, step: _Step) -> None:
        """Follow a call that reads nothing of the repository."""


def _handle(step: _Step) -> bytes:
    """Return what strace writes for the socket of a call, which no other socket has."""
    found = _HANDLE.search(step.rest)
    return found[1] if found else b""


def _program(name: str, arguments: Sequence[str]) -> str:
    """Return the name of a program, that of a script or module where the program is Python."""
    if not name.startswith(("pypy", "python")):
        return name
    return os.path.basename("".join(arguments[2:3] if arguments[1:2] == ["-m"] else arguments[1:2]))


def _interpreter(script: str) -> bytes:
    """Return the interpreter that a script names in its first line; empty where it is not a script."""
    try:
        with open(script, "rb") as file:
            head = file.read(_HEAD).partition(b"\n")[0]
    except OSError:
        return b""
    return head[2:].split()[0] if head.startswith(b"#!") and head[2:].split() else b""


_R = _Replay
_CALLS: dict[str, tuple[str, Callable[[_Replay, _Step], None]]] = {
    **dict.fromkeys(("open", "creat"), ("p", _R.open)),
    **dict.fromkeys(("openat", "openat2"), ("dp", _R.open)),
    **dict.fromkeys(
        (
            *("access", "chmod", "chown", "getxattr", "lchown", "lgetxattr", "listxattr", "llistxattr", "lremovexattr"),
            *("lsetxattr", "lstat", "lstat64", "readlink", "removexattr", "setxattr", "stat", "stat64", "utime"),
            "utimes",
        ),
        ("p", _R.look),
    ),
    **dict.fromkeys(
        (
            *("faccessat", "faccessat2", "fchmodat", "fchmodat2", "fchownat", "fstatat64", "futimesat"),
            *("name_to_handle_at", "newfstatat", "readlinkat", "statx", "utimensat", "utimensat_time64"),
        ),
        ("dp", _R.look),
    ),
    "chdir": ("p", _R.enter),
    "fchdir": ("d", _R.enter),
    "execve": ("p", _R.execute),
    "execveat": ("dp", _R.execute),
    **dict.fromkeys(("getdents", "getdents64"), ("d", _R.list)),
    **dict.fromkeys(("mkdir", "mknod"), ("p", _R.make)),
    **dict.fromkeys(("mkdirat", "mknodat"), ("dp", _R.make)),
    "symlink": ("tp", _R.make),
    "symlinkat": ("tdp", _R.make),
    **dict.fromkeys(("rmdir", "unlink"), ("p", _R.remove)),
    "unlinkat": ("dp", _R.remove),
    "rename": ("pp", _R.move),
    **dict.fromkeys(("renameat", "renameat2"), ("dpdp", _R.move)),
    "link": ("pp", _R.copy),
    "linkat": ("dpdp", _R.copy),
    **dict.fromkeys(("truncate", "truncate64"), ("p", _R.shorten)),
    "socket": ("", _R.socket),
    "bind": ("", _R.bind),
    "connect": ("", _R.connect),
    "getsockname": ("", _R.name),
    "getsockopt": ("", _R.ask),
    **dict.fromkeys(("clone", "clone3", "fork", "unshare", "vfork"), ("", _R.part)),
    **dict.fromkeys(
        (
            *("chroot", "fsmount", "io_uring_setup", "mount", "move_mount", "open_by_handle_at", "open_tree"),
            *("pivot_root", "ptrace", "setns"),
        ),
        ("", _R.hide),
    ),
    **dict.fromkeys(
        (
            *("acct", "fanotify_mark", "getcwd", "inotify_add_watch", "quotactl", "statfs", "statfs64", "swapoff"),
            *("swapon", "umount", "umount2", "uselib"),
        ),
        ("", _R.ignore),
    ),
}

_NAMING_CALLS = {
    name.encode(): follow
    for name, (form, follow) in _CALLS.items()
    if follow in {_R.copy, _R.list, _R.look, _R.move, _R.open, _R.remove} or (follow is _R.make and "t" not in form)
}


def replay(trace: str, places: Places, folder: str) -> Reads:
    """Return what a session read, from what strace wrote about it.

    Args:
        trace: The file that strace wrote.
        places: The places that count.
        folder: The working folder of its first process, without links in its path.
    """
    state = _Replay(trace, places, folder)
    try:
        state.run()
    except TraceError as error:
        state.notes.doubt(f"the trace of strace cannot be relied on: {error}")
    return state.notes.reads
