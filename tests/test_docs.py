"""Sessions and options that the documents name exist, and broken links are found."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
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
    helps = {command: help_of(command) for _, command, _ in called}
    used = {(page, command, option) for page, command, rest in called for option in re.findall(r"--[a-z-]{2,}", rest)}
    assert {"plan", "run", "store"} <= set(helps)
    assert {it for it in used if it[2] not in helps[it[1]]} == set()


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
