"""Runs `ci.yml` for changes on this machine, and writes the result of each as a row of a table.

Call `nox -s replay` for a small monorepo, `nox -s replay -- --this-repository` for this one, or
`nox -s replay -- --adopter` for another project that calls the workflow in five lines.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from replay_adopter import PROJECT, Adopter
from replay_cases import ADOPTED, SMALL, THIS, Case, skipped_on_main
from replay_monorepo import SmallMonorepo
from replay_repository import ThisRepository

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from github_runner import Run
    from replay_hosted import Hosted

EVERYTHING: Final = "everything, on main, with no verdict yet"
_COUNTED: Final = re.compile(r"linux: (\d+) sessions? planned, \d+ ran in .*, (\d+) covered by verdicts")
_HEAD: Final = ("| {} | sessions that ran and passed | covered | `required` | minutes |", "|---|---|---|---|---|")


def propose(repository: Hosted, case: Case, **settings: object) -> Run:
    """Run CI for the pull request of a case."""
    texts = {name: (repository.origin / name).read_text(encoding="utf-8") for name in case.added | case.replaced}
    files = case.files | {name: texts[name] + text for name, text in case.added.items()}
    files |= {name: texts[name].replace(*change) for name, change in case.replaced.items()}
    return repository.propose(files, **case.settings, **settings)


def counted(run: Run) -> tuple[int, int]:
    """Return how many sessions the job `required` counted, and how many of these verdicts cover."""
    counts = _COUNTED.search(run.summary)
    return (int(counts[1]), int(counts[2])) if counts else (0, 0)


def ran(run: Run) -> set[str]:
    """Return the names of the sessions that ran and passed."""
    line = re.search(r"^  ran: (.*)$", run.summary, flags=re.MULTILINE)
    return set(line[1].split(", ")) if line else set()


def results(run: Run) -> dict[str, str]:
    """Return the result of each job of a run of CI, those of the called workflow by their own names."""
    return {name.removeprefix("ci / "): result for name, result in run.results.items()}


def unexpected(run: Run, case: Case) -> list[str]:
    """Return each difference between a run and its case, in a line."""
    ended = results(run)
    skipped = {name for name, result in ended.items() if result == "skipped"} - {"save"}  # which only main runs
    differences = [f"`required` is {ended['required']}"] if run.is_mergeable != case.is_mergeable else []
    differences += [f"{session} ran" for session in sorted(ran(run) - case.runs)]
    differences += [f"{session} did not run and pass" for session in sorted(case.runs - ran(run))]
    return differences + [f"the job {job} is {ended[job]}" for job in sorted(skipped ^ case.skipped)]


def _names(sessions: Iterable[str]) -> str:
    """Return the names of sessions, those of one function together, as in `tests(data, model)`."""
    parts: dict[str, list[str]] = {}
    for session in sorted(sessions):
        function, _, rest = session.partition("(")
        parts.setdefault(function, []).append(rest.removesuffix(")"))
    texts = (function + (f"({', '.join(its)})" if its[0] else "") for function, its in parts.items())
    return ", ".join(f"`{text}`" for text in texts) or "none"


def row(change: str, run: Run) -> str:
    """Return a line of the table."""
    planned, covered = counted(run)
    count = f"{covered} of {planned}" if planned else "none"
    return f"| {change} | {_names(ran(run))} | {count} | {results(run)['required']} | {run.seconds / 60:.1f} |"


def with_rows(text: str, title: str, order: Sequence[str], rows: Mapping[str, str]) -> str:
    """Return a page with new rows in a table, whose other rows stay; a new table is added at the end.

    Args:
        text: The page.
        title: The heading of the table's first column.
        order: The changes, in the order of their rows.
        rows: The new rows by their changes.
    """
    head = "\n".join((_HEAD[0].format(title), _HEAD[1]))
    before, mark, rest = text.partition(head)
    if not mark:
        before = f"{text}\n"
    lines = rest.removeprefix("\n").split("\n")
    old = lines[: next(number for number, line in enumerate([*lines, ""]) if not line.startswith("|"))]
    known = {line.split(" | ")[0].removeprefix("| "): line for line in old} | dict(rows)
    return before + "\n".join([head, *(known[change] for change in order if change in known), *lines[len(old) :]])


def _say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _replay(
    repository: Hosted,
    title: str,
    cases: Mapping[str, Case],
    chosen: Sequence[str],
    idle: Collection[str],
    **settings: object,
) -> int:
    """Run the chosen cases, write the row of each, and return how many had an unexpected result.

    Idle jobs have no session even if everything runs.
    """
    page, number = Path("docs/replay.md"), 0
    for change in chosen:
        _say(f"{change} ...")
        if change == EVERYTHING:
            run = repository.push(say=_say, **settings)
            wrong = [
                f"the job {name} is {result}"
                for name, result in results(run).items()
                if result != ("skipped" if name in idle else "success")
            ]
            wrong += ["verdicts of an earlier run in the folder covered some"] if counted(run)[1] else []
        else:
            run = propose(repository, cases[change], say=_say, **settings)
            wrong = unexpected(run, cases[change])
        _say("\n".join([row(change, run), *(f"  NOT AS EXPECTED: {difference}" for difference in wrong)]))
        if wrong:
            _say(f"  {run.place / 'log'} holds what its steps printed.")
        number += bool(wrong)
        if not wrong:
            text = page.read_text(encoding="utf-8")
            page.write_text(with_rows(text, title, [EVERYTHING, *cases], {change: row(change, run)}), encoding="utf-8")
    return number


def main() -> int:
    """Run the chosen cases; return 1 if one had an unexpected result."""
    parser = argparse.ArgumentParser(prog="nox -s replay --", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--this-repository", action="store_true", help="take this repository, which takes long")
    parser.add_argument("--adopter", action="store_true", help=f"take {PROJECT} and the five lines of the guide")
    parser.add_argument("--folder", type=Path, help="where its clone and main's verdicts are kept between calls")
    parser.add_argument("--unset", action="append", default=[], help="a variable of the workflow to leave out")
    parser.add_argument("--leave-out", action="append", default=[], help="a session that CI shall not run there")
    parser.add_argument("change", nargs="*", help=f"rows to make: {EVERYTHING!r} and what docs/replay.md lists")
    given = parser.parse_args()
    cases = ADOPTED if given.adopter else SMALL
    if given.this_repository:
        cases = {change: case.without(given.leave_out) for change, case in THIS.items()}
    if (given.folder or given.leave_out) and not given.this_repository:
        parser.error("--folder and --leave-out are for --this-repository: the small monorepo is made anew each time")
    if unknown := set(given.change) - {EVERYTHING, *cases}:
        parser.error(
            f"there is no change {', '.join(map(repr, sorted(unknown)))}, but: {EVERYTHING}; {'; '.join(cases)}"
        )
    idle = {"pipeline", "images"} if given.adopter else skipped_on_main(given.leave_out)
    settings = {"unset": frozenset(given.unset), "idle": idle}
    with tempfile.TemporaryDirectory() as place:
        if given.this_repository:
            repository: Hosted = ThisRepository((given.folder or Path(place)).resolve(), *given.leave_out)
        else:
            repository = Adopter(Path(place)) if given.adopter else SmallMonorepo(Path(place))
        chosen = given.change or list(cases)
        if not repository.is_proven and EVERYTHING not in chosen:
            chosen = [EVERYTHING, *chosen]
        title = "change to this repository" if given.this_repository else "change"
        title = f"change to {PROJECT}" if given.adopter else title
        return min(1, _replay(repository, title, cases, chosen, **settings))


if __name__ == "__main__":
    raise SystemExit(main())
