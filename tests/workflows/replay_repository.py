"""This repository as GitHub would have it, made small enough for one Linux machine with one Python.

Its first commit of its own leaves out what no such machine can do: the other Pythons, the other systems, and the
sessions whose tests are about all of them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from replay_hosted import Hosted

ROOT: Final = Path(__file__).parents[2]
RUNNING: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
# Their tests are about every Python and every system, and make copies of the repository of their own.
LEFT_OUT: Final = ("integration", "workflows")
_EDITS: Final = (
    ("packages/*/pyproject.toml", rf' *"Programming Language :: Python :: 3\.(?!{RUNNING[2:]}")\d+",\n', ""),
    ("noxfile.py", r'@nox\.session\(tags=\["macos", "windows"\]\)', "@nox.session"),
    ("noxfile.py", rf"@nox\.session(?=\ndef (?:{'|'.join(LEFT_OUT)})\()", "@nox.session(default=False)"),
)
# What surrounds this program, and would decide something in the steps.
_SURROUNDINGS: Final = re.compile(r"CI|FORCE_COLOR|VIRTUAL_ENV|(GITHUB|HEADGATE|NOX|PYTHON|RUNNER|UV)_?(?!CACHE_DIR).*")


class ThisRepository(Hosted):
    """A clone of this repository's last commit, and the runs of its own `ci.yml`."""

    def __init__(self, folder: Path) -> None:
        """Clone it into a folder, or take the clone that an earlier replay has left there."""
        paths = os.environ["PATH"].split(os.pathsep)
        own = str(Path(sys.executable).parent)
        environ = {key: it for key, it in os.environ.items() if not _SURROUNDINGS.fullmatch(key)}
        environ["PATH"] = os.pathsep.join(it for it in paths if it != own)
        super().__init__(folder, folder / "origin/.github/workflows/ci.yml", environ)
        if not self.origin.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            self._clone()

    def _clone(self) -> None:
        """Clone the repository, and commit what makes it smaller."""
        command = ["git", "clone", "--quiet", "--no-local", str(ROOT), str(self.origin)]
        subprocess.run(command, check=True, env=self.environ)
        self.git("remote", "remove", "origin")
        self.git("checkout", "--quiet", "-B", "main")
        self.configure()
        for pattern, old, new in _EDITS:
            for file in sorted(self.origin.glob(pattern)):
                text, number = re.subn(old, new, file.read_text(encoding="utf-8"))
                if not number:
                    message = f"{file.relative_to(self.origin)} has nothing like {old!r}: mend {__file__}."
                    raise ValueError(message)
                file.write_text(text, encoding="utf-8")
        self.commit(f"Support Linux and Python {RUNNING} only")
