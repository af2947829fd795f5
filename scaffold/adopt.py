"""Make the repository a team's own in one commit: `nox -s adopt -- --prefix acme --owner @acme/makers`.

The changes are made in a second work tree, which is removed at the end. The branch moves forward only when the commit
is complete, so that a failure leaves the repository unchanged.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit
from engine import ENGINE, FOLDER, check_engine, take_out
from ownership import check_owner, exclude_from_releases, hand_over, source
from repository import RefusedError, call, check_free, check_word, prefix_of, project_names

if TYPE_CHECKING:
    from collections.abc import Iterator


def main() -> int:
    """Make the commit and return 0, or print the reason for refusing and return 2."""
    parser = argparse.ArgumentParser(prog="nox -s adopt --", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--prefix", help="what the packages' names shall begin with")
    parser.add_argument("--owner", help="who owns the repository on GitHub: @person, or @organisation/team")
    parser.add_argument(
        "--engine-from-release", action="store_true", help=f"take {ENGINE} from the index, not from {FOLDER.as_posix()}"
    )
    chosen = parser.parse_args()
    if not (chosen.prefix or chosen.owner or chosen.engine_from_release):
        parser.error("say what to adopt: --prefix, --owner, --engine-from-release or several of them")
    try:
        lines = adopt(chosen.prefix, chosen.owner, from_release=chosen.engine_from_release)
    except (RefusedError, OSError) as error:
        print(f"adopt: {error}", file=sys.stderr)
        return 2
    print("\n".join(lines))
    return 0


def adopt(prefix: str | None, owner: str | None, *, from_release: bool) -> list[str]:
    """Rename the packages, write their owner, take the engine out, and return lines that describe the result.

    Raises:
        RefusedError: An option is invalid, the work tree is not clean, or a program failed.
    """
    names = project_names()
    old = prefix_of(names)
    folders = [folder for folder, name in names.items() if prefix and name == f"{old}-{folder}"]
    if prefix:
        check_prefix(prefix, old, folders)
    if owner:
        check_owner(owner)
    address = source() if owner else ""
    if from_release:
        check_engine()
    check_clean()
    message = [f"Call the packages {prefix}, where they were called {old}"] if prefix else []
    message += [f"Write down that {owner} owns the repository"] if owner else []
    message += [f"Take {ENGINE} from the index, where it was a package of this repository"] if from_release else []
    with second_tree() as tree:
        if prefix:
            rename(tree, pattern(old, folders + images()), prefix)
            exclude_engine(tree, prefix, names)
        if owner:
            hand_over(tree, owner, address)
        if from_release:
            take_out(tree)
        commit = committed(tree, "\n\n".join(message))
    call("git", "merge", "--quiet", "--ff-only", commit)
    for folder in folders:
        sweep(Path("packages", folder, "src", f"{old}-{folder}".replace("-", "_")))
    if from_release:
        sweep(FOLDER)
    return [
        *prefix_lines(prefix, old, folders),
        *owner_lines(owner, prefix, address),
        *engine_lines(from_release=from_release),
    ]


@contextlib.contextmanager
def second_tree() -> Iterator[Path]:
    """Make a second work tree of the repository, and remove it at the end."""
    with tempfile.TemporaryDirectory(prefix="adopt-") as place:
        tree = Path(place) / "tree"
        call("git", "worktree", "add", "--quiet", "--detach", str(tree), "HEAD")
        try:
            yield tree
        finally:
            call("git", "worktree", "remove", "--force", str(tree))


def check_prefix(prefix: str, old: str, folders: list[str]) -> None:
    """Refuse an invalid prefix.

    Raises:
        RefusedError: It is not well formed, is the present one, or makes names that uv.lock has.
    """
    check_word(prefix, "a prefix")
    if prefix == old:
        message = f"The packages have the prefix {old!r} already."
        raise RefusedError(message)
    check_free([f"{prefix}-{folder}" for folder in folders])


def exclude_engine(tree: Path, prefix: str, names: dict[str, str]) -> None:
    """Leave the engine out of releases: it keeps its name, which belongs to another repository."""
    for folder, name in names.items():
        if name == folder != prefix:
            exclude_from_releases(tree / "packages" / folder / "pyproject.toml")


def prefix_lines(prefix: str | None, old: str, folders: list[str]) -> list[str]:
    """Return the lines that describe a change of the prefix."""
    if not prefix:
        return []
    return [
        f"{', '.join(folders)} are now called {prefix}-… instead of {old}-…: `git show --stat`.",
        "Remove .nox, whose environments hold packages of the old names, and run `.ci/run` before you push.",
    ]


def owner_lines(owner: str | None, prefix: str | None, address: str) -> list[str]:
    """Return the lines that describe the owner, or the placeholders for one."""
    if not owner and not prefix:
        return []
    if not owner:
        return [f"The teams in .github/CODEOWNERS are those of @{prefix} on GitHub; if yours are others, add --owner."]
    ruleset = "" if "/" in owner else ", with the ruleset of a personal account"
    return [
        f"{owner} owns the repository{ruleset}, and the packages say that their source is {address}.",
        "docs/guides/first-push.md says what is to be set on GitHub itself.",
    ]


def engine_lines(*, from_release: bool) -> list[str]:
    """Return the lines that describe where the engine comes from."""
    if not from_release:
        return []
    return [
        f"{ENGINE} comes from the index, and {FOLDER.as_posix()} is gone with all that is about its making.",
        "`uv lock --upgrade-package headworks` takes a newer release; remove .nox, and run `.ci/run` before you push.",
    ]


def check_clean() -> None:
    """Refuse a work tree with changes that are not committed.

    Raises:
        RefusedError: The folder is not the root of a clean work tree of git.
    """
    if changed := call("git", "status", "--porcelain"):
        message = f"The work tree has changes that are not committed; commit or stash them first:\n{changed}"
        raise RefusedError(message)


def images() -> list[str]:
    """Return the names of the images, which have the packages' prefix."""
    return sorted(path.name.removesuffix(".Dockerfile") for path in Path("docker").glob("*.Dockerfile"))


def pattern(old: str, endings: list[str]) -> re.Pattern[str]:
    """Return a pattern that matches the prefix in names of distributions, modules, images and teams.

    A name with a number after it, as in `headworks-data 1`, names a file format: it is hashed into existing digests and
    stays.
    """
    projects = "|".join(endings)  # names of folders have no special characters
    modules = projects.replace("-", "_")
    image = r"\$?\{(?:image\b|record\[)"
    project = rf"{old}(?=-(?:{projects})(?![A-Za-z0-9]| [0-9])|-{image})"
    module = rf"{old.replace('-', '_')}(?=_(?:{modules})(?![A-Za-z0-9]))"
    team = rf"(?<=@){old}(?=/)"  # in CODEOWNERS
    return re.compile(rf"(?<![A-Za-z0-9])(?:{project}|{module}|{team})")


def rename(tree: Path, names: re.Pattern[str], prefix: str) -> None:
    """Replace the prefix in the content and the path of every text file that git tracks."""
    for name in call("git", "-C", str(tree), "ls-files", "-z").split("\0"):
        path = tree / name
        if not name or path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        try:
            text = content.decode()
        except UnicodeDecodeError:
            continue  # binary files hold no names
        path.write_bytes(replaced(names, prefix, text).encode())
        moved = tree / replaced(names, prefix, name)
        if moved != path:
            moved.parent.mkdir(parents=True, exist_ok=True)
            path.rename(moved)


def replaced(names: re.Pattern[str], prefix: str, text: str) -> str:
    """Return a text with the new prefix, with underscores in names of modules."""
    return names.sub(lambda match: prefix.replace("-", "_") if match.string[match.end()] == "_" else prefix, text)


def committed(tree: Path, message: str) -> str:
    """Lock, sort and format the sources, whose names have changed, and return the commit of all changes.

    Raises:
        RefusedError: Ruff finds a mistake, nothing has changed, or git refuses the commit.
    """
    place = str(tree)
    call("uv", "lock", "--quiet", "--project", place)
    call("ruff", "check", "--quiet", "--fix", "--exit-zero", place)
    call("ruff", "format", "--quiet", place)
    allow_long_texts(tree)
    call("ruff", "check", "--quiet", place)
    call("git", "-C", place, "add", "--all")
    if not call("git", "-C", place, "status", "--porcelain"):
        message = "The repository is already as you ask for: there is nothing to commit."
        raise RefusedError(message)
    # The hooks need tools that this work tree does not have.
    call("git", "-C", place, "commit", "--quiet", "--no-verify", f"--message={message}")
    return call("git", "-C", place, "rev-parse", "HEAD").strip()


def allow_long_texts(tree: Path) -> None:
    """Raise the limit for comments and strings that longer names made too long, since ruff does not wrap them."""
    output = call("ruff", "check", "--select=E501", "--exit-zero", "--output-format=concise", str(tree))
    lengths = [int(length) for length in re.findall(r"Line too long \((\d+) > ", output)]
    if lengths:
        settings = tree / "pyproject.toml"
        root: Any = tomlkit.parse(settings.read_text(encoding="utf-8"))
        root["tool"]["ruff"]["lint"]["pycodestyle"] = {"max-line-length": max(lengths)}
        settings.write_text(tomlkit.dumps(root), encoding="utf-8")


def sweep(folder: Path) -> None:
    """Remove a renamed folder if it only holds compiled modules, which git ignored and left behind."""
    if folder.is_dir() and all("__pycache__" in file.parts for file in folder.rglob("*") if file.is_file()):
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
