"""A clone of this repository, as GitHub would hold it, reduced to one Linux machine with one Python.

Its first own commit removes the other Pythons, the other systems, and the sessions whose tests need all of them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from replay_hosted import Hosted

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT: Final = Path(__file__).parents[2]
RUNNING: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
# Their tests need every Python and every system, and make their own copies of the repository.
LEFT_OUT: Final = ("documents", "integration", "workflows")
_EDITS: Final = (
    ("packages/*/pyproject.toml", rf' *"Programming Language :: Python :: 3\.(?!{RUNNING[2:]}")\d+",\n', ""),
)
# Variables of the outer session that would change the behaviour of steps.
_SURROUNDINGS: Final = re.compile(
    r"CI|FORCE_COLOR|VIRTUAL_ENV|(GITHUB|HEADWORKS|NOX|PYTHON|RUNNER|UV)_?(?!CACHE_DIR).*"
)


class ThisRepository(Hosted):
    """A clone of this repository's last commit, and the runs of its own `ci.yml`."""

    def __init__(self, folder: Path, *left_out: str) -> None:
        """Clone it into a folder, or reuse the clone that an earlier replay left there.

        Args:
            folder: The folder.
            left_out: Further functions of the noxfile that CI shall not run there.
        """
        paths = os.environ["PATH"].split(os.pathsep)
        own = str(Path(sys.executable).parent)
        environ = {key: value for key, value in os.environ.items() if not _SURROUNDINGS.fullmatch(key)}
        environ["PATH"] = os.pathsep.join(path for path in paths if path != own)
        super().__init__(folder, folder / "origin/.github/workflows/ci.yml", environ)
        if not self.origin.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            self._clone((*LEFT_OUT, *left_out))

    def _clone(self, left_out: Iterable[str]) -> None:
        """Clone the repository, and commit the edits that reduce it."""
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
        self._leave_out(left_out)
        self.commit(f"Support Linux and Python {RUNNING} only")

    def _leave_out(self, functions: Iterable[str]) -> None:
        """Mark sessions as not default, so that they are not planned."""
        file = self.origin / "noxfile.py"
        text = file.read_text(encoding="utf-8")
        for function in functions:
            decorator = re.search(rf"@nox\.session(\(.*\))?(?=\n(?:@\w+\n)*def {function.replace('-', '_')}\()", text)
            if decorator is None:
                message = f"noxfile.py has no session {function!r} that could be left out."
                raise ValueError(message)
            given = f"{decorator[1][1:-1]}, " if decorator[1] else ""
            text = f"{text[: decorator.start()]}@nox.session({given}default=False){text[decorator.end() :]}"
        file.write_text(text, encoding="utf-8")
