"""A nox project from the package index that has adopted Headworks by the five lines of the guide.

Its repository has the files of its sdist. The engine of this clone, as a wheel, stands for the one on the index.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path
from typing import Final

from replay_hosted import Hosted

ROOT: Final = Path(__file__).parents[2]
_GUIDE: Final = ROOT / "docs/guides/existing-repository.md"
_CI: Final = ".github/workflows/ci.yml"
PROJECT: Final = "check-sdist"
_VERSION: Final = "1.6.0"
# Variables by which this machine reaches the index.
_KEPT: Final = re.compile(
    r"HOME|TMPDIR|LANG|UV_CACHE_DIR|XDG_CACHE_HOME|(PIP|SSL|UV_INDEX|UV_DEFAULT)_.*|(?i:.*_PROXY)"
)


def five_lines() -> str:
    """Return the workflow that the guide tells a team to write."""
    blocks = re.findall(r"^```yaml\n(name: CI\n.*?)^```$", _GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return str(blocks[0])


class Adopter(Hosted):
    """The repository of another project, and the runs of its five lines."""

    def __init__(self, folder: Path) -> None:
        """Make it in an empty folder.

        What fetches from GitHub or crates.io, which are out of reach here, is left out: the session `lint`, which takes
        its hooks from there, and the tests that build other projects. So is `generate_schema`, which replaces a file of
        the sdist by what newer packages give.
        """
        python, index = folder / "python", folder / "index"
        path = [str(python / "bin"), *(it for it in os.environ["PATH"].split(os.pathsep) if it != _own())]
        environ = {key: value for key, value in os.environ.items() if _KEPT.fullmatch(key)}
        environ["PATH"] = os.pathsep.join(path)
        environ["PIP_FIND_LINKS"] = f"{environ.get('PIP_FIND_LINKS', '')} {index}".strip()
        super().__init__(folder, folder / "origin" / _CI, environ)
        subprocess.run([sys.executable, "-m", "venv", str(python)], check=True)
        # A repository that takes the engine from its release has no folder of it.
        engine = ROOT / "packages" / "headworks"
        source = str(engine) if engine.is_dir() else f"headworks=={version('headworks')}"
        self._pip("wheel", "--no-deps", f"--wheel-dir={index}", source)
        self._pip("download", "--no-deps", "--no-binary=:all:", f"--dest={folder}", f"{PROJECT}=={_VERSION}")
        (sdist,) = folder.glob("*.tar.gz")
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        (folder / sdist.name.removesuffix(".tar.gz")).rename(self.origin)
        for name in ("PKG-INFO", "tests/test_downstream.py", "tests/test_package.py"):
            (self.origin / name).unlink()
        noxfile = (self.origin / "noxfile.py").read_text(encoding="utf-8")
        noxfile = noxfile.replace("@nox.session\ndef lint", "@nox.session(default=False)\ndef lint")
        noxfile = noxfile.replace('@nox.session(tags=["gen"])', "@nox.session(default=False)")
        self.write({"noxfile.py": noxfile, _CI: five_lines()})
        self.git("init", "--quiet", "--initial-branch=main")
        self.configure()
        self.commit("Start")

    def _pip(self, *arguments: str) -> None:
        """Run pip of the runner's Python."""
        command = [str(self.folder / "python/bin/python"), "-m", "pip", "--quiet", *arguments]
        subprocess.run(command, check=True, env=dict(self.environ), cwd=self.folder)


def _own() -> str:
    """Return the folder of the programs of this process's environment, which no runner has."""
    return str(Path(sys.executable).parent)
