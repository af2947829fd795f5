"""Real git repositories and real stores for the tests."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, TypeAlias

import fsspec
import pytest
from hypothesis import settings
from nox import virtualenv

from headworks._cli import main
from headworks._digest.digest import Digester
from headworks._machine.nox import ListedSession, Nox
from headworks._machine.programs import Programs
from headworks._noxfile import parts
from headworks._noxfile.parts import read_module
from headworks._project.lock import Lock
from headworks._project.project import Project
from headworks._project.workspace import Workspace, find_workspace
from headworks._quick.memory import Memory
from headworks._quick.process import Process
from headworks._run import process
from headworks._store.store import Store
from headworks._store.verdict import Verdict
from headworks._store.witness import Witness
from headworks._tree.git import Repository
from headworks._tree.snapshot import CommitSnapshot, WorkTreeSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from http.server import HTTPServer
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess
    from typing import IO

    from packaging.version import Version

    from headworks._machine.machine import Machine
    from headworks._noxfile.parts import ModuleFacts

    Serving: TypeAlias = Callable[[HTTPServer], AbstractContextManager[str]]

# How long one example takes says more about the machine than about the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_sessionstart() -> None:
    """Start no test where strace can watch nothing, as in a session that is watched: many tests watch what they run."""
    if shutil.which("strace") and subprocess.run(["strace", "-o", os.devnull, "true"], check=False).returncode:
        pytest.exit("Strace can watch nothing here: the system does not let it, or watches these tests already.", 1)


# Coverage among them: to begin measuring takes each of some hundred processes longer than all that it does.
_SURROUNDINGS = ("COVERAGE_", "GIT_", "GITHUB_", "NOX", "PIP_", "UV_")
_MEASURING = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
# Repositories that live for a second need neither a collection of garbage nor to survive a loss of power.
_GITCONFIG = """
[user]
name = Somebody
email = somebody@example.org
[core]
fsync = none
[gc]
auto = 0
[maintenance]
auto = false
"""
_YOUNG = 0.02  # seconds, above what a snapshot allows the clock of files to lag behind


class Scratch:
    """A git repository to do things to."""

    empty: ClassVar[Path]  # one that git made

    def __init__(self, root: Path) -> None:
        """Make it in a folder, as a copy of an empty one: to start git takes longer."""
        self.root = root
        shutil.copytree(self.empty, root, dirs_exist_ok=True)

    def git(self, *arguments: str) -> str:
        """Run git in the repository and return what it writes."""
        command = ["git", "-C", str(self.root), "-c", "protocol.file.allow=always", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def workspace(self, *, at: str = "", below: str = "") -> Workspace:
        """Read the packages of the work tree, or of a commit; a project may lie in a folder of the repository."""
        repository = Repository(str(self.root / below))
        snapshot = CommitSnapshot(repository, at) if at else WorkTreeSnapshot(repository)
        memory = Memory(repository.git_folder() + "/headworks")
        return find_workspace(snapshot, memory, Lock(snapshot, memory), ())

    def write(self, files: Mapping[str, str | bytes]) -> Scratch:
        """Write files, their folders included."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def commit(self, files: Mapping[str, str | bytes] | None = None) -> str:
        """Write files, commit everything and return the commit's id."""
        self.write(files or {})
        written = time.monotonic()
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=a change")
        commit = self._head()
        # Of a file this young, nobody can say whether it is still written to, and so nothing about it is remembered.
        time.sleep(max(0.0, written + _YOUNG - time.monotonic()))
        return commit

    def _head(self) -> str:
        """Return the id of the last commit, without git where it stands in a file."""
        folder = self.root / ".git"
        try:
            return (folder / (folder / "HEAD").read_text().removeprefix("ref: ").strip()).read_text().strip()
        except OSError:
            return self.git("rev-parse", "HEAD")

    def record_pass(self, name: str) -> None:
        """Record that a session left what lies in its outputs now, as if it had run."""
        stage, digester = Stage(Store.default(), self.root), Digester.for_worktree(self.root)
        sessions = {it.name: it for it in digester.sessions()}
        content = stage.store.outputs(self.root).content
        read = {it: {path: content(path) or "" for path in sessions[it].outputs} for it in sessions[name].needs}
        digest = digester.digest(sessions[name], read)
        stage.record(name, digest=digest.value, components=digest.components, outputs=sessions[name].outputs)


@pytest.fixture
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no session be watched, as on a machine without strace."""
    monkeypatch.setattr("headworks._run.loop.can_see_all", lambda: False)


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C reach the processes that tests start, also where a shell started the tests with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings and caches of whoever runs the tests out of them."""
    for name in [it for it in os.environ if it == "CI" or it.startswith(_SURROUNDINGS)]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    (home / "gitconfig").write_text(_GITCONFIG)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("HEADWORKS_STORE", str(home / "store"))
    monkeypatch.setattr("headworks._store.patience._abandoned", [])  # or `program` would end the tests as well


@pytest.fixture
def measured(_alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure the processes that a test starts, for lines that no test runs in its own."""
    for name, value in _MEASURING.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def _listings() -> dict[tuple[str, ...], list[ListedSession]]:
    """Keep what nox has listed."""
    return {}


@pytest.fixture(autouse=True)
def _listed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _listings: dict[tuple[str, ...], list[ListedSession]]
) -> None:
    """Ask nox once about a noxfile that reads nothing while it is loaded: an answer takes longer than most tests."""
    ask, original = Project._listed, Nox.list_sessions

    def listed(project: Project, machine: Machine) -> list[ListedSession]:
        reads = project.noxfile.on_load()
        if reads.unstable or reads.content or reads.names or Nox.list_sessions is not original:
            return ask(project, machine)
        environ = machine.environment(project.pyproject.table.env)
        parts = [project.noxfile.key, machine.nox.path, machine.nox.version, machine.nox.python]
        key = (*parts, *sorted(f"{name}={value}".replace(str(tmp_path), "") for name, value in environ.items()))
        if key not in _listings:
            _listings[key] = ask(project, machine)
        return _listings[key]

    monkeypatch.setattr(Project, "_listed", listed)


# What a process does that is to be what `python -m` would start: all that a new one would have been given comes first.
_BECOME = """
import os, runpy, signal, sys
os.setsid()
signal.pthread_sigmask(signal.SIG_SETMASK, [])
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
for target, sink in ((1, output), (2, errors)):
    os.dup2(os.open(sink, os.O_WRONLY | os.O_APPEND) if isinstance(sink, str) else sink.fileno(), target)
sys.stdout, sys.stderr = (open(it, "w", buffering=1, closefd=False) for it in (1, 2))
os.chdir(folder)
os.environ.clear()
os.environ.update(environ)
measured = None
if any(name.startswith("COVERAGE_PROCESS") for name in environ):
    import coverage
    measured = coverage.process_startup(force=True)
sys.argv[:] = command
if uv:
    from nox import virtualenv
    virtualenv.find_uv = lambda: uv
exec(before)
try:
    runpy.run_module(module, run_name="__main__", alter_sys=True)
finally:
    if measured:
        measured.stop()
        measured.save()
"""
_START = process._start
_NOX = str(Path(sys.executable).with_name("nox"))
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["ctypes", "nox", "pytest", "headworks._commands.run"])


@functools.cache
def _uv(*_place: str | None) -> tuple[bool, str, Version]:
    """Return which uv nox finds: each nox asks uv for its version, which takes longer than most that it does."""
    return virtualenv.find_uv.__wrapped__()


def _fork(
    module: str,
    command: list[str],
    folder: str,
    environ: Mapping[str, str],
    output: str | Connection,
    errors: str | Connection = "",
    *,
    before: str = "",
) -> ForkServerProcess:
    """Start a module from a process that has loaded nox and pytest: to load them takes longer than most that they do.

    Args:
        module: As after `python -m`.
        command: Its arguments, after any word.
        folder: The folder to run in.
        environ: All of its environment.
        output: A file that is there, or a pipe, for its output.
        errors: The same for its errors; empty where they go to its output.
        before: Code to run first.
    """
    given: dict[str, object] = {"module": module, "command": command, "folder": folder, "environ": dict(environ)}
    given |= {"output": output, "errors": errors or output, "before": before, "become": _BECOME, "nox": _NOX}
    is_same = all(environ.get(name) == os.environ.get(name) for name in ("PATH", "UV"))
    given["uv"] = _uv(os.environ.get("PATH"), os.environ.get("UV")) if is_same else None
    made = _SERVER.Process(target=exec, args=(_BECOME, given))
    made.start()
    return made


@pytest.fixture
def fork() -> Callable[..., ForkServerProcess]:
    """Return the function that forks a process which is some module."""
    return _fork


class _Forked:
    """A process, with as much of a `Popen` as a run asks for."""

    stdin = None

    def __init__(self, process: ForkServerProcess) -> None:
        """Take a process that runs."""
        self._process = process
        self.pid = process.pid

    def poll(self) -> int | None:
        """Return its exit code, once it has ended."""
        return self._process.exitcode

    def wait(self, timeout: float) -> None:
        """Wait until it has ended, no longer than some seconds."""
        self._process.join(timeout)


class _Listing(Process):
    """A nox that lists sessions, forked."""

    def _spawn(self) -> int:
        """Fork it, and return its process id."""
        reader, writer = _SERVER.Pipe(duplex=False)
        self._forked = _fork("nox", self.arguments, str(Path.cwd()), self.environ, writer, os.devnull)
        writer.close()
        self._output = os.dup(reader.fileno())
        reader.close()
        return self._forked.pid or 0

    def output(self) -> tuple[int, bytes]:
        """Wait for it to end, and return its exit code and all that it wrote."""
        with os.fdopen(self._output, "rb") as pipe:
            said = pipe.read()
        self._forked.join()
        return self._forked.exitcode or 0, said


# Attaches strace to this process, of which it has not seen the start. Where Yama asks, only who is named may do so.
_ATTACH = """
import ctypes, subprocess, time
subprocess.run([*first, "true"], check=True)
with open(notes, "w") as file:
    print(os.getpid(), f'execve("{command[0]}", ["{command[0]}"], 0x1 /* 1 vars */) = 0', file=file)
ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1))
os.posix_spawnp("strace", [*tracer, "-A", "-p", str(os.getpid())], os.environ)
while b"TracerPid:\\t0" in open("/proc/self/status", "rb").read():
    time.sleep(0.001)
time.sleep(0.005)
"""


def _traced(wrapper: list[str]) -> str:
    """Return the code that has a process watched as the words before a command say: it is attached to, not started."""
    place = wrapper.index("strace")
    tracer = [it for it in wrapper[place:] if it not in {"-D", "--seccomp-bpf", "--"}]
    return f"first, tracer, notes = {wrapper[:place]}, {tracer}, {tracer[-1]!r}\n{_ATTACH}"


@pytest.fixture(autouse=True)
def _forked_nox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork the nox that this process starts, to run or to list."""

    def forked(command: list[str], folder: str, environ: Mapping[str, str], output: IO[bytes]) -> object:
        if _NOX not in command:
            return _START(command, folder, environ, output)
        place = command.index(_NOX)
        before = _traced(command[:place]) if place else ""
        return _Forked(_fork("nox", command[place:], folder, environ, str(output.name), before=before))

    def listing(command: list[str], environ: Mapping[str, str]) -> Process:
        return (_Listing if command[0] == _NOX else Process)(command, environ)

    monkeypatch.setattr(process, "_start", forked)
    monkeypatch.setattr("headworks._machine.nox.Process", listing)


@pytest.fixture
def nox_itself(_forked_nox: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start the nox of runs as a run does."""
    monkeypatch.setattr(process, "_start", _START)


# Forks its nox in turn, which keeps none of its files open, and has it watched by nobody.
_AS_HERE = """
import multiprocessing
from headworks._run import loop, process
loop.can_see_all = lambda: False
start = process._start

def forked(command, folder, environ, output):
    if command[0] != nox:
        return start(command, folder, environ, output)
    given = {"module": "nox", "command": command, "folder": folder, "environ": dict(environ)}
    given |= {"output": output.name, "errors": output.name, "before": "os.closerange(3, 1024)", "uv": uv}
    made = multiprocessing.get_context("fork").Process(target=exec, args=(become, given))
    made.stdin, made.poll, made.wait = None, lambda: made.exitcode, made.join
    made.start()
    return made

process._start = forked
"""


class Started:
    """The command in a process of its own, with as much of a `Popen` as tests ask for."""

    def __init__(self, *arguments: str) -> None:
        """Start it, with both outputs in one pipe."""
        folder = Path.cwd()
        Digester.for_worktree(folder).sessions()  # known now, so that it need not list them
        reader, writer = _SERVER.Pipe(duplex=False)
        self._process = _fork("headworks", ["headworks", *arguments], str(folder), os.environ, writer, before=_AS_HERE)
        writer.close()
        self.stdout = os.fdopen(os.dup(reader.fileno()), encoding="utf-8")
        reader.close()

    @property
    def returncode(self) -> int | None:
        """Its exit code, once it has ended."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self._process.pid or 0, number)

    def communicate(self) -> str:
        """Wait for it to end, and return what it wrote."""
        with self.stdout:
            said = self.stdout.read()
        self._process.join()
        return said


@pytest.fixture
def started() -> Callable[..., Started]:
    """Return what starts the command in a process of its own, deaf to no signal, with sessions that nobody watches."""
    return Started


@pytest.fixture(scope="session", autouse=True)
def _taken_apart_once() -> Iterator[None]:
    """Take each noxfile apart once: most tests have the same one, each in a repository that remembers nothing."""

    @functools.cache
    def taken(source: bytes, path: str, in_digest: tuple[str, ...], *, is_imported: bool) -> ModuleFacts:
        return read_module(source, path, in_digest, is_imported=is_imported)

    def read(source: bytes, path: str, in_digest: Iterable[str], *, is_imported: bool) -> ModuleFacts:
        return taken(source, path, tuple(in_digest), is_imported=is_imported)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parts, "read_module", read)
        yield


@contextlib.contextmanager
def _serving(server: HTTPServer) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def serving() -> Serving:
    """Return a function that has a server answer in a thread until a block ends, and gives its address."""
    return _serving


@pytest.fixture(scope="session")
def _s3_server() -> Iterator[str]:
    """Return the address of a server with the protocol of S3."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: PLC0415  # it takes a second
    from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: PLC0415  # with it

    class Quiet(WSGIRequestHandler):
        def log(self, *_arguments: object) -> None:
            """Say nothing."""

    # One request at a time: this server looks whether there is an object and writes it in two steps.
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), request_handler=Quiet)
    with _serving(server) as address:
        yield address


@pytest.fixture
def s3(_s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of an empty folder in a bucket, for which the environment has the credentials."""
    account = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in {**account, "AWS_ENDPOINT_URL": _s3_server}.items():
        monkeypatch.setenv(name, value)
    bucket = f"s3://{os.urandom(8).hex()}"
    fsspec.filesystem("s3").mkdir(bucket)
    return f"{bucket}/headworks"


@pytest.fixture(scope="session")
def _versions() -> dict[str, str]:
    """Keep the versions that interpreters told."""
    return {}


@pytest.fixture(autouse=True)
def _told_once(monkeypatch: pytest.MonkeyPatch, _versions: dict[str, str]) -> None:
    """Put the version of an interpreter into the memory of each repository, once it has been asked for in one."""
    ask = Programs._ask

    def asked(programs: Programs, kind: str, key: str, command: list[str]) -> str:
        name = f"{kind} {key}"
        if name in _versions:
            programs._memory.put(kind, key, _versions[name])
        answer = ask(programs, kind, key, command)
        if key and kind == "interpreter":
            _versions[name] = answer
        return answer

    monkeypatch.setattr(Programs, "_ask", asked)


@pytest.fixture
def _bases_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make bases of the gate in this process: one of its own starts Python three times more, twice to list sessions."""

    def run(command: list[str], folder: str, environ: Mapping[str, str], *, out: IO[str]) -> int:
        del out
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(sys.stderr):
            patch.chdir(folder)
            for name in os.environ.keys() - environ.keys():
                patch.delenv(name)
            for name, value in environ.items():
                patch.setenv(name, value)
            return main(command[3:])  # after `python -m headworks`

    monkeypatch.setattr("headworks._gate.base_outputs.run_to_end", run)


@pytest.fixture(scope="session", autouse=True)
def _empty(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Make the empty repository that others are copied from."""
    Scratch.empty = tmp_path_factory.mktemp("empty")
    command = ["git", "init", "--quiet", "--initial-branch=main", "--template=", str(Scratch.empty)]
    subprocess.run(command, check=True, env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull})


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """Return an empty repository."""
    return Scratch(tmp_path / "scratch")


@pytest.fixture
def other(tmp_path: Path) -> Scratch:
    """Return a second empty repository."""
    return Scratch(tmp_path / "other")


class Stage:
    """A store and a work tree whose sessions are said to have ended."""

    def __init__(self, store: Store, root: Path) -> None:
        """Take both; for a store, a work tree need not be more than a folder with one for git."""
        self.store = store
        self.root = root
        (root / ".git").mkdir(parents=True, exist_ok=True)

    def verdict(
        self, name: str, *, passed: bool = True, outputs: Iterable[str] = (), digest: str = "", **others: object
    ) -> Verdict:
        """Return a verdict whose digest is the hash of its name, with what its outputs hold now."""
        found = {path: self.store.outputs(self.root).content(path) or "" for path in outputs}
        fields: dict[str, Any] = {
            "session": name,
            "digest": digest or sha256(name),
            "passed": passed,
            "finished": "2026-01-31T12:00:00+00:00",
            "seconds": 1.5,
            "commit": "c0ffee",
            "platform": "linux-x86_64",
            "outputs": found,
            "components": {"files": "1"},
        }
        return Verdict(**fields | others)

    def record(self, name: str, **settings: Any) -> Verdict:  # noqa: ANN401  # those of `verdict`
        """Record such a verdict and return it."""
        verdict = self.verdict(name, **settings)
        self.store.record(verdict, self.root)
        return verdict

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write files into the work tree."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def tree(self, path: str) -> dict[str, tuple[str, str]]:
        """Return all that lies at a path: kind and mode, and content, of each file."""
        top = self.root / path
        found = {}
        for it in sorted([top, *top.rglob("*")]):
            kind = oct(it.lstat().st_mode)
            content = str(it.readlink()) if it.is_symlink() else it.read_bytes().hex() if it.is_file() else ""
            found[str(it.relative_to(top))] = (kind, content)
        return found

    def blobs(self) -> list[Path]:
        """Return the file of every blob."""
        return sorted(Path(self.store.root).glob("blobs/*/*"))


def sha256(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Return an empty store, and a work tree for it: that of `scratch`, where a test asks for both."""
    return Stage(Store(tmp_path / "home" / "store"), tmp_path / "scratch")


NOXFILE = """
import nox

FLAGS = ["-q"]
CHECKS = ["ruff"]


@nox.session(python=["3.11", "3.13"])
@nox.parametrize("package", ["base", "app", "solo"])
def tests(session, package):
    session.run("pytest", *FLAGS, f"packages/{package}")


@nox.session
def lint(session):
    session.run(*CHECKS)


@nox.session
def data(session):
    session.run("python", "-m", "base")


@nox.session(requires=["data"])
def model(session):
    session.run("python", "-m", "app")
"""

PYPROJECT = """
[dependency-groups]
test = ["pytest"]
lint = ["ruff"]

[tool.uv.workspace]
members = ["packages/*"]

[tool.pytest]
addopts = []

[tool.ruff]
line-length = 100

[tool.headworks]
ignore = ["README.md", "packages/*/README.md"]

[tool.headworks.sessions]
tests = { packages = ["{package}"], groups = ["test"] }
lint = {}
data = { packages = ["base"], outputs = ["artifacts/data"], tools = ["pytest"], groups = [] }
model = { packages = ["app"], needs = ["data"], outputs = ["artifacts/model"], env = ["SEED"], groups = [] }
"""

LOCK = """
version = 1

[manifest.dependency-groups]
test = [{ name = "pytest" }]
lint = [{ name = "ruff" }]
"""


def _package(name: str, *dependencies: str) -> dict[str, str]:
    """Return the files of a package."""
    needs = ", ".join(f'"{it}"' for it in dependencies)
    folder = f"packages/{name}"
    return {
        f"{folder}/pyproject.toml": f'[project]\nname = "{name}"\nreadme = "README.md"\ndependencies = [{needs}]\n',
        f"{folder}/README.md": name,
        f"{folder}/src/{name}/__init__.py": "",
        f"{folder}/src/{name}/core.py": f"NAME = '{name}'\n",
        f"{folder}/tests/test_core.py": f"assert '{name}'\n",
    }


def _locked(name: str, version: str, *dependencies: str, source: str = 'registry = "https://example.org"') -> str:
    """Return an entry of a lock."""
    needs = ", ".join(f'{{ name = "{it}" }}' for it in dependencies)
    return f'\n[[package]]\nname = "{name}"\nversion = "{version}"\nsource = {{ {source} }}\ndependencies = [{needs}]\n'


class Known(Store):
    """A store of verdicts that a test knows."""

    def __init__(self) -> None:
        """Start with none."""
        super().__init__(os.devnull)
        self.all: dict[str, Verdict] = {}

    def verdicts(self, digests: Iterable[str]) -> dict[str, Verdict]:
        """Return the verdicts that there are."""
        return {it: self.all[it] for it in digests if it in self.all}

    def observed(self, core: str) -> list[str]:
        """Return the digests of sessions that were watched: those that have a core."""
        return [digest for digest, it in self.all.items() if it.core == core]

    def witness(self, digest: str) -> Witness | None:
        """Return what a session was seen to read."""
        return Witness.parse(self.all[digest].witness) if digest in self.all else None

    def ls(self) -> list[Verdict]:
        """Return all verdicts."""
        return list(self.all.values())

    def seconds(self, session: str) -> float | None:
        """Return how long a session took."""
        return next((it.seconds for it in self.all.values() if it.session == session), None)

    def last(self, session: str) -> Verdict | None:
        """Return the last verdict of a session."""
        return next((it for it in reversed(self.all.values()) if it.session == session), None)


class Monorepo:
    """A repository with three packages, of which one needs another, and stages that read each other's outputs."""

    names: ClassVar[list[str]] = [
        *(f"tests-{python}({package})" for python in ("3.11", "3.13") for package in ("base", "app", "solo")),
        *("lint", "data", "model"),
    ]

    def __init__(self, scratch: Scratch) -> None:
        """Write and commit the files."""
        self.scratch = scratch
        self.root = scratch.root
        self.store = Known()
        files = {"noxfile.py": NOXFILE, "pyproject.toml": PYPROJECT, "uv.lock": self.lock(), "README.md": "all"}
        files |= _package("base", "numpy") | _package("app", "base", "torch>=2") | _package("solo")
        scratch.commit(files | {".gitignore": "artifacts\n__pycache__\n", "docs/index.md": "all", "conftest.py": ""})

    def lock(self, **versions: str) -> str:
        """Return a lock with some other versions."""
        chosen = {"numpy": "2.0", "torch": "2.9", "pytest": "9.0", "ruff": "0.1"} | versions
        members = [
            _locked(name, "0", *needs, source=f'editable = "packages/{name}"')
            for name, needs in {"base": ["numpy"], "app": ["base", "torch"], "solo": []}.items()
        ]
        return LOCK + "".join([*members, *(_locked(name, version) for name, version in chosen.items())])

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text in a file."""
        content = (self.root / name).read_text()
        assert old in content
        (self.root / name).write_text(content.replace(old, new))


def _listed(source: str) -> list[ListedSession]:
    """Return what nox would list for the noxfile of a monorepo, whose decorators are simple enough."""
    found = []
    for name in source.split("def ")[1:]:
        function = name.partition("(")[0]
        if function == "tests":
            for python in ("3.11", "3.13"):
                for package in ("base", "app", "solo"):
                    instance, parameters = f"tests-{python}({package})", (("package", package),)
                    found.append(ListedSession(name=instance, function="tests", python=python, parameters=parameters))
        else:
            found.append(ListedSession(name=function, function=function))
    return found


@pytest.fixture
def monorepo(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> Monorepo:
    """Return a monorepo, for which neither nox nor another Python need be started."""

    def listed(_nox: Nox, root: str, _environ: object) -> list[ListedSession]:
        return _listed((Path(root) / "noxfile.py").read_text())

    monkeypatch.setattr(Nox, "list_sessions", listed)
    monkeypatch.setattr(Programs, "find", lambda _programs, name: name)
    monkeypatch.setattr(Programs, "version", lambda _programs, path: f"version of {path}")
    return Monorepo(scratch)
