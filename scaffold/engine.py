"""Replaces the engine's package by a dependency on its release, and removes the files that only its makers need."""

from __future__ import annotations

import json
import os
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import tomlkit
from repository import RefusedError, call

ENGINE = "headworks"
FOLDER = Path("packages", ENGINE)
INDEX = f"https://pypi.org/project/{ENGINE}/"
# Further files that only the engine's makers need.
OWN = [
    *(
        Path("benchmarks", f"{name}.py")
        for name in (
            "edges",
            "gate",
            "gate_measured",
            "gate_peers",
            "gate_scale",
            "gate_worlds",
            "history",
            "history_clone",
            "peers",
        )
    ),
    *(Path("benchmarks", f"{name}.py") for name in ("scheduling", "speed", "workspaces")),
    *(Path("benchmarks/history", f"{name}.toml") for name in ("check-sdist", "headworks", "hepunits")),
    *(Path("docs", name) for name in ("benchmarks.md", f"reference/{ENGINE}.md", "soundness.md")),
    *(Path("tests", f"test_{name}.py") for name in ("history", "report")),
    *(Path("tests/documents", f"test_{name}.py") for name in ("architecture", "engine_from_release")),
]
CAMPAIGN = f'run_campaign(session, "{ENGINE}"'
GROUPS = ["browser"]  # dependency groups of removed tests
_LINK = re.compile(r"\[([^]]*)\]\(([^)#\s]+)(?:#[^)]*)?\)")


def check_engine() -> None:
    """Refuse a repository that does not hold the engine as a package.

    Raises:
        RefusedError: The engine is a dependency already.
    """
    if not FOLDER.is_dir():
        message = f"There is no {FOLDER.as_posix()}: the engine comes from a release already."
        raise RefusedError(message)


def take_out(tree: Path) -> None:
    """Make a work tree take the engine from the index, and remove its package and the files of its makers.

    Args:
        tree: The work tree.
    """
    gone = [FOLDER, *OWN]
    extras = tomllib.loads((tree / FOLDER / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    distribution = f"{ENGINE}[{','.join(sorted(extras['optional-dependencies']))}]"
    version = (tree / "VERSION").read_text(encoding="utf-8").strip()
    shutil.rmtree(tree / FOLDER)
    for path in OWN:
        (tree / path).unlink(missing_ok=True)
    noxfile = tree / "noxfile.py"
    text, sessions = without_campaigns(noxfile.read_text(encoding="utf-8"))
    noxfile.write_text(text, encoding="utf-8")
    settings = tree / "pyproject.toml"
    changed = with_release(settings.read_text(encoding="utf-8"), f"{distribution}>={version}", sessions)
    settings.write_text(changed, encoding="utf-8")
    script = tree / ".ci/run"
    script.write_text(without_steps(script.read_text(encoding="utf-8"), sessions), encoding="utf-8")
    for name in call("git", "-C", str(tree), "ls-files", "-z", "*.md").split("\0"):
        page = tree / name
        if name and page.is_file():
            content = without_commands(page.read_text(encoding="utf-8"), sessions)
            page.write_text(with_links(content, Path(name).parent, gone), encoding="utf-8")


def without_campaigns(text: str) -> tuple[str, list[str]]:
    """Return a noxfile without the campaigns of the engine's makers, and the names of these sessions."""
    blocks = text.split("\n\n\n")
    campaigns = [block for block in blocks if CAMPAIGN in block]
    kept = "\n\n\n".join(block for block in blocks if block not in campaigns)
    for group in GROUPS:
        kept = kept.replace(f', "{group}"', "")
    return kept, [re.findall(r"^def (\w+)", block, re.MULTILINE)[0] for block in campaigns]


def with_release(text: str, requirement: str, sessions: list[str]) -> str:
    """Return the root's pyproject.toml with the engine as a dependency from the index.

    Args:
        text: The file.
        requirement: The requirement to install.
        sessions: The removed sessions.
    """
    root: Any = tomlkit.parse(text)
    groups, tools = root["dependency-groups"], root["tool"]
    for group in GROUPS:
        del groups[group]
        for members in groups.values():
            for index in [index for index, member in enumerate(members) if member == {"include-group": group}]:
                del members[index]
    groups["engine"] = listed([requirement])
    groups["dev"].append(tomlkit.value('{ include-group = "engine" }'))
    del tools["uv"]["sources"][ENGINE]
    for name, row in [*tools[ENGINE]["sessions"].items()]:
        if name in sessions:
            del tools[ENGINE]["sessions"][name]
        elif ENGINE in row.get("packages", ()):
            row["packages"] = listed([name for name in row["packages"] if name != ENGINE])
    linter = tools["importlinter"]
    linter["root_packages"] = listed([name for name in linter["root_packages"] if name != ENGINE])
    about = [contract.get("source_modules", contract.get("containers")) for contract in linter["contracts"]]
    own = [
        index
        for index, modules in enumerate(about)
        if modules and all(module.split(".")[0] == ENGINE for module in modules)
    ]
    for index in reversed(own):
        del linter["contracts"][index]
    return tomlkit.dumps(root)


def listed(texts: list[str]) -> Any:  # noqa: ANN401 - an item of tomlkit
    """Return a list of strings as an item of TOML, written as in this repository."""
    return tomlkit.value(f"[ {', '.join(map(json.dumps, texts))} ]" if texts else "[  ]")


def without_steps(script: str, sessions: list[str]) -> str:
    """Return a script without the steps that run removed sessions or install tools for removed tests."""
    gone = re.compile("|".join([*(rf"\bnox -s {session}\b" for session in sessions), "in a real browser"]))
    return "\n\n".join(step for step in script.split("\n\n") if not gone.search(step))


def without_commands(text: str, sessions: list[str]) -> str:
    """Return a page that names removed sessions without the command that runs them."""
    return re.sub(rf"\bnox -s ({'|'.join(sessions)})\b", r"\1", text)


def with_links(text: str, folder: Path, gone: list[Path]) -> str:
    """Return a page whose links to removed files lead to the engine's page on the index.

    Args:
        text: The page.
        folder: The folder that the page is in.
        gone: The removed files and folders.
    """

    def led(link: re.Match[str]) -> str:
        target = Path(os.path.normpath(folder / link[2]))
        if not any(target.is_relative_to(path) for path in gone):
            return link[0]
        return f"[{'Headworks' if '/' in link[1] else link[1]}]({INDEX})"

    lines = [line for line in text.splitlines(keepends=True) if not line.startswith(f"| `{FOLDER.as_posix()}` |")]
    called = "".join(lines).replace(f"uv run --package {ENGINE} ", "uv run --only-group engine ")
    return _LINK.sub(led, called)
