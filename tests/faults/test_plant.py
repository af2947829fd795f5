"""A campaign reports which faults turn exactly the named sessions red, and which do not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from campaign import Campaign, Finding, problems_of
from fault_table import Edit, Fault, FaultsError, Table, read_table
from plant import conclude, main, parse, plant, write

ROOT = Path(__file__).parents[2]
NOXFILE = '''
"""The tasks of a small repository."""

from pathlib import Path

import nox

nox.options.default_venv_backend = "none"


@nox.session
def small(session: nox.Session) -> None:
    """See that a number is small."""
    if int(Path("number.txt").read_text()) > 9:
        session.error("It is not small.")


@nox.session
def even(session: nox.Session) -> None:
    """See that a number is even."""
    if int(Path("number.txt").read_text()) % 2:
        session.error("It is odd.")


@nox.session
def left(session: nox.Session) -> None:
    """Fail whatever there is."""
    session.error("Never right.")
'''
SMALL, EVEN = "It is not small.", "It is odd."
SETTINGS = '[project]\nname = "small"\nversion = "1"\n\n[tool.headworks.sessions]\nsmall = {}\neven = {}\nleft = {}\n'


def edit(new: str, *, old: str = "2", file: str = "number.txt") -> Edit:
    """Return an edit that puts another number in place of 2."""
    return Edit(file=file, old=old, new=new)


def fault(new: str, **red: str) -> Fault:
    """Return a fault that puts another number in place of 2."""
    return Fault(name=f"a {new}", effect="It is another number.", edits=[edit(new)], red=red)


def write_repository(source: Path) -> Path:
    """Write the small repository into a new folder."""
    subprocess.run(["git", "init", "--quiet", str(source)], check=True)
    for name, text in {"noxfile.py": NOXFILE, "pyproject.toml": SETTINGS, "number.txt": "2\n"}.items():
        (source / name).write_text(text)
    return source


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Return a campaign in a small repository, in which everything has passed."""
    source = write_repository(tmp_path_factory.mktemp("work") / "source")
    table = Table(prepare=[], left_out={"left": "it always fails"}, faults={})
    campaign = Campaign(tmp_path_factory.mktemp("campaign"), table, jobs=2, source=source)
    campaign.warm(campaign.sessions())
    return campaign


@pytest.mark.parametrize(
    ("planted", "red", "problems"),
    [
        (fault("4", even=EVEN), [], ["NOT NOTICED by even"]),
        (fault("3", even=EVEN), ["even"], []),
        (fault("13", even=EVEN, small=SMALL), ["even", "small"], []),
        (fault("13", even=EVEN), ["even", "small"], ["small failed as well, which the table does not say"]),
        (fault("3", even="It is huge."), ["even"], ["even failed, and did not say 'It is huge.'"]),
        (Fault(name="x", effect="x", edits=[edit("3", old="7")], red={"even": EVEN}), [], ["holds '7' 0 times"]),
        (Fault(name="x", effect="x", edits=[edit("3", file="none.txt")], red={"even": EVEN}), [], ["No such file"]),
    ],
)
def test_exactly_the_named_sessions_have_to_turn_red(
    campaign: Campaign, planted: Fault, red: list[str], problems: list[str]
) -> None:
    """And say why; afterwards the copy is as it was, so that no fault meets another."""
    finding = campaign.judge(planted, campaign.sessions())
    assert list(finding.red) == red
    assert len(finding.problems) == len(problems)
    assert all(part in problem for part, problem in zip(problems, finding.problems, strict=True))
    assert (campaign.root / "number.txt").read_text() == "2\n"


def test_a_fault_may_follow_changes_that_were_merged_since_the_release(campaign: Campaign) -> None:
    """It is judged on top of them; afterwards the copy is as it was, without the release."""

    def refs() -> str:
        command = ["git", "for-each-ref", "--format=%(refname) %(objectname)"]
        return subprocess.run(command, cwd=campaign.root, check=True, capture_output=True, text=True).stdout

    before = refs()
    red = {"even": EVEN, "small": SMALL}
    merged = Fault(name="x", effect="x", before=[edit("4")], edits=[edit("13", old="4")], red=red)
    assert campaign.judge(merged, campaign.sessions()).problems == []
    assert (campaign.root / "number.txt").read_text() == "2\n"
    assert refs() == before


def test_a_session_that_is_skipped_is_red(campaign: Campaign) -> None:
    """CI does not let it pass, since it proves nothing."""
    skip = Edit(file="noxfile.py", old='session.error("It is odd.")', new="pass\n    session.skip('No number.')")
    finding = campaign.judge(Fault(name="x", effect="x", edits=[skip], red={"even": "No number."}), campaign.sessions())
    assert (finding.red, finding.problems) == (["even"], [])


@pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace")
def test_a_session_that_reads_more_than_its_row_promises_is_red(campaign: Campaign) -> None:
    """It passes, and leaves no verdict; a night fails on that."""
    row = Edit(file="pyproject.toml", old="small = {}", new='small = { inputs = ["noxfile.py"], ignore = ["*.txt"] }')
    line = 'if int(Path("number.txt").read_text()) > 9'
    cat = Edit(file="noxfile.py", old=line, new='if not session.run("cat", "number.txt", external=True)')
    reads = Fault(name="x", effect="x", edits=[row, cat], red={"small": "it read number.txt, which its digest does"})
    finding = campaign.judge(reads, campaign.sessions())
    assert (finding.red, finding.problems) == (["small"], [])


def test_what_is_red_without_a_fault_ends_the_campaign(campaign: Campaign) -> None:
    """A fault could not be distinguished from that failure."""
    with pytest.raises(FaultsError, match=r"(?s)Without any fault, left ended badly\..*Never right"):
        campaign.warm(["even", "left"])


@pytest.mark.parametrize("words", [[], ["--short"]])
def test_a_fault_of_a_session_that_is_not_green_without_it_is_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """It would be red with any fault; one of a session beside the others that is green is judged."""
    never = Fault(name="never", effect="x", edits=[edit("3")], red={"left": "Never right."}, also=["left"])
    odd = Fault(name="odd", effect="x", edits=[edit("3")], red={"even": EVEN}, also=["even"])
    table = Table(prepare=[], left_out={"left": "it always fails"}, faults={"never": never, "odd": odd})
    monkeypatch.setattr("plant.Campaign", partial(Campaign, source=write_repository(tmp_path / "source")))
    findings = plant([never, odd], table, parse(["--jobs=1", *words]), tmp_path / "campaign")
    assert [it.is_measured for it in findings] == [False, True]
    assert "without the fault, left failed already" in findings[0].problems[0]
    assert (findings[1].red, findings[1].problems) == (["even"], [])
    assert (conclude(findings), conclude(findings[1:])) == (1, 0)
    output = capsys.readouterr().out
    assert "NOT MEASURED" in output
    assert "1 of 2 faults" in output
    assert "\nnot measured: never\n" in output


@pytest.mark.parametrize("status", ["stopped", "flaky"])
def test_a_session_that_gives_no_verdict_is_wrong(status: str) -> None:
    """Whether it is named or not; one that is blocked has another one to blame."""
    outcome = {"status": status, "note": EVEN, "log": "none"}
    named, other = problems_of(
        fault("3", even=EVEN), {"even": outcome, "small": outcome, "left": outcome | {"status": "blocked"}}
    )
    assert named == "NOT NOTICED by even"
    assert other.startswith(f"small {status} as well")


def test_every_fault_fits_the_repository_and_names_sessions_of_it(tmp_path: Path) -> None:
    """So that a row that is out of date is found here, and not in the night."""
    table = read_table()
    campaign = Campaign(tmp_path, table, jobs=1)
    sessions = set(campaign.sessions())
    for it in table.faults.values():
        texts: dict[str, str] = {}
        for planted in (*it.before, *it.edits):
            text = texts.get(planted.file) or (campaign.root / planted.file).read_text()
            assert text.count(planted.old) == 1, it.name
            texts[planted.file] = text.replace(planted.old, planted.new)
        assert set(it.red) <= sessions | set(it.also), it.name
    assert not {it.partition("(")[0] for it in sessions} & set(table.left_out)


def test_faults_are_listed_and_an_unknown_one_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """With exit codes that tell the two apart."""
    assert main(["--list"]) == 0
    assert "class dropped: " in capsys.readouterr().out
    assert main(["no such"]) == 2
    assert "There is no fault 'no such'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[", ""),
        ("prepare = []", "left-out"),
        ('prepare = [{file="a", old="b", new="b"}]\n[left-out]\n[faults]', "changes nothing"),
        ("prepare = []\n[left-out]\n[faults]", "it holds no fault"),
        ("prepare = []\n[left-out]\n[faults.x]\neffect = ''", "missing 1 required"),
        ("prepare = []\n[left-out]\n[faults.x]\nalso = 'audit'", "`also` of 'x' is 'audit'; give a list"),
    ],
)
def test_a_broken_table_is_refused(tmp_path: Path, text: str, part: str) -> None:
    """In one line that names the file."""
    (tmp_path / "table.toml").write_text(text)
    with pytest.raises(FaultsError, match=rf"table\.toml is not a table of faults: .*{part}"):
        read_table(tmp_path / "table.toml")


def test_what_was_found_is_written_into_the_table_of_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows of other faults stay; rows without a fault, and of a fault that was not noticed, are removed."""
    page = tmp_path / "page.md"
    page.write_text(
        "Planted.\n\n| fault | red |\n|---|---|\n| gone | y |\n| a 5 | old |\n| a 4 | old |\n| a 3 | old |\n"
    )
    good = Finding(fault=fault("3", even=EVEN), red=["even"], seconds=1.6, problems=[])
    bad = Finding(fault=fault("4", even=EVEN), red=[], seconds=1, problems=["NOT NOTICED by even"])
    unknown = Finding(fault=fault("5", even=EVEN), red=[], seconds=0, problems=["left failed"], is_measured=False)
    write(page, [good, bad, unknown], ["a 3", "a 4", "a 5"])
    head = "Planted.\n\n| fault | what goes wrong | red | seconds |\n|---|---|---|---|\n"
    assert page.read_text() == head + "| a 3 | It is another number. | `even` | 2 |\n| a 5 | old |\n"
    assert (conclude([good]), conclude([good, bad])) == (0, 1)
    assert "not so: a 4" in capsys.readouterr().out


def test_a_page_without_a_table_is_named_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that the mistake shows at once, and not after an hour."""
    assert main(["--folder", str(tmp_path / "work"), "--write", str(tmp_path / "none.md")]) == 2
    assert "none.md has no line that starts with `| fault |`" in capsys.readouterr().out
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_ends_it_leaves_nothing_behind(tmp_path: Path, number: int) -> None:
    """Neither the copy nor its store, nor a running session."""
    command = [sys.executable, str(ROOT / "tests/faults/plant.py"), "--short", "class dropped"]
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "dataset: started" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(number)
        rest = process.stdout.read()
    assert process.returncode == 130
    assert "nothing is left behind" in rest
    assert list(tmp_path.iterdir()) == []
