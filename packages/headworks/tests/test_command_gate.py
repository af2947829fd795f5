"""The gate's command says what it found, to people and to programs."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

from headworks import _cli

ACCURACY = "accuracy >= base.accuracy - 0.05"


def csv(name: str, rows: int, wrong: int, *, seeds: int = 1, score: float = 0.9) -> str:
    """Return the path of a file whose first rows are wrong, one more for each further seed."""
    lines = ["id,label,prediction,part,seed,score"]
    for seed in range(seeds):
        for row in range(rows):
            predicted = "no" if row < wrong + seed else "yes"
            lines.append(f"{row},yes,{predicted},{'even' if row % 2 else 'odd'},{seed},{score - row / 10_000}")
    Path(name).write_text("\n".join(lines) + "\n")
    return name


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder with the predictions of a base."""
    monkeypatch.chdir(tmp_path)
    csv("base.csv", 400, 4)
    Path("base.toml").touch()


def shown(capsys: pytest.CaptureFixture[str], *arguments: str, code: int) -> str:
    """Run the command and return what it writes; a candidate is compared with the base."""
    base = ["--baseline", "base.csv"] if "--candidate" in arguments and "--plan" not in arguments else []
    assert _cli.main(["gate", *base, *arguments]) == code
    output = capsys.readouterr()
    return output.err if code == 2 else output.out


def test_a_pass_is_told_in_a_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """The outcome first, then each condition with all that a reviewer asks for."""
    output = shown(capsys, "--candidate", csv("new.csv", 400, 5), "--condition", ACCURACY, code=0)
    assert output == (
        "gate passes: 1 condition, each at 0.99\n"
        "\n"
        "accuracy >= base.accuracy - 0.05: passes\n"
        "  candidate 0.9875, base 0.9900, difference -0.0025"
        " (score interval -0.0179 to +0.0109, each end at 0.99); bound -0.0500\n"
        "  400 rows, right only in the candidate 0, only in the base 1, McNemar p 1\n"
        "\n"
        "compared new.csv with base.csv on 400 rows\n"
    )


def test_a_name_cannot_forge_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a slice is called, only the gate says what passes."""
    for name, wrong in (("base.csv", 4), ("new.csv", 200)):
        text = Path(csv(name, 400, wrong)).read_text()
        Path(name).write_text(text.replace("odd", '"x\n\ngate passes: all\x1b[2J"'))
    condition = 'slice["part"].accuracy >= base.accuracy - 0.05'
    output = shown(capsys, "--candidate", "new.csv", "--condition", condition, code=1)
    assert "part=x\\n\\ngate passes: all\\x1b[2J" in output
    assert [it for it in output.splitlines() if it.startswith("gate")] == output.splitlines()[:1]


def test_a_failure_names_metric_and_slice(capsys: pytest.CaptureFixture[str]) -> None:
    """Already in its first line."""
    conditions = ["--condition", ACCURACY, "--condition", 'slice["part"].accuracy >= base.accuracy - 0.1']
    output = shown(capsys, "--candidate", csv("new.csv", 400, 100), *conditions, code=1)
    assert output.startswith(
        'gate fails: accuracy >= base.accuracy - 0.05; slice["part"].accuracy >= base.accuracy - 0.1'
        ' (slice["part=even"].accuracy, slice["part=odd"].accuracy)\n'
    )
    assert "McNemar p < 0.0001" in output


def test_what_cannot_be_told_names_what_would_settle_it(capsys: pytest.CaptureFixture[str]) -> None:
    """More rows; more seeds; another measurement; or nothing at all."""
    new = csv("new.csv", 400, 16)
    output = shown(capsys, "--candidate", new, "--condition", ACCURACY, code=3)
    assert output.startswith("gate cannot tell: accuracy >= base.accuracy - 0.05\n")
    assert "rows like these would settle it" in output
    output = shown(capsys, "--candidate", csv("new.csv", 400, 24), "--condition", ACCURACY, code=3)
    assert "no number of rows settles a difference so close to the bound" in output
    seeds = csv("new.csv", 400, 4, seeds=40)
    output = shown(capsys, "--candidate", seeds, "--condition", ACCURACY, code=3)
    assert "more seeds or more rows would settle it" in output
    assert "seeds of the candidate: 0.9900 0.9875" in output
    assert "seeds add a standard error of" in output
    assert "on 400 rows and 40 seeds" in output
    Path("a.json").write_text('{"latency_p99_ms": [300, 900]}')
    Path("b.json").write_text('{"latency_p99_ms": [200, 700]}')
    measured = ["--candidate-measurements", "a.json", "--base-measurements", "b.json"]
    condition = "latency_p99_ms <= base.latency_p99_ms + 10"
    output = shown(capsys, "--candidate", new, *measured, "--condition", condition, code=3)
    assert "2 runs, 7 runs are the fewest that tell anything at 0.99" in output
    assert "candidate 600, base 450, difference +150 (median of the runs); bound" in output


def test_the_table_of_the_project_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    """With its names, its mapping, and what equal predictions mean."""
    Path("pyproject.toml").write_text(
        '[tool.headworks.gate]\npredictions = { test = "x.csv", all = "y.csv" }\nconditions = ['
        f'{{ name = "overall", condition = "{ACCURACY}", cannot-tell = "pass" }},'
        '{ condition = "accuracy >= 0.99", on = "all", cannot-tell = "fail" }]\n'
    )
    output = shown(capsys, "--candidate", csv("new.csv", 400, 16), code=1)
    assert output.startswith("gate fails: accuracy >= 0.99\n")
    assert (
        "overall: accuracy >= base.accuracy - 0.05, on test: cannot tell (which the table has count as: passes)"
        in output
    )
    output = shown(capsys, "--candidate", "base.csv", code=1)
    assert "(score interval" in output
    assert "note: not one prediction of base.csv differs from those of the base on these rows" in output
    named = ["--candidate", "test=base.csv", "--candidate", "all=base.csv"]
    measured = ["--candidate-measurements", "a.json", "--condition", "model_bytes <= 9"]
    Path("a.json").write_text('{"model_bytes": 9}')
    output = shown(capsys, *named, "--condition", "ece <= 0.2", *measured, code=0)
    assert output.startswith("gate passes: 2 conditions, each at 0.99\n")
    assert "model_bytes <= 9: passes\n  candidate 9.0000 (measured once); bound +9.0000\n\n" in output


def test_json_is_as_its_schema_says(capsys: pytest.CaptureFixture[str]) -> None:
    """For every method and outcome."""
    schema = json.loads((resources.files("headworks") / "gate.schema.json").read_text())
    Path("a.json").write_text('{"model_bytes": 9}')
    conditions = ["accuracy >= base.accuracy - 0.5", "accuracy >= 0.5", "macro_f1 >= base.macro_f1", "model_bytes <= 8"]
    asked = [it for condition in conditions for it in ("--condition", condition)]
    new = csv("new.csv", 400, 5, seeds=2)
    measured = ["--candidate-measurements", "a.json", "--format", "json"]
    found = json.loads(shown(capsys, "--candidate", new, *asked, *measured, code=1))
    jsonschema.validate(found, schema)
    assert [it["outcome"] for it in found["conditions"]] == ["passes", "passes", "cannot tell", "fails"]
    assert found["conditions"][3]["on"] is None
    same = json.loads(shown(capsys, "--candidate", "base.csv", "--format", "json", code=0))
    jsonschema.validate(same, schema)
    assert same["conditions"][0]["findings"][0]["method"] == "score"
    assert not same["comparisons"][0]["is_same"]


def test_the_name_of_a_file_may_have_an_equals_sign(capsys: pytest.CaptureFixture[str]) -> None:
    """With and without a name for what it predicts."""
    Path("lr=0.1").mkdir()
    candidate = csv("lr=0.1/new.csv", 400, 5)
    condition = f'{{ condition = "{ACCURACY}", on = "held-out" }}'
    table = f'conditions = [{condition}]\npredictions = {{ held-out = "x.csv" }}\n'
    Path("named.toml").write_text(f"[tool.headworks.gate]\n{table}")
    asked = ["--config", "named.toml", "--candidate"]
    for given in (candidate, f"held-out={candidate}"):
        assert f"compared {candidate} with base.csv" in shown(capsys, *asked, given, code=0)
    assert "There is no file =x.csv" in shown(capsys, *asked, "=x.csv", code=2)
    words = "A condition reads the predictions 'held-out', and there are none: give --candidate held-out=FILE."
    assert words in shown(capsys, *asked, "held=base.csv", code=2)
    words = "The conditions read predictions without a name: give one file, --candidate FILE."
    assert words in shown(capsys, "--candidate", "x=base.csv", "--condition", ACCURACY, code=2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--candidate", "missing.csv"], "There is no file missing.csv"),
        (["--candidate", "base.csv", "--config", "missing.toml"], "missing.toml cannot be read"),
        (["--candidate", "base.csv", "--candidate", "base.csv"], "each needs a name, as in crossfit=FILE"),
        (["--candidate", "base.csv", "--config", "base.toml"], "base.toml says nothing about the gate"),
        (["--rows", "0"], "--rows goes with --plan"),
        (["--plan", "--rows", "0"], "--rows is 0; it has to be 1 or more"),
        (["--candidate", "base.csv", "--condition", "accuracyx >= 1"], "Did you mean 'accuracy'?"),
        (["--candidate", "base.csv", "--config", ""], " cannot be read"),
        (["--plan", "--rows", "9", "--candidate", "base.csv"], "--rows stands in for the rows of --candidate"),
    ],
)
def test_bad_input_is_one_message(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    """And exit code 2."""
    assert words in shown(capsys, *arguments, code=2)


FILES = ["--candidate", "base.csv"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--baseline", "base.csv"],
            "--baseline goes with --candidate. It means nothing where the work tree",
        ),
        (
            ["--base-measurements", "b.json"],
            "--base-measurements goes with --candidate or with --candidate-measurements. It means nothing where",
        ),
        (["--candidate-measurements", "a.json", "--baseline", "base.csv"], "nothing with --candidate-measurements."),
        (["--rows", "9"], "--rows goes with --plan. It means nothing where the work tree is judged"),
        ([*FILES, "--rows", "9"], "--rows goes with --plan. It means nothing with --candidate."),
        (
            [*FILES, "--save", "x"],
            "--save goes where the work tree is judged, without --candidate and --plan. It",
        ),
        ([*FILES, "--bootstrap"], "--bootstrap goes where the work tree is judged"),
        ([*FILES, "--base", "main"], "--base goes where the work tree is judged"),
        ([*FILES, "--remote", "http://x"], "--remote goes where the work tree is judged"),
        ([*FILES, "--write-remote"], "--write-remote goes where the work tree is judged"),
        (["--plan", "--save", "x"], "It means nothing with --plan."),
        (["--plan", "--baseline", "base.csv"], "--baseline goes with --candidate. It means nothing with --plan."),
        (["--plan", "--candidate-measurements", "a.json"], "It means nothing with --plan."),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """Whoever gives it believes that it decides something."""
    assert words in shown(capsys, *arguments, code=2)


def test_measurements_are_compared_without_predictions(capsys: pytest.CaptureFixture[str]) -> None:
    """As latencies that were measured on one machine; a condition about predictions asks for its file."""
    Path("new.json").write_text('{"latency_p99_ms": [3.0, 3.1, 2.9, 3.0, 3.1, 2.9, 3.0]}')
    Path("old.json").write_text('{"latency_p99_ms": [3.0, 3.1, 2.8, 3.0, 3.1, 2.9, 3.0]}')
    measured = ["--candidate-measurements", "new.json", "--base-measurements", "old.json"]
    asked = [*measured, "--condition", "latency_p99_ms <= base.latency_p99_ms + 1"]
    output = shown(capsys, *asked, code=0)
    assert output.startswith("gate passes: 1 condition, each at 0.99\n")
    assert output.endswith("each end at 0.99); bound +1.0000\n  7 runs\n")
    Path("new.json").write_text('{"latency_p99_ms": 3}')
    Path("old.json").write_text('{"latency_p99_ms": 9}')
    assert "  1 run, 7 runs are the fewest that tell anything at 0.99\n" in shown(capsys, *asked, code=3)
    Path("new.json").write_text('{"latency_p99_ms": [3, 9, 3, 9, 3, 9, 3]}')
    Path("old.json").write_text('{"latency_p99_ms": [3, 3, 3, 3, 3, 3, 3]}')
    assert "  7 runs, more runs settle it, unless it lies at the bound\n" in shown(capsys, *asked, code=3)
    runs = [{"model": it, "latencies_ms": [3.25] * 100} for it in ("candidate", "base")] * 7
    Path("new.json").write_text(json.dumps({"format": 2, "runs": runs}))
    output = shown(capsys, *measured[:2], *asked[4:], code=0)
    assert "(median of the runs -0.0100 to +0.0100, each end at 0.99); bound +1.0000\n  7 runs\n" in output
    assert "give one file, --candidate FILE." in shown(capsys, *measured, "--condition", ACCURACY, code=2)


@pytest.mark.usefixtures("measured")
def test_the_extra_is_named_where_it_is_missing(tmp_path: Path) -> None:
    """In a process that finds no NumPy; the planning commands never look for it."""
    code = "import sys; sys.modules['numpy'] = None; from headworks._cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "gate", "--candidate", "base.csv", "--baseline", "base.csv"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "headworks: The gate needs numpy, which is not installed: pip install 'headworks[gate]'\n"


def test_a_plan_says_what_the_conditions_need(capsys: pytest.CaptureFixture[str]) -> None:
    """And what the rows at hand are enough for, from a file, from a number, or not at all."""
    conditions = ["--condition", ACCURACY, "--condition", "ece <= 0.1", "--condition", 'slice["part"].accuracy >= 0.9']
    output = shown(capsys, "--plan", "--candidate", "base.csv", *conditions, code=0)
    assert output == (
        "rows needed at reliability 0.99, for one model, and for each of 32\n"
        "\n"
        "accuracy >= base.accuracy - 0.05\n"
        "  to pass one that is as good, 9 times in 10, if they disagree on 0.02 of the rows: 220 and 405 (score test)\n"
        "  to know it to within 0.05, any models, each after the outcome of the last: 4,239 and 21,984 (Hoeffding)\n"
        "  the same, if no two disagree on more than 0.05: 311 and 1,459 (Bennett)\n"
        "  there are 400: enough for one model, not for each of 32: lower `budget`\n"
        "\n"
        "ece <= 0.1\n"
        "  there is no bound beforehand, and it is said afterwards whether it can be told\n"
        "  there are 400: judged as it comes\n"
        "\n"
        'slice["part"].accuracy >= 0.9\n'
        "  to know it to within 0.03, any models, each after the outcome of the last: 2,559 and 14,882 (Hoeffding)\n"
        "  there are 200: not enough: widen the margin, or judge on more rows, as by cross-fitting\n"
    )
    output = shown(capsys, "--plan", "--rows", "150", "--condition", "accuracy >= base.accuracy - 0.06", code=0)
    assert "there are 150: not enough: widen the margin" in output
    output = shown(capsys, "--plan", "--rows", "900", "--condition", ACCURACY, code=0)
    assert "there are 900: enough for each of 32 models\n" in output
    output = shown(capsys, "--plan", "--condition", ACCURACY, "--condition", "model_bytes <= 9", code=0)
    assert output.count("how many there are is not known") == 1
    assert output.endswith("\nmodel_bytes <= 9\n  the size is exact\n")
    output = shown(capsys, "--plan", "--rows", "9", "--condition", "model_bytes <= 9", code=0)
    assert "there are 9" not in output
    output = shown(capsys, "--plan", "--condition", "latency_p50_ms <= base.latency_p50_ms", code=0)
    assert output.endswith("\n  7 runs of each model are the fewest that tell anything, in turns\n")


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("accuracy >= base.accuracy + 0.1", "only as good: it has to be better by more than 0.1\n"),
        ("accuracy >= base.accuracy", "only as good: it has to be better\n"),
        ("brier <= base.brier - 0.1", "only as good: it has to be better by more than 0.1\n"),
        ("accuracy >= 1", "no number of rows proves a share of all rows, or of none\n"),
        ("accuracy >= base.accuracy * 0.9", "there is no bound beforehand"),
        ("log_loss <= base.log_loss + 0.1", "may cost more: declare the most in `log-loss-clip`\n"),
        ("accuracy >= train.accuracy - 0.05", "known once the model is trained: plan with a number in its place\n"),
        ("log_loss <= train.log_loss * 1.1", "the bound is known once the model is trained"),
        ("macro_f1 >= base.macro_f1 - 0.1", "there is no bound beforehand"),
        ("accuracy >= base.accuracy - 1e-300", "no test set has the rows that a margin of 1e-300 takes\n"),
    ],
)
def test_a_plan_promises_no_rows_where_none_are_enough(
    capsys: pytest.CaptureFixture[str], condition: str, words: str
) -> None:
    """For a model that is no better, or that may cost more in a row than anybody declared."""
    Path("pyproject.toml").write_text("[tool.headworks.gate]\nerror-bound = 10\n")
    output = shown(capsys, "--plan", "--rows", "9000", "--condition", condition, code=0)
    assert words in output
    assert output.endswith("  there are 9,000: judged as it comes\n")


def test_a_plan_says_what_a_clip_costs(capsys: pytest.CaptureFixture[str]) -> None:
    """The rows that it takes where no row differs, and what the row that was not seen takes of the margin."""
    Path("pyproject.toml").write_text("[tool.headworks.gate]\nlog-loss-clip = 10\n")
    asked = ["--plan", "--condition", "log_loss <= base.log_loss + 0.1"]
    output = shown(capsys, *asked, "--rows", "1797", code=0)
    assert "  to pass one whose rows are all the same, where a row may cost 10: 459 and 804\n" in output
    assert "  what no row has shown yet takes 0.045 of the margin at 1,797 rows\n" in output
    assert output.endswith("  there are 1,797: enough for each of 32 models whose rows differ little\n")
    assert "shown yet" not in shown(capsys, *asked, code=0)
    refused = shown(capsys, *asked[:2], "log_loss <= base.log_loss + 10", code=2)
    assert (
        "'log_loss <= base.log_loss + 10' does not go with `log-loss-clip`: log_loss lies between 0 and 10" in refused
    )
    Path("pyproject.toml").write_text("[tool.headworks.gate]\nreliability = 0.9999999999999999\nbudget = 100000\n")
    assert "at reliability 1, for one model, and for each of 100000" in shown(capsys, "--plan", code=0)


def test_a_plan_is_also_written_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """The predictions of the table are looked at where they are there, and need no reliability of 0.99."""
    Path("pyproject.toml").write_text(
        '[tool.headworks.gate]\nreliability = 0.95\nbudget = 8\nadaptive = false\npredictions = { test = "base.csv" }\n'
        f'conditions = [{{ name = "overall", condition = "{ACCURACY}" }}]\n'
    )
    found = json.loads(shown(capsys, "--plan", "--format", "json", code=0))
    (need,) = found.pop("needs")
    assert found == {"format": 2, "reliability": 0.95}
    assert (need["name"], need["condition"], need["at_hand"]) == ("overall", ACCURACY, 400)
    text = shown(capsys, "--plan", code=0)
    assert text.startswith(
        f"rows needed at reliability 0.95, for one model, and for each of 8\n\noverall: {ACCURACY}\n"
    )
