"""A change in this repository reaches exactly the sessions that it can affect."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Scratch

STAGES = ["dataset", "train", "evaluate", "export", "serve-check"]
UNCHANGED = ("has not passed yet as it is, though nothing differs", "always runs")


@pytest.fixture
def changed(built: Scratch) -> Iterator[Scratch]:
    """Yield a repository whose pipeline has passed, and restore its sources afterwards."""
    yield built
    built.run("git", "checkout", "--quiet", "--", ".")


def headworks(scratch: Scratch, *arguments: str) -> str:
    """Run headworks in a repository and return its output."""
    return str(scratch.run(sys.executable, "-m", "headworks", *arguments).stdout)


def plan(scratch: Scratch) -> dict[str, dict[str, Any]]:
    """Return the planned sessions by name."""
    planned = json.loads(headworks(scratch, "plan", "--format", "json"))
    return {it["name"]: it for it in planned["sessions"]}


def reached(planned: dict[str, dict[str, Any]]) -> set[str]:
    """Return the names of the sessions that are planned because something differs from the base."""
    running = {name: it for name, it in planned.items() if it["state"] == "run"}
    return {name for name, it in running.items() if not all(why.startswith(UNCHANGED) for why in it["reasons"])}


def test_a_comment_in_serving_reaches_serving_and_sessions_that_depend_on_every_file(changed: Scratch) -> None:
    """No session of the data or the model runs for it."""
    changed.replace("packages/serving/src/headworks_serving/_model.py", "import json\n", "import json  # A comment.\n")
    planned = plan(changed)
    names = reached(planned)
    assert {"lint", "review", "serve-check", "build(serving)", "typecheck(serving)"} <= names
    assert not {name for name in names if "(data)" in name or "(model)" in name or "(headworks)" in name}
    assert {name: planned[name]["state"] for name in STAGES} == dict.fromkeys(STAGES, "cached") | {"serve-check": "run"}


def test_another_salt_reaches_every_stage_and_no_test_of_serving(changed: Scratch) -> None:
    """The dataset changes, so that every stage after it waits for the new one."""
    changed.replace("packages/data/dataset.toml", 'salt = "b"', 'salt = "c"')
    planned = plan(changed)
    assert {name: planned[name]["state"] for name in STAGES} == dict.fromkeys(STAGES, "waiting") | {"dataset": "run"}
    assert planned["train"]["reasons"] == ["waits for dataset"]
    assert not {name for name in reached(planned) if "(serving)" in name}


def test_an_edited_test_of_data_trains_nothing_again(changed: Scratch) -> None:
    """The run that built the dataset was watched, and read no test, so that all stages stay covered."""
    changed.replace("packages/data/tests/test_api.py", "from __future__", "# A comment.\nfrom __future__")
    assert {name: it["state"] for name, it in plan(changed).items() if name in STAGES[:2]} == {
        "dataset": "cached",
        "train": "cached",
    }
    assert "5 covered by earlier verdicts" in headworks(changed, "run", *STAGES)


def test_a_reformatted_network_stops_at_the_exported_model(changed: Scratch) -> None:
    """It trains to the same weights and exports to the same bytes, so that later stages stay covered."""
    changed.replace(
        "packages/model/src/headworks_model/_network.py",
        "[nn.BatchNorm2d(channels, affine=False)]",
        "[\n            # Of the pixels.\n            nn.BatchNorm2d(channels, affine=False),\n        ]",
    )
    printed = headworks(changed, "run", *STAGES)
    assert "serve-check  covered by the verdict" in printed
    assert "3 passed, 2 covered by earlier verdicts" in printed
