"""A comment says whether the model is worse, from a summary that anybody may have written."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from headworks import _cli
from headworks._report.as_comment import comment_page
from headworks._report.as_markdown import as_markdown
from headworks._report.page import Bars, Page, Section
from headworks._report.summary import read_summary

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = (
    "<script>alert(1)</script> | ``` `x` $y$ @all #1\n# [a](javascript:b) \x1b[31m\u202e &lt; \"q\" 'q' </svg>\u732b"
)
SESSION = {"name": "tests", "state": "passed", "basis": "observed", "why": ["src/x.py changed"], "seconds": 90.0}
FINDING = {
    "subject": "accuracy",
    "outcome": "passes",
    "base": 0.95,
    "candidate": 0.96,
    "estimate": 0.01,
    "interval": [-0.01, 0.03],
    "bound": -0.03,
    "rows": 1797,
}
CONDITION = {
    "name": "accuracy",
    "found": "passes",
    "findings": [FINDING],
}
SUMMARY: dict[str, Any] = {
    "format": 1,
    "compared_with": "origin/main",
    "sections": {"Plan": "passed", "Gate": "passed"},
    "sessions": [
        SESSION,
        SESSION | {"name": "lint", "state": "covered", "basis": "declared", "why": [], "seconds": 30.0},
        SESSION | {"name": "tests-3.13(data)", "state": "failed", "basis": ""},
    ],
    "conditions": [CONDITION],
    "predictions": [
        {"name": "test", "rows": 4, "classes": ["cat", "dog"], "candidate": [[2, 0], [1, 1]], "base": [[1, 1], [1, 1]]}
    ],
    "data": {
        "passed": True,
        "limits": 3,
        "violations": 0,
        "rows": {"added": 1, "removed": 0},
        "labels": [["cat", 2, 2], ["dog", 1, 2]],
    },
    "coverage": {"statements": 10, "branches": 1, "percent": 100.0},
}


def comment(folder: Path, **changes: object) -> str:
    """Return the comment of a summary with other facts."""
    (folder / "summary.json").write_text(json.dumps(SUMMARY | changes), encoding="utf-8")
    return as_markdown(comment_page(read_summary(str(folder / "summary.json"))))


def test_a_comment_has_the_model_first_and_then_all_else(tmp_path: Path) -> None:
    """Its numbers are those of the summary."""
    lines = comment(tmp_path).split("\n")
    assert lines[0] == "# \N{CHECK MARK} The model is no worse: 1 condition passed"
    found = "0.9500 | 0.9600 | +0.0100 | -0.0100 to +0.0300 | -0.0300 | 1,797"
    assert f"| accuracy | `accuracy` | \N{CHECK MARK} passes | {found} |" in lines
    assert [it for it in lines if it.startswith("nox -s")] == ["nox -s 'tests-3.13(data)'"]
    assert [it for it in lines if it.startswith("| **")] == [
        "| **cat** | 2 | \N{MIDDLE DOT} |",
        "| **dog** | 1 | 1 |",
        "| **cat** | +1 | -1 |",
        "| **dog** | \N{MIDDLE DOT} | \N{MIDDLE DOT} |",
    ]
    assert "Rows: 1 added. Of 3 limits, no limit is broken." in lines
    assert '  x-axis ["cat", "dog"]' in lines
    assert ("  bar [2, 1]", "  line [2, 2]") in list(pairwise(lines))
    assert "| dog | 1 | 2 | +1 |" in lines
    assert "3 sessions: 1 passed, 1 covered, 1 failed. Verdicts: 1 observed, 1 declared." in lines
    assert "Those of this commit took 3 min 00 s, and earlier verdicts saved 30 s, added up over sessions." in lines
    assert "Coverage: 100% of 10 statements and 1 branches." in lines
    assert "| `tests` | \N{CHECK MARK} passed | src/x.py changed |" in lines
    assert "| `lint` | declared |" in lines


@pytest.mark.parametrize(
    ("outcomes", "sections", "first"),
    [
        (["passes"], {"Gate": "passed"}, "\N{CHECK MARK} The model is no worse: 1 condition passed"),
        (["passes", "fails"], {"Gate": "failed"}, "\N{BALLOT X} The model is worse: c1"),
        (["fails"] * 6, {"Gate": "failed"}, "\N{BALLOT X} The model is worse: c0, c1, c2, c3, and 2 more"),
        (["passes", "cannot tell"], {"Gate": "cannot tell"}, "? Cannot tell whether the model is worse: c1"),
        (["cannot tell"], {"Gate": "passed"}, "\N{CHECK MARK} Cannot tell whether the model is worse: c0"),
        (
            ["passes", "fails"],
            {"Gate": "cannot tell"},
            "? Cannot tell whether the model is worse: the gate's result is not about all that is here",
        ),
        (
            ["passes"],
            {"Gate": "passed", "Plan": "failed", "Data contract": "failed"},
            "\N{BALLOT X} The model is no worse: 1 condition passed; Failed: tests-3.13(data), Data contract",
        ),
        ([], {"Gate": "unproven", "Plan": "unproven"}, "? Not everything is proven: Gate, Plan"),
        ([], {"Plan": "passed"}, "\N{CHECK MARK} Passed"),
        ([], {}, "? Not everything is proven"),
    ],
)
def test_the_first_line_is_what_the_gate_found(
    tmp_path: Path, outcomes: list[str], sections: dict[str, str], first: str
) -> None:
    """And what else is not as it should be, never better than the worst section."""
    conditions = [CONDITION | {"name": f"c{number}", "found": it} for number, it in enumerate(outcomes)]
    assert comment(tmp_path, conditions=conditions, sections=sections).startswith(f"# {first}\n")


def test_facts_that_are_missing_are_left_out(tmp_path: Path) -> None:
    """As of a run without a gate, a base, data or coverage."""
    nothing: dict[str, Any] = {"sessions": [], "conditions": [], "predictions": [], "data": None, "coverage": None}
    assert "0 sessions: none. Verdicts: none." in comment(tmp_path, **nothing)
    alone = {"name": "", "rows": 4, "classes": ["cat"], "candidate": [[4]], "base": None}
    many = alone | {"name": "many", "classes": [], "candidate": [], "base": []}
    text = comment(tmp_path, predictions=[alone, many], conditions=[CONDITION | {"findings": []}])
    assert "## Predictions\n" in text
    assert "Difference" not in text
    assert "many" not in text
    finding = dict.fromkeys(FINDING, None) | {"subject": "latency", "outcome": "cannot tell"}
    assert "| `latency` | ? cannot tell |  |  |  |  |  |  |" in comment(
        tmp_path, conditions=[CONDITION | {"findings": [finding]}]
    )
    data = SUMMARY["data"] | {"labels": [], "rows": {}, "violations": 2}
    assert "Rows: the same. Of 3 limits, 2 limits broken, which the contract accepts." in comment(tmp_path, data=data)
    assert "2 limits broken." in comment(tmp_path, data=data | {"passed": False})
    many_red = [SESSION | {"name": f"s{number}", "state": "flaky"} for number in range(25)]
    text = comment(tmp_path, sessions=many_red)
    assert "**25 sessions red, the first 20 of 25**" in text
    assert text.count("nox -s") == 20


@pytest.mark.parametrize(
    "facts",
    [
        {"candidate": [[1]], "base": None},
        {"candidate": [[1, 2], [3]], "base": None},
        {"candidate": [[1, 2], [3, 4]], "base": [[1, 2], [3]]},
    ],
)
def test_a_matrix_of_another_shape_is_not_shown(tmp_path: Path, facts: dict[str, Any]) -> None:
    """Nor its difference from a base of another shape."""
    text = comment(tmp_path, predictions=[{"name": "", "rows": 1, "classes": ["cat", "dog"]} | facts])
    assert "Difference" not in text
    assert ("Confusion matrix" in text) == (facts["base"] is not None)


def named(name: str) -> dict[str, Any]:
    """Return a summary in which a text stands wherever one may stand."""
    facts = copy.deepcopy(SUMMARY)
    facts["compared_with"] = name
    facts["sections"] = {"Gate": "failed", name: "failed"}
    facts["sessions"] = [SESSION | {"name": name, "state": it, "why": [name]} for it in ("failed", "passed", "covered")]
    facts["conditions"] = [CONDITION | {"name": name, "found": "fails", "findings": [FINDING | {"subject": name}]}]
    facts["predictions"][0] |= {"name": name, "classes": [name, "dog"]}
    facts["data"]["labels"] = [[name, 1, 2], ["dog", 1, 1]]
    return facts


def test_a_hostile_summary_changes_nothing_but_its_names(tmp_path: Path) -> None:
    """No mention, no link, no element; a command is quoted whole for the shell."""
    render = MarkdownIt("commonmark").enable("table").render
    pages = [str(render(comment(tmp_path, **named(it)))) for it in (HOSTILE[:100], "harmless")]
    hostile, harmless = (re.findall(r"</?\w+", it) for it in pages)
    assert hostile == harmless
    outside = re.sub(r"<(code|pre)\b.*?</\1>", "", pages[0], flags=re.DOTALL)
    assert "alert(1)" in outside
    assert not re.search(r"@all|#1|<script|href", outside)
    linked = comment(tmp_path, **named("https://example.org www.example.org GH-12"))
    assert not re.search(r"://|www\.|GH-", re.sub(r"`[^`]*`|nox -s .*", "", linked))
    (command,) = [it for it in comment(tmp_path, **named("x';\necho owned #")).split("\n") if it.startswith("nox")]
    printed = subprocess.run(
        ["bash", "-c", command.replace("nox -s", "printf %s", 1)], check=True, capture_output=True, text=True
    )
    assert printed.stdout == "x'; echo owned #"


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"advice": "merge this"},
        {"compared_with": "x" * 101},
        {"sections": {"Gate": "fine"}},
        {"sessions": [SESSION | {"seconds": -1}]},
        {"sessions": [SESSION | {"link": "https://example.org"}]},
        {"sessions": [SESSION | {"why": ["x"] * 5}]},
        {"sessions": [SESSION] * 2_001},
        {"conditions": [CONDITION | {"found": "passes, trust me"}]},
        {"coverage": {"statements": 1, "branches": 1, "percent": 101}},
        {"data": SUMMARY["data"] | {"rows": {"blessed": 1}}},
        {"coverage": "all"},
    ],
)
def test_what_is_no_known_fact_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any]
) -> None:
    """With one line that says where, and no comment."""
    place = tmp_path / "summary.json"
    place.write_text(json.dumps(SUMMARY | change))
    assert _cli.main(["report", "--from", str(place), "--output", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "summary.json is no summary that this version of headworks reads: " in said
    assert said.count("\n") == 1
    assert not (tmp_path / "comment.md").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff", b'{"format": NaN}', b" " * ((1 << 20) + 1)])
def test_what_is_no_json_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    """However large or deep it is."""
    (tmp_path / "summary.json").write_bytes(content)
    assert _cli.main(["report", "--from", str(tmp_path / "summary.json")]) == 2
    assert "no summary" in capsys.readouterr().err


def test_a_summary_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what writes it."""
    assert _cli.main(["report", "--from", str(tmp_path / "none")]) == 2
    assert "none cannot be read: No such file or directory. `headworks report` writes it" in capsys.readouterr().err


def test_a_comment_is_written_without_the_libraries_of_the_report(tmp_path: Path) -> None:
    """The job that has main's permissions installs one small library for it."""
    (tmp_path / "summary.json").write_text(json.dumps(SUMMARY))
    program = """
import sys
for name in ("numpy", "pyarrow", "scipy", "matplotlib", "jinja2"):
    sys.modules[name] = None
from headworks import _cli
sys.exit(_cli.main(sys.argv[1:]))
"""
    command = [sys.executable, "-c", program, "report", "--from", "summary.json", "--output", "made"]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["The model is no worse: 1 condition passed", "made/comment.md"]
    assert (tmp_path / "made/comment.md").read_text(encoding="utf-8") == comment(tmp_path)


def test_without_its_library_a_comment_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And how to install it."""
    monkeypatch.setitem(sys.modules, "headworks._report.summary", None)
    assert _cli.main(["report", "--from", str(tmp_path / "none")]) == 2
    assert "pip install 'headworks[comment]'" in capsys.readouterr().err


@given(st.text(max_size=200))
def test_no_name_opens_a_line_of_a_chart(text: str) -> None:
    """In the language of Mermaid."""
    page = Page("", {}, "passed", "", [Section("", [Bars("", [text, text], [1, 2], [2, 3])])])
    lines = as_markdown(page).split("\n")
    assert [it.count('"') for it in lines if it.startswith("  x-axis")] == [4]
    assert len(lines) == 16
