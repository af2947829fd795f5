"""The ledger counts every model that asked a test set, on one machine and on many that share a store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from hashlib import blake2b
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headworks._cli import main
from headworks._gate.ledger import AskedRows, Charge, all_asked, as_json, charge, take
from headworks._output_file import write_output
from headworks._store.journal import Journal
from headworks._store.remote import Remote
from headworks._store.store import Store
from headworks.errors import CannotDecideError, ConfigurationError, StoreError

ROWS = AskedRows.of(f"{number:016x}" for number in range(100))
TEST_SET = ROWS.digest

CHARGE = """
import sys
from headworks._gate.ledger import AskedRows, charge
rows = AskedRows.of(f"{number:016x}" for number in range(100))
for number in range(12):
    try:
        charge(sys.argv[1], rows, f"{number % int(sys.argv[2])}", budget=6, when="now")
    except Exception as error:
        print(type(error).__name__)
"""


def test_the_ledger_counts_every_model_once_however_many_ask_at_a_time(tmp_path: Path) -> None:
    """Four processes with the same eight models: six get in, and each of those once."""
    command = [sys.executable, "-c", CHARGE, str(tmp_path), "8"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = [it.communicate()[0].split() for it in running]
    journal = Journal(str(tmp_path), "ledger", TEST_SET)
    models = [it["model"] for it in journal.entries() if it is not None]
    assert len(models) == len(set(models)) == 6
    assert all(it == ["CannotDecideError"] * len(it) and it for it in said)
    assert not list((tmp_path / "tmp").iterdir())


def test_a_damaged_entry_of_the_ledger_still_counts(tmp_path: Path) -> None:
    """Nobody gains a step by breaking a file."""
    for model in ("a", "b"):
        charge(str(tmp_path), ROWS, model, budget=2, when="now")
    path = tmp_path / "ledger" / TEST_SET / "000001"
    path.write_bytes(path.read_bytes().replace(b"when", b"Xhen"))
    assert charge(str(tmp_path), ROWS, "b", budget=2, when="now").step == 2
    with pytest.raises(CannotDecideError):
        charge(str(tmp_path), ROWS, "a", budget=2, when="now")
    path.write_bytes(b"headworks 1 4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945\n[]")
    assert Journal(str(tmp_path), "ledger", TEST_SET).entries()[0] is None


def test_a_deleted_entry_of_the_ledger_still_counts(tmp_path: Path) -> None:
    """As long as a later one is there; and the next one is written after that."""
    for model in ("a", "b"):
        charge(str(tmp_path), ROWS, model, budget=3, when="now")
    (tmp_path / "ledger" / TEST_SET / "000001").unlink()
    assert charge(str(tmp_path), ROWS, "c", budget=3, when="now").step == 3
    with pytest.raises(CannotDecideError):
        charge(str(tmp_path), ROWS, "d", budget=3, when="now")


def test_an_entry_takes_the_next_number_where_another_process_was_faster(tmp_path: Path) -> None:
    """It is made anew from all that there are then."""
    journal, other = (Journal(str(tmp_path), "x") for _ in range(2))
    seen: list[int] = []

    def make(found: list[dict[str, Any] | None]) -> dict[str, Any]:
        if not seen:
            other.note({"by": "another"})
        seen.append(len(found))
        return {"by": "this one"}

    journal.append(make)
    assert seen == [0, 1]
    assert journal.entries() == [{"by": "another"}, {"by": "this one"}]


def test_a_ledger_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """And no outcome."""
    (tmp_path / "ledger").write_text("in the way")
    with pytest.raises(StoreError, match="could not be written to the store"):
        charge(str(tmp_path), ROWS, "a", budget=2, when="now")


def asked(root: Path, model: str, url: str, *, write: bool = True, budget: int = 3, when: str = "now") -> Charge:
    """Ask on one of several machines."""
    remote = Remote(url, write=write)
    return charge(str(root), ROWS, model * 64, budget=budget, when=when, remote=remote)


def test_the_budget_is_shared_through_a_remote(tmp_path: Path) -> None:
    """What one machine was told counts on all, also on one whose store is new, as in CI; the same model stays free."""
    url = (tmp_path / "shared").as_uri()
    assert asked(tmp_path / "1", "a", url) == Charge(step=1, budget=3, is_new=True)
    assert asked(tmp_path / "2", "b", url, when="then").step == 2
    assert asked(tmp_path / "3", "b", url) == Charge(step=2, budget=3, is_new=False)
    assert asked(tmp_path / "4", "c", url, when="then").step == 3
    with pytest.raises(CannotDecideError, match="has judged 3 models, which is its whole budget"):
        asked(tmp_path / "5", "d", url)
    assert len(list((tmp_path / "shared/ledger" / TEST_SET).iterdir())) == 3


def test_who_may_not_write_counts_at_home(tmp_path: Path) -> None:
    """The remote is as before, and its entries count all the same."""
    url = (tmp_path / "shared").as_uri()
    asked(tmp_path / "1", "a", url)
    assert asked(tmp_path / "2", "b", url, write=False, when="then").step == 2
    assert [it.name[0] for it in (tmp_path / "shared/ledger" / TEST_SET).iterdir()] == ["a"]
    assert asked(tmp_path / "2", "b", url, write=False) == Charge(step=2, budget=3, is_new=False)


def test_a_damaged_entry_on_a_remote_still_counts(tmp_path: Path) -> None:
    """By its name, which is that of its model."""
    url = (tmp_path / "shared").as_uri()
    asked(tmp_path / "1", "a", url, budget=1)
    (tmp_path / "shared/ledger" / TEST_SET / ("a" * 64)).write_bytes(b"broken")
    with pytest.raises(CannotDecideError):
        asked(tmp_path / "2", "b", url, budget=1)
    assert not asked(tmp_path / "2", "a", url, budget=1).is_new


def test_a_ledger_out_of_reach_tells_nothing(tmp_path: Path) -> None:
    """Nobody knows then how often the rows were asked; a failure to write is no outcome either."""
    with pytest.raises(
        CannotDecideError, match=r"is not known: The remote store http://127\.0\.0\.1:1 could not be read"
    ):
        asked(tmp_path / "1", "a", "http://127.0.0.1:1")
    remote = Remote("http://127.0.0.1:1")
    assert remote.passed(["0" * 64]) == {}
    assert remote.read_folder("ledger") is None
    (tmp_path / "shared").write_text("in the way")
    with pytest.raises((StoreError, CannotDecideError)):
        asked(tmp_path / "1", "a", (tmp_path / "shared").as_uri())
    with pytest.raises(StoreError, match="The ledger could not be written to the remote store"):
        Remote((tmp_path / "shared").as_uri(), write=True).write("ledger/x", b"", what="The ledger")


@pytest.mark.parametrize("when", ["0", "3"])
def test_of_those_that_ask_at_a_time_no_more_are_told_than_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Both saw one free step and took it: the later is told nothing, now and when it asks again, by any clock."""
    url = (tmp_path / "shared").as_uri()
    asked(tmp_path / "0", "0", url, budget=2, when="1")
    real = Remote.write

    def write(self: Remote, *arguments: Any, **more: Any) -> None:  # noqa: ANN401  # those of the real one
        monkeypatch.setattr(Remote, "write", real)
        assert asked(tmp_path / "2", "b", url, budget=2, when="2").step == 2
        real(self, *arguments, **more)

    monkeypatch.setattr(Remote, "write", write)
    for _ in range(2):
        with pytest.raises(CannotDecideError, match="its whole budget"):
            asked(tmp_path / "1", "a", url, budget=2, when=when)
    with pytest.raises(CannotDecideError, match="its whole budget"):
        asked(tmp_path / "2", "b", url, budget=2, when="4")
    assert asked(tmp_path / "2", "b", url, budget=3, when="4").step == 3 - (when == "3")


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5), st.booleans()), max_size=20), st.integers(1, 4))
@settings(max_examples=25)
def test_ledgers_merge_to_the_union_whoever_asks_when(steps: list[tuple[int, int, bool]], budget: int) -> None:
    """Each model counts once; the remote grows by those that may write; nobody is told beyond the budget."""
    url = f"memory://{os.urandom(8).hex()}"
    told: dict[int, set[str]] = {it: set() for it in range(3)}
    written: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        for number, (machine, letter, write) in enumerate(steps):
            model = "abcdef"[letter]
            try:
                section = asked(Path(folder, str(machine)), model, url, write=write, budget=budget, when=f"{number:03}")
            except CannotDecideError:
                assert len(told[machine] | written) >= budget or model in told[machine]
                continue
            assert section.step <= budget
            assert section.is_new == (model not in told[machine] | written)
            told[machine] |= {model} | written
            written |= {model} if write and section.is_new else set()
        files = fsspec.filesystem("memory")
        names = {it.rpartition("/")[2][0] for it in files.find(f"{url}/ledger")}
        assert names == written
        assert len(written) <= budget
        for machine in range(3):
            known = Journal(str(Path(folder, str(machine))), "ledger", TEST_SET).entries()
            assert {it["model"][0] for it in known if it is not None} >= told[machine]
            assert len(known) == len({it["model"] for it in known if it is not None})


def rows(first: int, number: int) -> AskedRows:
    """Return a test set of numbered rows."""
    return AskedRows.of(blake2b(b"%d" % it, digest_size=8).hexdigest() for it in range(first, first + number))


def steps(root: Path, *test_sets: AskedRows) -> list[int]:
    """Return the steps of as many models, each asking a test set."""
    return [charge(str(root), it, f"{number}", budget=9, when=f"{number}").step for number, it in enumerate(test_sets)]


@pytest.mark.parametrize("number", [40, 2_000, 50_000])
def test_a_test_set_is_the_same_while_two_fifths_of_all_rows_are_in_both(tmp_path: Path, number: int) -> None:
    """One row more or less is no other test set, and neither is a third of them; new rows are."""
    third, most = number // 3, 9 * number // 10
    assert steps(tmp_path / "a", rows(0, number), rows(0, number + 1), rows(1, number), rows(third, number)) == [
        *(1, 2, 3, 4),
    ]
    assert steps(tmp_path / "b", rows(0, number), rows(most, number), rows(0, number // 4)) == [1, 1, 1]
    assert steps(tmp_path / "c", rows(0, number), rows(number, number), rows(0, number)) == [1, 1, 2]


def test_models_that_parallel_jobs_asked_add_up(tmp_path: Path) -> None:
    """Each job began with the same ledger; a model that two of them asked counts once."""
    seen = rows(0, 500)
    for job, models, number in (("1", "ab", 2), ("2", "bc", 1), ("3", "d", 1)):
        for model in models:
            charge(str(tmp_path / job), seen, model * 64, budget=9, when=f"2026-11-28T00:00:0{job}+00:00")
        assert take(str(tmp_path / "all"), {job: as_json(all_asked(str(tmp_path / job))).encode()}) == number
    assert charge(str(tmp_path / "all"), rows(0, 501), "e" * 64, budget=5, when="2027").step == 5
    with pytest.raises(CannotDecideError):
        charge(str(tmp_path / "all"), seen, "f" * 64, budget=5, when="2027")


def test_a_folder_of_damaged_entries_counts_for_every_test_set(tmp_path: Path) -> None:
    """What it was about, nobody can tell; an entry of another form is about nothing."""
    steps(tmp_path, rows(0, 500))
    (path,) = tmp_path.glob("ledger/*/000001")
    path.write_bytes(b"broken")
    Journal(str(tmp_path), "ledger", "0" * 64).note({"test_set": "0" * 64, "model": "x", "when": "now"})
    assert charge(str(tmp_path), rows(700, 500), "9", budget=9, when="now").step == 2


ENTRY = {"number": 1, "sketch": ["0" * 16], "model": "a" * 64, "when": "2026-11-28T00:00:00+00:00"}


@pytest.mark.parametrize(
    "asked",
    [
        *(ENTRY | it for it in ({"number": 0}, {"number": 2}, {"number": "1"}, {"sketch": "0"}, {"sketch": [7]})),
        *(ENTRY | it for it in ({"sketch": ["../../../../x"]}, {"model": "../x"}, {"when": "now"}, {"model": None})),
        7,
    ],
)
def test_nothing_but_digests_numbers_and_times_is_taken_from_another_run(tmp_path: Path, asked: object) -> None:
    """An entry that is anything else is refused, and the others with it."""
    with pytest.raises(ConfigurationError, match=r"asked.json is no ledger as `headworks ledger --output` writes it"):
        take(str(tmp_path / "store"), {"asked.json": json.dumps({"asked": [ENTRY, asked]}).encode()})
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"[" * 100_000, b" " * (1 << 20) + b'{"asked": []}'])
def test_what_is_no_ledger_is_refused(tmp_path: Path, data: bytes) -> None:
    """Whatever it is, and however long."""
    with pytest.raises(ConfigurationError, match="of 1,048,576 bytes at most"):
        take(str(tmp_path), {"asked.json": data})


def questions(first: int, number: int) -> bytes:
    """Return questions of as many models, as another run leaves them."""
    return as_json(ENTRY | {"model": f"{it:064x}"} for it in range(first, first + number)).encode()


def test_a_run_adds_few_questions_to_a_ledger_of_any_length(tmp_path: Path) -> None:
    """What is known already does not count for that, and of too many none is taken."""
    root = str(tmp_path)
    for first in range(0, 192, 64):
        assert take(root, {"a.json": questions(0, first + 64)}) == 64
    assert take(root, {"a.json": questions(0, 192)}) == 0
    with pytest.raises(ConfigurationError, match=r"^a\.json and b\.json would add 65 questions to the ledger; no run "):
        take(root, {"a.json": questions(190, 40), "b.json": questions(220, 37)})
    assert len(all_asked(root)) == 192


def test_a_run_writes_only_what_it_asked_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """However long the ledger is that it began with: 2,000 models have 12 MB."""
    began, end = str(tmp_path / "a/began"), str(tmp_path / "a/end.json")
    long = [{"number": 256, "sketch": sorted(rows(0, 256).sketch), "model": f"{it:064x}"} for it in range(2_000)]
    write_output(began, as_json(it | {"when": ENTRY["when"]} for it in long))
    for model in (long[7]["model"], "f" * 64):
        charge(Store.default(remote="").root, rows(0, 256), str(model), budget=9, when=str(ENTRY["when"]))
    assert main(["ledger", "--output", end, "--known", began]) == 0
    assert [it["model"] for it in json.loads(Path(end).read_text())["asked"]] == ["f" * 64]
    Path(began).write_text("[]")
    assert main(["ledger", "--output", end, "--known", began]) == 2
    assert "began is no ledger as `headworks ledger --output` writes it.\n" in capsys.readouterr().err


def test_damaged_entries_are_counted_in_the_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Since they count for the budget: a list without them would say that nobody asked."""
    (tmp_path / "asked.json").write_text(json.dumps({"asked": [ENTRY]}))
    assert main(["ledger", "--take", str(tmp_path / "asked.json")]) == 0
    root = Store.default(remote="").root
    (entry,) = (it for it in Path(root, "ledger").rglob("*") if it.is_file())
    entry.write_text("damaged")
    capsys.readouterr()
    assert main(["ledger"]) == 0
    assert capsys.readouterr().out == f"damaged entries in {root}, each of which counts as a model: 1\n"


def test_the_ledger_is_listed_and_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Other keys of an entry are left behind."""
    assert main(["ledger"]) == 0
    assert capsys.readouterr().out.startswith("No test set was asked in ")
    source = tmp_path / "asked/pipeline-0.json"
    source.parent.mkdir()
    source.write_text(json.dumps({"asked": [ENTRY | {"conditions": ["\x1b[2J"]}]}))
    assert main(["ledger", "--take", str(source.parent), "--output", str(tmp_path / "all.json")]) == 0
    assert "Took 1 new question from " in (said := capsys.readouterr().out)
    assert "\n2026-11-28T00:00:00+00:00  model aaaaaaaaaaaa asked 1 rows\n" in said
    assert json.loads((tmp_path / "all.json").read_text()) == {"format": 1, "asked": [ENTRY]}
    assert main(["ledger", "--take", str(tmp_path / "none")]) == 2
    assert "cannot be read: No such file or directory. Name what `headworks" in capsys.readouterr().err
