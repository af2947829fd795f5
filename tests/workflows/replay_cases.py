"""The changes that `ci.yml` is run for, and the expected result of each."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from replay_repository import RUNNING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, kw_only=True)
class Case:
    """A change, and the expected result of its run.

    Attributes:
        files: Files that it writes.
        added: Texts that it appends to existing files.
        replaced: Texts in existing files, each with its replacement.
        runs: The sessions that have to run and pass.
        is_mergeable: Whether the job `required` has to pass.
        skipped: The jobs that have to be skipped.
        settings: Settings of an unusual run.
    """

    files: dict[str, str] = field(default_factory=dict)
    added: dict[str, str] = field(default_factory=dict)
    replaced: dict[str, tuple[str, str]] = field(default_factory=dict)
    runs: frozenset[str] = frozenset()
    is_mergeable: bool = True
    skipped: frozenset[str] = frozenset()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def without(self, sessions: Iterable[str]) -> Case:
        """Return the case for a CI that does not run some sessions."""
        left_out = set(sessions)
        runs = frozenset(session for session in self.runs if session.partition("(")[0] not in left_out)
        has_images = any(session.partition("(")[0] in _IMAGES for session in runs)
        skipped = self.skipped if has_images else self.skipped | {"images"}
        return dataclasses.replace(self, runs=runs, skipped=skipped)


_IMAGES: Final = {"build-images", "test-images", "image-faults"}


def skipped_on_main(left_out: Iterable[str]) -> frozenset[str]:
    """Return the jobs that are skipped even if everything runs, because some sessions are left out."""
    return frozenset({"images"}) if set(left_out) >= _IMAGES else frozenset()


_SERVING: Final = {"packages/serving/server.txt": "another server\n"}
_STAGES: Final = frozenset({"dataset", "train", "serve-check", "build-images", "test-images"})
SMALL: Final = {
    "nothing": Case(skipped=frozenset({"session", "pipeline", "images"})),
    "docs only": Case(
        files={"docs/guide.md": "A better guide.\n"},
        runs=frozenset({"lint"}),
        skipped=frozenset({"pipeline", "images"}),
    ),
    "serving only": Case(
        files=_SERVING,
        runs=frozenset({"lint", "tests(serving)", "serve-check", "build-images", "test-images"}),
    ),
    "data": Case(
        files={"packages/data/dataset.txt": "other data\n"},
        runs=_STAGES | {"lint", "tests(data)"},
    ),
    "a red test": Case(
        files={"packages/model/tests/test.py": "assert 1 + 1 == 3\n"},
        runs=frozenset({"lint"}),
        is_mergeable=False,
        skipped=frozenset({"pipeline", "images"}),
    ),
    # The base only gives the reasons: digests say which sessions have passed, and need no history.
    "serving only, in clones without history or origin": Case(
        files=_SERVING,
        runs=frozenset({"lint", "tests(serving)", "serve-check", "build-images", "test-images"}),
        settings={"is_cut_off": True},
    ),
    "cancelled while sessions run": Case(
        files={"packages/data/dataset.txt": "other data\n"},
        runs=frozenset({"lint", "tests(data)"}),
        is_mergeable=False,
        settings={"cancel_after": "session"},
    ),
}

# Changes to another project that has adopted Headworks, whose sessions have no rows.
ADOPTED: Final = {
    "nothing": Case(skipped=frozenset({"session", "pipeline", "images"})),
    "a test": Case(
        added={"tests/test_backends.py": "\n# A line more.\n"},
        runs=frozenset({"tests"}),
        skipped=frozenset({"pipeline", "images"}),
    ),
    # Its tests build an sdist of the project itself, which has all files.
    "a document": Case(
        added={"AGENTS.md": "\nA line more.\n"},
        runs=frozenset({"tests"}),
        skipped=frozenset({"pipeline", "images"}),
    ),
    "a red test": Case(
        files={"tests/test_red.py": "def test_sums():\n    assert sum([1, 1]) == 3\n"},
        is_mergeable=False,
        skipped=frozenset({"pipeline", "images"}),
    ),
}

_READ_ALL: Final = frozenset({"lint", "imports", "review"})
_IMAGE: Final = frozenset({"build-images(serving)", "test-images(serving)", "image-faults"})
_RED: Final = '''"""A test that fails."""


def test_sums() -> None:
    """It expects what is not so."""
    assert sum([1, 1]) == 3
'''


def _of_package(name: str) -> frozenset[str]:
    """Return the checks of one package."""
    return frozenset({f"{session}({name})" for session in (f"tests-{RUNNING}", "typecheck", "build")})


# The digests of the digits, split by one salt and by another.
_SALT_B: Final = "50ac737ec692a9921160f82b3f1c0837cd9fb64a92d64db3b11f286821190767"
_SALT_C: Final = "53104c92ad1a54ef80d535356d92ea6ad89b08b118429a7e4606647eabe2074e"

THIS: Final = {
    "nothing": Case(runs=frozenset({"data-diff", "gate"}), skipped=frozenset({"session", "images"})),
    "docs only": Case(
        added={"docs/gate.md": "\nA line more.\n"},
        runs=_READ_ALL | {"coverage", "data-diff", "docs", "gate", "pipeline"},
        skipped=frozenset({"images"}),
    ),
    "serving only": Case(
        added={"packages/serving/src/headworks_serving/_model.py": "\n\n# A line more.\n"},
        runs=_READ_ALL
        | _IMAGE
        | _of_package("serving")
        | {"coverage", "data-diff", "docs", "serve-check", "pipeline", "gate"},
    ),
    "data, another salt": Case(
        replaced={
            "packages/data/dataset.toml": ('salt = "b"', 'salt = "c"'),
            # Every row may move, and the contract accepts that by what the failure of `data-diff` says.
            "packages/data/contract.toml": (
                "same_schema = true",
                f'same_schema = true\naccepts = "{_SALT_B}..{_SALT_C}"',
            ),
        },
        runs=_READ_ALL
        | _IMAGE
        | _of_package("data")
        | _of_package("model")  # whose build covers all of data's folder but its tests
        | {"coverage", "docs", "dataset", "train", "evaluate", "crossfit", "export", "serve-check", "pipeline", "gate"}
        | {"data-diff", "build-images(training)", "test-images(training)"},
    ),
    "a red test": Case(
        files={"packages/data/tests/test_red.py": _RED},
        runs=_READ_ALL | {"typecheck(data)", "build(data)"},
        is_mergeable=False,
        skipped=frozenset({"pipeline", "images"}),
    ),
    # Headworks fetches as much history as it needs to find the merge base.
    "docs only, in shallow clones": Case(
        added={"docs/gate.md": "\nA line more.\n"},
        runs=_READ_ALL | {"coverage", "data-diff", "docs", "gate", "pipeline"},
        skipped=frozenset({"images"}),
        settings={"is_shallow": True, "is_private": False},
    ),
    # Sessions are covered by their digests, but without a base the gate has nothing to compare the model with.
    "nothing, in clones without history or origin": Case(
        is_mergeable=False,
        skipped=frozenset({"session", "images"}),
        settings={"is_cut_off": True},
    ),
}
