"""Finds Dependabot's pull request of a commit that holds small updates only, and adds its address to GITHUB_OUTPUT.

small_update.py COMMIT
    the newest commit of the branch

Titles and branches can be written by anybody who may push, and a commit may name any author. Trusted is one commit by
Dependabot that GitHub itself has signed: its message lists the `update-type` of each dependency.
"""

from __future__ import annotations

import os
import re
import sys
import urllib.error
from pathlib import Path
from typing import Any, Final

from github_api import GitHub

_BOT: Final = "dependabot[bot]"
_SIGNER: Final = "web-flow"  # the committer of what GitHub itself signs
_NAMED: Final = re.compile(r"^- dependency-name:", re.MULTILINE)
_TYPE: Final = re.compile(r"^ +update-type: (\S+)$", re.MULTILINE)
_SMALL: Final = {"version-update:semver-patch", "version-update:semver-minor"}


def refusal(pull: dict[str, Any], commits: list[dict[str, Any]]) -> str:
    """Return why a pull request is left to people, or nothing if it holds small updates only."""
    if pull["user"]["login"] != _BOT:
        return f"{pull['user']['login']} has opened it, and not Dependabot"
    if len(commits) != 1 or commits[0]["sha"] != pull["head"]["sha"]:
        return "it has other commits than Dependabot's one"
    author, committer = (commits[0][it] or {} for it in ("author", "committer"))
    is_signed = commits[0]["commit"]["verification"]["verified"] and committer.get("login") == _SIGNER
    if author.get("login") != _BOT or not is_signed:
        return "its commit is not by Dependabot and signed by GitHub"
    message = commits[0]["commit"]["message"].rpartition("\n---\n")[2]
    types = _TYPE.findall(message)
    if not types or len(types) != len(_NAMED.findall(message)) or not _SMALL.issuperset(types):
        return f"not all of its updates are minor or patches: {', '.join(types) or 'none says what it is'}"
    return ""


def main(commit: str) -> int:
    """Say what is merged and what is left to people; return 1 with one line if GitHub could not be asked."""
    github = GitHub()
    try:
        pulls = [it for it in github.call("GET", f"commits/{commit}/pulls") if it["head"]["sha"] == commit]
        for pull in (it for it in pulls if it["state"] == "open"):
            why = refusal(pull, github.call("GET", f"pulls/{pull['number']}/commits"))
            sys.stdout.write(f"#{pull['number']}: {f'left to people: {why}' if why else 'to be merged'}.\n")
            if not why:
                with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as output:
                    output.write(f"url={pull['html_url']}\n")
    except urllib.error.URLError as error:
        sys.stderr.write(f"small_update: error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
