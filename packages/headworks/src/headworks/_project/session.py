"""The sessions of a repository, as nox lists them, with their rows of the table and the facts of the noxfile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


def row_values(parameters: Mapping[str, str], python: str) -> dict[str, str]:
    """Return the values that a row may name in braces."""
    return {**parameters} | ({"python": python} if python else {})


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text of a row with values in place of their names in braces."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


@dataclass(frozen=True, kw_only=True)
class Session:
    """A session as nox runs it: one function, one Python, one set of parameters.

    Attributes:
        name: Its name as nox shows it, as in `tests-3.13(data)`.
        function: The name that all instances share, as in `tests`.
        python: The Python that it asks for, as in `3.13`; empty where it runs on nox's own.
        parameters: The values of its parameters, as text.
        tags: Its tags.
        packages: Folders of the packages that it depends on, relative to the top of the repository; None for all files.
        inputs: Patterns of further files; None where the table does not list any.
        groups: The root's dependency groups that it depends on; None for all.
        tools: The tables below [tool] that it depends on; None for all.
        env: Environment variables that are declared for it.
        ignore: Patterns of files that it does not depend on.
        needs: Names of the sessions that have to pass before, with those whose outputs reach it through others.
        outputs: The files and folders that it writes for others, relative to the project's root.
        uncached: Why it always runs; empty where it does not.
        unseen: Why no verdict of it is recorded where nobody watched it; empty where one is.
        runs_on: The labels of the runner that CI gives it; empty for a Linux machine of GitHub's.
        required: Whether it is unproven when nox or pytest skipped something in it.
        has_unknown_needs: Whether nox may run other sessions before it that are written out nowhere.
        is_declared: Whether the table has a row for it.
        is_observed: Whether its verdicts are bound to what it was seen to read, where that can be seen.
        is_watchable: Whether a run of it may be watched, other than by an audit.
        is_planned: Whether `headworks plan` without names has it.
        is_exclusive: Whether nothing may run beside it.
        notifies: Whether it may have nox run other sessions after it.
    """

    name: str
    function: str
    python: str
    parameters: Mapping[str, str]
    tags: tuple[str, ...]
    packages: tuple[str, ...] | None
    inputs: tuple[str, ...] | None
    groups: tuple[str, ...] | None
    tools: tuple[str, ...] | None
    env: tuple[str, ...]
    ignore: tuple[str, ...]
    needs: tuple[str, ...]
    outputs: tuple[str, ...]
    uncached: str
    unseen: str
    runs_on: tuple[str, ...]
    required: bool
    has_unknown_needs: bool
    is_declared: bool
    is_observed: bool
    is_watchable: bool
    is_planned: bool
    is_exclusive: bool
    notifies: bool

    @property
    def cache(self) -> bool:
        """Whether a verdict of it is ever reused."""
        return not self.uncached

    @property
    def is_seen(self) -> bool:
        """Whether a verdict of a run of it that was watched counts wherever all that it read is the same.

        A row for all files says that it depends on all of them, whatever it was seen to read.
        """
        return self.is_observed or self.packages is not None

    @property
    def values(self) -> dict[str, str]:
        """The values that its row may name in braces."""
        return row_values(self.parameters, self.python)

    @property
    def selectors(self) -> set[str]:
        """The names that nox selects it by: its own, and those that it shares with others."""
        return {self.name, self.function, f"{self.function}-{self.python}".rstrip("-")}
