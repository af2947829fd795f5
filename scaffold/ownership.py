"""The owner of a repository on GitHub: in CODEOWNERS, in the ruleset of main and in the packages' metadata."""

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
_SOURCE = re.compile(r"^urls\.Source = .*\n", re.MULTILINE)
_PROJECT = re.compile(r"^\[project\]\n(?:.+\n)+", re.MULTILINE)


def check_owner(owner: str) -> None:
    """Refuse an owner that GitHub would not accept.

    Raises:
        RefusedError: The text names neither a person nor a team.
    """
    if not OWNER.fullmatch(owner):
        message = f"{owner!r} is no owner: name a person, as in @me, or a team of an organisation, as in @acme/makers."
        raise RefusedError(message)


def source() -> str:
    """Return the web address of the repository, derived from its remote `origin`.

    Raises:
        RefusedError: There is no `origin`, or it is not on a server.
    """
    remote = call("git", "config", "--default", "", "--get", "remote.origin.url").strip()
    address = _REMOTE.fullmatch(remote)
    if address is None:
        message = (
            "The packages shall say where their source is, and `origin` is no repository on a server:"
            " `git remote add origin https://github.com/OWNER/NAME.git` first."
        )
        raise RefusedError(message)
    host = address[1] if remote.startswith("http") else address[1].partition(":")[0]  # the port belongs to ssh
    return f"https://{host}/{address[2]}"


def hand_over(tree: Path, owner: str, address: str) -> None:
    """Write the owner into a repository.

    Args:
        tree: The work tree.
        owner: A person or a team, as in @me or @acme/makers.
        address: The web address of the repository.

    Raises:
        RefusedError: A package already names other addresses.
    """
    owners = tree / ".github/CODEOWNERS"
    lines = owners.read_text(encoding="utf-8").splitlines()
    written = [line if line.startswith("#") else re.sub(r"@\S+(?: @\S+)*", owner, line) for line in lines]
    owners.write_text("\n".join([*written, ""]), encoding="utf-8")
    if "/" not in owner:
        ruleset = tree / ".github/rulesets/main.json"
        ruleset.write_text(for_person(ruleset.read_text(encoding="utf-8")), encoding="utf-8")
    for file in sorted(tree.glob("packages/*/pyproject.toml")):
        file.write_text(with_source(file, address), encoding="utf-8")


def for_person(text: str) -> str:
    """Return a ruleset for a personal account, which has no merge queue and nobody else who could approve."""
    ruleset = json.loads(text)
    ruleset["rules"] = [rule for rule in ruleset["rules"] if rule["type"] != "merge_queue"]
    for rule in ruleset["rules"]:
        if rule["type"] == "pull_request":
            alone = {"require_code_owner_review": False, "require_last_push_approval": False}
            rule["parameters"] |= {"required_approving_review_count": 0} | alone
    return json.dumps(ruleset, indent=2) + "\n"


def with_source(file: Path, address: str) -> str:
    """Return a package's pyproject.toml with the web address of its source, in place of the one of an earlier adoption.

    Raises:
        RefusedError: It names addresses in a form of its own.
    """
    text = file.read_text(encoding="utf-8")
    urls = tomllib.loads(text)["project"].get("urls", {})
    if address in urls.values():
        return text
    line = f'urls.Source = "{address}"\n'
    if _SOURCE.search(text):
        return _SOURCE.sub(lambda _: line, text)
    if urls:
        message = f'{"/".join(file.parts[-3:])} names addresses already; write `Source = "{address}"` among them first.'
        raise RefusedError(message)
    return _PROJECT.sub(lambda match: match[0] + line, text, count=1)


def exclude_from_releases(file: Path) -> None:
    """Exclude a package from releases, because another repository publishes it."""
    text = file.read_text(encoding="utf-8")
    if PRIVATE not in text:
        file.write_text(text.replace('  "Programming', f'{PRIVATE}  "Programming', 1), encoding="utf-8")
