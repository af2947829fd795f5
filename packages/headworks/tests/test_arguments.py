"""Plain arguments mean exactly what they mean to argparse."""

import argparse
import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headworks._quick.arguments import Arguments


def declare(parser: argparse.ArgumentParser | Arguments) -> None:
    """Declare one argument of every plain kind."""
    parser.add_argument("sessions", nargs="*", default=[])
    parser.add_argument("--base")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    parser.add_argument("-j", "--jobs", type=int, default=1)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--keep-going", action="store_true", dest="keep")


WORDS = ["a", "tests(x)", "3", "json", "--base", "--base=", "--base=x", "--format", "--format=json", "--format=x", "-j"]
WORDS += ["-j3", "-j=3", "--jobs=3", "--jobs=x", "-v", "--verbose", "--verbose=1", "--keep-going", "--keep", "-h", "--"]
WORDS += ["-", "-1", "", "--unknown"]


@given(st.lists(st.sampled_from(WORDS), max_size=6))
def test_what_is_read_plainly_is_what_argparse_reads(arguments: list[str]) -> None:
    """Either the values are argparse's, or argparse is left to say what they are."""
    plain = Arguments()
    declare(plain)
    values = plain.parse(arguments)
    parser = argparse.ArgumentParser(allow_abbrev=False)
    declare(parser)
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        try:
            expected = vars(parser.parse_args(arguments))
        except SystemExit:
            expected = None
    assert values is None or vars(values) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["tests", "lint"],
        ["--base", "main", "tests"],
        ["tests", "--base=main", "--format=json"],
        ["-j", "4", "--jobs", "2", "-v", "--keep-going"],
    ],
)
def test_what_people_type_is_plain(arguments: list[str]) -> None:
    """Options, flags and names need no argparse."""
    plain = Arguments()
    declare(plain)
    assert plain.parse(arguments) is not None


def test_a_name_needs_an_argument_that_takes_it() -> None:
    """A command without positional arguments leaves the complaint to argparse."""
    plain = Arguments()
    plain.add_argument("--base")
    assert plain.parse(["tests"]) is None
    assert plain.parse([]) is not None


def test_other_kinds_of_argument_are_left_to_argparse() -> None:
    """Groups, subcommands and required arguments are declared in argparse's ways, and then never read plainly."""
    group = Arguments()
    group.add_mutually_exclusive_group().add_argument("--all", action="store_true")
    required = Arguments()
    required.add_argument("session")
    repeated = Arguments()
    repeated.add_argument("--add", action="append")
    assert [it.parse([]) for it in (group, required, repeated)] == [None, None, None]


@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "--unknown",
        "--format x",
        "--jobs x",
        "--jobs",
        "--base --format",
        "--verbose=1",
        "-j=3",
        "a -v b",
        "-j3",
    ],
)
def test_mistakes_and_rarities_are_left_to_argparse(arguments: str) -> None:
    """It has the messages, and knows the odd ways of writing."""
    plain = Arguments()
    declare(plain)
    assert plain.parse(arguments.split()) is None
