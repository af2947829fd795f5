"""Change a monorepo in every way there is, many times, and see that no session is missed that a change reaches.

All sessions of a generated monorepo first pass. Then each round makes a change, asks Headworks what has to run, and
runs every session through plain nox all the same: the tool that they run notes all that it reads (see
soundness_tool.py). A session whose notes or outcome differ from what they were before must be in the plan; one that is
not was missed. Two sessions with the same digest must have the same notes, whatever was changed in between.

    python packages/headworks/tests/campaigns/soundness.py --mutations 300 --seed 1
"""

from __future__ import annotations

import argparse
import functools
import os
import random
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from soundness_mutations import KINDS
from soundness_planted import PLANTS
from soundness_rounds import Campaign, Planting, Round

SPECIAL = {"environment variable": Campaign.environment, "edited while its session runs": Campaign.edited}
LARGE, SMALL = [*KINDS, *SPECIAL], [*PLANTS]
SHORT = 27  # changes, after which a campaign with the next seed goes on


place: Path


def prepare(folder: str) -> None:
    """Have this process make its repositories in a folder."""
    global place  # noqa: PLW0603  # a process of a pool keeps what it prepared
    place = Path(folder).resolve()


@functools.cache
def large() -> Campaign:
    """Return the monorepo of this process."""
    return Campaign(Path(tempfile.mkdtemp(dir=place)))


def kind_of(number: int, seed: int) -> tuple[str, int]:
    """Return the kind of a change, and how often it had its turn before.

    Every third change is to a small repository. Short campaigns with other seeds go on with other kinds.
    """
    blocks, rest = divmod(number + (seed - 1) * SHORT, 3)
    kinds, count = (SMALL, blocks) if rest == 2 else (LARGE, 2 * blocks + rest)
    turn, index = divmod(count, len(kinds))
    return kinds[index], turn


def play(number: int, seed: int, only: str | None) -> tuple[int, str, Round]:
    """Make one change, which depends on nothing but its number, the seed, and its kind; return its kind and result."""
    kind, turn = (only, number) if only else kind_of(number, seed)
    chance = random.Random(f"{seed} {number}")  # noqa: S311  # no secret is made of it
    if kind in PLANTS:
        with tempfile.TemporaryDirectory(dir=place) as folder:
            return number, kind, Planting(Path(folder), kind, chance, turn).judge()
    campaign = large()
    found = SPECIAL[kind](campaign, chance, turn) if kind in SPECIAL else campaign.mutate(kind, chance, turn)
    campaign.reset()
    found.recalled, campaign.recalled = campaign.recalled, 0
    return number, kind, found


def tell(number: int, settings: argparse.Namespace, kind: str, found: Round) -> None:
    """Say what was missed, and how to see it again."""
    again = f"python {Path(__file__).name} --seed {settings.seed} --only {number}"
    again += f" --kind {kind!r}" if settings.kind else ""  # whose changes have turns of their own
    for name, text in found.missed.items():
        sys.stdout.write(f"\nMISSED: {name} by change {number} ({kind}: {found.said})\n{text}\n  again: {again}\n")


def table(rounds: list[tuple[str, Round]]) -> str:
    """Return a table of the results of each kind of change.

    The ceiling is the precision of a plan that knows which sessions change, but not, before they have run, whether
    their outputs do: those that need them wait.
    """
    head = ("kind of change", "changes", "refused", "planned", "changed", "missed", "precision", "ceiling")
    lines = ["{:<32} {:>7} {:>7} {:>7} {:>7} {:>6} {:>9} {:>7}".format(*head)]
    for kind in [*(it for it in (*LARGE, *SMALL) if it in dict(rounds)), "all"]:
        found = [it for its, it in rounds if kind in {its, "all"}]
        refused = sum(bool(it.refused) for it in found)
        planned = sum(len(it.planned) for it in found)
        changed = sum(len(it.changed) for it in found if not it.refused)
        right = sum(len(it.planned & it.changed) for it in found)
        missed = sum(len(it.missed) for it in found)
        share = f"{right / planned:.0%}" if planned else "-"
        ceiling = sum(len(it.open | (it.planned & it.changed)) for it in found)
        most = f"{right / ceiling:.0%}" if ceiling else "-"
        lines += [f"{kind:<32} {len(found):>7} {refused:>7} {planned:>7} {changed:>7} {missed:>6} {share:>9} {most:>7}"]
    return "\n".join(lines)


def main() -> int:
    """Run the campaign, say what it found, and return 1 if a session was missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mutations", type=int, default=300, help="how many changes to make")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many monorepos to change at a time")
    parser.add_argument("--only", type=int, help="make one change, by its number")
    parser.add_argument("--kind", choices=[*LARGE, *SMALL], help="make changes of one kind only")
    settings = parser.parse_args()
    begin, missed = time.monotonic(), 0
    rounds: list[tuple[str, Round]] = []
    numbers = range(settings.mutations) if settings.only is None else [settings.only]
    with tempfile.TemporaryDirectory() as folder:
        workers = min(settings.jobs, len(numbers))
        with ProcessPoolExecutor(workers, initializer=prepare, initargs=(folder,)) as pool:
            for number, kind, found in pool.map(
                play, numbers, [settings.seed] * len(numbers), [settings.kind] * len(numbers)
            ):
                rounds.append((kind, found))
                tell(number, settings, kind, found)
                if found.refused and settings.only is not None:
                    sys.stdout.write(f"refused: {found.refused}\n")
                missed = sum(len(it.missed) for _, it in rounds)
                sys.stderr.write(f"\r{len(rounds)} of {len(numbers)} changes, {missed} missed")
    sys.stderr.write("\n")
    sys.stdout.write(f"{table(rounds)}\n\n{len(rounds)} changes, seed {settings.seed}, {missed} sessions missed, ")
    sys.stdout.write(f"{sum(it.recalled for _, it in rounds)} answers given again, ")
    sys.stdout.write(f"{time.monotonic() - begin:.0f} s\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
