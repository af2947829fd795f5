"""Give the packages another prefix in one commit: `nox -s adopt -- --prefix acme`.

Everything happens in a second work tree of the repository, which is removed again. Only when the commit is whole does
the branch move forward to it, so that whatever goes wrong leaves the repository as it was.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path

from repository import RefusedError, call, check_free, check_word, prefix_of, project_names


def main() -> int:
    """Make the commit, and return 0, or say why not and return 2."""
    parser = argparse.ArgumentParser(prog="nox -s adopt --", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--prefix", required=True, help="what the packages' names shall begin with")
    prefix = parser.parse_args().prefix
    try:
        old, names = adopt(prefix)
    except (RefusedError, OSError) as error:
        print(f"adopt: {error}", file=sys.stderr)
        return 2
    print(
        f"{', '.join(names)} are now called {prefix}-… instead of {old}-…, in one commit; `git show --stat` lists it."
    )
    print(f"The teams in .github/CODEOWNERS are those of @{prefix} on GitHub; change the file if yours are others.")
    print("Remove .nox, whose environments hold packages of the old names, and run `.ci/run` before you push.")
    return 0


def adopt(prefix: str) -> tuple[str, list[str]]:
    """Rename the packages, and return their former prefix and their folders.

    Raises:
        RefusedError: the prefix cannot be used, the work tree is not clean, or a program that is needed failed.
    """
    check_word(prefix, "a prefix")
    names = project_names()
    old = prefix_of(names)
    folders = [folder for folder, name in names.items() if name == f"{old}-{folder}"]
    if prefix == old:
        message = f"The packages have the prefix {old!r} already."
        raise RefusedError(message)
    check_free([f"{prefix}-{folder}" for folder in folders])
    check_clean()
    with tempfile.TemporaryDirectory(prefix="adopt-") as place:
        tree = Path(place) / "tree"
        call("git", "worktree", "add", "--quiet", "--detach", str(tree), "HEAD")
        try:
            rename(tree, pattern(old, folders + images()), prefix)
            commit = committed(tree, old, prefix)
        finally:
            call("git", "worktree", "remove", "--force", str(tree))
    call("git", "merge", "--quiet", "--ff-only", commit)
    for folder in folders:
        sweep(Path("packages", folder, "src", f"{old}-{folder}".replace("-", "_")))
    return old, folders


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


def committed(tree: Path, old: str, prefix: str) -> str:
    """Put in order what depends on the length and the order of names, commit all, and return the commit.

    Raises:
        RefusedError: the sources cannot be put in order, or git refuses the commit.
    """
    place = str(tree)
    call("uv", "lock", "--quiet", "--project", place)
    call("ruff", "check", "--quiet", "--fix", "--exit-zero", place)
    call("ruff", "format", "--quiet", place)
    call("ruff", "check", "--quiet", place)
    call("git", "-C", place, "add", "--all")
    message = f"Call the packages {prefix}, where they were called {old}"
    # The hooks are those of a work tree that has its tools: this one has none.
    call("git", "-C", place, "commit", "--quiet", "--no-verify", f"--message={message}")
    return call("git", "-C", place, "rev-parse", "HEAD").strip()


def sweep(folder: Path) -> None:
    """Remove what git ignores and so left in a folder that was renamed: compiled modules."""
    if folder.is_dir() and all("__pycache__" in it.parts for it in folder.rglob("*") if it.is_file()):
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
