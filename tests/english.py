"""Finds phrases and names that plain technical English has a better word for, and says which.

Call `python tests/english.py` in the root; it prints each as `file:line: phrase: what to write` and exits with 1 if
there are any. Arguments name files or folders; without them, it reads everything that git tracks: the docstrings,
comments and messages of Python, Markdown, JSON, and the comments of settings, workflows and scripts. A new rule is a
new row in PHRASES, OPENINGS or NAMES.
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# A phrase in any file, as a pattern whose spaces also stand for the end of a line, and what to write in its place.
PHRASES: Final = {
    r"what of": "name the part: `the slices that …`, `the files of the package that …`",
    r"lets? be": "ignored, left unchanged",
    r"(?:be|was|were|is) had": "available, obtained",
    r"ow(?:e|es|ing) to": "gets from, depends on",
    r"for who": "for readers who …, for a process that …",
    r"(?:that|which|or|it|it that|table) is none": "is not a …",
    r"what (?:came|comes?|has to come|had to come|becomes?|became) of": "the result of, the outcome of",
    r"nothing of the kind": "name the thing: `no such event`",
    r"(?:tells?|told|telling) of": "describes, reports, mentions",
    r"told from": "distinguished from, read from, derived from",
    r"(?:is|are|was|were) let(?! (?:to|be)\b)": "allowed, accepted",
    r"(?:upon)": "on",
    r"there being": "since there is",
    r"than which": "say it in a sentence of its own",
    r"as \w+ a one": "an equally …, as … as any",
    r"(?:the same|is|are|there) any more": "has changed, no longer",
    r"(?:known|said|noted) of": "known about, said about, noted about",
    r"what concerns": "the part about …",
    r"puts? things right": "cleans up, undoes the change",
    r"found out": "learned, known, computed",
    r"one's own": "your own",
    r"what there is to": "name the thing: `the commands to continue with`",
}
# How the first line of a docstring begins, by what has it, and what to write in its place.
OPENINGS: Final = {
    ("module", r"What\b"): "begin with a noun: `The inputs of …`, `Settings of …`, `Rules for …`",
    ("class", r"What\b"): "begin with a noun: `The inputs of …`, `Settings of …`, `Rules for …`",
    ("module", r"Whether\b"): "begin with a noun or a verb: `Checks that …`",
    ("class", r"Whether\b"): "begin with a noun or a verb: `Checks that …`",
    ("function", r"What\b"): "begin with a verb or a noun: `Return the …`, `The … of …`",
}
# A name of a function, class, argument or attribute, outside tests, and what to call it by.
NAMES: Final = {
    r"(?:\w+_)?untold(?:_\w+)?": "unknown",
    r"(?:\w+_)?told_to_\w+": "what it does: interrupt_on_sigterm",
    r"what_\w+": "the thing that it is: inputs, message, difference",
    r"go_on(?:_\w+)?": "what it does: continue_run",
    r"takes_more": "accepts_extra_args",
    r"let_\w+": "allow_…",
}
_TEXTS: Final = {".jinja", ".json", ".md", ".py"}
_COMMENTED: Final = {".cfg", ".hcl", ".sh", ".toml", ".yaml", ".yml"}
_COMMENTED_NAMES: Final = {"CODEOWNERS", "Dockerfile", "run"}
_OWN: Final = {"tests/english.py", "tests/test_english.py"}
_COMMENT: Final = re.compile(r"(?:^|\s)#.*")
_FENCED: Final = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_BETWEEN: Final = r"[\s#\"']+"  # a line may end inside a phrase, in a comment or in a text of several parts


def breaches(root: Path, chosen: Sequence[str] = ()) -> list[str]:
    """Return each phrase and name that has a better one, as `file:line: phrase: what to write`.

    Args:
        root: The repository.
        chosen: Files or folders in it; all that git tracks if there are none.
    """
    command = ["git", "ls-files", "-z", "--", *chosen]
    names = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout.split("\0")
    messages = []
    for name in sorted({*names} - _OWN - {""}):
        file = root / name
        is_text, is_commented = file.suffix in _TEXTS, file.suffix in _COMMENTED or file.name in _COMMENTED_NAMES
        if file.is_symlink() or not file.is_file() or not (is_text or is_commented or "Dockerfile" in file.name):
            continue
        text = file.read_text(encoding="utf-8")
        lines = [*_phrases(_blanked(text, file)), *(_of_python(text, name) if file.suffix == ".py" else ())]
        messages += [f"{name}:{line}: {message}" for line, message in sorted(lines)]
    return messages


def _blanked(text: str, file: Path) -> str:
    """Return a file's text with blank lines in place of what no person wrote as prose."""
    if file.suffix == ".md":
        return _FENCED.sub(lambda fence: "\n" * fence[0].count("\n"), text)
    if file.suffix in _TEXTS:
        return text
    return "\n".join(comment[0] if (comment := _COMMENT.search(line)) else "" for line in text.split("\n"))


def _phrases(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the description of each phrase."""
    for phrase, better in PHRASES.items():
        for match in re.finditer(rf"(?i:\b{phrase.replace(' ', _BETWEEN)}\b)", text):
            if "None" not in match[0]:  # a value of Python
                shown = " ".join(re.sub(r"[#\"]", " ", match[0]).split())
                yield text.count("\n", 0, match.start()) + 1, f"`{shown}`: write {better}"


def _of_python(text: str, name: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the description of each docstring and name in a Python file."""
    is_test = "tests" in Path(name).parts
    for node in ast.walk(ast.parse(text)):
        kind = {ast.Module: "module", ast.ClassDef: "class"}.get(type(node), "function")
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            docstring = ast.get_docstring(node) or ""
            line = node.body[0].lineno if node.body else 1
            for (of, opening), better in OPENINGS.items():
                if of == kind and not is_test and (match := re.match(opening, docstring)):
                    yield line, f"`{match[0]} …` of a {kind}: {better}"
        named = _name(node)
        for pattern, better in NAMES.items():
            if named and not is_test and re.fullmatch(rf"_*{pattern}", named, flags=re.IGNORECASE):
                yield getattr(node, "lineno", 1), f"`{named}`: call it by {better}"


def _name(node: ast.AST) -> str:
    """Return the name that a node of a syntax tree defines, or an empty text."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return node.name
    if isinstance(node, ast.arg):
        return node.arg
    return node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else ""


def main() -> int:
    """Tell every phrase and name that has a better one; return 1 if there is any."""
    parser = argparse.ArgumentParser(
        prog="python tests/english.py",
        description=(__doc__ or "").partition("\n")[0],
        epilog="Try it on what you change: `python tests/english.py packages/data docs/gate.md`.",
    )
    parser.add_argument("path", nargs="*", help="files or folders that git tracks; without any, all of them")
    lines = breaches(Path.cwd(), parser.parse_args().path)
    sys.stdout.write("".join(f"{line}\n" for line in lines) or "No phrase or name in the table was found.\n")
    return 1 if lines else 0


if __name__ == "__main__":
    raise SystemExit(main())
