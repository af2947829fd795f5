"""The store can be looked at and looked after from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks._cli import main
from headworks._quantities import age_of, duration_text, size_of, size_text

if TYPE_CHECKING:
    from conftest import Stage


@pytest.fixture
def ended(stage: Stage) -> Stage:
    """Return a stage on which a session passed, one failed, and one is flaky."""
    stage.write({"out": "one"})
    stage.record("build", outputs=["out"])
    stage.record("lint", passed=False, seconds=75)
    stage.record("tests-3.13(data)", finished="2026-01-31T13:00:00+00:00")
    stage.record("tests-3.13(data)", passed=False, finished="2026-01-31T14:00:00+00:00")
    return stage


def test_ls_shows_a_table(ended: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each run, in the order in which they ended."""
    assert main(["store", "ls"]) == 0
    head, *rows, blank, total = capsys.readouterr().out.splitlines()
    assert head.split() == ["session", "outcome", "took", "ended", "commit", "digest", "of"]
    assert [row.split("  ")[0] for row in rows] == ["build", "lint", "tests-3.13(data)", "tests-3.13(data)"]
    assert "passed" in rows[0]
    assert "failed" in rows[1]
    assert "1 min 15 s" in rows[1]
    assert "passed, flaky" in rows[2]
    assert "failed, flaky" in rows[3]
    assert (blank, total) == ("", f"4 verdicts of 4 runs in {ended.store.root}")


def test_ls_can_be_read_by_programs(ended: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has all fields."""
    assert main(["store", "ls", "--format", "json", "build"]) == 0
    [found] = json.loads(capsys.readouterr().out)
    [verdict] = [it for it in ended.store.ls() if it.session == "build"]
    assert found == vars(verdict) | {"flaky": False, "witness": []}


def test_ls_can_show_what_is_flaky(ended: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """Only that."""
    assert main(["store", "ls", "--flaky"]) == 0
    assert capsys.readouterr().out.count("tests-3.13(data)") == 1
    ended.store.forget(["tests-3.13(data)"])
    assert main(["store", "ls", "--flaky"]) == 0
    assert capsys.readouterr().out == f"There is no such verdict in {ended.store.root}.\n"


def test_a_session_that_is_not_there_is_named(ended: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """With the one that may have been meant."""
    assert main(["store", "ls", "lnit"]) == 2
    assert f"The store {ended.store.root} has no verdict of 'lnit'. Did you mean 'lint'?" in capsys.readouterr().err
    assert main(["store", "forget", "zzz"]) == 2
    assert (
        "has no verdict of 'zzz'. There are: build, lint, tests-3.13(data). See `headworks store ls`"
        in capsys.readouterr().err
    )


def test_forget_makes_sessions_run_again(ended: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """Passes and failures alike; the others stay."""
    assert main(["store", "forget", "tests-3.13(data)", "build"]) == 0
    assert (
        capsys.readouterr().out
        == f"Forgot 3 verdicts in {ended.store.root}; what those sessions proved must be proved again.\n"
    )
    assert [it.session for it in ended.store.ls()] == ["lint"]
    assert ended.store.last("build") is None


def test_gc_says_what_it_did(ended: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """For people and for programs."""
    assert main(["store", "gc", "--max-size", "1B", "--max-age", "1d"]) == 0
    assert capsys.readouterr().out == (
        f"Removed 1 verdict and 0 blobs (0 B); left in {ended.store.root}: 2 verdicts with 0 B of outputs.\n"
    )
    assert main(["store", "gc", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"verdicts": 0, "blobs": 0, "freed": 0, "kept": 2, "size": 0}


@pytest.mark.parametrize(
    "option", ["--max-size=much", "--max-size=-1", "--max-age=5", "--max-age=5y", "--max-age=infd", "--max-age="]
)
def test_a_limit_that_makes_no_sense_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is removed."""
    assert main(["store", "gc", option]) == 2
    name, _, text = option.partition("=")
    assert capsys.readouterr().err.startswith(f"headworks: {name} is {text!r}; write it as in ")


def test_a_bundle_goes_from_store_to_store(
    ended: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both commands say how much was carried."""
    bundle = str(tmp_path / "bundle.tar")
    assert main(["store", "export", bundle]) == 0
    assert capsys.readouterr().out == f"Wrote 4 verdicts of {ended.store.root} to {bundle}.\n"
    monkeypatch.setenv("HEADWORKS_STORE", str(tmp_path / "other"))
    assert main(["store", "import", bundle]) == 0
    assert capsys.readouterr().out == f"Took 4 new verdicts from {bundle} into {tmp_path / 'other'}.\n"
    ended.record("tests")
    monkeypatch.setenv("HEADWORKS_STORE", ended.store.root)
    new = str(tmp_path / "new.tar")
    for known in (bundle, str(tmp_path)):  # itself is replaced, not known
        assert main(["store", "export", new, "--known", known]) == 0
        assert capsys.readouterr().out == f"Wrote 1 verdict of {ended.store.root} to {new}.\n"


def test_a_bundle_that_is_refused_is_a_miss(
    ended: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A warning says so, and the others in its folder are taken: a poisoned cache must not stop everybody."""
    folder = tmp_path / "bundles"
    folder.mkdir()
    assert main(["store", "export", str(folder / "good.tar")]) == 0
    (folder / "bad.tar").write_text("hostile")
    monkeypatch.setenv("HEADWORKS_STORE", str(tmp_path / "other"))
    capsys.readouterr()
    assert main(["store", "import", str(folder)]) == 0
    said = capsys.readouterr()
    assert said.out == f"Took 4 new verdicts from {folder} into {tmp_path / 'other'}.\n"
    assert said.err.startswith(f"headworks: warning: The bundle {folder / 'bad.tar'} was refused: ")
    assert main(["store", "import", str(folder / "bad.tar")]) == 0
    assert "Took 0 new verdicts" in capsys.readouterr().out


def test_what_cannot_be_read_is_counted(ended: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """Another version may have written it."""
    for name in ("passed", "failed"):
        for path in Path(ended.store.root, name).rglob("*"):
            path.is_dir() or path.write_bytes(b"headworks 2 x")
    assert main(["store", "ls"]) == 0
    assert capsys.readouterr().out == (
        f"There is no such verdict in {ended.store.root}.\n"
        "4 records cannot be read: damaged, or of another version of Headworks\n"
    )


@pytest.mark.parametrize("action", [["ls"], ["gc"], ["export", "x.tar"], ["import", "x.tar"], ["forget", "lint"]])
def test_a_store_that_is_no_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], action: list[str]
) -> None:
    """It is no empty one."""
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("HEADWORKS_STORE", str(tmp_path / "file"))
    assert main(["store", *action]) == 2
    assert capsys.readouterr().err == (
        f"headworks: The store {tmp_path / 'file'} is no folder. Name one in HEADWORKS_STORE.\n"
    )
    assert (tmp_path / "file").read_text() == "mine"


def test_all_bundles_in_a_folder_are_taken(
    ended: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever below it they lie, as the jobs of a CI leave them; other files there are none."""
    folder = tmp_path / "bundles"
    (folder / "job").mkdir(parents=True)
    (folder / "plan.json").write_text("{}")
    for name in ("one.tar", "job/two.tar"):
        assert main(["store", "export", str(folder / name)]) == 0
    capsys.readouterr()
    monkeypatch.setenv("HEADWORKS_STORE", str(tmp_path / "other"))
    assert main(["store", "import", str(folder)]) == 0
    assert capsys.readouterr().out == f"Took 4 new verdicts from {folder} into {tmp_path / 'other'}.\n"
    assert main(["store", "import", str(tmp_path / "none")]) == 2
    assert "There is no bundle" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("12", 12), ("5B", 5), ("5GB", 5 * 10**9), ("1.5 kB", 1500), ("2tb", 2 * 10**12)]
)
def test_sizes_are_read(text: str, size: int) -> None:
    """With or without a space, in letters of either case."""
    assert size_of(text) == size


@pytest.mark.parametrize(
    ("text", "age"), [("10s", 10), ("2m", 120), ("12h", 43_200), ("1.5d", 129_600), ("1w", 604_800)]
)
def test_ages_are_read(text: str, age: float) -> None:
    """In seconds, minutes, hours, days and weeks."""
    assert age_of(text) == age


@pytest.mark.parametrize("text", ["", "GB", "1XB", "1PB", "nan", "inf", "-1", "1 2", "1KK"])
def test_other_texts_are_no_sizes(text: str) -> None:
    """And raise what argparse expects."""
    with pytest.raises(ValueError, match=r".*"):
        size_of(text)


@given(st.integers(min_value=0, max_value=10**15))
def test_a_size_is_written_to_a_tenth_of_its_unit(size: int) -> None:
    """What is written can be read, and is close."""
    assert size_of(size_text(size)) == pytest.approx(size, rel=0.05)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_durations_are_written_for_people(seconds: float, text: str) -> None:
    """With as much detail as matters."""
    assert duration_text(seconds) == text
