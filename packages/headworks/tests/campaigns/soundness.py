"""Change a monorepo in every way there is, many times, and see that no session is missed that a change reaches.

All sessions of a generated monorepo first pass. Then each round makes a change, asks Headworks what has to run, and
runs every session through plain nox all the same: the tool that they run notes all that it reads (see
soundness_tool.py). A session whose notes or outcome differ from what they were before must be in the plan; one that is
not was missed. Two sessions with the same digest must have the same notes, whatever was changed in between.

    python packages/headworks/tests/campaigns/soundness.py --mutations 300 --seed 1
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from soundness_mutations import KINDS
from soundness_rounds import Campaign, Round

SPECIAL = {"environment variable": Campaign.environment, "edited while its session runs": Campaign.edited}
ALL = [*KINDS, *SPECIAL]

campaign: Campaign


def prepare(folder: str) -> None:
    """Make a monorepo for this process."""
    global campaign  # noqa: PLW0603  # a process of a pool keeps what it prepared
    campaign = Campaign(Path(tempfile.mkdtemp(dir=folder)).resolve())


def play(number: int, seed: int) -> tuple[int, str, Round]:
    """Make one change, which depends on nothing but its number and the seed; return its kind and its result."""
    turn, place = divmod(number, len(ALL))
    kind = ALL[place]
    chance = random.Random(f"{seed} {number}")  # noqa: S311  # no secret is made of it
    found = SPECIAL[kind](campaign, chance, turn) if kind in SPECIAL else campaign.mutate(kind, chance, turn)
    campaign.reset()
    found.recalled, campaign.recalled = campaign.recalled, 0
    return number, kind, found


def tell(number: int, seed: int, kind: str, found: Round) -> None:
    """Say what was missed, and how to see it again."""
    again = f"python {Path(__file__).name} --seed {seed} --only {number}"
    for name, text in found.missed.items():
        sys.stdout.write(f"\nMISSED: {name} by change {number} ({kind}: {found.said})\n{text}\n  again: {again}\n")


def table(rounds: list[tuple[str, Round]]) -> str:
    """Return a table of the results of each kind of change.

    The ceiling is the precision of a plan that knows which sessions change, but not, before they have run, whether
    their outputs do: those that need them wait.
    """
    head = ("kind of change", "changes", "refused", "planned", "changed", "missed", "precision", "ceiling")
    lines = ["{:<32} {:>7} {:>7} {:>7} {:>7} {:>6} {:>9} {:>7}".format(*head)]
    for kind in [*ALL, "all"]:
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
    settings = parser.parse_args()
    begin, missed = time.monotonic(), 0
    rounds: list[tuple[str, Round]] = []
    numbers = range(settings.mutations) if settings.only is None else [settings.only]
    with tempfile.TemporaryDirectory() as folder:
        workers = min(settings.jobs, len(numbers))
        with ProcessPoolExecutor(workers, initializer=prepare, initargs=(folder,)) as pool:
            for number, kind, found in pool.map(play, numbers, [settings.seed] * len(numbers)):
                rounds.append((kind, found))
                tell(number, settings.seed, kind, found)
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
