"""The gate in a real repository compares the work tree with its merge base, through the real nox and store."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pyarrow as pa
import pytest
from pyarrow import parquet

from headworks import _cli
from headworks._machine.nox import ListedSession, Nox
from headworks._metrics.exported import predict_rows
from headworks._metrics.file import read_predictions
from headworks._store.journal import Journal
from headworks._store.store import Store
from headworks.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from conftest import Scratch, Started

pytestmark = pytest.mark.usefixtures("unwatched")  # which is not what this is about, and takes longer
NOXFILE = """
import hashlib, pathlib, nox

def predictions(wrong, rows, stem="row"):
    lines = ["id,label,prediction"]
    return "\\n".join(lines + [f"{stem}{it},yes,{'no' if it < wrong else 'yes'}" for it in range(rows)])

@nox.session(venv_backend="none")
def evaluate(session):
    out = pathlib.Path("artifacts/evaluate")
    out.mkdir(parents=True, exist_ok=True)
    wrong, rows = map(int, pathlib.Path("inputs/model.txt").read_text().split())
    if wrong == -2:
        pathlib.Path(".git").unlink()
    if wrong < 0:
        session.error("it cannot be trained")
    out.joinpath("predictions.csv").write_text(predictions(wrong, rows))
    out.joinpath("model.bin").write_text(f"model {wrong}" + "x" * wrong)
    out.joinpath("bench.json").write_text('{"latency_p99_ms": [3, 3, 3, 3, 3, 3, 3]}')

@nox.session(venv_backend="none", default=False)
def crossfit(session):
    out = pathlib.Path("artifacts/crossfit")
    out.mkdir(parents=True, exist_ok=True)
    out.joinpath("predictions.csv").write_text(predictions(3, 900))
"""
TABLE = """
[tool.headworks.sessions]
evaluate = { packages = [], inputs = ["inputs/model.txt"], outputs = ["artifacts/evaluate"] }
crossfit = { packages = [], needs = ["evaluate"], outputs = ["artifacts/crossfit"] }

[tool.headworks.gate]
predictions = { evaluate = "artifacts/evaluate/predictions.csv", crossfit = "artifacts/crossfit/predictions.csv" }
model = "artifacts/evaluate/model.bin"
measurements = "artifacts/evaluate/bench.json"
budget = 2
"""
PREDICT = f"""
predict = {{ evaluate = ["{sys.executable}", "predict.py", "{{model}}", "{{out}}"] }}
"""
# Stands for a program that has an exported model predict: the model's file says how many rows it has wrong.
PREDICT_PY = """
import pathlib, sys
wrong = int(pathlib.Path(sys.argv[1]).read_text().split()[1].rstrip("x"))
ids = [line.split(",")[0] for line in pathlib.Path("artifacts/evaluate/predictions.csv").read_text().split()[1:]]
said = [f"{name},yes,{'no' if number < wrong else 'yes'}" for number, name in enumerate(ids)]
pathlib.Path(sys.argv[2]).write_text("\\n".join(["id,label,prediction", *said]))
"""


class Demo:
    """A repository whose main branch has a model with four of 800 rows wrong."""

    def __init__(self, scratch: Scratch, capfd: pytest.CaptureFixture[str]) -> None:
        """Commit it, and start a branch."""
        self.scratch = scratch
        self._capfd = capfd
        files = {"noxfile.py": NOXFILE, "pyproject.toml": TABLE, ".gitignore": "artifacts\n__pycache__\n"}
        scratch.commit(files)
        scratch.commit({"inputs/model.txt": "4 800"})

    def branch(self) -> None:
        """Start a branch, with a commit that is about nothing."""
        self.scratch.git("checkout", "--quiet", "-b", "change")
        self.scratch.commit()

    def train(self, wrong: int = 4, rows: int = 800, *, model: bytes = b"", other: str = "", **more: str) -> None:
        """Change the model, and what it is made from; leave what the stage would: its outputs and a verdict."""
        said = "".join(f"\nrow{it},yes,{'no' if it < wrong else 'yes'}" for it in range(rows))
        files: dict[str, str | bytes] = {
            "predictions.csv": f"id,label,prediction{said}",
            "bench.json": '{"latency_p99_ms": [3, 3, 3, 3, 3, 3, 3]}',
        }
        files |= {f"{name}.csv": content for name, content in more.items()}
        files["model.bin"] = model or f"model {wrong}" + "x" * wrong
        self.scratch.write({f"artifacts/evaluate/{name}": content for name, content in files.items()})
        self.scratch.write({"inputs/model.txt": f"{wrong} {rows}{other}"})
        self.scratch.record_pass("evaluate")

    def gate(self, *arguments: str, code: int = 0) -> str:
        """Run the gate and return what it writes."""
        self._capfd.readouterr()
        exit_code = _cli.main(["gate", *arguments])
        output = self._capfd.readouterr()
        assert exit_code == code, output
        return output.out + output.err

    def replace(self, old: str, new: str) -> None:
        """Change the table."""
        path = self.scratch.root / "pyproject.toml"
        path.write_text(path.read_text().replace(old, new))


@pytest.fixture
def demo(scratch: Scratch, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Demo:
    """Return a repository, in whose folder this process is."""
    monkeypatch.chdir(scratch.root)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("HEADWORKS_RUN", raising=False)
    listed = [ListedSession(name=it, function=it) for it in ("evaluate", "crossfit")]
    monkeypatch.setattr(Nox, "list_sessions", lambda *_: listed)
    return Demo(scratch, capfd)


def entries(*names: str) -> list[dict[str, Any]]:
    """Return the entries of a journal in the store of the test."""
    listed = Journal(Store.default().root, *names).entries()
    assert all(it is not None for it in listed)
    return [it for it in listed if it is not None]


def test_what_did_not_change_passes_and_costs_nothing(demo: Demo) -> None:
    """The base is restored from the store, and no test set is asked."""
    demo.train()
    demo.branch()
    output = demo.gate()
    left = "nothing to compare with yet for accuracy >= anchor.accuracy - 0.05"
    assert output.startswith(f"gate passes: 1 condition, each at 0.99 for 2 models together; {left}\n")
    assert "restored from the store" in output
    assert "note: not one prediction of evaluate differs, which costs no budget\n" in output
    file = "artifacts/evaluate/predictions.csv"
    assert f"compared {file} with {file} of the base on 800 rows, and not one prediction differs\n" in output
    assert not Path(Store.default().root, "ledger").exists()


def test_a_worse_model_fails_and_each_model_is_charged_once(demo: Demo) -> None:
    """The same one asks for free; once the budget is spent nothing is told any more."""
    demo.train()
    demo.branch()
    demo.train(80)
    output = demo.gate(code=1)
    assert output.startswith("gate fails: accuracy >= base.accuracy - 0.03\n")
    assert "note: model 1 of 2 asks the test set of evaluate\n" in output
    assert "note: model 1 of 2 asks the test set of evaluate, as it did before\n" in demo.gate(code=1)
    demo.train(5)
    assert "model 2 of 2" in demo.gate()
    demo.train(6)
    spent = demo.gate(code=3)
    assert "has judged 2 models, which is its whole budget" in spent
    assert "Refresh it" in spent
    assert "candidate" not in spent
    demo.train(4)
    assert "costs no budget" in demo.gate()


def test_a_base_that_the_store_lacks_is_made(demo: Demo) -> None:
    """In a work tree of its own, which is gone afterwards; how long that takes is said beforehand."""
    demo.branch()
    demo.train(5)
    demo.scratch.write({"artifacts/crossfit/predictions.csv": "id,label,prediction\nrow0,yes,yes\n"})
    demo.replace(
        "budget = 2",
        """conditions = [
        "accuracy >= base.accuracy - 0.03", { name = "all", condition = "accuracy >= base.accuracy", on = "crossfit" }
    ]""",
    )
    output = demo.gate(code=3)
    assert "The store lacks what evaluate gave at" in output
    assert "running it there, which should take about 1.5 s." in output
    assert "The store lacks what crossfit gave at" in output
    assert "share 1 of 900 rows" in output
    assert demo.scratch.git("worktree", "list").count("\n") == 0
    demo.replace('on = "crossfit"', 'on = "evaluate"')
    assert "restored from the store" in demo.gate(code=3)


@pytest.mark.usefixtures("_bases_here")
def test_outputs_that_are_damaged_in_the_store_are_made_again(demo: Demo) -> None:
    """A lost blob is a miss."""
    demo.train()
    demo.branch()
    demo.train(5)
    for blob in Path(Store.default().root).glob("blobs/*/*"):
        blob.unlink()
    assert "run in a work tree of its own" in demo.gate()


def test_a_base_whose_stage_fails_is_no_base(demo: Demo) -> None:
    """It is said so, and never skipped."""
    demo.scratch.commit({"inputs/model.txt": "-1 800"})
    demo.branch()
    demo.train(5)
    output = demo.gate(code=3)
    assert "a time that is not known yet" not in output
    assert "evaluate does not pass at the base" in output
    assert demo.scratch.git("worktree", "list").count("\n") == 0


@pytest.mark.usefixtures("_bases_here")
def test_models_are_counted_in_a_remote_store(demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where that is told; a machine whose store is empty, as one in CI, then knows what was asked."""
    url = (tmp_path / "shared").as_uri()
    demo.branch()
    demo.train(80)
    demo.gate("--remote", url, code=1)
    assert not (tmp_path / "shared/ledger").exists()
    for code, store in ((1, "a"), (1, "bb"), (3, "ccc")):
        monkeypatch.setenv("HEADWORKS_STORE", str(tmp_path / store))
        demo.train(80 + len(store))
        output = demo.gate("--remote", url, "--write-remote", code=code)
        assert {"a": "model 1 of 2", "bb": "model 2 of 2", "ccc": "its whole budget"}[store] in output
    assert len(list((tmp_path / "shared/ledger").glob("*/*"))) == 2


def test_a_work_tree_that_a_stage_broke_is_cleared_away(demo: Demo) -> None:
    """Git no longer knows it as one, and does not list it either afterwards."""
    demo.scratch.commit({"inputs/model.txt": "-2 800"})
    demo.branch()
    demo.train(5)
    assert "evaluate does not pass at the base" in demo.gate(code=3)
    assert demo.scratch.git("worktree", "list").count("\n") == 0


@pytest.mark.usefixtures("_bases_here")
def test_the_first_base_is_recorded_where_there_is_none(scratch: Scratch, demo: Demo) -> None:
    """Only when asked for; and what is recorded is the base from then on, whatever becomes of the blobs' verdicts."""
    demo.scratch.commit({"inputs/model.txt": "-1 800"})
    demo.branch()
    demo.train(5)
    texts = ["accuracy >= 0.9", "accuracy >= base.accuracy - 0.03", "model_bytes <= base.model_bytes"]
    absolute = [it for text in texts for it in ("--condition", text)]
    output = demo.gate("--bootstrap", *absolute)
    assert output.startswith("gate passes: 1 condition")
    assert "note: not judged, since there is no base yet: 'accuracy >= base.accuracy - 0.03', 'model_bytes <=" in output
    assert "recorded the predictions of evaluate as the first base" in output
    demo.train(100)
    Store.default().forget(["evaluate"])
    Store.default().gc(max_size=0)
    output = demo.gate(code=1)
    assert "the base of evaluate is the first one, recorded on" in output
    assert "recorded the" not in demo.gate("--bootstrap", code=1)


@pytest.mark.usefixtures("_bases_here")
def test_first_predictions_stand_in_for_one_base_alone(demo: Demo) -> None:
    """A later base whose stage fails is no base, though there was a first one long ago."""
    demo.scratch.commit({"inputs/model.txt": "-1 800"})
    demo.branch()
    demo.train(5)
    demo.gate("--bootstrap")
    demo.scratch.git("checkout", "--quiet", "--force", "main")
    demo.scratch.commit({"inputs/model.txt": "-1 801"})
    demo.train(6)
    assert "evaluate does not pass at the base" in demo.gate(code=3)
    assert "recorded the predictions of evaluate as the first base" in demo.gate("--bootstrap")


@pytest.mark.usefixtures("_bases_here")
def test_a_base_without_predictions_may_be_named_once(demo: Demo) -> None:
    """By its id in the table, which stands for no later one; what it does have is compared all the same."""
    demo.scratch.commit({"inputs/model.txt": "-1 800"})
    demo.branch()
    demo.train(5)
    base = demo.scratch.git("rev-parse", "main")
    demo.replace("budget = 2", f'budget = 2\nbootstrap = "{base[:12]}"')
    output = demo.gate()
    assert output.startswith(
        "gate passes: there is no base yet, so that nothing was compared, and nothing else is asked"
    )
    shutil.rmtree(Path(Store.default().root, "baselines"))
    demo.scratch.git("branch", "--force", "main", "HEAD")
    assert "evaluate does not pass at the base" in demo.gate(code=3)


def test_equal_labels_are_told_apart_by_the_model(demo: Demo) -> None:
    """Where neither its file nor what it comes from is the same, labels are judged as those of two models."""
    demo.train()
    demo.branch()
    demo.train(other=" ")
    assert "(the same model)" in demo.gate()
    demo.train(other="  ", model=b"another one that predicts the same")
    output = demo.gate()
    assert "not one prediction of artifacts/evaluate/predictions.csv differs from those of the base on these" in output
    assert "(score interval" in output
    assert "not one prediction of evaluate differs, which costs no budget\n" in output


@pytest.mark.parametrize("model", ["artifacts/evaluate/later.csv", "inputs/model.txt"])
def test_a_model_that_the_base_does_not_have_is_another_one(demo: Demo, model: str) -> None:
    """So that a change may introduce the file, and one that no session writes may be named: the rows decide."""
    demo.train()
    demo.replace("artifacts/evaluate/model.bin", model)
    demo.branch()
    demo.train(other=" ", later="a model")
    assert "(score interval" in demo.gate()


def test_without_a_model_all_that_the_predictions_come_from_tells(demo: Demo) -> None:
    """A session that is at the base what it is now, with all that it reads, gives the same model."""
    demo.replace('model = "artifacts/evaluate/model.bin"\n', "")
    demo.scratch.commit()
    demo.train()
    demo.branch()
    assert "(the same model)" in demo.gate()
    demo.train(other=" ")
    assert "(score interval" in demo.gate()


def test_rows_that_the_dataset_has_no_more_are_not_lost(demo: Demo) -> None:
    """Where the table names the file with its rows; those that it still has are lost as ever."""
    rows = "".join(f"\nrow{it},yes,yes" for it in range(800))
    demo.train(predictions=f"id,label,prediction{rows}", dataset="id" + "".join(f"\nrow{it}" for it in range(800)))
    demo.branch()
    condition = ("--condition", "accuracy >= base.accuracy - 0.01")
    kept = "".join(f"\nrow{it},yes,yes" for it in range(30, 800))
    demo.train(
        predictions=f"id,label,prediction{kept}",
        dataset="id" + "".join(f"\nrow{it}" for it in range(30, 800)),
        other=" ",
    )
    assert "has no prediction for 30 rows, which count as mistakes: row0, row1, row10" in demo.gate(*condition, code=1)
    demo.replace("budget = 2", 'budget = 2\nrows = { evaluate = ["artifacts/evaluate/dataset.csv"] }')
    output = demo.gate(*condition)
    assert "note: 30 rows of evaluate that the base had are asked no more: row0, row1, row10 and 27 more\n" in output
    assert "on 770 rows" in output
    demo.train(
        predictions=f"id,label,prediction{kept}",
        dataset="id" + "".join(f"\nrow{it}" for it in range(10, 800)),
        other="  ",
    )
    output = demo.gate(*condition, code=1)
    assert "has no prediction for 20 rows, which count as mistakes" in output
    assert "note: 10 rows of evaluate that the base had are asked no more" in output
    new = "id" + "".join(f"\nrow{it}" for it in range(30, 805))
    demo.train(predictions=f"id,label,prediction{kept}", dataset=new, other="    ")
    said = "no prediction for 5 rows of the dataset that the base does not have either: row800, row801, row802 and 2"
    assert said in demo.gate(*condition, code=3)
    assert said in demo.gate("--condition", "accuracy >= 0.5", code=3)
    demo.replace("dataset.csv", "none.csv")
    assert "There is no artifacts/evaluate/none.csv to judge" in demo.gate(*condition, code=3)
    demo.train(predictions=f"id,label,prediction{kept}", none="row\nrow1", other="   ")
    assert "none.csv: there is no column 'id'" in demo.gate(*condition, code=2)


def test_both_models_are_judged_by_the_labels_that_the_dataset_has_now(demo: Demo) -> None:
    """Where the candidate's are those: a label that only its own file has is refused, as is a class unknown before."""
    demo.replace("budget = 2", 'budget = 9\nrows = { evaluate = ["artifacts/evaluate/dataset.csv"] }')
    demo.scratch.commit()

    def train(labels: list[str], dataset: list[str], other: str, column: str = "label") -> None:
        rows = "".join(f"\nrow{number},{label},yes" for number, label in enumerate(labels))
        lines = "".join(f"\nrow{number},{label}" for number, label in enumerate(dataset))
        demo.train(predictions=f"id,label,prediction{rows}", dataset=f"id,{column}{lines}", other=other)

    before, now = ["yes"] * 790 + ["no"] * 10, ["yes"] * 780 + ["no"] * 20
    train(before, before, "")
    demo.branch()
    train(now, now, " ")
    output = demo.gate()
    assert "the dataset has another label for 10 rows of evaluate, by which both models are judged: row780" in output
    assert "candidate 0.9750, base 0.9750" in output
    for labels, dataset, column in (
        (now, before, "label"),
        (["yes"] * 780 + ["odd"] * 20, ["yes"] * 780 + ["odd"] * 20, "label"),
        (now, now, "other"),
    ):
        train(labels, dataset, f"{column}{labels[-1]}{dataset[780]}", column)
        assert "have different labels for" in demo.gate(code=3)


def test_a_regression_has_rows_of_a_dataset_and_no_labels(demo: Demo) -> None:
    """Its errors are compared on the rows that the dataset has now."""
    demo.replace("budget = 2", 'budget = 2\nrows = { evaluate = ["artifacts/evaluate/dataset.csv"] }')
    demo.scratch.commit()

    def train(rows: int, other: str) -> None:
        errors = "".join(f"\nrow{number},0.5" for number in range(rows))
        demo.train(predictions=f"id,error{errors}", dataset=f"id,error{errors}", other=other)

    train(800, "")
    demo.branch()
    train(790, " ")
    output = demo.gate("--condition", "mae <= base.mae + 0.1", code=0)
    assert "10 rows of evaluate that the base had are asked no more" in output


def test_a_repository_without_a_commit_has_no_base(tmp_path: Path, demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3, unless the first one is asked for."""
    empty = type(demo.scratch)(tmp_path / "empty")
    for name in ("noxfile.py", "pyproject.toml", ".gitignore"):
        shutil.copy(demo.scratch.root / name, empty.root)
    empty.write({"inputs/model.txt": "4 800"})
    monkeypatch.chdir(empty.root)
    demo.scratch = empty
    demo.train()
    assert "There is no commit to compare with: this is an empty repository" in demo.gate(code=3)
    assert demo.gate("--bootstrap").startswith("gate passes: there is no base yet, so that nothing was compared")


def test_predictions_that_the_base_does_not_have_are_named(demo: Demo) -> None:
    """As where a change introduces the stage, or the file."""
    demo.train()
    demo.replace("artifacts/crossfit/predictions.csv", "artifacts/evaluate/new.csv")
    demo.replace("budget = 2", 'conditions = [{ condition = "accuracy >= base.accuracy - 0.1", on = "crossfit" }]')
    demo.branch()
    demo.train(5, new="id,label,prediction\na,x,x\n")
    assert "evaluate of the base" in (output := demo.gate(code=3))
    assert "does not write artifacts/evaluate/new.csv" in output


def test_what_another_model_predicted_is_not_judged(demo: Demo) -> None:
    """The stage passed as it is now, and its outputs are others."""
    demo.train()
    demo.branch()
    Path("artifacts/evaluate/predictions.csv").write_text("id,label,prediction\na,x,x\n")
    assert "is not what evaluate gives as it is now. Run `headworks run evaluate`" in demo.gate(code=3)


def test_another_dataset_is_predicted_by_the_models_of_both(demo: Demo) -> None:
    """By a declared command, so that both are judged on the same rows; without one too few rows are shared."""
    demo.train()
    demo.branch()
    demo.train(10, 1000)
    assert "share 800 of 1,000 rows" in demo.gate(code=3)
    demo.replace("budget = 2", f"budget = 2{PREDICT}")
    assert "ended with exit code 2" in demo.gate(code=3)
    demo.scratch.write({"predict.py": ""})
    assert "ended with exit code 0, and did not write" in demo.gate(code=3)
    demo.replace(sys.executable, "no-such-program")
    assert "could not be started (No such file or directory)" in demo.gate(code=3)
    demo.replace("no-such-program", sys.executable)
    demo.scratch.write({"predict.py": PREDICT_PY})
    output = demo.gate()
    assert "the dataset has changed: the base's model predicted the rows of evaluate anew" in output
    assert "1,000 rows, right only in the candidate 0, only in the base 6" in output


def test_slices_that_changed_are_another_dataset(demo: Demo) -> None:
    """The base's model predicts again where it can; else nobody can tell."""
    rows = "".join(f"\nrow{it},yes,{'no' if it < 4 else 'yes'},old" for it in range(800))
    demo.train(predictions=f"id,label,prediction,part{rows}")
    demo.branch()
    demo.train(5, predictions=f"id,label,prediction,part{rows}".replace(",old", ",new"))
    demo.replace("budget = 2", """budget = 2\nconditions = ['slice["part"].accuracy >= base.accuracy - 0.05']""")
    assert "different values in the slice column 'part' for 800 rows" in demo.gate(code=3)
    demo.replace("budget = 2", f"budget = 2{PREDICT}")
    demo.scratch.write({"predict.py": PREDICT_PY})
    assert "predicted anew has not, so that only the candidate says" in demo.gate(code=3)
    sliced = PREDICT_PY.replace("label,prediction", "label,prediction,part").replace("'yes'}\"", "'yes'},new\"")
    demo.scratch.write({"predict.py": sliced})
    assert "the base's model predicted the rows of evaluate anew" in demo.gate()


def test_peers_of_the_work_tree_are_compared(demo: Demo) -> None:
    """Without more cost to the budget; a table that names none cannot tell."""
    demo.train()
    demo.branch()
    rows = "".join(f"\nrow{it},yes,{'no' if it < 80 else 'yes'}" for it in range(800))
    demo.train(5, knn=f"id,label,prediction{rows}")
    demo.replace("budget = 2", """budget = 2\nconditions = ['accuracy >= peers.best.accuracy - 0.05']""")
    assert "There are no peers to compare with" in demo.gate(code=3)
    demo.replace("budget = 2", 'budget = 2\npeers = { evaluate = ["artifacts/evaluate/knn.csv"] }')
    output = demo.gate()
    assert "800 rows, right only in the candidate 75, only in the peer 0" in output
    assert "  accuracy against knn: passes\n    candidate 0.9938, peer 0.9000" in output
    needed = "accuracy >= peers.best.accuracy + 0.07"  # whose p-value is 0.0068, and the budget two models
    demo.replace("accuracy >= peers.best.accuracy - 0.05", needed)
    assert f"{needed}, on evaluate: cannot tell" in demo.gate(code=3)
    assert "compared artifacts/evaluate/predictions.csv with artifacts/evaluate/knn.csv on 800 rows" in output


def test_the_rows_that_the_model_learnt_from_bound_it(demo: Demo) -> None:
    """The table names their predictions; where it names none, nothing can be told."""
    demo.train()
    demo.branch()
    demo.train(5, learnt="id,label,prediction\na,yes,yes\nb,yes,yes")
    demo.replace("budget = 2", """budget = 2\nconditions = ['accuracy >= train.accuracy - 0.05']""")
    assert "name them in --train, or as `train` in the table" in demo.gate(code=3)
    demo.replace("budget = 2", 'budget = 2\ntrain = { evaluate = "artifacts/evaluate/learnt.csv" }')
    assert "accuracy is 1.0000 on the 2 rows that it learnt from: the bound is 0.9500" in demo.gate()


def exported(path: Path, outputs: int) -> None:
    """Write an ONNX file that gives its input, two numbers for each row, back as probabilities."""
    kind = onnx.TensorProto.FLOAT
    sides = [onnx.helper.make_tensor_value_info(name, kind, ["batch", outputs]) for name in ("pixels", "probabilities")]
    nodes = [onnx.helper.make_node("Identity", ["pixels"], ["probabilities"])]
    graph = onnx.helper.make_graph(nodes, "g", sides[:1], sides[1:])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10), path)


@pytest.mark.parametrize("is_tensor", [True, False])
def test_an_exported_model_predicts_the_rows_of_a_dataset(tmp_path: Path, *, is_tensor: bool) -> None:
    """By ONNX Runtime; slices are kept."""
    exported(tmp_path / "model.onnx", 2)
    shares = np.array([[0.25, 0.75]] * 300, np.float32)
    tensors = pa.FixedShapeTensorArray.from_numpy_ndarray(shares)
    table = {
        "id": [f"{it:03}" for it in range(300)],
        "label": [1] * 300,
        "stroke": ["thin"] * 300,
        "weight": [0.5] * 300,
    }
    pixels = tensors if is_tensor else pa.array(shares.tolist(), pa.list_(pa.float32()))
    parquet.write_table(pa.table(table | {"pixels": pixels}), tmp_path / "rows.parquet")
    predict_rows(*(str(tmp_path / it) for it in ("model.onnx", "rows.parquet", "out.parquet")))
    read = read_predictions(str(tmp_path / "out.parquet"))
    assert read.predicted.tolist() == [["1"] * 300]
    assert read.confidence is not None
    assert set(read.confidence[0].tolist()) == {0.75}
    assert read.slices.keys() == {"stroke"}


def test_a_model_that_does_not_fit_a_dataset_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing column, another shape, no model, no ONNX Runtime: each in one message."""
    exported(tmp_path / "model.onnx", 2)
    model, rows, out = (str(tmp_path / it) for it in ("model.onnx", "rows.parquet", "out.parquet"))
    parquet.write_table(pa.table({"id": ["a"], "label": [1], "pixel": [[0.5]]}), rows)
    with pytest.raises(ConfigurationError, match=r"no column 'pixels'\. Did you mean 'pixel'"):
        predict_rows(model, rows, out)
    parquet.write_table(pa.table({"id": ["a"], "label": [1], "pixels": [[0.5]]}), rows)
    with pytest.raises(ConfigurationError, match="cannot predict the rows of"):
        predict_rows(model, rows, out)
    with pytest.raises(ConfigurationError, match="cannot predict the rows of"):
        predict_rows(rows, rows, out)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match=r"pip install 'headworks\[onnx\]'"):
        predict_rows(model, rows, out)
    assert not Path(out).exists()


def test_another_dataset_is_predicted_by_the_exported_model(demo: Demo, tmp_path: Path) -> None:
    """Where the table names the rows and the model; rows that are labelled otherwise are compared with nothing."""
    exported(tmp_path / "model.onnx", 2)
    demo.train(model=(tmp_path / "model.onnx").read_bytes())
    demo.replace("budget = 2", 'budget = 2\npredict = { evaluate = "artifacts/rows.parquet" }')
    demo.branch()
    demo.train(10, 1000)
    assert "model.bin cannot predict the rows of" in demo.gate(code=2)
    rows = {"id": [f"row{it}" for it in range(1000)], "label": [1] * 1000}
    pixels = pa.array([[0.25, 0.75]] * 1000, pa.list_(pa.float32()))
    parquet.write_table(pa.table(rows | {"pixels": pixels}), "artifacts/rows.parquet")
    assert "of the base, predicted anew have different labels for 1,000 rows" in demo.gate(code=3)
    demo.replace('model = "artifacts/evaluate/model.bin"\n', "")
    assert "names no `model` that could predict its rows" in demo.gate(code=2)


@pytest.mark.usefixtures("_bases_here")
def test_rows_that_no_session_left_so_are_not_predicted(demo: Demo) -> None:
    """Those that were taken out of the file would be missing of the base, and so be no mistakes of the candidate."""
    demo.replace("budget = 2", 'budget = 2\npredict = { evaluate = "artifacts/crossfit/rows.parquet" }')
    demo.train()
    demo.branch()
    demo.train(10, 1000)
    demo.scratch.write({"artifacts/crossfit/rows.parquet": "all rows"})
    demo.scratch.record_pass("crossfit")
    demo.scratch.write({"artifacts/crossfit/rows.parquet": "some"})
    assert "artifacts/crossfit/rows.parquet is not what crossfit gives as it is now." in demo.gate(code=3)


def turns(demo: Demo, mine: float, theirs: float, **models: str) -> None:
    """Leave runs in which the two models take turns."""
    latencies = {"candidate": mine, "base": theirs}
    runs = [{"model": role, "latencies_ms": [it] * 100} for role, it in latencies.items()] * 7
    demo.scratch.write({"artifacts/evaluate/bench.json": json.dumps({"format": 2, "models": models, "runs": runs})})
    demo.scratch.record_pass("evaluate")


def test_measurements_are_those_of_both_models(demo: Demo) -> None:
    """The size of the exported model, and the runs in which that of the base took turns with it."""
    demo.train()
    demo.branch()
    demo.train(5)
    asked = ["--condition", "latency_p99_ms <= base.latency_p99_ms * 2"]
    turns(demo, 3, 3)
    conditions = ["model_bytes <= base.model_bytes", "model_bytes <= 99"]
    output = demo.gate(*asked, *(it for condition in conditions for it in ("--condition", condition)), code=1)
    assert "model_bytes <= base.model_bytes: fails\n  candidate 12.0000, base 11.0000" in output
    assert "latency_p99_ms * 2: passes\n  candidate 3.0000, base 3.0000, candidate - 2 * base -3.0000 (" in output
    base = hashlib.sha256(b"model 4xxxx").hexdigest()
    turns(demo, 9, 3, base=base, candidate=hashlib.sha256(b"model 5xxxxx").hexdigest())
    assert "latency_p99_ms * 2: fails\n  candidate 9.0000, base 3.0000" in demo.gate(*asked, code=1)
    turns(demo, 3, 3, base=base, candidate=base)
    assert "bench.json was measured of other models than these. Measure them again" in demo.gate(*asked, code=3)
    turns(demo, 3, 3, base="another", candidate=hashlib.sha256(b"model 5xxxxx").hexdigest())
    assert "bench.json was measured of other models than these. Measure them again" in demo.gate(*asked, code=3)
    demo.train(5)
    assert "latency_p99_ms was not measured of the base in runs of 100 requests" in demo.gate(*asked, code=2)
    demo.replace('model = "artifacts/evaluate/model.bin"\n', "")
    assert "latency_p99_ms was not measured of the base" in demo.gate(*asked, code=2)
    assert "latency_p99_ms <= 4: passes" in demo.gate("--condition", "latency_p99_ms <= 4")
    demo.replace("bench.json", "none.json")
    assert "There is no artifacts/evaluate/none.json to judge" in demo.gate(
        "--condition", "latency_p99_ms <= 4", code=3
    )
    demo.replace("measurements =", "# measurements =")
    assert "latency_p99_ms was not measured" in demo.gate("--condition", "latency_p99_ms <= 4", code=2)


def test_the_same_model_takes_as_long_whatever_was_measured(demo: Demo) -> None:
    """It was measured once on a busy machine: of two equal files one is not slower."""
    demo.train()
    demo.branch()
    output = demo.gate("--condition", "latency_p99_ms <= base.latency_p99_ms")
    assert "latency_p99_ms: passes\n  candidate 3.0000, base 3.0000, difference +0.0000 (the same model)" in output
    assert "latency_p99_ms * 0.9: fails" in demo.gate(
        "--condition", "latency_p99_ms <= base.latency_p99_ms * 0.9", code=1
    )


def test_runs_of_a_session_that_always_runs_name_their_models(demo: Demo) -> None:
    """No verdict says where its output came from, and the digest of the model does."""
    demo.train()
    demo.replace('outputs = ["artifacts/crossfit"] }', 'outputs = ["artifacts/crossfit"], cache = false }')
    demo.replace("artifacts/evaluate/bench.json", "artifacts/crossfit/bench.json")
    runs = [{"model": "candidate", "latencies_ms": [3] * 100}] * 7
    for model, code, words in ((b"model 4xxxx", 0, "<= 4: passes"), (b"other", 3, "measured of other models")):
        said = {"format": 2, "models": {"candidate": hashlib.sha256(model).hexdigest()}, "runs": runs}
        demo.scratch.write({"artifacts/crossfit/bench.json": json.dumps(said)})
        output = demo.gate("--condition", "latency_p99_ms <= 4", code=code)
        assert words in output
        assert "no verdict says" not in output


def test_a_base_that_was_not_measured_is_asked_only_for_what_is_compared(demo: Demo) -> None:
    """So that measuring can be introduced: an absolute bound needs nothing of the base."""
    demo.train()
    demo.replace("bench.json", "later.json")
    demo.branch()
    demo.train(5)
    Path("artifacts/evaluate/later.json").write_text('{"latency_p99_ms": [3, 3, 3, 3, 3, 3, 3]}')
    demo.train(5, later="x")
    conditions = ["model_bytes <= base.model_bytes * 2", "latency_p99_ms <= 9"]
    asked = [it for condition in conditions for it in ("--condition", condition)]
    assert "gate passes: 2 conditions" in demo.gate(*asked)


def test_the_outcome_for_a_model_is_kept(demo: Demo) -> None:
    """By the digest of its file, with the base, each condition and what the table said."""
    demo.train()
    demo.branch()
    demo.train(5)
    demo.gate()
    (model,) = Path(Store.default().root, "gates").iterdir()
    (entry,) = entries("gates", model.name)
    assert entry.pop("when").startswith("20")
    assert entry.pop("terms")["reliability"] == 0.99
    files = entry.pop("files")
    for path, content in files.items():
        assert Store.default().blobs.get_bytes(content, 100_000) == (demo.scratch.root / path).read_bytes()
    assert list(files) == ["artifacts/evaluate/predictions.csv"]
    assert entry == {
        "outcome": "passes",
        "base": demo.scratch.git("rev-parse", "main"),
        "conditions": [{"condition": "accuracy >= base.accuracy - 0.03", "on": "evaluate", "outcome": "passes"}],
        "anchor": "",
        "unjudged": ["accuracy >= anchor.accuracy - 0.05"],
    }


def test_what_is_missing_is_named(demo: Demo) -> None:
    """Predictions that no stage has written yet, that no session writes, or that the table does not name."""
    demo.branch()
    assert "There is no artifacts/evaluate/predictions.csv to judge" in demo.gate(code=3)
    demo.scratch.write({"artifacts/evaluate/predictions.csv": "id,label,prediction\na,x,x\n"})
    assert "no verdict says that artifacts/evaluate/predictions.csv" in demo.gate(
        "--condition", "accuracy >= 0.001", code=0
    )
    demo.replace('outputs = ["artifacts/evaluate"]', 'outputs = ["artifacts/evaluate/model.bin"]')
    assert "which 0 sessions write" in demo.gate(code=2)
    demo.replace("predictions = {", "columns = {")
    assert "names no predictions" in demo.gate(code=2)


def test_the_result_is_saved_for_a_report(demo: Demo) -> None:
    """With its notes, and with the predictions that the base was judged by; an older result does not stay."""
    demo.train()
    demo.branch()
    demo.train(80)
    folder = Path("artifacts/gate")
    demo.gate("--save", str(folder), code=1)
    saved = json.loads((folder / "gate.json").read_text())
    assert (saved["outcome"], len(saved["notes"])) == ("fails", 3)
    assert (folder / "base-evaluate.csv").read_text().count("yes,no") == 4
    Path("artifacts/evaluate/predictions.csv").unlink()
    demo.gate("--save", str(folder), code=3)
    assert [it.name for it in folder.iterdir()] == ["base-evaluate.csv"]


def compared(capfd: pytest.CaptureFixture[str], *words: str, path: str = "artifacts/evaluate", code: int = 0) -> str:
    """Run a command of this Python with an output of the base, and return what both write."""
    capfd.readouterr()
    exit_code = _cli.main(["base", path, "--", *([sys.executable, "-c", *words] if words else [])])
    output = capfd.readouterr()
    assert exit_code == code, output
    return output.out + output.err


def test_a_command_runs_with_an_output_of_the_base(demo: Demo, capfd: pytest.CaptureFixture[str]) -> None:
    """Of a folder or a file, as it was there; the exit code is that of the command, and nothing is left behind."""
    demo.train()
    demo.branch()
    demo.train(5)
    show = "import pathlib, sys; path = pathlib.Path(sys.argv[1]); print(path.read_text(), path)"
    output = compared(capfd, show, "{base}/model.bin")
    assert output.startswith("model 4xxxx ")
    assert "the base is what evaluate gave at" in output
    assert not Path(output.split("\n")[0].split()[-1]).exists()
    assert compared(capfd, show, "{base}", path="artifacts/evaluate/model.bin").startswith("model 4xxxx ")
    compared(capfd, "raise SystemExit(7)", code=7)
    compared(capfd, "import os; os.kill(os.getpid(), 9)", code=3)
    assert "There is no command to run" in compared(capfd, code=2)
    assert _cli.main(["base", "artifacts/evaluate", "--", "no-such-program"]) == 2
    assert "no-such-program cannot be started: No such file or directory. Name a program" in capfd.readouterr().err
    assert "which 0 sessions write" in compared(capfd, show, path="inputs/model.txt", code=2)
    assert "does not write artifacts/evaluate/none" in compared(capfd, show, path="artifacts/evaluate/none", code=3)


def test_a_command_that_is_interrupted_clears_up_before_its_input_goes(
    demo: Demo, tmp_path: Path, started: type[Started]
) -> None:
    """The signal reaches it, and what it reads is there until it has ended."""
    demo.train()
    demo.branch()
    demo.train(5)
    mark = tmp_path / "mark"
    script = f"""import pathlib, sys, time
mark = pathlib.Path({str(mark)!r})
try:
    mark.write_text("started")
    time.sleep(60)
except KeyboardInterrupt:
    mark.write_text(pathlib.Path(sys.argv[1]).read_text())
"""
    process = started("base", "artifacts/evaluate", "--", sys.executable, "-c", script, "{base}/model.bin")
    while not mark.exists() or mark.read_text() != "started":
        assert process.returncode is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert "Traceback" not in process.communicate()
    assert process.returncode == 130
    assert mark.read_text().startswith("model 4")


def test_a_base_that_has_no_such_output_is_named_or_excused(demo: Demo, capfd: pytest.CaptureFixture[str]) -> None:
    """At the first commit, and at one that the table names, nothing is compared; elsewhere that is no pass."""
    demo.scratch.commit({"inputs/model.txt": "-1 800"})
    demo.branch()
    fail = "raise SystemExit(7)"
    assert "or this one as `bootstrap` of the gate" in compared(capfd, fail, code=3)
    base = demo.scratch.git("rev-parse", "main")
    demo.replace("budget = 2", f'budget = 2\nbootstrap = "{base[:12]}"')
    assert "nothing is compared: evaluate does not pass at the base" in compared(capfd, fail)
    demo.scratch.git("checkout", "--quiet", "--orphan", "first")
    demo.scratch.commit({"inputs/model.txt": "4 800"})
    demo.scratch.git("branch", "--force", "main")
    assert "nothing is compared: There is no commit to compare with: this is the first commit" in compared(capfd, fail)
