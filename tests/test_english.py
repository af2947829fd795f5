"""A phrase or a name that has a better one is found, with what to write in its place."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from english import breaches, main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return an empty repository."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    return tmp_path


def found_in(repository: Path, name: str, text: str) -> list[str]:
    """Return the breaches in a repository after a file was written and added to it."""
    (repository / name).parent.mkdir(parents=True, exist_ok=True)
    (repository / name).write_text(text, encoding="utf-8")
    subprocess.run(["git", "add", "--all"], cwd=repository, check=True)
    return breaches(repository)


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.md", "# A\n\nA store is let be.\n", "a.md:3: `let be`: write ignored"),
        ("a.md", "Nothing more is to be\nhad.\n", "a.md:1: `be had`: write available"),
        ("a.py", '"""Doc."""\n\n# What the list owes\n# to the noxfile.\n', "a.py:3: `owes to`: write gets from"),
        ("a.py", 'X = (\n    "a chart, for"\n    " who reads"\n)\n', "a.py:2: `for who`: write for readers"),
        ("a.py", '"""One.\n\nMore is told from\nit.\n"""\n', "a.py:3: `told from`: write distinguished"),
        ("a.schema.json", '{"description": "what came of it"}', "`what came of`: write the result of"),
        ("a.yml", "a: let be\n# What is said of it.\n", "a.yml:2: `said of`: write known about"),
        (".ci/run", "# relied upon\n", ".ci/run:1: `upon`: write on"),
        ("docker/a.Dockerfile", "# relied upon\n", "docker/a.Dockerfile:1: `upon`: write on"),
        ("a.py", '"""What holds."""\n', "a.py:1: `What …` of a module: begin with a noun"),
        ("a.py", '"""A."""\n\n\nclass A:\n    """Whether so."""\n', "a.py:5: `Whether …` of a class: begin with"),
        ("a.py", '"""A."""\n\n\ndef a():\n    """What is."""\n', "a.py:5: `What …` of a function: begin with a verb"),
        ("a.py", "def _what_is_kept(): ...\n", "a.py:1: `_what_is_kept`: call it by the thing"),
        ("a.py", "def a(untold): ...\n", "a.py:1: `untold`: call it by unknown"),
        ("a.py", "\nclass A:\n    is_untold: bool\n", "a.py:3: `is_untold`: call it by unknown"),
    ],
)
def test_a_phrase_or_name_of_the_table_is_found(name: str, text: str, found: str, repository: Path) -> None:
    """In texts, comments, openings of docstrings and names, also where a line ends inside."""
    [line] = found_in(repository, name, text)
    assert found in line


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", "```text\nlet be\n```\n"),
        ("a.py", "def is_open(it: object) -> bool:\n    return it is None\n"),
        ("a.py", "class A:\n    pass\n"),
        ("a.toml", 'text = "let be"\n'),
        ("a.bin", "let be\n"),
        ("tests/test_a.py", 'def test_what_was_let_be() -> None:\n    """What was ignored stays."""\n'),
        ("tests/english.py", "# let be\n"),
    ],
)
def test_code_examples_and_sentences_of_tests_are_not_searched(name: str, text: str, repository: Path) -> None:
    """A sentence that states the behaviour of a test may begin with any word."""
    assert found_in(repository, name, text) == []


def test_the_program_prints_breaches_in_the_chosen_files(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without arguments, in all files that git tracks."""
    found_in(repository, "one/a.md", "let be\n")
    found_in(repository, "two/b.md", "let be\n")
    (repository / "two/b.md").unlink()
    monkeypatch.chdir(repository)
    monkeypatch.setattr("sys.argv", ["english.py", "two"])
    assert (main(), capsys.readouterr().out) == (0, "No phrase or name in the table was found.\n")
    monkeypatch.setattr("sys.argv", ["english.py"])
    assert (main(), capsys.readouterr().out) == (1, "one/a.md:1: `let be`: write ignored, left unchanged\n")
