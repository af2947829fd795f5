"""The settings that workflows rely on, read from their text."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterator
from typing import Any

from headworks.errors import ConfigurationError

_COMMENT = re.compile(r"(?:^|(?<=\s))#.*", re.MULTILINE)
_FILES = (".github/workflows/*.yml", ".github/workflows/*.yaml", ".github/actions/*/action.y*ml")


class Workflows:
    """The workflows and actions of a repository.

    Attributes:
        top: The folder of the repository.
        texts: The text of each file without comments, by its path in the repository.
    """

    def __init__(self, top: str) -> None:
        """Read them.

        Args:
            top: The folder of the repository.
        """
        self.top = top
        self.texts: dict[str, str] = {}
        for path in sorted(path for pattern in _FILES for path in glob.glob(os.path.join(glob.escape(top), pattern))):
            with open(path, encoding="utf-8", errors="replace") as file:
                self.texts[os.path.relpath(path, top).replace(os.sep, "/")] = _COMMENT.sub("", file.read())

    def users(self, pattern: str) -> dict[str, list[str]]:
        """Return what the group of a pattern finds, and the names of the files with each, in order."""
        users: dict[str, list[str]] = {}
        for path, text in self.texts.items():
            for found in dict.fromkeys(re.findall(pattern, text, flags=re.MULTILINE)):
                users.setdefault(found, []).append(path.removeprefix(".github/").removeprefix("workflows/"))
        return dict(sorted(users.items()))

    def files(self) -> Iterator[str]:
        """Yield the paths of the workflows, without those of actions."""
        yield from (path for path in self.texts if path.startswith(".github/workflows/"))

    def jobs_called(self, name: str) -> list[str]:
        """Return the workflows with a job of a name, which is its key where it has no other."""
        jobs = rf"^(?:  {re.escape(name)}:|    name: [\"']?{re.escape(name)}[\"']?)\s*$"
        return [path for path in self.files() if re.search(jobs, self.texts[path], flags=re.MULTILINE)]

    def rulesets(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rules of each file in .github/rulesets, by its name.

        Raises:
            ConfigurationError: A file is not the JSON of a ruleset.
        """
        rules = {}
        for path in sorted(glob.glob(os.path.join(glob.escape(self.top), ".github/rulesets/*.json"))):
            try:
                with open(path, encoding="utf-8") as file:
                    content = json.load(file)
                rules[os.path.basename(path)] = [{"type": it["type"]} | it for it in content["rules"]]
            except (KeyError, TypeError, ValueError) as error:
                message = f"{path} is no ruleset as GitHub exports it ({error!r}). Export it again, or remove it."
                raise ConfigurationError(message) from None
        return rules
