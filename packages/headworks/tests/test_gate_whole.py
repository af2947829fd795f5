"""The whole way: a real repository whose stage predicts from a committed model, real git, and the real commands."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

from headworks._cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conftest import Scratch, Started

    Command: TypeAlias = "Callable[..., str]"

pytestmark = pytest.mark.usefixtures("unwatched")  # which is not what this is about, and takes longer
NOXFILE = """
import pathlib, shutil, time, nox

@nox.session(venv_backend="none")
def evaluate(session):
    out = pathlib.Path("artifacts/evaluate")
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile("inputs/model.txt", out / "model.txt")
    session.run("python", "predict.py", "inputs/model.txt", str(out / "predictions.csv"), external=True)
    while pathlib.Path("inputs/slow").exists():
        mark = pathlib.Path(pathlib.Path("inputs/slow").read_text())
        mark.with_suffix(".part").write_text(str(pathlib.Path.cwd()))
        mark.with_suffix(".part").replace(mark)
        time.sleep(0.05)
"""
# A model is the list of the rows that it has wrong; the dataset is a committed file.
PREDICT = """
import pathlib, sys
wrong = set(pathlib.Path(sys.argv[1]).read_text().split())
rows = pathlib.Path("inputs/rows.csv").read_text().split()
lines = ["id,label,stroke,prediction"]
for row in rows:
    name, label, stroke = row.split(",")
    lines.append(f"{row},{label if name not in wrong else 'other'}")
pathlib.Path(sys.argv[2]).write_text("\\n".join(lines) + "\\n")
"""
TABLE = """
[tool.headworks.sessions]
evaluate = { packages = [], inputs = ["inputs", "predict.py"], outputs = ["artifacts/evaluate"] }

[tool.headworks.gate]
conditions = [
  { name = "overall", condition = "accuracy >= base.accuracy - 0.03" },
  { name = "each stroke", condition = 'slice["stroke"].accuracy >= base.accuracy - 0.05' },
]
predictions = { evaluate = "artifacts/evaluate/predictions.csv" }
model = "artifacts/evaluate/model.txt"
predict = { evaluate = ["python", "predict.py", "{model}", "{out}"] }
"""
ROWS = 1800
STROKES = ("thin", "medium", "thick")


def dataset(rows: int, label: str = "yes") -> str:
    """Return rows of three strokes in turn."""
    return "".join(f"r{it:04},{label},{STROKES[it % 3]}\n" for it in range(rows))


def model(wrong: Iterable[int]) -> str:
    """Return a model that has these rows wrong."""
    return "".join(f"r{it:04}\n" for it in wrong)


def ledger() -> list[Path]:
    """Return the entries of the ledger."""
    return list(Path(os.environ["HEADWORKS_STORE"], "ledger").glob("*/*"))


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs the command and returns what it writes."""

    def run(*arguments: str, code: int = 0) -> str:
        capfd.readouterr()
        found = main(list(arguments))
        output = "".join(capfd.readouterr())
        assert found == code, output
        return output

    return run


@pytest.fixture
def gate(command: Command) -> Command:
    """Return a function that runs the stage and the gate, and returns what the gate writes."""

    def run(*arguments: str, code: int = 0) -> str:
        command("run", "evaluate")
        return command("gate", *arguments, code=code)

    return run


@pytest.fixture
def project(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """Return a repository whose main branch has a model with 36 of 1,800 rows wrong, in a branch of it."""
    monkeypatch.chdir(scratch.root)
    for name in ("CI", "HEADWORKS_RUN"):
        monkeypatch.delenv(name, raising=False)
    files = {"noxfile.py": NOXFILE, "pyproject.toml": TABLE, "predict.py": PREDICT}
    files |= {".gitignore": "artifacts\n__pycache__\nsaved\n"}
    scratch.commit(files | {"inputs/rows.csv": dataset(ROWS), "inputs/model.txt": model(range(0, ROWS, 50))})
    scratch.commit()
    scratch.git("checkout", "--quiet", "-b", "change")
    return scratch


def test_a_pull_request_is_judged_from_beginning_to_end(project: Scratch, command: Command, gate: Command) -> None:
    """No change passes for nothing; ten points worse, and twenty on one slice, are told by name; all from the store."""
    output = gate()
    assert output.startswith("gate passes: 2 conditions, each at 0.99 for 32 models together\n")
    assert "not one prediction of evaluate differs, which costs no budget" in output
    assert ledger() == []
    project.write({"inputs/model.txt": model({*range(0, ROWS, 50), *range(0, ROWS, 10)})})
    output = gate(code=1)
    assert output.startswith("gate fails: overall")
    assert "overall: accuracy >= base.accuracy - 0.03, on evaluate: fails" in output
    thin = range(0, ROWS, 3)
    project.write({"inputs/model.txt": model({*range(0, ROWS, 50), *list(thin)[::5]})})
    output = gate(code=1)
    assert 'each stroke (slice["stroke=thin"].accuracy)' in output.splitlines()[0]
    assert 'slice["stroke=thick"].accuracy: passes' in output
    assert "restored from the store" in output
    assert len(ledger()) == 2
    printed = json.loads(command("gate", "--save", "saved", "--format", "json", code=1))
    assert json.loads(Path("saved/gate.json").read_text())["conditions"] == printed["conditions"]
    assert Path("saved/base-evaluate.csv").is_file()


@pytest.mark.usefixtures("_bases_here")
def test_a_dataset_that_changed_is_predicted_by_the_model_of_the_base(project: Scratch, gate: Command) -> None:
    """So that both are judged on the new rows; rows that are labelled otherwise are the same for both then."""
    project.write({"inputs/rows.csv": dataset(ROWS + 300), "inputs/model.txt": model(range(0, ROWS + 300, 50))})
    output = gate()
    assert "the dataset has changed: the base's model predicted the rows of evaluate anew" in output
    assert "2,100 rows, right only in the candidate 0, only in the base 6" in output
    project.write({"pyproject.toml": TABLE.replace("predict =", "# predict =")})
    assert "share 1,800 of 2,100 rows" in gate(code=3)
    project.write({"inputs/rows.csv": dataset(ROWS, "no")})
    assert "have different labels for 1,800 rows: r0000, r0001, r0002 and 1,797 more" in gate(code=3)


@pytest.mark.usefixtures("_bases_here")
def test_forty_rows_cannot_tell(project: Scratch, gate: Command) -> None:
    """And the command says how many could."""
    project.git("checkout", "--quiet", "main")
    project.commit({"inputs/rows.csv": dataset(40)})
    project.git("checkout", "--quiet", "-B", "change")
    project.write({"inputs/model.txt": model([0, 1])})
    output = gate(code=3)
    assert output.startswith("gate cannot tell: overall; each stroke")
    assert "rows like these would settle it" in output


@pytest.mark.usefixtures("_bases_here")
def test_the_first_commit_has_no_base(project: Scratch, gate: Command) -> None:
    """What it predicts is recorded as the first, which is said, and absolute conditions are judged as ever."""
    project.git("checkout", "--quiet", "main")
    project.git("reset", "--quiet", "HEAD^")
    output = gate("--condition", "accuracy >= 0.5", "--condition", "accuracy >= base.accuracy")
    said = "1 condition, each at 0.99 for 32 models together; nothing to compare with yet for accuracy >= base.accuracy"
    assert output.startswith(f"gate passes: {said}\n")
    shutil.rmtree(Path(os.environ["HEADWORKS_STORE"], "baselines"))
    assert gate("--condition", "accuracy >= 0.99", "--condition", "accuracy >= base.accuracy", code=1)
    shutil.rmtree(Path(os.environ["HEADWORKS_STORE"], "baselines"))
    output = gate()
    assert output.startswith(
        "gate passes: there is no base yet, so that nothing was compared, and nothing else is asked\n"
    )
    reason = "There is no commit to compare with: this is the first commit.\n"
    assert f"note: not judged, since there is no base yet: 'overall', 'each stroke'. {reason}" in output
    assert "recorded the predictions of evaluate as the first base" in output
    project.write({"inputs/model.txt": model(range(0, ROWS, 5))})
    project.git("commit", "--quiet", "--amend", "--all", "--no-edit")
    assert "the base of evaluate is the first one, recorded on" in gate(code=1)


@pytest.mark.usefixtures("_bases_here")
def test_a_release_is_judged_by_the_one_before(
    project: Scratch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gate: Command
) -> None:
    """As is a main branch that nothing is ahead of: by itself it would pass, however bad it has become."""
    project.git("checkout", "--quiet", "main")
    project.git("tag", "v1.0")
    last = project.git("rev-parse", "HEAD")[:12]
    for step in (60, 30, 18):
        project.commit({"inputs/model.txt": model({*range(0, ROWS, 50), *range(1, ROWS, step)})})
    project.git("tag", "v1.1")
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"before": "0" * 40, "ref": "refs/tags/v1.1"}))
    monkeypatch.setenv("GITHUB_EVENT_NAME", "push")
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(event))
    output = gate(code=1)
    assert (
        f"is ahead of {project.git('rev-parse', 'HEAD')[:12]}, main, so that the base is {last}, the last rel" in output
    )
    assert "note: this is the base itself, which is never worse than itself" in gate("--base", "HEAD")
    monkeypatch.setenv("GITHUB_EVENT_NAME", "schedule")
    assert "the last release, v1.0" in gate(code=1)
    project.git("tag", "--delete", "v1.0")
    assert "the commit before, since there is no release yet" in gate(code=3)


def test_a_model_is_not_judged_by_itself(project: Scratch, gate: Command) -> None:
    """Where nothing says what a commit is to be merged into, as in a clone of nothing else, nothing passes."""
    project.commit({"inputs/model.txt": model([])})
    project.git("checkout", "--quiet", "--detach")
    project.git("branch", "--quiet", "-D", "main", "change")
    output = gate(code=3)
    assert "this is the last one, and nothing says which branch it is to be merged into. Fetch it, or" in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("measured")
def test_who_stops_it_while_the_base_is_made_finds_nothing_left(
    project: Scratch, tmp_path: Path, number: int, command: Command, started: type[Started]
) -> None:
    """No work tree, no process, no result, and one line that says so."""
    project.git("checkout", "--quiet", "main")
    mark = tmp_path / "mark"
    project.commit({"inputs/slow": str(mark)})
    project.git("checkout", "--quiet", "-B", "change")
    project.git("rm", "--quiet", "inputs/slow")
    project.commit({"inputs/model.txt": model([1])})
    command("run", "evaluate")
    process = started("gate", "--save", "saved")
    while not mark.exists():
        assert process.returncode is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(number)
    output = process.communicate()
    assert process.returncode == 130
    assert "headworks: stopped before anything was judged\n" in output
    assert "Traceback" not in output
    assert project.git("worktree", "list").count("\n") == 0
    assert not Path(mark.read_text()).exists()
    mark.unlink()
    time.sleep(0.2)
    assert not mark.exists()
    assert not Path("saved").exists()
