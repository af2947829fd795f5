"""A fault that is planted in the serving image turns the tests of the image red."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Call

ROOT = Path(__file__).parents[2]
HEALTHY = "test_it_becomes_healthy_confined"
GOLDEN = "test_it_predicts_what_the_evaluation_predicted"
USER = "test_it_runs_as_a_user_without_rights"
CONTENTS = "test_it_holds_nothing_that_a_server_does_not_need[packages]"
SIZE = "test_its_size_is_within_the_budget"
BILL = "test_its_bill_of_materials_is_what_the_lock_names"
LABELS = "test_its_labels_say_what_it_holds"
UNHEALTHY = "test_the_health_check_sees_a_server_that_does_not_answer"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Instructions that break an image, tests that have to notice it, and tests that must not."""

    steps: str
    red: set[str]
    green: set[str]


FAULTS = {
    "the model is left out": Fault(
        steps='FROM {image}\nUSER 0:0\nRUN ["python", "-c", "import os; os.remove(\'/opt/model/model.onnx\')"]\n'
        "USER 65532:65532",
        red={HEALTHY, GOLDEN, LABELS},
        green={BILL, CONTENTS},
    ),
    "it runs as root": Fault(
        steps="FROM {image}\nUSER 0:0",
        red={USER},
        green={HEALTHY, BILL},
    ),
    "torch is pulled in": Fault(
        steps="FROM {base} AS torch\n"
        "RUN pip install --no-cache-dir --no-deps --target /layer/opt/dependencies torch=={torch}\n"
        "FROM {image}\nCOPY --from=torch /layer /",
        red={CONTENTS, SIZE, BILL},
        green={HEALTHY, GOLDEN},
    ),
    "the labels are shifted inside": Fault(
        steps="FROM {image}\nCOPY shifted.onnx /opt/model/model.onnx",
        red={GOLDEN, LABELS},
        green={HEALTHY, BILL},
    ),
    "the health check always answers yes": Fault(
        steps='FROM {image}\nHEALTHCHECK --interval=1s --start-period=9s --start-interval=1s CMD ["true"]',
        red={UNHEALTHY},
        green={HEALTHY, GOLDEN},
    ),
}


@pytest.fixture(scope="session")
def sound() -> dict[str, str]:
    """Return the names of the image to break and of its base, and the version of torch in uv.lock."""
    path = ROOT / "artifacts/build-images/serving/image.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    torch = record["variables"]["TORCH_VERSION"]
    return {"image": record["tags"][-1], "base": record["base"]["name"], "torch": torch}


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """Write a model whose labels are shifted by one, and return its folder."""
    model = onnx.load(ROOT / "artifacts/export/model.onnx")
    (labels,) = [it for it in model.metadata_props if it.key == "headworks.labels"]
    first, *others = json.loads(labels.value)
    labels.value = json.dumps([*others, first])
    onnx.save(model, tmp_path / "shifted.onnx")
    return tmp_path


@pytest.fixture
def spoilt(
    request: pytest.FixtureRequest, engine: str, call: Call, sound: dict[str, str], context: Path
) -> Iterator[str]:
    """Build the image with a fault, and remove it at the end."""
    steps = FAULTS[request.node.callspec.params["name"]].steps.format(**sound)
    (context / "Dockerfile").write_text(steps, encoding="utf-8")
    name = f"headworks-fault:{context.name}"
    call(engine, "build", f"--tag={name}", str(context))
    yield name
    call(engine, "rmi", "--force", name)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_turns_the_tests_red_that_are_there_for_it(name: str, spoilt: str) -> None:
    """The tests that the fault names fail, and unrelated tests pass."""
    fault = FAULTS[name]
    chosen = [f"docker/tests/test_serving.py::{it}" for it in sorted(fault.red | fault.green)]
    command = [sys.executable, "-m", "pytest", f"--image={spoilt}", "--tb=line", "-rfEp", *chosen]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=600)
    ended = re.findall(r"^(PASSED|FAILED|ERROR) \S+::(\S+)", done.stdout, flags=re.MULTILINE)
    assert {test for end, test in ended if end != "PASSED"} == fault.red, done.stdout
    assert {test for end, test in ended if end == "PASSED"} == fault.green, done.stdout
