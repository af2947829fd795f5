"""Replays commits of a repository with a noxfile: which sessions Headworks would run, and which a path filter would.

Each commit that is drawn is planned against the verdicts of all commits before it, its parent's among them. Verdicts
come from `headworks run` alone, in a clone with a store of its own. So the sessions that `--run` names run at each
parent. All others are not run, and are counted by their digests: one counts as planned unless it had the same digest
at an earlier commit, as if it had always passed; one that needs a planned session waits.

A path filter runs a session if a file that its globs name differs from the parent. A sample of what was called cached
is verified by plain nox in new clones: the session must pass there, and pass again after files were broken that, says
the plan, do not matter to it. Where it does not, although it passes at the commit of its verdict, it was missed. Where
fewer sessions were called cached, sessions that passed at a parent are verified there, which tries the broken files.

    python benchmarks/history.py . --commits 25 --filter benchmarks/history/headworks.toml --run imports --sample 10
    python benchmarks/history.py FOLDER_OF_SDISTS --commits 5 --run '*' --sample 5

in an environment with headworks and nox. It says how far it is on standard error, prints tables or JSON, and exits with
1 if a session was missed, and with 2 if it cannot begin. The repository is only read.
"""

# ruff: noqa: INP001  # a script

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import sys
import tempfile
import time
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from history_clone import Clone, RefusedError, git, opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from history_clone import Session

STATES = ("run", "waiting", "cached")
COLUMNS = ("planned", "waiting", "cached", "filter")


@dataclasses.dataclass(frozen=True)
class Call:
    """The state of a session at a commit.

    Attributes:
        session: The session.
        state: `run`, `waiting` or `cached`.
        ran: Whether it runs at the parents, so that its state comes from verdicts and not from digests alone.
        filtered: Whether the path filter would run it; None without one.
    """

    session: Session
    state: str
    ran: bool
    filtered: bool | None


@dataclasses.dataclass
class Visit:
    """A commit that was drawn.

    Attributes:
        commit: Its id.
        files: How many files differ from its parent.
        calls: One for each of its sessions.
        passed: The sessions that have verdicts at its parent.
        refused: Why it or its parent cannot be planned; empty where they can.
    """

    commit: str
    files: int = 0
    calls: list[Call] = dataclasses.field(default_factory=list)
    passed: list[Session] = dataclasses.field(default_factory=list)
    refused: str = ""


@dataclasses.dataclass(frozen=True)
class Check:
    """A cached session that was verified.

    Attributes:
        session: Its name.
        commit: The commit at which it was called cached.
        basis: The basis of its verdict: `observed`, `declared` or `all files`.
        planted: The files that were broken for its second run; None where there was none.
        result: `passes`, `missed`, or `undecided` where it no longer passes at the commit of its verdict either.
    """

    session: str
    commit: str
    basis: str
    planted: list[str] | None
    result: str


class Filter:
    """The rules of a path filter: for globs of sessions, globs of the paths that start them."""

    def __init__(self, file: Path) -> None:
        """Read the rules.

        Raises:
            RefusedError: There is no such file, or it has another form.
        """
        try:
            data = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            message = f"{file} cannot be read as a path filter: {error}"
            raise RefusedError(message) from error
        always, rules = data.pop("always", []), data.pop("sessions", None)
        if data or not isinstance(rules, dict) or not all(map(_is_globs, [always, *rules.values()])):
            message = (
                f"{file} is no path filter: it has a table [sessions] of globs, each with a list of globs of paths,"
                " and perhaps a list `always` of paths that start every session."
            )
            raise RefusedError(message)
        self._rules: dict[str, list[str]] = {name: [*always, *globs] for name, globs in rules.items()}

    def runs(self, session: str, clone: Clone, commits: tuple[str, str]) -> bool:
        """Whether a session runs for the difference of two commits; one that no rule names always runs."""
        for name, globs in self._rules.items():
            if fnmatchcase(session, name):
                paths = [f":(glob){it}" for it in globs]
                return bool(git(clone.root, "diff", "--quiet", *commits, "--", *paths, check=False).returncode)
        return True


def _is_globs(value: object) -> bool:
    """Whether a value is a list of texts."""
    return isinstance(value, list) and all(isinstance(it, str) for it in value)


def by_digest(sessions: Iterable[Session], states: Mapping[str, str], seen: set[str]) -> dict[str, str]:
    """Return the state of each session, as if every one had passed with each digest that was seen.

    Args:
        sessions: Sessions, those that others need before these.
        states: The states of those that verdicts decide.
        seen: The digests of earlier commits.
    """
    found: dict[str, str] = {}
    for it in sessions:
        if it.name in states:
            found[it.name] = states[it.name]
        elif it.uncached:
            found[it.name] = "run"
        elif any(found[name] != "cached" for name in it.needs):
            found[it.name] = "waiting"
        else:
            found[it.name] = "cached" if it.tree in seen else "run"
    return found


class Replay:
    """A walk through commits."""

    def __init__(self, clone: Clone, chosen: list[str], rules: Filter | None) -> None:
        """Take a clone, globs of the sessions that run, and a path filter."""
        self._clone = clone
        self._chosen = chosen
        self._rules = rules
        self._seen: set[str] = set()

    def visit(self, commit: str) -> Visit:
        """Run the sessions that run at the parent of a commit, and plan the commit."""
        found = Visit(commit)
        parent = f"{commit}^"
        try:
            self._clone.checkout(parent)
            before = self._clone.plan()
            if names := self._named(before):
                self._clone.run(*names)
                found.passed = [it for it in self._clone.plan(*names).values() if it.state == "cached"]
            self._clone.checkout(commit)
            sessions = self._clone.plan()
            names = self._named(sessions)
            # Planned without the others, whose missing verdicts would count for those that they need.
            states = self._clone.plan(*names) if names else {}
        except RefusedError as error:
            found.refused = str(error)
            return found
        self._seen.update(it.tree for it in before.values())
        found.files = len(git(self._clone.root, "diff", "--name-only", parent, commit).stdout.splitlines())
        decided = by_digest(sessions.values(), {name: it.state for name, it in states.items()}, self._seen)
        for name, state in decided.items():
            filtered = self._rules and self._rules.runs(name, self._clone, (parent, commit))
            found.calls.append(Call(states.get(name, sessions[name]), state, name in states, filtered))
        self._seen.update(it.tree for it in sessions.values())
        return found

    def check(self, commit: str, session: Session, chance: random.Random, tries: int) -> Check:
        """Verify by plain nox that a cached session passes, and still does with files broken that do not matter."""
        name = session.name
        self._clone.checkout(commit)
        planted: list[str] | None = None
        is_right = self._clone.passes(name, commit)
        if is_right:
            planted = self._clone.planted(name, chance, tries)
            is_right = not planted or self._clone.passes(name, commit, planted=True)
        if is_right:
            return Check(name, commit, session.basis, planted, "passes")
        # Something else may have changed meanwhile, such as what an index has.
        is_lasting = planted is not None or (session.passed and self._clone.passes(name, session.passed))
        return Check(name, commit, session.basis, planted, "missed" if is_lasting else "undecided")

    def _named(self, sessions: Mapping[str, Session]) -> list[str]:
        """Return the names of the sessions that run."""
        return [name for name in sessions if any(fnmatchcase(name, glob) for glob in self._chosen)]


def counts(calls: Iterable[Call]) -> dict[str, int]:
    """Return how many sessions are in each state, and how many a path filter would run."""
    found = list(calls)
    states = {name: sum(it.state == state for it in found) for name, state in zip(COLUMNS, STATES, strict=False)}
    return states | {"filter": sum(bool(it.filtered) for it in found)}


def as_data(visits: list[Visit], checks: list[Check]) -> dict[str, Any]:
    """Return everything that was found."""
    planned = [it for it in visits if not it.refused]
    calls = [call for it in planned for call in it.calls]
    functions = dict.fromkeys((it.session.function, it.ran) for it in calls)
    return {
        "commits": [{"commit": it.commit, "files": it.files, **counts(it.calls)} for it in planned],
        "refused": {it.commit: it.refused for it in visits if it.refused},
        "sessions": [
            {
                "function": name,
                "ran": ran,
                **counts(it for it in calls if (it.session.function, it.ran) == (name, ran)),
            }
            for name, ran in functions
        ],
        "sums": {
            "ran": counts(it for it in calls if it.ran),
            "by digest": counts(it for it in calls if not it.ran),
            "all": counts(calls),
        },
        "checks": [dataclasses.asdict(it) for it in checks],
    }


def as_text(data: dict[str, Any], *, has_filter: bool) -> str:
    """Return tables of everything that was found."""

    def row(*cells: object) -> str:
        first, second, *numbers = cells if has_filter else cells[:-1]
        return f"{first!s:<24} {second!s:>9}" + "".join(f" {it!s:>8}" for it in numbers)

    lines = [row("commit", "files", *COLUMNS)]
    lines += [row(it["commit"][:12], it["files"], *(it[name] for name in COLUMNS)) for it in data["commits"]]
    lines += ["", row("sessions", "counted by", *COLUMNS)]
    for it in data["sessions"]:
        lines.append(row(it["function"], "verdict" if it["ran"] else "digest", *(it[name] for name in COLUMNS)))
    for name, way in (("ran", "verdict"), ("by digest", "digest"), ("all", "")):
        lines.append(row("all", way, *(data["sums"][name][column] for column in COLUMNS)))
    lines += ["", *(f"{commit[:12]} cannot be planned: {why}" for commit, why in data["refused"].items())]
    results = [it["result"] for it in data["checks"]]
    planted = sum(len(it["planted"] or ()) for it in data["checks"])
    for it in data["checks"]:
        if it["result"] != "passes":
            said = f"with {', '.join(it['planted'])} broken" if it["planted"] else "as it is"
            place = f"{it['commit'][:12]} ({it['basis']})"
            lines.append(f"{it['result'].upper()}: {it['session']} is cached at {place} and fails {said}")
    lines.append(
        f"{len(data['commits'])} commits; of {data['sums']['ran']['cached']} sessions that are cached by verdicts,"
        f" {len(results)} verified with {planted} files broken: {results.count('passes')} pass,"
        f" {results.count('missed')} missed, {results.count('undecided')} undecided"
    )
    return "\n".join(lines) + "\n"


def commits_of(clone: Clone, settings: argparse.Namespace, chance: random.Random) -> list[str]:
    """Return the commits to visit, the oldest first."""
    listed = git(clone.root, "rev-list", "--first-parent", "--reverse", *settings.revisions).stdout.split()
    roots = set(git(clone.root, "rev-list", "--max-parents=0", "--all").stdout.split())
    able = [it for it in listed if it not in roots]
    if not able:
        message = f"There is no commit with a parent in {' '.join(settings.revisions)}."
        raise RefusedError(message)
    return sorted(chance.sample(able, min(settings.commits, len(able))), key=able.index)


def sample(visits: list[Visit], number: int, chance: random.Random) -> list[tuple[str, Session]]:
    """Return cached sessions to verify, each with its commit; those of parents only where there are too few others."""
    cached = [(visit.commit, it.session) for visit in visits for it in visit.calls if it.ran and it.state == "cached"]
    passed = [(f"{visit.commit}^", it) for visit in visits for it in visit.passed]
    drawn = chance.sample(cached, min(number, len(cached)))
    return drawn + chance.sample(passed, min(number - len(drawn), len(passed)))


def replay(settings: argparse.Namespace, folder: Path) -> tuple[list[Visit], list[Check]]:
    """Visit commits and verify a sample, until the time is over."""
    chance = random.Random(settings.seed)  # noqa: S311  # chance picks commits and files
    rules = Filter(settings.filter) if settings.filter else None
    clone = Clone(opened(settings.repository, folder), folder)
    commits = commits_of(clone, settings, chance)
    walk = Replay(clone, settings.run, rules)
    end = time.monotonic() + settings.limit
    visits: list[Visit] = []
    for number, commit in enumerate(commits, 1):
        if time.monotonic() > end:
            sys.stderr.write(f"\n{len(commits) - len(visits)} commits are left out: the time is over\n")
            break
        sys.stderr.write(f"\rcommit {number} of {len(commits)}")
        visits.append(walk.visit(commit))
    checks: list[Check] = []
    wanted = sample(visits, settings.sample, chance)
    for commit, session in wanted:
        if time.monotonic() > end:
            sys.stderr.write(f"\n{len(wanted) - len(checks)} of the sample are left out: the time is over\n")
            break
        sys.stderr.write(f"\rverify {len(checks) + 1} of {len(wanted)}   ")
        checks.append(walk.check(commit, session, chance, settings.plants))
    sys.stderr.write("\n")
    return visits, checks


def at_least(least: int) -> Any:  # noqa: ANN401  # argparse takes any callable
    """Return a type of arguments: whole numbers from a least one on."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            message = f"{text} is not a whole number from {least} on"
            raise argparse.ArgumentTypeError(message)
        return int(text)

    return number


def main() -> int:
    """Replay, print what was found, and return 1 if a session was missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("repository", type=Path, help="a git repository, or a folder of sdists (*.tar.gz) of a project")
    parser.add_argument("revisions", nargs="*", default=["HEAD"], help="as `git rev-list` takes them, as in v1..v2")
    parser.add_argument("--commits", type=at_least(1), default=25, metavar="N", help="how many commits to draw")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--run", nargs="+", default=[], metavar="GLOB", help="sessions that run at each parent")
    parser.add_argument("--sample", type=at_least(0), default=0, metavar="K", help="how many cached sessions to verify")
    parser.add_argument("--plants", type=at_least(0), default=10, metavar="N", help="files to try to break for each")
    parser.add_argument("--filter", type=Path, metavar="FILE", help="the rules of a path filter, as TOML")
    parser.add_argument("--limit", type=at_least(1), default=3600, metavar="SECONDS", help="begin nothing after this")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            visits, checks = replay(settings, Path(folder).resolve())
        except RefusedError as error:
            parser.error(str(error))
    data = as_data(visits, checks)
    text = json.dumps(data, indent=2) + "\n" if settings.format == "json" else as_text(data, has_filter=settings.filter)
    sys.stdout.write(text)
    return int(any(it.result == "missed" for it in checks))


if __name__ == "__main__":
    sys.exit(main())
