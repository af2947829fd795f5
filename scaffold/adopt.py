"""Make the repository a team's own in one commit: `nox -s adopt -- --prefix acme --owner @acme/makers`.

Everything happens in a second work tree of the repository, which is removed again. Only when the commit is whole does
the branch move forward to it, so that whatever goes wrong leaves the repository as it was.
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
from ownership import check_owner, hand_over, published_elsewhere, source
from repository import RefusedError, call, check_free, check_word, prefix_of, project_names

if TYPE_CHECKING:
    from collections.abc import Iterator


def main() -> int:
    """Make the commit, and return 0, or say why not and return 2."""
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
    """Rename the packages, write down whose they are, take the engine out, and return what there is to say about it.

    Raises:
        RefusedError: what is asked for cannot be, the work tree is not clean, or a program that is needed failed.
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
            leave_out(tree, prefix, names)
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
    return (
        told(prefix, old, folders) + told_of_owner(owner, prefix, address) + told_of_engine(from_release=from_release)
    )


@contextlib.contextmanager
def second_tree() -> Iterator[Path]:
    """Yield a second work tree of the repository, which is removed again."""
    with tempfile.TemporaryDirectory(prefix="adopt-") as place:
        tree = Path(place) / "tree"
        call("git", "worktree", "add", "--quiet", "--detach", str(tree), "HEAD")
        try:
            yield tree
        finally:
            call("git", "worktree", "remove", "--force", str(tree))


def check_prefix(prefix: str, old: str, folders: list[str]) -> None:
    """Refuse a prefix that cannot be.

    Raises:
        RefusedError: it is not well formed, is the present one, or makes names that others have.
    """
    check_word(prefix, "a prefix")
    if prefix == old:
        message = f"The packages have the prefix {old!r} already."
        raise RefusedError(message)
    check_free([f"{prefix}-{folder}" for folder in folders])


def leave_out(tree: Path, prefix: str, names: dict[str, str]) -> None:
    """Have releases leave out the engine, whose name is that of its folder and stays: another repository has it."""
    for folder, name in names.items():
        if name == folder != prefix:
            published_elsewhere(tree / "packages" / folder / "pyproject.toml")


def told(prefix: str | None, old: str, folders: list[str]) -> list[str]:
    """Return what there is to say about another prefix."""
    if not prefix:
        return []
    return [
        f"{', '.join(folders)} are now called {prefix}-… instead of {old}-…: `git show --stat`.",
        "Remove .nox, whose environments hold packages of the old names, and run `.ci/run` before you push.",
    ]


def told_of_owner(owner: str | None, prefix: str | None, address: str) -> list[str]:
    """Return what there is to say about the owner."""
    if not owner and not prefix:
        return []
    if not owner:
        return [f"The teams in .github/CODEOWNERS are those of @{prefix} on GitHub; if yours are others, add --owner."]
    ruleset = "" if "/" in owner else ", with the ruleset of a personal account"
    return [
        f"{owner} owns the repository{ruleset}, and the packages say that their source is {address}.",
        "docs/guides/first-push.md says what is to be set on GitHub itself.",
    ]


def told_of_engine(*, from_release: bool) -> list[str]:
    """Return what there is to say about the engine."""
    if not from_release:
        return []
    return [
        f"{ENGINE} comes from the index, and {FOLDER.as_posix()} is gone with all that is about its making.",
        "`uv lock --upgrade-package headworks` takes a newer release; remove .nox, and run `.ci/run` before you push.",
    ]


def check_clean() -> None:
    """Refuse a work tree in which something is not committed.

    Raises:
        RefusedError: it is no clean work tree of git, or not its root.
    """
    if changed := call("git", "status", "--porcelain"):
        message = f"The work tree has changes that are not committed; commit or stash them first:\n{changed}"
        raise RefusedError(message)


def images() -> list[str]:
    """Return the names of the images, which have the packages' prefix."""
    return sorted(path.name.removesuffix(".Dockerfile") for path in Path("docker").glob("*.Dockerfile"))


def pattern(old: str, endings: list[str]) -> re.Pattern[str]:
    """Return what finds the prefix of distributions and modules, of images, whose names have a variable, and of teams.

    A name that a number follows, as in `headworks-data 1`, is that of a form of files: it is hashed into digests that
    exist, and stays.
    """
    projects = "|".join(endings)  # a folder's name has nothing that a pattern would read otherwise
    modules = projects.replace("-", "_")
    image = r"\$?\{(?:image\b|record\[)"
    project = rf"{old}(?=-(?:{projects})(?![A-Za-z0-9]| [0-9])|-{image})"
    module = rf"{old.replace('-', '_')}(?=_(?:{modules})(?![A-Za-z0-9]))"
    team = rf"(?<=@){old}(?=/)"  # in CODEOWNERS
    return re.compile(rf"(?<![A-Za-z0-9])(?:{project}|{module}|{team})")


def rename(tree: Path, names: re.Pattern[str], prefix: str) -> None:
    """Rename in the content of every text file that git tracks, and in every path."""
    for name in call("git", "-C", str(tree), "ls-files", "-z").split("\0"):
        path = tree / name
        if not name or path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        try:
            text = content.decode()
        except UnicodeDecodeError:
            continue  # an image or a table has no names in it
        path.write_bytes(replaced(names, prefix, text).encode())
        moved = tree / replaced(names, prefix, name)
        if moved != path:
            moved.parent.mkdir(parents=True, exist_ok=True)
            path.rename(moved)


def replaced(names: re.Pattern[str], prefix: str, text: str) -> str:
    """Return a text with the prefix in the place of the former one, with underscores where a module is named."""
    return names.sub(lambda it: prefix.replace("-", "_") if it.string[it.end()] == "_" else prefix, text)


def committed(tree: Path, message: str) -> str:
    """Put in order what depends on the length and the order of names, commit all, and return the commit.

    Raises:
        RefusedError: the sources cannot be put in order, or git refuses the commit.
    """
    place = str(tree)
    call("uv", "lock", "--quiet", "--project", place)
    call("ruff", "check", "--quiet", "--fix", "--exit-zero", place)
    call("ruff", "format", "--quiet", place)
    allow_long_texts(tree)
    call("ruff", "check", "--quiet", place)
    call("git", "-C", place, "add", "--all")
    if not call("git", "-C", place, "status", "--porcelain"):
        message = "The repository is as you ask for already: there is nothing to commit."
        raise RefusedError(message)
    # The hooks are those of a work tree that has its tools: this one has none.
    call("git", "-C", place, "commit", "--quiet", "--no-verify", f"--message={message}")
    return call("git", "-C", place, "rev-parse", "HEAD").strip()


def allow_long_texts(tree: Path) -> None:
    """Raise the limit for lines that longer names have made too long: comments and texts, which ruff does not fold."""
    found = call("ruff", "check", "--select=E501", "--exit-zero", "--output-format=concise", str(tree))
    lengths = [int(it) for it in re.findall(r"Line too long \((\d+) > ", found)]
    if lengths:
        settings = tree / "pyproject.toml"
        root: Any = tomlkit.parse(settings.read_text(encoding="utf-8"))
        root["tool"]["ruff"]["lint"]["pycodestyle"] = {"max-line-length": max(lengths)}
        settings.write_text(tomlkit.dumps(root), encoding="utf-8")


def sweep(folder: Path) -> None:
    """Remove what git ignores and so left in a folder that was renamed: compiled modules."""
    if folder.is_dir() and all("__pycache__" in it.parts for it in folder.rglob("*") if it.is_file()):
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
