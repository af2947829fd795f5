"""Kill Headworks at random moments, many times, and see that nothing false is left.

Each round changes an input, starts one of the commands that write (a run, a clearing, an export, an import), kills it
with `kill -9` at a random moment, alone or with all that it started, and then lets a run go to its end. That run must
pass, its outputs must be what the inputs ask for, and every verdict in the store must give back what was recorded.

    python packages/headworks/tests/campaigns/kill.py --kills 200 --seed 1
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NoReturn

from headworks._store.store import Store

SIZE = 300_000  # bytes of each large file: enough for a kill to hit its writing
SIZES = [SIZE] * 3 + [99] * 97  # of the files of each output: enough for a store to force them to the disk together
NOXFILE = f"""
import hashlib, pathlib, time
import nox

def make(session, name, *needs):
    inputs = [pathlib.Path(f"inputs/{{name}}.txt").read_bytes()]
    inputs += [pathlib.Path(f"artifacts/{{need}}/part01").read_bytes() for need in needs]
    key = hashlib.sha256(b"".join(inputs)).hexdigest()
    folder = pathlib.Path("artifacts", name)
    folder.mkdir(parents=True)
    for part, size in enumerate({SIZES}):
        (folder / f"part{{part:02}}").write_text((f"{{key}} {{part}} " * {SIZE})[:size])
        time.sleep(size * 1e-7)

@nox.session(venv_backend="none")
def data(session):
    make(session, "data")

@nox.session(venv_backend="none", requires=["data"])
def train(session):
    make(session, "train", "data")

@nox.session(venv_backend="none", requires=["data", "train"])
def evaluate(session):
    make(session, "evaluate", "data", "train")

@nox.session(venv_backend="none")
def lint(session):
    time.sleep(0.1)
"""
TABLE = """
[project]
name = "campaign"
version = "1"
[tool.headworks.sessions]
data = { packages = [], inputs = ["inputs/data.txt"], outputs = ["artifacts/data"] }
train = { packages = [], inputs = ["inputs/train.txt"], needs = ["data"], outputs = ["artifacts/train"] }
lint = {}
[tool.headworks.sessions.evaluate]
packages = []
inputs = ["inputs/evaluate.txt"]
needs = ["data", "train"]
outputs = ["artifacts/evaluate"]
"""
NEEDS: dict[str, tuple[str, ...]] = {"data": (), "train": ("data",), "evaluate": ("data", "train")}
COMMANDS = {
    "run": ("run", "-j", "2"),
    "force": ("run", "-j", "2", "--force"),
    "restore": ("run", "-j", "2"),
    "gc": ("store", "gc", "--max-size", "3MB"),
    "export": ("store", "export", "../bundle.tar"),
    "import": ("store", "import", "../bundle.tar"),
}


class Campaign:
    """A repository, a store, and what happened to them."""

    def __init__(self, folder: Path, seed: int) -> None:
        """Make both."""
        self.root = folder / "repository"
        self.store = folder / "store"
        self.random = random.Random(seed)  # noqa: S311  # no secret is made of it
        self.killed: Counter[str] = Counter()
        self.longest = dict.fromkeys(COMMANDS, 3.0)  # seconds within which each command is killed
        self.environ = os.environ | {"HEADWORKS_STORE": str(self.store), "GIT_CONFIG_GLOBAL": os.devnull}
        (self.root / "inputs").mkdir(parents=True)
        for name, content in {
            "noxfile.py": NOXFILE,
            "pyproject.toml": TABLE,
            ".gitignore": "artifacts\n__pycache__\n",
        }.items():
            (self.root / name).write_text(content, encoding="utf-8")
        for name in NEEDS:
            (self.root / "inputs" / f"{name}.txt").write_text("0", encoding="utf-8")
        who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
        for command in (["init", "--quiet"], ["add", "--all"], [*who, "commit", "--quiet", "--message=all"]):
            subprocess.run(["git", *command], check=True, cwd=self.root, env=self.environ)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command."""
        command = [sys.executable, "-m", "headworks", *arguments]
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def change(self) -> None:
        """Change an input to one of few values, so that what an earlier round made is asked for again."""
        name = self.random.choice(list(NEEDS))
        (self.root / "inputs" / f"{name}.txt").write_text(str(self.random.randrange(3)), encoding="utf-8")
        if self.random.random() < 0.3:  # a share
            shutil.rmtree(self.root / "artifacts", ignore_errors=True)

    def kill(self) -> bool:
        """Start a command, kill it at a random moment of the time that it takes, and tell whether that was in time."""
        kind = self.random.choice(list(COMMANDS))
        if kind == "restore":
            shutil.rmtree(self.root / "artifacts", ignore_errors=True)
        begin = time.monotonic()
        process = self.start(*COMMANDS[kind])
        try:
            process.wait(self.random.random() * self.longest[kind])
        except subprocess.TimeoutExpired:
            self.killed[kind] += 1
            is_alone = self.random.random() < 0.5  # a share
            process.kill() if is_alone else os.killpg(process.pid, signal.SIGKILL)
        else:
            self.longest[kind] = min(self.longest[kind], 1.1 * (time.monotonic() - begin))
        process.communicate()
        return process.returncode == -signal.SIGKILL

    def expected(self) -> dict[str, str]:
        """Return the key that each stage must have written for the inputs as they are."""
        keys: dict[str, str] = {}
        for name, needs in NEEDS.items():
            inputs = [(self.root / "inputs" / f"{name}.txt").read_bytes()]
            inputs += [(f"{keys[need]} 1 " * SIZE)[:SIZE].encode() for need in needs]
            keys[name] = hashlib.sha256(b"".join(inputs)).hexdigest()
        return keys

    def check(self) -> None:
        """Let a run go to its end, then look at all that there is."""
        process = self.start("run", "-j", "2")
        output, _ = process.communicate()
        if process.returncode:
            fail(f"the run after a kill ended with {process.returncode}:\n{output}")
        for name, key in self.expected().items():
            if (wrong := parts(self.root / "artifacts" / name)) != key:
                fail(f"{name} made {wrong} of inputs that ask for {key}:\n{output}")
        store = Store(self.store)
        with tempfile.TemporaryDirectory(dir=self.root.parent) as folder:
            for verdict in store.verdicts(it.digest for it in store.ls()).values():
                if verdict.outputs and store.restore(verdict, folder) is not None:
                    parts(Path(folder, *next(iter(verdict.outputs)).split("/")))
        if flaky := store.flaky():
            fail(f"a kill was recorded as a failure: {flaky}\n{output}")
        if left := self.left():
            fail(f"processes are left: {left}\n{output}")

    def left(self) -> list[str]:
        """Return the processes that still work in the repository."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "cwd").readlink() == self.root:
                    found.append((process / "cmdline").read_text(encoding="utf-8", errors="replace"))
            except OSError:
                continue
        return found


def fail(message: str) -> NoReturn:
    """End the campaign."""
    raise SystemExit(message)


def parts(folder: Path) -> str:
    """Return the key that an output was made with; every byte of it must be as it was made."""
    names = sorted(it.name for it in folder.iterdir())
    texts = [(folder / name).read_text(encoding="utf-8") for name in names]
    key = texts[0][:64] if texts else ""
    if texts != [(f"{key} {part} " * SIZE)[:size] for part, size in enumerate(SIZES)]:
        fail(f"{folder} holds something that no session made: {names}")
    return key


def main() -> None:
    """Run the campaign, and say what it did."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    settings = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign(Path(folder), settings.seed)
        while sum(campaign.killed.values()) < settings.kills:
            campaign.change()
            if campaign.kill():
                campaign.check()
                sys.stderr.write(f"\r{sum(campaign.killed.values())} of {settings.kills} kills")
        kinds = ", ".join(f"{kind} {number}" for kind, number in sorted(campaign.killed.items()))
    seconds = time.monotonic() - begin
    sys.stdout.write(f"\n{settings.kills} kills ({kinds}), seed {settings.seed}: nothing false in {seconds:.0f} s\n")


if __name__ == "__main__":
    main()
