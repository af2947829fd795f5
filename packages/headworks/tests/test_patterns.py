"""Patterns name files as people expect from other tools."""

from __future__ import annotations

import os

import pytest

from headworks._tree.listing import FILE, Listing, record
from headworks._tree.patterns import matcher, slices

PATHS = ["a", "docs/a.md", "docs/deep/b.md", "docs/deep/c.txt", "docs.md", "docs/x[1].md", "top/docs/a.md"]


def named(pattern: str, prefix: str = "") -> list[str]:
    """Return the paths that a pattern names."""
    listing = Listing(b"".join(record(FILE, b"0" * 40, path.encode()) for path in sorted(PATHS)))
    found = slices(listing, prefix, pattern)
    return [os.fsdecode(path) for start, end in found for _, _, path in listing.records(start, end)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a", ["a"]),
        ("docs.md", ["docs.md"]),
        ("docs", ["docs/a.md", "docs/deep/b.md", "docs/deep/c.txt", "docs/x[1].md"]),
        ("docs/", ["docs/a.md", "docs/deep/b.md", "docs/deep/c.txt", "docs/x[1].md"]),
        ("docs/**", ["docs/a.md", "docs/deep/b.md", "docs/deep/c.txt", "docs/x[1].md"]),
        ("docs/*.md", ["docs/a.md", "docs/x[1].md"]),
        ("docs/**/*.md", ["docs/a.md", "docs/deep/b.md", "docs/x[1].md"]),
        ("**/*.md", ["docs/a.md", "docs/deep/b.md", "docs/x[1].md", "docs.md", "top/docs/a.md"]),
        ("**/docs", ["docs/a.md", "docs/deep/b.md", "docs/deep/c.txt", "docs/x[1].md", "top/docs/a.md"]),
        ("*/deep", ["docs/deep/b.md", "docs/deep/c.txt"]),
        ("docs/?.md", ["docs/a.md"]),
        ("docs/[!b-z].md", ["docs/a.md"]),
        ("docs/deep/[bx].*", ["docs/deep/b.md"]),
        ("none", []),
        ("none/**", []),
        ("d*/none", []),
    ],
)
def test_a_pattern_names_files(pattern: str, expected: list[str]) -> None:
    """Files, folders with all below them, and letters left open; a star stays within one name."""
    assert named(pattern) == sorted(expected)


def test_everything_is_named_by_two_stars() -> None:
    """Also within a folder that patterns are relative to."""
    assert named("**") == sorted(PATHS)
    assert named("**", prefix="top/") == ["top/docs/a.md"]
    assert named("docs/*", prefix="top/") == ["top/docs/a.md"]


def test_an_exact_pattern_names_nothing_below() -> None:
    """Members of a workspace are folders themselves."""
    fits = matcher("libs/*", exact=True)
    assert fits("libs/a")
    assert not fits("libs/a/b")
