"""One change to the generated monorepo, and what Headworks and the truth say of it."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from typing import TYPE_CHECKING

from soundness_monorepo import Monorepo, Repository
from soundness_mutations import Mutator
from soundness_planted import PLANTS

import headworks
from headworks._store.store import Store
from headworks.errors import HeadworksError

if TYPE_CHECKING:
    import random
    from pathlib import Path

WATCHED = "tests(solo)"
FILE = "packages/solo/tests/test_number.py"
PATIENCE = 60.0  # seconds
FORGETFUL, UNRELATED, COMMITTED = 0.25, 0.2, 0.3  # shares of the changes to planted repositories
SETTLED = 2.5  # seconds after which a change to a file shows in its times
PLAN = ("plan", "--format", "json")
# Of these sessions, none of which takes long, the first declares SEED.
FORCED = ["train", "docs", "check(package='solo')"]
VARIABLES = [
    *("PYTEST_ADDOPTS", "PYTHONPATH", "PYTHONWARNINGS", "CI", "NOXSESSION", "NOX_DEFAULT_VENV_BACKEND", "VERBOSE"),
    *("HEADWORKS_WORD", "GIT_AUTHOR_NAME", "LC_ALL", "COLUMNS", "FORCE_COLOR"),
    *("SEED", "PIP_INDEX_URL", "UV_INDEX_URL", "CUDA_VISIBLE_DEVICES"),
]


@dataclasses.dataclass
class Round:
    """The result of one change.

    Attributes:
        said: What was changed, in words.
        planned: The sessions in the plan.
        changed: The sessions that truly changed.
        open: These, and those that need them: no plan can tell which of them change before others have run.
        missed: The sessions that changed and were not planned, each with what is different.
        refused: Why there is no plan; empty where there is one.
        recalled: How many answers were given again.
    """

    said: str
    planned: set[str] = dataclasses.field(default_factory=set)
    changed: set[str] = dataclasses.field(default_factory=set)
    open: set[str] = dataclasses.field(default_factory=set)
    missed: dict[str, str] = dataclasses.field(default_factory=dict)
    refused: str = ""
    recalled: int = 0


class Campaign:
    """A monorepo all of whose sessions have passed, and what they read then."""

    def __init__(self, folder: Path) -> None:
        """Make it, and let everything pass."""
        self.monorepo = Monorepo(folder)
        self.store = Store(folder / "store")
        self.run()
        self.scrubbed = {name: self.monorepo.notes(name) for name in FORCED}
        found = self.monorepo.truth() or {}
        if failed := [name for name, text in found.items() if not text.startswith("success")]:
            message = f"The monorepo is not sound before anything was changed: {', '.join(failed)} failed."
            raise SystemExit(message)
        self.before = found
        self.seen: dict[tuple[str, str], tuple[str, str]] = {}
        self.recalled = 0
        self.reset()
        time.sleep(SETTLED)
        for _ in range(3):
            self.planned()
        if not self.recalled:
            message = "No answer is remembered, so that none can be compared."
            raise SystemExit(message)

    def run(self, *arguments: str, environ: dict[str, str] | None = None) -> str:
        """Let `headworks run` go to its end, and return what it writes."""
        output, _ = self.monorepo.headworks("run", "-j", "2", *arguments, environ=environ).communicate()
        return output

    def reset(self) -> None:
        """Undo a change; everything must be covered again."""
        self.monorepo.reset()
        if planned := self.planned():
            message = f"{', '.join(planned)} would run although the work tree is what it was when they passed."
            raise SystemExit(message)

    def planned(self, environ: dict[str, str] | None = None) -> dict[str, str]:
        """Return the sessions in the plan, each with its digest, which is empty while that cannot be told."""
        environ = self.monorepo.environ | (environ or {})
        plan, again = (headworks.plan(self.monorepo.root, store=self.store, environ=environ) for _ in range(2))
        if plan.sessions != again.sessions:  # which comes from what the first one remembered
            message = f"What is remembered is not what was found:\n{plan.sessions}\n{again.sessions}"
            raise SystemExit(message)
        self.compare({it.session.name: (it.state, it.digest) for it in plan.sessions}, environ)
        self.digests = {it.session.name: it.digest or "" for it in plan.sessions}
        self.needs = {it.session.name: it.session.needs for it in plan.sessions}
        return {it.session.name: it.digest or "" for it in plan.sessions if it.state != "cached"}

    def compare(self, planned: dict[str, tuple[str, str | None]], environ: dict[str, str]) -> None:
        """Compare a plan with the answer that the command remembers, or have it remember this one."""
        answer = self.monorepo.recalled(*PLAN, environ=environ)
        if answer is None:
            self.monorepo.headworks(*PLAN, environ=environ).communicate()
            return
        self.recalled += 1
        found = {it["name"]: (it["state"], it["digest"]) for it in json.loads(answer)["sessions"]}
        if found != planned:
            message = f"The answer that is remembered is not what is found:\n{found}\n{planned}"
            raise SystemExit(message)

    def mutate(self, kind: str, chance: random.Random, turn: int) -> Round:
        """Make a change, plan, and compare the plan with what every session then truly reads."""
        mutator = Mutator(self.monorepo, chance, turn)
        mutator.do(kind)
        mutator.settle()
        found = Round("; ".join(mutator.said))
        try:
            found.planned = set(self.planned())
        except HeadworksError as error:
            found.refused = str(error)
        now = self.monorepo.truth() or {}
        found.changed = {name for name, text in now.items() if text != self.before.get(name)}
        if not found.refused:
            self.judge(found, now)
            found.open = {name for name in now if self.is_open(name, found.changed)}
        return found

    def is_open(self, name: str, changed: set[str]) -> bool:
        """Tell whether a session changed, or one that it needs, directly or not."""
        return name in changed or any(self.is_open(it, changed) for it in self.needs.get(name, ()))

    def judge(self, found: Round, now: dict[str, str]) -> None:
        """Note what was missed: by the plan, or by a digest that another change had already given."""
        # Where the change removed the table, a plan is about the sessions that nox runs by default.
        is_table = (self.monorepo.root / "pyproject.toml").exists()
        for name in found.changed - found.planned - (set() if is_table else now.keys() - self.digests.keys()):
            found.missed[name] = difference(self.before.get(name, ""), now[name])
        for name, digest in self.digests.items():
            if digest and name in now:
                said, text = self.seen.setdefault((name, digest), (found.said, now[name]))
                if text != now[name]:
                    found.missed[name] = f"it has the digest that it has with: {said}\n{difference(text, now[name])}"

    def environment(self, chance: random.Random, turn: int) -> Round:
        """Set a variable: it reaches no session that does not declare it."""
        name = VARIABLES[turn % len(VARIABLES)]
        environ = {name: f"/word{chance.randrange(10**9)}"}
        found = Round(f"{name} is set", set(self.planned(environ)))
        shutil.rmtree(self.monorepo.folder / "notes", ignore_errors=True)
        output = self.run("--force", *FORCED, environ=environ)
        for session in FORCED:
            notes = self.monorepo.notes(session)
            if notes != self.scrubbed[session]:
                found.changed.add(session)
                if session not in found.planned:
                    found.missed[session] = f"{difference(self.scrubbed[session], notes)}\n{output}"
        found.planned &= set(FORCED)
        return found

    def edited(self, chance: random.Random, _turn: int) -> Round:
        """Edit a file while its session runs, perhaps back to what it was: no verdict may come of it."""
        root, folder, word = self.monorepo.root, self.monorepo.folder, chance.randrange(10**9)
        first, second = (f"{self.monorepo.read(FILE)}# {word} {number}\n" for number in (1, 2))
        is_undone, is_refreshed, is_forgotten = (chance.random() < share for share in (0.7, 0.4, 0.3))
        found = Round(f"edit {FILE} while {WATCHED} runs{', and back' if is_undone else ''}", changed={WATCHED})
        found.said += ", with a `git add` in between" if is_refreshed else ""
        (root / FILE).write_text(first, encoding="utf-8")
        if is_forgotten:
            self.monorepo.git("update-index", "--assume-unchanged", FILE)
        for hold in ("hold-first", "hold-second"):
            (folder / hold).touch()
        process = self.monorepo.headworks("run", WATCHED)
        wait_for(folder / "held-first")
        (root / FILE).write_text(second, encoding="utf-8")
        (folder / "hold-first").unlink()
        wait_for(folder / "held-second")
        if is_undone:
            (root / FILE).write_text(first, encoding="utf-8")
        if is_refreshed:
            self.monorepo.git("add", "--all")
        (folder / "hold-second").unlink()
        output, _ = process.communicate()
        (root / FILE).write_text(first, encoding="utf-8")
        found.planned = set(self.planned()) & {WATCHED}
        if not found.planned:
            found.missed[WATCHED] = f"it never ran on what the file holds now:\n{output}"
        return found


class Planting:
    """A small repository in which two sessions read something in a way of their own."""

    def __init__(self, folder: Path, kind: str, chance: random.Random, turn: int) -> None:
        """Make it, and let its sessions pass."""
        self.plant, self.chance, self.found = PLANTS[kind], chance, Round("")
        command, self.change = self.plant.cases[turn % len(self.plant.cases)]
        files, kept = self.plant.write(command), f"kept = {self.plant.row}\n"
        is_forgetful = bool(self.plant.row) and self.plant.is_told and chance.random() < FORGETFUL
        if is_forgetful:
            files["pyproject.toml"] = files["pyproject.toml"].replace(kept, "kept = { packages = [] }\n")
        self.repository = Repository(folder)
        for name, content in files.items():
            self.repository.write(name, content)
        self.repository.shell(self.plant.setup)
        self.repository.commit()
        self.repository.shell(self.plant.later)
        self.before = self.repository.truth() or {}
        output = self.run()
        late = {it for it in self.planned() if not (is_forgetful and it.startswith("kept"))}
        if late or not all(text.startswith("success") for text in self.before.values()):
            message = (
                f"{kind}, {command}: {', '.join(late) or 'nothing'} would run before anything was changed:\n{output}"
            )
            raise SystemExit(message)
        self.found.said = f"{command!r}, {'with a row that names nothing, ' if is_forgetful else ''}"

    def run(self) -> str:
        """Let `headworks run` go to its end, and return what it writes."""
        return self.repository.headworks("run", "-j", "2").communicate()[0]

    def planned(self) -> set[str]:
        """Return the sessions in the plan."""
        store = Store(self.repository.folder / "store")
        plan = headworks.plan(self.repository.root, store=store, environ=self.repository.environ)
        return {it.session.name for it in plan.sessions if it.state != "cached"}

    def judge(self) -> Round:
        """Make the change, and compare plans and verdicts with what the sessions then do."""
        change = self.change if self.chance.random() > UNRELATED else "echo 1 > unrelated.txt"
        self.repository.shell(change)
        if is_committed := self.chance.random() < COMMITTED:
            self.repository.commit()
        self.found.said += f"{change}{', committed' if is_committed else ''}"
        self.found.planned = self.planned()
        noted: dict[str, str] = {}
        if self.plant.leftovers:
            shutil.rmtree(self.repository.folder / "notes")
            self.run()
            noted = {it: self.repository.notes(it) for it in self.before.keys() - self.planned()}
            self.repository.shell(self.plant.leftovers)
        now = self.repository.truth() or {}
        self.found.changed = {name for name, text in now.items() if text != self.before.get(name)}
        self.found.open = self.found.changed
        for name in self.found.changed - self.found.planned:
            self.found.missed[name] = difference(self.before.get(name, ""), now[name])
        for name, text in noted.items():
            if text and now.get(name) != f"success\n{text}":
                self.found.missed[name] = f"a verdict that is not true was recorded:\n{text}\n{now.get(name)}"
        return self.found


def wait_for(path: Path) -> None:
    """Wait until a file is there, and remove it."""
    limit = time.monotonic() + PATIENCE
    while not path.exists():
        if time.monotonic() > limit:
            message = f"{path} did not come within {PATIENCE:.0f} s."
            raise SystemExit(message)
        time.sleep(0.005)
    path.unlink()


def difference(before: str, after: str) -> str:
    """Return the lines in which two notes differ."""
    old, new = set(before.splitlines()), set(after.splitlines())
    return "\n".join([*(f"    - {it}" for it in sorted(old - new)), *(f"    + {it}" for it in sorted(new - old))])
