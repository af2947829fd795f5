"""Facts about this machine in every digest: interpreters, platform, nox, environment variables."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from headworks._hashes import digest
from headworks._machine.environ import covered_variables, session_environment
from headworks._machine.nox import Nox
from headworks._machine.programs import Programs, names_in

if TYPE_CHECKING:
    from headworks._quick.memory import Memory

UNSET = "unset"


def platform_name() -> str:
    """Return system, processor and C library, as in `linux x86_64 glibc 2.39`."""
    if not hasattr(os, "uname"):
        return f"{sys.platform} {os.environ.get('PROCESSOR_ARCHITECTURE', '')}".strip()
    names = [sys.platform, os.uname().machine]
    if "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", {}):
        names.append(os.confstr("CS_GNU_LIBC_VERSION") or "")
    return " ".join(names)


class Machine:
    """Facts about this machine that are part of digests.

    Attributes:
        environ: the environment that Headworks runs in.
        nox: the nox that is installed.
        platform: see `platform_name`.
    """

    def __init__(self, folder: str, environ: Mapping[str, str], memory: Memory) -> None:
        """Look around from a project's folder.

        Raises:
            UsageError: there is no nox.
        """
        self.environ = environ
        self._programs = Programs(folder, session_environment(environ, ()), memory)
        self.nox = Nox(self._programs)
        self.platform = platform_name()
        self._pythons: dict[str, str] = {}

    def python(self, asked: str) -> str:
        """Return implementation and version of the Python that a session would get.

        nox takes the first of that version on PATH, and where there is none, lets uv find or download one.

        Args:
            asked: what the session asks for, as in `3.13`; empty for the one that runs nox.
        """
        if not asked:
            return self.nox.python
        if asked not in self._pythons:
            path = (
                asked
                if os.path.isabs(asked)
                else self._programs.find(f"python{asked}" if asked[0].isdigit() else asked)
            )
            self._pythons[asked] = (self._programs.version(path) if path else "") or self._managed(asked)
        return self._pythons[asked]

    def variables(self, declared: Iterable[str]) -> dict[str, str]:
        """Return a hash for each environment variable that counts, or a word that says that it is not set.

        They go into digests. Those that are declared are not recorded: a secret could be guessed by its hash.
        """
        found = covered_variables(self.environ, declared)
        return {name: UNSET if value is None else digest(os.fsencode(value)) for name, value in sorted(found.items())}

    def environment(self, declared: Iterable[str]) -> dict[str, str]:
        """Return the environment that a session runs in."""
        return session_environment(self.environ, declared)

    def _managed(self, asked: str) -> str:
        """Return the names of the versions that uv has installed."""
        home = self.environ.get("HOME") or self.environ.get("USERPROFILE", "")
        data = self.environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
        folder = self.environ.get("UV_PYTHON_INSTALL_DIR") or os.path.join(data, "uv", "python")
        return " ".join(["managed by uv:", *(it for it in names_in(folder) if f"-{asked}" in it)])
