"""Puts a model, and the one that an alias points to now, where sessions look for them; both come from the store.

`take_model.py promote staging production` writes the model and the predictions that it was judged by to their paths in
`[tool.headworks.gate]`, those of the alias's model below `artifacts/promotion/rival`, and adds `model` and `expected`,
the SHA-256 of each, to GITHUB_OUTPUT. `take_model.py rollback staging production` only says what the alias points to.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import fsspec

PLACE: Final = Path("artifacts/promotion")
_NOTHING: Final = "none"  # as `headworks promote --expect` calls it
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class RefusedError(Exception):
    """No such model can be taken."""


def headworks(*arguments: str) -> str:
    """Return what a command of the engine prints.

    Raises:
        RefusedError: It failed, and has said why.
    """
    command = [sys.executable, "-m", "headworks", *arguments]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        message = f"`headworks {' '.join(arguments)}` failed"
        raise RefusedError(message)
    return done.stdout


def files_of(model: str, promotions: list[dict[str, Any]], table: dict[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of a model and of the predictions that the gate judged it by, by their paths.

    Raises:
        RefusedError: Nothing says which files these were.
    """
    files: dict[str, str] = {}
    for row in (row for move in promotions if move["content"] == model for row in move["evidence"]):
        files |= row.get("files", {})
    predictions = {*table.get("predictions", {}).values()}
    if not predictions <= files.keys():
        message = f"nothing says by which predictions the model {model[:12]} was judged: promote it to staging first"
        raise RefusedError(message)
    # No other: whoever may write evidence could put a file of their own in the place of what checks the model.
    return {path: files[path] for path in predictions} | {table["model"]: model}


def take(files: dict[str, str], folder: Path) -> None:
    """Copy files from the store to their paths in a folder, and check each.

    Raises:
        RefusedError: A path leads elsewhere, or a file has another content.
    """
    for path, content in files.items():
        target = folder / path
        if not target.resolve().is_relative_to(folder.resolve()):
            message = f"{path} is no path inside the repository"
            raise RefusedError(message)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(headworks("promotions", "--path", content).strip(), target)
        if hashlib.sha256(target.read_bytes()).hexdigest() != content:
            message = f"{target} is not the file {content[:12]}: somebody has changed the store"
            raise RefusedError(message)


def take_signature(model: str) -> None:
    """Copy the signature of a model from the remote store, if there is one; `verify-signature` asks for it."""
    if remote := os.environ.get("HEADWORKS_REMOTE"):
        with contextlib.suppress(FileNotFoundError), fsspec.open(f"{remote}/signatures/{model}.sig") as stream:
            (PLACE / "model.onnx.sig").write_bytes(stream.read())


def main() -> int:
    """Take the models, and return the exit code: 0, or 1 after one line with the reason."""
    parser = argparse.ArgumentParser(description="Take a model, and the one that an alias points to, from the store.")
    parser.add_argument("action", choices=["promote", "rollback"])
    parser.add_argument("model", help="an alias, or the SHA-256 of a model's file; a rollback asks for none")
    parser.add_argument("to", help="the alias that is to be moved")
    given = parser.parse_args()
    try:
        outputs = chosen(given.action, given.model, given.to)
    except RefusedError as error:
        sys.stderr.write(f"take-model: error: {error}\n")
        return 1
    if file := os.environ.get("GITHUB_OUTPUT"):
        with Path(file).open("a", encoding="utf-8") as stream:
            stream.writelines(f"{name}={value}\n" for name, value in outputs.items())
    return 0


def chosen(action: str, model: str, to: str) -> dict[str, str]:
    """Take what an action needs, and return the outputs of the step.

    Raises:
        RefusedError: There is no such model, or nothing to do.
    """
    listed = json.loads(headworks("promotions", "--format", "json"))
    now = {alias: content or "damaged" for alias, content in listed["current"].items()}
    expected = now.get(to, _NOTHING)
    if expected == "damaged":
        message = f"the last entry of {to} is damaged: look at `headworks promotions`"
        raise RefusedError(message)
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    if action == "rollback":
        said = f"`{to}` points to `{expected[:12]}`, and goes back to the model before."
        (PLACE / "summary.md").write_text(f"## Roll back\n\n{said}\n", encoding="utf-8")
        return {"model": "", "expected": expected}
    content = now.get(model, model)
    if not _DIGEST.fullmatch(content):
        message = (
            f"{model!r} is neither an alias of a model nor the SHA-256 of one; there are {', '.join(now) or 'none'}"
        )
        raise RefusedError(message)
    if content == expected:
        message = f"{to} points to {content[:12]} already"
        raise RefusedError(message)
    table = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["headworks"]["gate"]
    take(files_of(content, listed["promotions"], table), Path())
    take_signature(content)
    if expected != _NOTHING:
        take(files_of(expected, listed["promotions"], table), PLACE / "rival")
    said = f"`{content}` is to become `{to}`, which points to `{expected}`."
    (PLACE / "summary.md").write_text(f"## Promote\n\n{said}\n", encoding="utf-8")
    return {"model": content, "expected": expected}


if __name__ == "__main__":
    raise SystemExit(main())
