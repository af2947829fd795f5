"""The training image runs the stages of the pipeline as the sessions do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Call, Container, Start

ROOT = Path(__file__).parents[2]
WAIT = "import time; time.sleep(3600)"
# Each process adds its rank plus one to a sum that all of them get.
ADD = """
import torch, torch.distributed
torch.distributed.init_process_group("gloo")
number = torch.tensor(torch.distributed.get_rank() + 1)
torch.distributed.all_reduce(number)
print(f"{torch.distributed.get_world_size()} processes, sum {number.item()}")
torch.distributed.destroy_process_group()
"""


@pytest.fixture(scope="module")
def confined(start: Start) -> Container:
    """Start a container that waits, without a network and read-only but for the folders that stages write."""
    # Processes that join each other look up their host's name, which needs a network otherwise.
    options = ["--network=none", "--hostname=localhost", "--memory=4g", "--pids-limit=512", "--tmpfs=/tmp"]
    return start(*options, "--tmpfs=/work/artifacts:mode=1777", arguments=("python", "-c", WAIT))


@pytest.fixture(scope="module")
def dataset(confined: Container) -> dict[str, Any]:
    """Build the dataset inside, with the command of the session, and return its dataset.json."""
    confined.run("python", "-m", "headworks_data", "build", "artifacts/dataset", "--config=packages/data/dataset.toml")
    description: dict[str, Any] = json.loads(confined.run("cat", "artifacts/dataset/dataset.json"))
    return description


def test_it_builds_the_dataset_of_the_pipeline(dataset: dict[str, Any]) -> None:
    """The same code, settings and source give the same rows, whatever machine they are made on."""
    expected = json.loads((ROOT / "artifacts/dataset/dataset.json").read_text(encoding="utf-8"))
    assert dataset["digest"] == expected["digest"]


@pytest.mark.usefixtures("dataset")
def test_it_checks_the_dataset_against_its_contract(confined: Container) -> None:
    """The contract lies where it lies in the repository."""
    contract = "packages/data/contract.toml"
    printed = confined.run("python", "-m", "headworks_data", "check", "artifacts/dataset", f"--contract={contract}")
    assert printed.strip() == f"artifacts/dataset keeps {contract}"


@pytest.mark.usefixtures("dataset")
def test_it_trains_and_exports(confined: Container) -> None:
    """One epoch gives weights, and from these a model that is verified against torch."""
    settings = (ROOT / "packages/model/train.toml").read_text(encoding="utf-8")
    short, count = re.subn(r"^epochs = \d+$", "epochs = 1", settings, flags=re.MULTILINE)
    assert count == 1
    confined.run("sh", "-c", "cat >artifacts/train.toml", text=short)
    stage = ("python", "-m", "headworks_model")
    confined.run(*stage, "train", "artifacts/dataset", "artifacts/train", "--config=artifacts/train.toml")
    confined.run(*stage, "export", "artifacts/dataset", "artifacts/train", "artifacts/export")
    assert int(confined.run("stat", "--format=%s", "artifacts/export/model.onnx")) > 100_000


def test_torchrun_joins_processes(confined: Container) -> None:
    """Two processes that torchrun starts add up their ranks."""
    confined.run("sh", "-c", "cat >artifacts/add.py", text=ADD)
    joined = confined.run(
        "env", "GLOO_SOCKET_IFNAME=lo", "torchrun", "--standalone", "--nproc-per-node=2", "artifacts/add.py"
    )
    assert joined.count("2 processes, sum 3") == 2  # The lines of two processes may be mixed.


def test_it_runs_as_a_user_without_rights(inspected: dict[str, Any], confined: Container) -> None:
    """The user is a number, so that Kubernetes can see that it is not 0."""
    assert inspected["Config"]["User"] == "65532:65532"
    assert confined.python("import os; print(os.getuid())") == "65532"


def test_its_size_is_within_the_budget(inspected: dict[str, Any], record: dict[str, Any], budget: int) -> None:
    """`[tool.headworks.images]` says how large it may be, and the record of the build says the same."""
    assert inspected["Size"] <= budget == record["budget"]


def test_its_labels_say_where_it_is_from(inspected: dict[str, Any]) -> None:
    """Version, commit and base are in its labels."""
    labels = inspected["Config"]["Labels"]
    assert labels["org.opencontainers.image.version"] == (ROOT / "VERSION").read_text(encoding="utf-8").strip()
    assert re.fullmatch("[0-9a-f]{40}(-dirty)?", labels["org.opencontainers.image.revision"])
    assert re.fullmatch("sha256:[0-9a-f]{64}", labels["org.opencontainers.image.base.digest"])


def test_its_bill_of_materials_is_what_the_lock_names(call: Call) -> None:
    """Every distribution in it is a need of the model package in uv.lock, pip and what setuptools carries aside."""
    bill = json.loads((ROOT / "artifacts/build-images/training/sbom.cdx.json").read_text(encoding="utf-8"))
    listed = {
        (re.sub("[-_.]+", "-", it["name"]).lower(), it["version"])
        for it in bill["components"]
        if it["bom-ref"].startswith("/opt/venv/") and "/_vendor/" not in it["bom-ref"]
    }
    chosen = ["--no-dev", "--no-emit-workspace", "--package=headworks-model"]
    lines = call("uv", "export", "--frozen", "--quiet", "--no-hashes", "--no-annotate", "--no-header", *chosen)
    allowed = {tuple(line.partition(";")[0].strip().split("==")) for line in lines.splitlines()}
    version = (ROOT / "VERSION").read_text(encoding="utf-8").strip()
    assert {"headworks-data", "headworks-model", "torch"} <= {name for name, _ in listed}
    assert {(name, version.partition("+")[0]) for name, version in listed} - allowed == {
        ("headworks-data", version),
        ("headworks-model", version),
    }
