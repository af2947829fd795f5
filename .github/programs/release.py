"""Writes the notes of a release, from the changelog, and the model's card.

python .github/programs/release.py reviewed FOLDER       check that the tag's commit is one of main that has passed
python .github/programs/release.py notes v1.2.3 FOLDER   check that the tag is the version, and write FOLDER/notes.md
python .github/programs/release.py card FOLDER           write the model in artifacts/export and FOLDER/model-card.md
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import urllib.error
from pathlib import Path
from typing import Any

from github_api import GitHub


class ReleaseError(ValueError):
    """The tag, the version and the changelog do not match."""


def notes(tag: str, version: str, changelog: str) -> str:
    """Return the section of the changelog about a version.

    Raises:
        ReleaseError: The tag is not that of the version, or the changelog has no section for it.
    """
    if tag != f"v{version}":
        message = f"The tag {tag} is not v{version}, which VERSION says. Tag the commit that changes VERSION."
        raise ReleaseError(message)
    section = re.search(
        rf"^## \[?{re.escape(version)}\]?[^\n]*\n(.*?)(?=^## |\Z)", changelog, flags=re.MULTILINE | re.DOTALL
    )
    if section is None or not section[1].strip():
        message = f"CHANGELOG.md says nothing below a heading `## {version}`. Rename `## Unreleased`, with the date."
        raise ReleaseError(message)
    return section[1].strip() + "\n"


def check_reviewed(commit: str) -> None:
    """Check that a commit is in the history of main, and that its check `ci / required` has passed.

    Raises:
        ReleaseError: It is not so.
        urllib.error.URLError: GitHub could not be asked.
    """
    github = GitHub()
    status = github.call("GET", f"compare/main...{commit}")["status"]
    if status not in {"behind", "identical"}:
        message = (
            f"The commit {commit} is not in the history of main, so that nobody may have reviewed it. Merge it first."
        )
        raise ReleaseError(message)
    runs = github.call("GET", f"commits/{commit}/check-runs", check_name="ci / required")["check_runs"]
    if not any(run["conclusion"] == "success" and run["app"]["slug"] == "github-actions" for run in runs):
        message = (
            f"The check `ci / required` has not passed for the commit {commit}. Wait for CI, and run this job again."
        )
        raise ReleaseError(message)


def card(model: Path, metrics: dict[str, Any]) -> str:
    """Return a page about a model: its file, and every single number that the evaluation measured."""
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    rows = [
        f"| {key.replace('_', ' ')} | {value} |"
        for key, value in metrics.items()
        if isinstance(value, (int, float, str))
    ]
    intro = f"`{model.name}`, {model.stat().st_size:,} bytes, SHA-256 `{digest}`"
    return "\n".join(["# Model card", "", intro, "", "| measured on the test split | |", "|---|---|", *rows, ""])


def main(action: str, *arguments: str) -> int:
    """Check the commit, or write the notes or the card; return 1 and print one line on failure."""
    folder = Path(arguments[-1])
    try:
        if action == "reviewed":
            check_reviewed(os.environ["GITHUB_SHA"])
            return 0
        if action == "notes":
            version = Path("VERSION").read_text(encoding="utf-8").strip()
            name, text = "notes.md", notes(arguments[0], version, Path("CHANGELOG.md").read_text(encoding="utf-8"))
        else:
            metrics = json.loads(Path("artifacts/evaluate/metrics.json").read_text(encoding="utf-8"))
            name, text = "model-card.md", card(Path("artifacts/export/model.onnx"), metrics)
    except (OSError, urllib.error.URLError, ReleaseError) as error:
        sys.stderr.write(f"release: error: {error}\n")
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    if action == "card":
        shutil.copy("artifacts/export/model.onnx", folder)
    (folder / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
