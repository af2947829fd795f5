"""Whose a repository on GitHub is: its owner in CODEOWNERS, in the ruleset of main and in what packages say of it."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING

from repository import RefusedError, call

if TYPE_CHECKING:
    from pathlib import Path

OWNER = re.compile(r"@[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?")
PRIVATE = '  "Private :: Do Not Upload",\n'
_REMOTE = re.compile(r"(?:(?:https?|ssh)://)?(?:[^/@]*@)?([\w.-]+(?::[0-9]+(?=/))?)[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?")
_PROJECT = re.compile(r"^\[project\]\n(?:.+\n)+", re.MULTILINE)


def check_owner(owner: str) -> None:
    """Refuse what GitHub takes for no owner.

    Raises:
        RefusedError: it is neither a person nor a team.
    """
    if not OWNER.fullmatch(owner):
        message = f"{owner!r} is no owner: name a person, as in @me, or a team of an organisation, as in @acme/makers."
        raise RefusedError(message)


def source() -> str:
    """Return the address of the repository on the web, from that of its remote `origin`.

    Raises:
        RefusedError: it has none, or one that is not on a server.
    """
    remote = call("git", "config", "--default", "", "--get", "remote.origin.url").strip()
    found = _REMOTE.fullmatch(remote)
    if found is None:
        message = (
            "The packages shall say where their source is, and `origin` is no repository on a server:"
            " `git remote add origin https://github.com/OWNER/NAME.git` first."
        )
        raise RefusedError(message)
    host = found[1] if remote.startswith("http") else found[1].partition(":")[0]  # the port is that of ssh
    return f"https://{host}/{found[2]}"


def hand_over(tree: Path, owner: str, address: str) -> None:
    """Write down whose a repository is.

    Args:
        tree: its work tree.
        owner: a person or a team.
        address: where it is on the web.

    Raises:
        RefusedError: a package names other addresses already.
    """
    owners = tree / ".github/CODEOWNERS"
    lines = owners.read_text(encoding="utf-8").splitlines()
    written = [it if it.startswith("#") else re.sub(r"@\S+(?: @\S+)*", owner, it) for it in lines]
    owners.write_text("\n".join([*written, ""]), encoding="utf-8")
    if "/" not in owner:
        ruleset = tree / ".github/rulesets/main.json"
        ruleset.write_text(of_a_person(ruleset.read_text(encoding="utf-8")), encoding="utf-8")
    for file in sorted(tree.glob("packages/*/pyproject.toml")):
        file.write_text(with_source(file, address), encoding="utf-8")


def of_a_person(text: str) -> str:
    """Return a ruleset for a personal account: it has no merge queue, and nobody else who could approve."""
    ruleset = json.loads(text)
    ruleset["rules"] = [it for it in ruleset["rules"] if it["type"] != "merge_queue"]
    for rule in ruleset["rules"]:
        if rule["type"] == "pull_request":
            alone = {"require_code_owner_review": False, "require_last_push_approval": False}
            rule["parameters"] |= {"required_approving_review_count": 0} | alone
    return json.dumps(ruleset, indent=2) + "\n"


def with_source(file: Path, address: str) -> str:
    """Return a package's pyproject.toml with the address of its source.

    Raises:
        RefusedError: it names other addresses already.
    """
    text = file.read_text(encoding="utf-8")
    urls = tomllib.loads(text)["project"].get("urls", {})
    if address in urls.values():
        return text
    if urls:
        message = f'{"/".join(file.parts[-3:])} names addresses already; write `Source = "{address}"` among them first.'
        raise RefusedError(message)
    return _PROJECT.sub(lambda it: f'{it[0]}urls.Source = "{address}"\n', text, count=1)


def published_elsewhere(file: Path) -> None:
    """Have a release leave a package out, which another repository publishes."""
    text = file.read_text(encoding="utf-8")
    if PRIVATE not in text:
        file.write_text(text.replace('  "Programming', f'{PRIVATE}  "Programming', 1), encoding="utf-8")
