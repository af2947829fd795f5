"""Sessions and options that the documents name exist, and broken links are found."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]
CODE = re.compile(r"^```console\n(.*?)^```|`([^`\n]+)`", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"\bnox (?:--?[a-z-]+ )*-s ((?:(?:\"[^\"]+\"|[a-z][\w.()-]*) ?)+)")
CALLED = re.compile(r"(?:^|\s)headworks(?: --)? (?!headworks\b)([a-z]+)([^`&|#\n]*)", re.MULTILINE)


def typed() -> list[tuple[str, str]]:
    """Return each piece of code in the pages with the name of its page."""
    matches = [(path, match) for path in PAGES for match in CODE.finditer(path.read_text(encoding="utf-8"))]
    return [(str(path.relative_to(ROOT)), match[1] or match[2]) for path, match in matches]


def help_of(command: str) -> str:
    """Return the help of a command of headworks and of its subcommands."""
    run = [sys.executable, "-m", "headworks", command]
    text = subprocess.run([*run, "--help"], check=True, capture_output=True, text=True).stdout
    for below in re.findall(r"^    ([a-z]+)  ", text, flags=re.MULTILINE):
        text += subprocess.run([*run, below, "--help"], check=True, capture_output=True, text=True).stdout
    return text


def test_the_test_command_of_the_readme_is_the_one_that_ci_runs() -> None:
    """The script finds exactly one such command in the README."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^pip install .* nox -s tests$", readme, flags=re.MULTILINE)) == 1


def test_every_session_that_a_page_names_exists() -> None:
    """A session that is renamed is renamed in the documents."""
    command = [sys.executable, "-m", "nox", "-l", "--json", "-k", "True"]
    listed = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    known = {it[key] for it in listed for key in ("name", "session")} | {it["session"].split("(")[0] for it in listed}
    named = {
        (page, name.strip('"'))
        for page, code in typed()
        for words in NAMED.findall(code)
        for name in re.findall(r"\"[^\"]+\"|\S+", words)
    }
    examples = {
        "NAME",
        "tests-3.13(features)",
        "typecheck(features)",
        "build(features)",
    }  # of a package that does not exist yet
    assert len(named) > 30
    assert {(page, name) for page, name in named if name not in known | examples} == set()


def test_every_option_of_headworks_that_a_page_names_exists() -> None:
    """Neither a command nor an option that is gone is left in the documents."""
    called = [(page, command, rest) for page, code in typed() for command, rest in CALLED.findall(code)]
    helps = {command: help_of(command) for command in {command for _, command, _ in called}}
    used = {(page, command, option) for page, command, rest in called for option in re.findall(r"--[a-z-]{2,}", rest)}
    assert {"plan", "run", "store"} <= set(helps)
    assert {it for it in used if it[2] not in helps[it[1]]} == set()


def sampled(folder: Path, wrong: int, key: str = "") -> Path:
    """Write per-sample files of lm-evaluation-harness for two tasks, in one of which some answers are wrong."""
    for task, number in (("arc_easy", wrong), ("hellaswag", 0)):
        lines = []
        for at in range(400):
            hashes = {"doc_hash": f"{at:064}", "prompt_hash": "p", "target_hash": f"{at % 4}{key}"}
            sample = {"doc_id": at, "doc": {"question": f"{at}?"}, "target": str(at % 4), "resps": [[["A"]]]}
            for name, score in (("strict-match", at % 2), ("none", float(at >= number))):
                metrics = {"filtered_resps": ["A"], "filter": name, "metrics": ["acc"], "acc": score}
                lines.append(json.dumps(sample | hashes | metrics))
        path = folder / f"ours__model/samples_{task}_2026-05-01T12-00-00.123456.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_the_guide_to_language_models_does_what_it_says(tmp_path: Path) -> None:
    """Its script reads per-sample files, and the gate tells models, tasks and answer keys apart."""
    page = (ROOT / "docs/guides/language-models.md").read_text(encoding="utf-8")
    script = tmp_path / "predictions.py"
    script.write_text(page.split("```python\n")[1].split("```")[0], encoding="utf-8")

    def convert(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
        out = tmp_path / f"{folder.name}.csv"
        command = [sys.executable, str(script), str(folder), str(out), *more]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    def gate(candidate: str) -> subprocess.CompletedProcess[str]:
        conditions = re.findall(r"--condition '([^']+)'", page)
        assert len(conditions) == 2
        command = [sys.executable, "-m", "headworks", "gate", "--candidate", candidate, "--baseline", "old.csv"]
        command += [word for it in conditions for word in ("--condition", it)]
        return subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)

    for name, wrong, key in (("old", 5, ""), ("same", 5, ""), ("worse", 100, ""), ("rekeyed", 5, "x")):
        assert convert(sampled(tmp_path / name, wrong, key)).returncode == 0
    as_good = gate("same.csv")
    assert (as_good.returncode, "800 rows" in as_good.stdout) == (0, True)
    failed = gate("worse.csv")
    assert (failed.returncode, "arc_easy" in failed.stdout) == (1, True)
    changed = gate("rekeyed.csv")
    assert (changed.returncode, "different labels" in changed.stderr) == (3, True)
    assert convert(tmp_path / "old", "acc", "strict-match").returncode == 0
    assert (tmp_path / "old.csv").read_text(encoding="utf-8").count(",wrong") == 400
    sample = next((tmp_path / "same").rglob("*.jsonl"))
    sample.write_text(sample.read_text(encoding="utf-8").replace('"acc": 1.0', '"acc": 0.5'), encoding="utf-8")
    assert "is 0.5, neither right nor wrong" in convert(tmp_path / "same").stderr


@pytest.mark.parametrize(
    ("link", "broken"),
    [
        ("b.html#there", False),
        ("#here", False),
        ("https://example.org/", False),
        ("b.html#gone", True),
        ("c.html", True),
    ],
)
def test_a_link_that_leads_nowhere_is_found(tmp_path: Path, link: str, broken: bool) -> None:  # noqa: FBT001 - a case
    """Pages are followed down to the anchor; other sites are not asked."""
    (tmp_path / "a.html").write_text(f'<p id="here"><a href="{link}">x</a></p>', encoding="utf-8")
    (tmp_path / "b.html").write_text('<h2 id="there">x</h2>', encoding="utf-8")
    command = [sys.executable, str(ROOT / "docs/check_links.py"), str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == int(broken)
    assert done.stdout == (f"a.html: {link} leads nowhere\n" if broken else "")
