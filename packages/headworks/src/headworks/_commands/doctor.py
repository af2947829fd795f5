"""Say which settings of a repository on GitHub are missing that its workflows rely on."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

from headworks._lines import say, text_of
from headworks._tree.git import Repository
from headworks.errors import Exit, UsageError

if TYPE_CHECKING:
    import argparse

    from headworks._github.checks import Finding

_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_ORIGIN = re.compile(r"(?:\w+://(?:[^/@]*@)?|[^/@]*@)([\w.-]+)(?::\d+)?[/:](.+?)(?:\.git)?/?")
_API = "https://api.github.com"
_HOSTS = {"github.com", "ssh.github.com", "www.github.com"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument(
        "--github",
        nargs="?",
        const="",
        required=True,
        metavar="OWNER/NAME",
        help="the repository; by default that of the remote `origin`",
    )
    parser.add_argument(
        "--check", default="ci / required", metavar="NAME", help="the check that a merge has to wait for (%(default)s)"
    )
    parser.add_argument("--format", choices=["text", "json"], default="text", help="for people or for programs")


def run(arguments: argparse.Namespace) -> int:
    """Ask GitHub, and list what there is and what is missing."""
    from headworks._github.checks import findings  # whose client takes 60 ms to import
    from headworks._github.client import GitHub
    from headworks._github.workflows import Workflows

    repository = Repository(os.curdir)
    workflows = Workflows(repository.top)
    if not workflows.texts:
        message = f"There is no workflow in {repository.top}/.github/workflows, so that no setting is needed for one."
        raise UsageError(message)
    url, name = _address(repository, arguments.github)
    token = os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN") or ""
    found = findings(GitHub(url, name, token), workflows, arguments.check)
    states = [it.state for it in found]
    if arguments.format == "json":
        data = {"format": 1, "repository": name, "findings": [vars(it) for it in found]}
        say(json.dumps(data, indent=2))
    else:
        say(text_of([line for it in found for line in _lines(it)] + [_sum(name, states)]))
    if "missing" in states:
        return Exit.FAILED
    return Exit.UNDECIDED if "unknown" in states else Exit.PASSED


def _lines(it: Finding) -> list[str]:
    """Return the lines about one setting."""
    return [f"{it.state:7}  {it.check}{it.about and f' {it.about}'}: {it.text}"] + [f"         {it.advice}"] * bool(
        it.advice
    )


def _sum(name: str, states: list[str]) -> str:
    """Return a line that counts the settings by their states."""
    counts = ", ".join(f"{states.count(state)} {state}" for state in ("ok", "missing", "off", "unknown"))
    return f"{name}: {counts}"


def _address(repository: Repository, name: str) -> tuple[str, str]:
    """Return the address of the API, and the owner and name of the repository.

    Raises:
        UsageError: They cannot be told, or a token would go to a server that nobody named.
    """
    url = os.environ.get("GITHUB_API_URL", "")
    if url and not url.startswith(("https://", "http://")):
        message = f"GITHUB_API_URL is {url!r}; it has to begin with https://."
        raise UsageError(message)
    origin = _ORIGIN.fullmatch(repository.ask("remote", "get-url", "origin") or "")
    if origin and not name:
        name, host = origin[2], origin[1].lower()
        if not url and host not in _HOSTS:
            message = (
                f"The remote `origin` is on {host}. If that is a GitHub Enterprise Server, set GITHUB_API_URL to"
                f" https://{host}/api/v3; if not, name the repository on GitHub with --github OWNER/NAME."
            )
            raise UsageError(message)
    if not _NAME.fullmatch(name):
        message = f"{name!r} is no repository on GitHub. Name it with --github OWNER/NAME."
        raise UsageError(message)
    return url or _API, name
