"""System calls say what a session reads: by place, in their order, and without what it made itself."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from headworks._observe.git_calls import reads_history
from headworks._observe.places import GIT, OUTSIDE, PASSED, Places
from headworks._observe.reads import Notes
from headworks._observe.replay import replay

if TYPE_CHECKING:
    from headworks._observe.reads import Reads

_FILES = (
    "venv/pyvenv.cfg",
    "a",
    "b",
    "sub/c",
    "sub/deep/d",
    "m.py",
    ".git/HEAD",
    ".git/index",
    ".git/config",
    "inner/.git/HEAD",
)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """Return a folder that stands for a repository."""
    it = tmp_path / "top"
    for name in _FILES:
        (it / name).parent.mkdir(parents=True, exist_ok=True)
        (it / name).write_text("")
    (it / "link").symlink_to("sub")
    (it / "loop").symlink_to("loop")
    return it


def replayed(top: Path, *lines: str) -> Reads:
    """Replay calls; a line without a process is of process 1, which starts in the top, and `{top}` stands for that."""
    numbered = [it if re.match(r"\d+ ", it) else f"1 {it}" for it in lines]
    numbers = dict.fromkeys([re.match(r"\d+", it)[0] for it in numbered])  # type: ignore[index]
    ended = {it.split()[0] for it in numbered if "+++" in it}
    text = "".join(
        f"{it}\n" for it in [*numbered, *(f"{it} +++ exited with 0 +++" for it in numbers if it not in ended)]
    )
    (top.parent / "trace").write_bytes(os.fsencode(text.replace("{top}", str(top))))
    return replay(str(top.parent / "trace"), places(top), str(top))


def places(top: Path) -> Places:
    """Return the places of a repository in which git knows `kept/pyvenv.cfg`, and whose noxfile imports a module."""
    environ = {"HOME": "/home/x", "UV_CACHE_DIR": "/uv", "https_proxy": "http://x:y@localhost:3128"}
    environ |= {"UV_DEFAULT_INDEX": "http://127.0.0.1:3129/simple", "DOCKER_HOST": "tcp://127.0.0.1:80"}
    return Places(str(top), (str(top / ".git"),), environ, "kept".__eq__, ["helper.py"])


def relative(top: Path, reads: Reads) -> dict[str, Any]:
    """Return what is not empty, with paths relative to the top."""
    found: dict[str, Any] = {}
    for name, value in vars(reads).items():
        if name != "by_others" and value:
            found[name] = value
            if isinstance(value, set):
                found[name] = {it.removeprefix(str(top)).removeprefix("/") for it in value}
    return found


NO = "= -1 ENOENT (No such file or directory)"

NOT_MADE = "of an environment that it did not make (let it make one)"
UNWATCHED = "which was not watched (say in a row what that reads, or that the row has `cache = false`)"


def at_port(port: int, call: str = "connect", number: int = 7, host: str = "127.0.0.1", result: str = "0") -> str:
    """Return the line of a call about a port."""
    address = f'sa_family=AF_INET, sin_port=htons({port}), sin_addr=inet_addr("{host}")'
    if ":" in host:
        address = f'sa_family=AF_INET6, sin6_port=htons({port}), inet_pton(AF_INET6, "{host}", &sin6_addr)'
    return f"{call}(3<socket:[{number}]>, {{{address}}}, 16) = {result}"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        # Reads, by whatever way and name
        (['openat(AT_FDCWD<{top}>, "a", O_RDONLY) = 3<{top}/a>'], {"opened": {"a"}}),
        (['open("sub/../a", O_RDWR) = 3<{top}/a>'], {"opened": {"a"}}),
        (['openat2(5<{top}/sub>, "c", {{flags=O_RDONLY}}, 24) = 3<{top}/sub/c>'], {"opened": {"sub/c"}}),
        (['open("link/c", O_RDONLY) = 3<{top}/sub/c>'], {"opened": {"sub/c"}, "links": {"link"}}),
        (['stat("link/./deep/", {{st_mode=S_IFDIR}}) = 0'], {"looked": {"sub/deep"}, "links": {"link"}}),
        (['lstat("link", {{st_mode=S_IFLNK}}) = 0'], {"looked": {"link"}}),
        (
            ['readlinkat(AT_FDCWD<{top}>, "link/c", 0x7f, 99) = -1 EINVAL (Invalid argument)'],
            {"looked": {"sub/c"}, "links": {"link"}},
        ),
        (
            ['stat("loop", 0x7f) = -1 ELOOP (Too many levels of symbolic links)'],
            {"looked": {"loop"}, "links": {"loop"}},
        ),
        (['lstat("/", {{st_mode=S_IFDIR}}) = 0', 'stat("{top}/a", 0x7f) = 0'], {"looked": {"a"}}),
        (['open("a", O_RDONLY|O_PATH) = 3<{top}/a>'], {"looked": {"a"}}),
        (['open("a", O_RDONLY) = -1 EACCES (Permission denied)'], {"looked": {"a"}}),
        (['newfstatat(3<{top}/a>, "", {{st_mode=S_IFREG}}, AT_EMPTY_PATH) = 0'], {}),
        (['open("\\1\\1", O_RDONLY) = -1 ENAMETOOLONG (File name too long)'], {}),
        (["open(NULL, O_RDONLY) = -1 EFAULT (Bad address)"], {}),
        (['openat(4<pipe:[5]>, "a", O_RDONLY) = -1 ENOTDIR (Not a directory)'], {}),
        (['open("a", O_RDONLY) = ?'], {}),
        (['open("a", O_WRONLY|O_CREAT|O_APPEND, 0666) = 3<{top}/a>'], {"perhaps_own": {"a"}}),
        (
            ['open("a", O_RDONLY) = 3<{top}/a>', 'open("a", O_WRONLY|O_CREAT|O_APPEND, 0666) = 3<{top}/a>'],
            {"opened": {"a"}},
        ),
        (
            ['open("__pycache__/m.cpython-313.pyc", O_RDONLY) = 3<{top}/__pycache__/m.cpython-313.pyc>'],
            {"opened": {"m.py"}},
        ),
        ([f'open("__pycache__/m.cpython-313.pyc", O_RDONLY) {NO}'], {}),
        ([f'stat("__pycache__", 0x7f) {NO}', 'mkdir("__pycache__", 0777) = 0'], {}),
        (["getdents64(3<{top}/__pycache__>, 0x55 /* 3 entries */, 32768) = 72"], {}),
        (['mkdir("/elsewhere/__pycache__", 0777) = 0'], {"own": {"elsewhere/__pycache__"}}),
        (
            ['open("__pycache__/n.cpython-313.pyc", O_RDONLY) = 3<{top}/__pycache__/n.cpython-313.pyc>'],
            {
                "opened": {"n.py"},
                "unseen": "it read __pycache__/n.cpython-313.pyc, whose source is gone (remove it)",
            },
        ),
        (
            [
                *['mkdir("n", 0777) = 0', 'unlink("n/m.py") = 0'],
                'open("n/__pycache__/m.cpython-313.pyc", O_RDONLY) = 3<{top}/n/__pycache__/m.cpython-313.pyc>',
            ],
            {"own": {"n", "n/m.py"}, "sought": {"n"}},
        ),
        ([f'access("none/x", R_OK) {NO}'], {"sought": {"none/x"}}),
        (["getdents64(3<{top}/sub>, 0x55 /* 3 entries */, 32768) = 72"], {"listed": {"sub"}}),
        (["getdents64(3<{top}>, 0x55 /* 3 entries */, 32768) = 72"], {"listed": {""}}),
        (
            ['open("sub", O_RDONLY) = 3<{top}/sub>', "getdents64(3<{top}/sub>, 0x55 /* 3 entries */, 32768) = 72"],
            {"listed": {"sub"}},
        ),
        (["getdents64(3<{top}/a>, 0x55, 32768) = -1 ENOTDIR (Not a directory)"], {}),
        (['inotify_add_watch(5<anon_inode:inotify>, "a", IN_MODIFY) = 1'], {}),
        # Programs
        (['execve("./a", ["./a"], 0x7ff /* 3 vars */) = 0'], {"opened": {"a"}}),
        ([f'execve("./x", ["./x"], 0x7ff /* 3 vars */) {NO}'], {"sought": {"x"}}),
        (['execveat(AT_FDCWD<{top}>, "script", ["script"], 0x7ff /* 3 vars */, 0) = 0'], {"opened": {"script", "b"}}),
        # Working folders
        (
            ['chdir("sub") = 0', 'open("c", O_RDONLY) = 3<{top}/sub/c>', 'access("e", R_OK) ' + NO],
            {"looked": {"sub"}, "opened": {"sub/c"}, "sought": {"sub/e"}},
        ),
        ([f'chdir("x") {NO}', f'access("e", R_OK) {NO}'], {"sought": {"x", "e"}}),
        (["fchdir(3<{top}/sub>) = 0", f'access("e", R_OK) {NO}'], {"looked": {"sub"}, "sought": {"sub/e"}}),
        (['2 chdir("sub") = 0', f'access("e", R_OK) {NO}'], {"looked": {"sub"}, "sought": {"e"}}),
        (
            ["clone(flags=CLONE_FS) = 2", '2 chdir("sub") = 0', f'access("e", R_OK) {NO}'],
            {"looked": {"sub"}, "sought": {"sub/e"}},
        ),
        (['chdir("sub") = 0', f'2 access("e", R_OK) {NO}', "vfork() = 2"], {"looked": {"sub"}, "sought": {"sub/e"}}),
        (
            [
                '2 chdir("sub") = 0',
                "1 +++ superseded by execve in pid 2 +++",
                f'1 access("e", R_OK) {NO}',
                "1 +++ exited with 0 +++",
            ],
            {"looked": {"sub"}, "sought": {"sub/e"}},
        ),
        # A child has the folder that its parent had when it was made, and a number may be used again.
        (["fork() = 2", 'chdir("sub") = 0', f'2 access("e", R_OK) {NO}'], {"looked": {"sub"}, "sought": {"e"}}),
        (
            [
                *['2 chdir("sub") = 0', "2 +++ exited with 0 +++", "vfork() = 2", 'chdir("sub") = 0'],
                *["vfork() = 2", 'chdir("deep") = 0', f'2 access("e", R_OK) {NO}', "2 +++ exited with 0 +++"],
            ],
            {"looked": {"sub", "sub/deep"}, "sought": {"sub/e"}},
        ),
        # What the session makes itself
        (
            ['open("a", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3<{top}/a>', 'open("a", O_RDONLY) = 3<{top}/a>'],
            {"own": {"a"}},
        ),
        (['creat("a", 0666) = 3<{top}/a>', 'stat("a", {{}}) = 0'], {"own": {"a"}}),
        (
            ['open("n", O_RDWR|O_CREAT|O_EXCL, 0666) = 3<{top}/n>', 'stat("n", {{}}) = 0'],
            {"own": {"n"}, "sought": {"n"}},
        ),
        ([f'stat("n", 0x7f) {NO}', 'open("n", O_RDWR|O_CREAT, 0666) = 3<{top}/n>'], {"own": {"n"}, "sought": {"n"}}),
        (['open("/proc/self/fd/0", O_RDONLY) = 3<pipe:[7]>'], {}),
        (['open("n", O_RDWR|O_CREAT, 0666) = 3<{top}/n>'], {"opened": {"n"}, "perhaps_own": {"n"}}),
        (['open(".", O_RDWR|O_TMPFILE, 0666) = 3<{top}/#5>(deleted)'], {}),
        (
            ['mkdir("n", 0777) = 0', f'stat("n/x", 0x7f) {NO}', 'creat("n/y", 0666) = 3<{top}/n/y>'],
            {"own": {"n", "n/y"}, "sought": {"n"}},
        ),
        (['mkdirat(AT_FDCWD<{top}>, "sub", 0777) = -1 EEXIST (File exists)'], {"looked": {"sub"}}),
        (['unlink("a") = 0', f'stat("a", 0x7f) {NO}', 'mkdir("a", 0777) = 0'], {"own": {"a"}}),
        (['unlinkat(AT_FDCWD<{top}>, "link", 0) = 0'], {"own": {"link"}}),
        (
            ['symlink("sub/deep", "n") = 0', 'open("n/d", O_RDONLY) = 3<{top}/sub/deep/d>', 'stat("n/d", {{}}) = 0'],
            {"own": {"n"}, "sought": {"n"}, "opened": {"sub/deep/d"}, "looked": {"sub/deep/d"}},
        ),
        (
            ['symlinkat("sub", AT_FDCWD<{top}>, "n") = 0', 'unlink("n") = 0', f'stat("n/c", 0x7f) {NO}'],
            {"own": {"n"}, "sought": {"n"}},
        ),
        (['creat("n", 0666) = 3<{top}/n>', 'rename("n", "a") = 0', 'stat("a", {{}}) = 0'], {"own": {"n", "a"}}),
        (['rename("a", "n") = 0'], {"own": {"a", "n"}, "unseen": "it moved a, which it had not made"}),
        (['rename("/tmp/x", "n") = 0', 'stat("n", {{}}) = 0'], {"own": {"n"}}),
        (
            [
                'creat("n", 0666) = 3<{top}/n>',
                'renameat2(AT_FDCWD<{top}>, "n", AT_FDCWD<{top}>, "b", RENAME_EXCHANGE) = 0',
            ],
            {"own": {"n", "b"}},
        ),
        ([f'rename("x", "y") {NO}'], {"sought": {"x", "y"}}),
        (['link("a", "n") = 0'], {"opened": {"a"}, "own": {"n"}, "sought": {"n"}}),
        (['linkat(AT_FDCWD<{top}>, "x", AT_FDCWD<{top}>, "y", 0) ' + NO], {"sought": {"x", "y"}}),
        (['truncate("a", 0) = 0', 'stat("a", {{}}) = 0'], {"own": {"a"}}),
        (['truncate("a", 5) = 0'], {}),
        (
            [f'unlink("x") {NO}', 'rmdir("sub") = -1 ENOTEMPTY (Directory not empty)'],
            {"sought": {"x"}, "looked": {"sub"}},
        ),
        # Other places
        (['open("/etc/passwd", O_RDONLY) = 3</etc/passwd>'], {}),
        (
            ['open("/srv/data", O_RDONLY) = 3</srv/data>', 'stat("/srv/other", {{}}) = 0'],
            {"outside": {"srv/data"}, "looked": {"srv/other"}},
        ),
        (
            [
                f'stat("/srv/none", 0x7f) {NO}',
                'mkdir("/srv/own", 0777) = 0',
                'open("/srv/own/x", O_RDONLY) = 3</srv/own/x>',
            ],
            {"sought": {"srv/none"}, "own": {"srv/own"}},
        ),
        (["getdents64(3</srv>, 0x55 /* 3 entries */, 32768) = 72"], {"outside": {"srv"}}),
        (['open("/", O_RDONLY) = 3</>'], {}),
        (['open("/home/x/.cache/uv/x", O_RDONLY) = 3</home/x/.cache/uv/x>', 'open("/uv/x", O_RDONLY) = 3</uv/x>'], {}),
        (['open("/usr/../srv/x", O_RDONLY) = 3</srv/x>'], {"outside": {"srv/x"}}),
        # Git
        (['open(".git/index", O_RDONLY) = 3<{top}/.git/index>', 'stat(".git/HEAD", {{}}) = 0'], {"index": True}),
        (
            [
                'open(".git/config", O_RDONLY) = 3<{top}/.git/config>',
                'open(".git/info/exclude", O_RDONLY) = 3<{top}/.git/info/exclude>',
            ],
            {"git": {".git/config", ".git/info/exclude"}},
        ),
        (
            [
                'execve("/usr/bin/git", ["git", "ls-files"], 0x7ff /* 3 vars */) = 0',
                'open(".git/config", O_RDONLY) = 3<{top}/.git/config>',
                'open(".git/info/exclude", O_RDONLY) = 3<{top}/.git/info/exclude>',
                'openat(AT_FDCWD<{top}>, ".git/MERGE_HEAD", O_RDONLY) = -1 ENOENT (No such file or directory)',
            ],
            {"git": {".git/info/exclude"}},
        ),
        (
            [
                'execve("/usr/bin/git", ["git", "remote", "-v"], 0x7ff /* 3 vars */) = 0',
                'open(".git/config", O_RDONLY) = 3<{top}/.git/config>',
                'open(".git/config.lock", O_RDONLY) = -1 ENOENT (No such file or directory)',
                'stat(".git/MERGE_HEAD", 0x7ff) = -1 ENOENT (No such file or directory)',
            ],
            {"git": {".git/config", ".git/MERGE_HEAD"}},
        ),
        (
            [
                'open(".git", O_RDONLY|O_DIRECTORY) = 3<{top}/.git>',
                "getdents64(3<{top}/.git>, 0x55 /* 3 entries */, 32768) = 80",
                'open("inner/.git", O_RDONLY|O_DIRECTORY) = 3<{top}/inner/.git>',
            ],
            {},
        ),
        (['open(".git/HEAD", O_RDONLY) = 3<{top}/.git/HEAD>'], {"history": {".git/HEAD"}}),
        (
            ['open("inner/.git/HEAD", O_RDONLY) = 3<{top}/inner/.git/HEAD>'],
            {"git": {"inner/.git/HEAD"}},
        ),
        (['open("/tmp/r/.git/HEAD", O_RDONLY) = 3</tmp/r/.git/HEAD>'], {}),
        (
            ['open(".git/modules/m/HEAD", O_RDONLY) = 3<{top}/.git/modules/m/HEAD>'],
            {"git": {".git/modules/m/HEAD"}},
        ),
        (
            [
                'execve("/usr/bin/git", ["git", "describe", "--tags"], 0x7ff /* 3 vars */) = 0',
                'open(".git/HEAD", O_RDONLY) = 3<{top}/.git/HEAD>',
            ],
            {"history": {"`git describe --tags`"}},
        ),
        *(
            (
                [
                    f'execve("/usr/bin/git", ["git", {", ".join(map(json.dumps, words))}], 0x7ff /* 3 vars */) = 0',
                    'open(".git/HEAD", O_RDONLY) = 3<{top}/.git/HEAD>',
                    'open(".git/refs/heads/other", O_RDONLY) = -1 ENOENT (No such file or directory)',
                    'open(".git/refs/tags/other", O_RDONLY) = -1 ENOENT (No such file or directory)',
                    'open(".git/packed-refs", O_RDONLY) = 3<{top}/.git/packed-refs>',
                ],
                {"history": {f"`git {' '.join(words)}`"}} | ({"refs": {"refs/heads/other"}} if is_counted else {}),
            )
            for words, is_counted in ((["describe"], False), (["describe", "--all"], True), (["log", "other"], True))
        ),
        (
            ['open(".git/packed-refs", O_RDONLY) = 3<{top}/.git/packed-refs>'],
            {"history": {".git/packed-refs"}, "refs": {"refs"}},
        ),
        (
            [
                'execve("/usr/bin/git", ["git", "ls-files"], 0x7ff /* 3 vars */) = 0',
                'open(".git/HEAD", O_RDONLY) = 3<{top}/.git/HEAD>',
                'open(".git/index", O_RDONLY) = 3<{top}/.git/index>',
            ],
            {"index": True},
        ),
        # What cannot be seen
        (
            ["io_uring_setup(8, {{flags=0}}) = 5<anon_inode:[io_uring]>"],
            {"unseen": "it called io_uring_setup, after which strace does not see every read"},
        ),
        (["io_uring_setup(8, 0x7f) = -1 EPERM (Operation not permitted)"], {}),
        (["unshare(CLONE_NEWNS) = 0"], {"unseen": "it made a namespace, in which paths may lead elsewhere"}),
        (["unshare(CLONE_FILES) = 0", "clone(flags=CLONE_NEWNS|SIGCHLD) = -1 EPERM (Operation not permitted)"], {}),
        (['stat("/proc/self/cwd/a", {{}}) = 0'], {"unseen": "it went through /proc/self/cwd/a"}),
        (['stat("/dev/fd/3/a", {{}}) = 0'], {"unseen": "it went through /dev/fd/3/a"}),
        (
            ['symlink("/proc/self/cwd", "new") = 0', 'stat("new/a", {{}}) = 0'],
            {"unseen": "it went through /proc/self/cwd", "sought": {"new"}, "own": {"new"}},
        ),
        (
            ['symlink("sub", "new") = 0', 'rename("new", "other") = 0', 'stat("other/c", {{}}) = 0'],
            {"sought": {"new"}, "own": {"new", "other"}, "looked": {"sub/c"}},
        ),
        (['bpf("a") = 0'], {"unseen": "the trace of strace cannot be relied on: it has a call that is not known: bpf"}),
        (
            ["broken"],
            {"unseen": "the trace of strace cannot be relied on: it has a line that is not understood: '1 broken'"},
        ),
        (
            ["vfork() = 2", "1 +++ exited with 0 +++", "2 +++ killed by SIGKILL +++"],
            {"unseen": "a process that it started still ran when nox had ended, and was killed"},
        ),
        (["vfork() = 2", "2 +++ killed by SIGKILL +++", "1 +++ exited with 0 +++"], {}),
        (
            [],
            {
                "unseen": "the trace of strace cannot be relied on: it is empty, as where the system lets strace watch"
                " nothing"
            },
        ),
        # Folders that an earlier run made
        (
            ['open(".nox/t/lib/p3/site-packages/m.py", O_RDONLY) = 3<{top}/.nox/t/lib/p3/site-packages/m.py>'],
            {
                "unseen": "it used .nox/t/lib/p3/site-packages, " + NOT_MADE,
                "listed": {".nox/t/lib/p3/site-packages"},
            },
        ),
        (
            [
                'open(".nox/.cache/x", O_RDONLY) = 3<{top}/.nox/.cache/x>',
                'open(".nox/t/tmp/x", O_RDONLY) = 3<{top}/.nox/t/tmp/x>',
                'mkdir(".nox/t/tmp/new", 0777) = 0',
                'open(".nox/t/tmp/new/x", O_RDONLY) = 3<{top}/.nox/t/tmp/new/x>',
            ],
            {"opened": {".nox/.cache/x", ".nox/t/tmp/x"}, "sought": {".nox/t/tmp/new"}, "own": {".nox/t/tmp/new"}},
        ),
        (
            [
                'mkdir(".nox/t", 0777) = 0',
                "getdents64(3<{top}/.nox/t/lib/p3/site-packages/m>, 0x55 /* 3 entries */, 32768) = 72",
                'rename(".nox/t", ".nox/u") = 0',
                'open(".nox/u/lib/p3/site-packages/m.py", O_RDONLY) = 3<{top}/.nox/u/lib/p3/site-packages/m.py>',
            ],
            {},
        ),
        (
            ['execve("venv/bin/x", ["x"], 0x7ff /* 3 vars */) = 0'],
            {"unseen": "it used venv/bin, " + NOT_MADE, "looked": {"venv/bin/x"}},
        ),
        (['execve(".nox/bin/x", ["x"], 0x7ff /* 3 vars */) = 0'], {}),
        (['stat(".nox", {{}}) = 0', "getdents64(3<{top}/.nox>, 0x55 /* 3 entries */, 32768) = 72"], {}),
        (['execve("venv/bin/nox", ["nox"], 0x7ff /* 3 vars */) = 0'], {}),
        (['open("/opt/x/lib/python3/site-packages/m.py", O_RDONLY) = 3</usr/lib/python3/site-packages/m.py>'], {}),
        (
            [
                *[
                    'execve("/usr/bin/uv", ["uv"], 0x7ff /* 3 vars */) = 0',
                    'mkdir("/uv/sdists-v9/path/h/new", 0777) = 0',
                    'mkdir("/uv/builds-v0/t", 0777) = 0',
                    'rename("/uv/builds-v0/t/x.whl", "/uv/sdists-v9/path/h/new/x.whl") = 0',
                    "getdents64(3</uv/sdists-v9/path/h/new>, 0x55 /* 3 entries */, 32768) = 72",
                ],
                'open("/uv/sdists-v9/path/h/revision.rev", O_RDONLY) = 3</uv/sdists-v9/path/h/revision.rev>',
                'open("/uv/sdists-v9/path/h/new/x.whl", O_RDONLY) = 3</uv/sdists-v9/path/h/new/x.whl>',
                'open("/uv/sdists-v9/pypi/six/1/x.whl", O_RDONLY) = 3</uv/sdists-v9/pypi/six/1/x.whl>',
            ],
            {"installs": True},
        ),
        (
            [
                'execve("/usr/bin/uv", ["uv"], 0x7ff /* 3 vars */) = 0',
                'mkdir("/uv/sdists-v9/path/h/new", 0777) = 0',
                'open("/uv/sdists-v9/path/h/new/other.whl", O_RDONLY) = 3</uv/sdists-v9/path/h/new/other.whl>',
            ],
            {
                "installs": True,
                "unseen": "uv installed a local package that had been built before, from /uv/sdists-v9/path/h/new",
            },
        ),
        (
            [
                'execve("/usr/bin/uv", ["uv"], 0x7ff /* 3 vars */) = 0',
                "getdents64(3</uv/sdists-v9/editable/h/old>, 0x55 /* 3 entries */, 32768) = 72",
            ],
            {
                "installs": True,
                "unseen": "uv installed a local package that had been built before, from /uv/sdists-v9/editable/h/old",
            },
        ),
        (
            [
                *['mkdir("/tmp/m", 0777) = 0', 'open("/tmp/m/3.13/cache.0.db", O_RDWR) = 3</tmp/m/3.13/cache.0.db>'],
                'open("/tmp/n/3.13/cache.py", O_RDONLY) = 3</tmp/n/3.13/cache.py>',
                'open("/tmp/n/3.13/x/m.meta.json", O_RDONLY) = 3</tmp/n/3.13/x/m.meta.json>',
            ],
            {
                "unseen": "mypy used the cache in /tmp/n/3.13, which an earlier run had filled (let mypy choose the"
                " folder)"
            },
        ),
        # Sockets
        (
            ['connect(3<socket:[5]>, {{sa_family=AF_UNIX, sun_path="/run/docker.sock"}}, 110) = 0'],
            {"unseen": f"it asked the process that listens at /run/docker.sock, {UNWATCHED}"},
        ),
        (
            ['connect(3<socket:[5]>, {{sa_family=AF_UNIX, sun_path=@"x"}}, 110) = 0'],
            {"unseen": f"it asked the process that listens at @x, {UNWATCHED}"},
        ),
        (['connect(3<socket:[5]>, {{sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"}}, 110) = 0'], {}),
        (
            ['connect(3<socket:[5]>, {{sa_family=AF_UNIX, sun_path="s"}}, 110) = -1 ECONNREFUSED (Connection refused)'],
            {},
        ),
        (
            [
                'bind(3<socket:[5]>, {{sa_family=AF_UNIX, sun_path="s"}}, 110) = 0',
                'connect(3<socket:[5]>, {{sa_family=AF_UNIX, sun_path="./s"}}, 110) = 0',
            ],
            {"own": {"s"}, "sought": {"s"}},
        ),
        (
            [at_port(80)],
            {"unseen": f"it asked the process that listens at port 80 of this machine, {UNWATCHED}"},
        ),
        (
            [at_port(80, result="-1 EINPROGRESS (Operation now in progress)")],
            {"unseen": f"it asked the process that listens at port 80 of this machine, {UNWATCHED}"},
        ),
        ([at_port(80, result="-1 ECONNREFUSED (Connection refused)")], {}),
        (
            [
                at_port(80, result="-1 EINPROGRESS (Operation now in progress)"),
                "getsockopt(4<socket:[8]>, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0",
                "getsockopt(3<socket:[7]>, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0",
            ],
            {},
        ),
        (
            [at_port(80), "getsockopt(3<socket:[7]>, SOL_SOCKET, SO_ERROR, [0], [4]) = 0"],
            {"unseen": f"it asked the process that listens at port 80 of this machine, {UNWATCHED}"},
        ),
        ([at_port(80, host="192.0.2.1")], {"network": True}),
        ([at_port(53), at_port(3128), at_port(3129)], {}),
        (["socket(AF_INET, SOCK_DGRAM, IPPROTO_IP) = 3<socket:[7]>", at_port(80)], {}),
        (
            ["socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3<socket:[7]>", at_port(80), at_port(80, "bind", 8)],
            {},
        ),
        (
            [at_port(0, "bind"), at_port(80, "getsockname", host="::1"), at_port(80, number=8, host="::1")],
            {},
        ),
    ],
)
def test_calls_say_what_was_read(top: Path, lines: list[str], expected: dict[str, Any]) -> None:
    """One call after the other, each as strace writes it."""
    (top / "script").write_text("#!./b -x\n")
    found = relative(top, replayed(top, *(it.replace("{{", "{").replace("}}", "}") for it in lines)))
    assert found == {
        name: it.replace("{top}", str(top)) if isinstance(it, str) else it for name, it in expected.items()
    }


def test_files_are_told_apart_by_who_reads_them(top: Path) -> None:
    """Nox and uv take from some files only what keeps a finer digest; the program that a process runs now decides."""
    reads = replayed(
        top,
        'execve("/x/bin/nox", ["nox"], 0x7ff /* 3 vars */) = 0',
        'open("noxfile.py", O_RDONLY) = 3<{top}/noxfile.py>',
        'open("__pycache__/noxfile.cpython-313.pyc", O_RDONLY) = 3<{top}/__pycache__/noxfile.cpython-313.pyc>',
        'open("pyproject.toml", O_RDONLY) = 3<{top}/pyproject.toml>',
        "vfork() = 2",
        '2 execve("/usr/bin/uv", ["uv", "sync", "--frozen"], 0x7ff /* 3 vars */) = 0',
        '2 openat(AT_FDCWD<{top}>, "sub/pyproject.toml", O_RDONLY) = 3<{top}/sub/pyproject.toml>',
        '2 execve("/usr/bin/uv", ["uv"], 0x7ff /* 3 vars */) = 0',
        '2 openat(AT_FDCWD<{top}>, "sub/pyproject.toml", O_RDONLY) = 3<{top}/sub/pyproject.toml>',
        '2 open("pyproject.toml", O_RDONLY) = 3<{top}/pyproject.toml>',
        '2 open("a", O_RDONLY) = 3<{top}/a>',
        '2 execve("/usr/bin/uv", ["uv", "sync", "--frozen"], 0x7ff /* 3 vars */) = 0',
        '2 open("sub/deep/pyproject.toml", O_RDONLY) = 3<{top}/sub/deep/pyproject.toml>',
        '2 execve("/usr/bin/cat", ["cat"], 0x7ff /* 3 vars */) = 0',
        '2 open("b", O_RDONLY) = 3<{top}/b>',
    )
    assert {Path(it).name for it in reads.opened} == {"noxfile.py", "pyproject.toml", "a", "b"}
    assert {it.removeprefix(f"{top}/") for it in reads.by_others} == {"pyproject.toml", "sub/pyproject.toml", "a", "b"}
    assert reads.installs


def test_what_nox_imports_for_the_noxfile_is_read_by_others_alone(top: Path) -> None:
    """The digest holds what the session uses of it; its own program may use anything."""
    start = 'execve("/x/bin/nox", ["nox"], 0x7ff /* 3 vars */) = 0'
    read = 'open("{}", O_RDONLY) = 3<{{top}}/{}>'
    compiled = "__pycache__/helper.cpython-313.pyc"
    by_nox = [read.format(it, it) for it in ("helper.py", compiled)]
    assert replayed(top, start, *by_nox).opened == set()
    by_cat = ["vfork() = 2", '2 execve("/usr/bin/cat", ["cat"], 0x7ff /* 3 vars */) = 0', f"2 {by_nox[0]}"]
    assert replayed(top, start, *by_nox, *by_cat).opened == {f"{top}/helper.py"}


def test_links_elsewhere_count_where_they_lead_elsewhere(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not those on the way to the repository itself, which lies at another place on every machine."""
    links = {"/srv/now": "data", "/srv/here": str(top.parent)}
    monkeypatch.setattr(Notes, "_target", lambda _, place: links.get(place))
    lines = ['stat("/srv/now/x", {}) = 0', 'stat("/srv/here/top/a", {}) = 0', 'stat("/srv/here/x", {}) = 0']
    assert replayed(top, *lines).links == {"/srv/now"}


def test_the_code_of_a_session_may_read_the_noxfile_itself(top: Path) -> None:
    """Nox enters its folder once more to run that code, of which no digest holds what it makes of the bytes."""
    names = ("noxfile.py", "helper.py")
    lines = ['chdir("{top}") = 0', *(f'open("{it}", O_RDONLY) = 3<{{top}}/{it}>' for it in names)]
    start = 'execve("/x/bin/nox", ["nox"], 0x7ff /* 3 vars */) = 0'
    assert replayed(top, start, *lines).by_others == {str(top)}
    assert replayed(top, start, *lines, *lines).by_others == {str(top), *(f"{top}/{it}" for it in names)}


def test_a_nox_that_a_session_starts_is_another_reader_of_the_noxfile(top: Path) -> None:
    """It runs code of other sessions, which is not in the digest of this one."""
    reads = replayed(
        top,
        'execve("/x/bin/nox", ["nox"], 0x7ff /* 3 vars */) = 0',
        'open("noxfile.py", O_RDONLY) = 3<{top}/noxfile.py>',
        "vfork() = 2",
        '2 execve("/x/bin/nox", ["nox", "-s", "other"], 0x7ff /* 3 vars */) = 0',
        '2 open("noxfile.py", O_RDONLY) = 3<{top}/noxfile.py>',
    )
    assert reads.by_others == {f"{top}/noxfile.py"}
    assert not reads.installs


@pytest.mark.parametrize(
    ("program", "address", "network"),
    [
        ("curl", 'sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("192.0.2.1")', True),
        ("curl", 'sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")', False),
        ("curl", 'sa_family=AF_INET6, sin6_port=htons(80), inet_pton(AF_INET6, "2001:db8::1", &sin6_addr)', True),
        ("curl", 'sa_family=AF_INET6, sin6_port=htons(80), inet_pton(AF_INET6, "::1", &sin6_addr)', False),
        ("uv", 'sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("192.0.2.1")', False),
    ],
)
def test_whoever_asks_another_machine_is_told(top: Path, program: str, address: str, *, network: bool) -> None:
    """An installer does, and a lock says what it gets."""
    start = f'execve("/usr/bin/{program}", ["{program}"], 0x7ff /* 3 vars */) = 0'
    call = f"connect(3<socket:[1]>, {{{address}}}, 16) = 0"
    assert replayed(top, start, call).network == network


@pytest.mark.parametrize(
    ("start", "installs"),
    [
        ('"/e/bin/pip3.12", ["pip3.12", "install", "x"]', True),
        ('"/e/bin/python", ["python", "-m", "pip", "install", "x"]', True),
        ('"/e/bin/python", ["python", "x.py"]', False),
        ('"/e/bin/pipeline", ["pipeline"]', False),
        ('"/e/bin/uv", ["uv", "self", "version", "--output-format", "json"]', False),
    ],
)
def test_installers_are_known_by_name(top: Path, start: str, *, installs: bool) -> None:
    """As programs, and as modules of Python."""
    assert replayed(top, f"execve({start}, 0x7ff /* 3 vars */) = 0").installs == installs


@pytest.mark.parametrize(
    ("command", "is_tool"),
    [
        (["nox"], True),
        (["python3.13", "/x/bin/nox", "-s", "tests"], True),
        (["python", "-m", "virtualenv", ".nox/t"], True),
        (["python", "m.py", "nox"], False),
        (["python"], False),
    ],
)
def test_nox_may_lie_in_an_environment_of_the_repository(top: Path, command: list[str], *, is_tool: bool) -> None:
    """What is installed for nox itself is no package that a session uses, however nox is started."""
    arguments = ", ".join(f'"{it}"' for it in command)
    reads = replayed(
        top,
        f'execve("/x/bin/{command[0]}", [{arguments}], 0x7ff /* 3 vars */) = 0',
        'open(".nox/v/lib/python3/site-packages/m.py", O_RDONLY) = 3<{top}/.nox/v/lib/python3/site-packages/m.py>',
    )
    assert ("an environment that it did not make" in reads.unseen) != is_tool


def test_a_call_that_is_made_again_counts_where_it_leads_now(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To another place once the session has made a link, or for another program; else it says nothing new."""
    monkeypatch.setattr("headworks._observe.replay._MOST_SAID", 1)
    reads = replayed(
        top,
        f'access("n/d", R_OK) {NO}',
        f'access("n/d", R_OK) {NO}',
        'execve("/usr/bin/uv", ["uv"], 0x7ff /* 3 vars */) = 0',
        'stat("a", 0x7f) = 0',
        'stat("b", 0x7f) = 0',
        'stat("a", 0x7f) = 0',
        'symlink("sub/deep", "n") = 0',
        'access("n/d", R_OK) = 0',
        'execve("/usr/bin/y", ["y"], 0x7ff /* 3 vars */) = 0',
        'stat("a", 0x7f) = 0',
        'unlink("n") = 0',
        f'access("n/d", R_OK) {NO}',
    )
    expected = {"sought": {"n", "n/d"}, "looked": {"a", "b", "sub/deep/d"}, "own": {"n"}, "installs": True}
    assert relative(top, reads) == expected
    assert {Path(it).name for it in reads.by_others} == {"a", "b", "d"}


def test_names_that_look_like_addresses_are_names(top: Path) -> None:
    """The same call with its answer in another place says nothing new; one with another name does."""
    calls = [f'stat("{name}", 0x{it}f) = 0' for it in (7, 8) for name in ('a\\", 0x1', 'a\\", 0x2', "0x3", "0x4")]
    calls += ['newfstatat(5<{top}/0x5>, "", 0x7f, AT_EMPTY_PATH) = 0', "newfstatat(5<{top}/0x6>, NULL, 0x7f, 0) = 0"]
    calls += [
        f'openat(AT_FDCWD<{{top}}>, "link", O_RDONLY) = 3<{{top}}/{it}>' for it in ("0x7", "0x8", '", 0x9', '", 0xa')
    ]
    reads = replayed(top, *calls)
    assert relative(top, reads)["looked"] == {'a", 0x1', 'a", 0x2', "0x3", "0x4"}
    assert relative(top, reads)["opened"] == {"0x7", "0x8", '", 0x9', '", 0xa'}


def test_links_and_sources_count_where_nothing_else_does(top: Path) -> None:
    """A call in an environment says nothing, whole or in halves, unless it goes through a link out of it."""
    (top / "venv/disk").symlink_to(top / "a")
    reads = replayed(
        top,
        'stat("{top}/venv/x", 0x7f) = 0',
        'openat(AT_FDCWD<{top}>, "{top}/venv/y", O_RDONLY <unfinished ...>',
        "<... openat resumed>) = 3<{top}/venv/y>",
        "getdents64(3<{top}/venv/z>, 0x55 /* 3 entries */, 32768) = 72",
        'newfstatat(3<{top}/a>, "", 0x7f, AT_EMPTY_PATH) = 0',
        'stat("{top}/venv/disk", 0x7f) = 0',
        'mkdir("{top}/.nox/v", 0777) = 0',
        'mkdir("{top}/.nox/v/lib", 0777) = 0',
        'linkat(AT_FDCWD<{top}>, "{top}/venv/x", AT_FDCWD<{top}>, "{top}/.nox/v/x", 0) = 0',
        'symlink("{top}/sub", "{top}/.nox/v/made") = 0',
        'stat("{top}/.nox/v/made", 0x7f) = 0',
        'stat("{top}/.nox/v/made/c", 0x7f) = 0',
        'stat("{top}/__pycache__/m.cpython-313.pyc", 0x7f) = 0',
    )
    assert relative(top, reads) == {"looked": {"a", "sub", "sub/c", "m.py"}}


def test_a_process_without_an_end_is_a_doubt(top: Path) -> None:
    """Also one of which every call said nothing."""
    assert "it ends before the processes do" in replayed(top, "fork() = 2").unseen


def test_a_program_that_is_gone_has_no_interpreter(top: Path) -> None:
    """Nor has one that is no script."""
    assert relative(top, replayed(top, 'execve("n", ["n"], 0x7ff /* 3 vars */) = 0')) == {"opened": {"n"}}
    (top / "script").write_text("#!\n")
    assert relative(top, replayed(top, 'execve("script", ["n"], 0x7ff /* 3 vars */) = 0')) == {"opened": {"script"}}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("{top}", ""),
        ("{top}/a", ""),
        ("{top}/.git", GIT),
        ("{top}/.git/HEAD", GIT),
        ("{top}/sub/.git", GIT),
        ("{top}/sub/.git/HEAD", GIT),
        ("{top}/.nox/x/.git/HEAD", PASSED),
        ("{else}/.git", GIT),
        ("{else}/env/.git", PASSED),
        ("{top}/.nox/x/y", PASSED),
        ("{top}/env/lib/x", PASSED),
        ("{top}/kept/x", ""),
        ("{top}/cache/x", PASSED),
        ("{else}/x", OUTSIDE),
        ("{else}/env/lib/x", PASSED),
        ("{else}/python3.14/json/x", PASSED),
        ("/usr/lib/x", PASSED),
        ("/usr", PASSED),
        ("/home/x/.gitconfig", PASSED),
        ("/home/x/data", OUTSIDE),
        ("/x", OUTSIDE),
    ],
)
def test_every_place_has_a_kind(top: Path, monkeypatch: pytest.MonkeyPatch, path: str, kind: str) -> None:
    """An environment and a cache are known by the file in them, unless git has files there."""
    monkeypatch.setattr("headworks._observe.places._TEMPORARY", ())
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/nowhere")
    for folder in (top / "env", top / "kept", top.parent / "env"):
        folder.mkdir()
        (folder / "pyvenv.cfg").write_text("")
    (top.parent / "python3.14").mkdir()
    (top.parent / "python3.14/os.py").write_text("")
    (top / "cache").mkdir()
    (top / "cache" / "CACHEDIR.TAG").write_text("")
    assert places(top).kind(path.format_map({"top": top, "else": top.parent})) == kind


@pytest.mark.parametrize(
    ("command", "is_history"),
    [
        ("git", False),
        ("git --version", False),
        ("git -C /x -c a.b=c --no-pager ls-files -z", False),
        ("git rev-parse --show-toplevel --git-dir", False),
        ("git rev-parse --show-toplevel HEAD", True),
        ("git rev-parse HEAD", True),
        ("git diff --no-ext-diff", False),
        ("git diff --staged", True),
        ("git diff main", True),
        ("git describe", True),
        ("git --no-pager log", True),
        ("git an-alias", True),
    ],
)
def test_git_is_judged_by_its_arguments(command: str, *, is_history: bool) -> None:
    """A short list says nothing about commits; all else may."""
    assert reads_history(command.split()) == is_history
