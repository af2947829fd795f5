"""A small nox monorepo with this repository's conventions, for runs of the real `ci.yml`.

Its sessions have the same names, tags and rows as those here, and take a moment each.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from replay_hosted import Hosted

_GITHUB: Final = Path(__file__).parents[2] / ".github"
CI: Final = _GITHUB / "workflows/ci.yml"
_NOXFILE: Final = '''
"""The tasks of a small monorepo."""

import sys
from pathlib import Path

import nox

nox.options.default_venv_backend = "none"
ARTIFACTS = Path("artifacts")
each_package = nox.parametrize("package", [nox.param(name, id=name) for name in ("data", "model", "serving")])


def write(name, *parts):
    ARTIFACTS.mkdir(exist_ok=True)
    (ARTIFACTS / name).write_text("\\\\n".join(Path(part).read_text() for part in parts))


@nox.session
def lint(session):
    session.run("grep", "-rn", "TODO:", "packages", external=True, success_codes=[1])


@nox.session
@each_package
def tests(session, package):
    session.run(sys.executable, f"packages/{package}/tests/test.py", external=True)
    write(f"{package}.coverage", f"packages/{package}/tests/test.py")


@nox.session(requires=["tests"], tags=["pipeline"])
def coverage(session):
    for package in ("data", "model", "serving"):
        assert (ARTIFACTS / f"{package}.coverage").is_file()


@nox.session(tags=["pipeline"])
def dataset(session):
    write("dataset", "packages/data/dataset.txt")


@nox.session(requires=["dataset"], tags=["pipeline"])
def train(session):
    write("model", "packages/model/model.txt", ARTIFACTS / "dataset")


@nox.session(name="serve-check", requires=["train"], tags=["pipeline"])
def serve_check(session):
    assert all(path.read_text() for path in (ARTIFACTS / "model", Path("packages/serving/server.txt")))


@nox.session(name="build-images", requires=["train"], tags=["images"])
def build_images(session):
    write("image", "packages/serving/server.txt", ARTIFACTS / "model")


@nox.session(name="test-images", requires=["build-images"], tags=["images"])
def test_images(session):
    assert (ARTIFACTS / "image").read_text()


@nox.session(default=False)
def report(session):
    (ARTIFACTS / "report").mkdir(parents=True, exist_ok=True)
    (ARTIFACTS / "report/report.md").write_text(f"{len(list(ARTIFACTS.iterdir()))} artifacts\\n")
'''
# The sessions that nights and releases run beside those of CI: they do no more than the steps around them need.
_COMMENT: Final = [str(_GITHUB / "programs/comment.py"), "artifacts/report/report.md"]
_MISSES: Final = [str(_GITHUB / "programs/misses.py"), "artifacts/skipped/plan.json", "artifacts/proof"]
_TAKE: Final = str(_GITHUB / "programs/take_model.py")
_OTHERS: Final = {
    **dict.fromkeys(("faults", "minimums", "names", "newest", "pictures", "registry", "seeds", "torches"), "pass"),
    "build": """
    Path("dist/data").mkdir(parents=True)
    Path("dist/data/data.whl").write_text("wheel")
""",
    "comment": f"session.run(sys.executable, *{_COMMENT}, external=True)",
    "misses": f"session.run(sys.executable, *{_MISSES}, external=True)",
    "promote-checks": """
    assert "broken" not in (ARTIFACTS / "model").read_text(), "the model is broken"
    assert (ARTIFACTS / "promotion/rival" / ARTIFACTS / "model").read_text()
    with (ARTIFACTS / "promotion/summary.md").open("a") as summary:
        summary.write("compared with the model of the alias")
""",
    "publish": 'assert Path("dist/data/data.whl").is_file()',
    "push-images": """
    command, folder = session.posargs[0], Path(session.posargs[-2 if session.posargs[0] == "join" else -1])
    if command == "push":
        assert (ARTIFACTS / "image").is_file()
        folder.mkdir(parents=True)
        (folder / f"{session.posargs[-2]}.cdx.json").write_text("contents")
    else:
        assert len(list(folder.iterdir())) == 2
        with Path(session.posargs[-1]).open("a") as outputs:
            outputs.write("name=image\\n" + "".join(f"{it}=sha256:0\\n" for it in ("digest", "amd64", "arm64")))
""",
    "release-notes": """
    folder = Path(session.posargs[-1])
    folder.mkdir(parents=True, exist_ok=True)
    if session.posargs[0] == "card":
        for name in ("model.onnx", "model-card.md"):
            (folder / name).write_text((ARTIFACTS / "model").read_text())
    else:
        (folder / "notes.md").write_text(session.posargs[1])
""",
    "take-model": f"session.run(sys.executable, {_TAKE!r}, *session.posargs, external=True)",
}
_SESSION: Final = """

@nox.session(name="{name}", default=False)
def {function}(session):
    {body}
"""
# Programs of a runner. What `sudo` would install is on PATH; `nox -s headworks` would start the engine of these tests,
# as this does in a third of the time; a release shall have the files that it names.
_PROGRAMS: Final = {
    "gh": """for it; do [[ $it != release/* ]] || [[ -s $it ]]; done""",
    "sudo": "",
    "uv": """shift 4
case "$*" in
"nox -s headworks -- "*) exec "$PYTHON" -m headworks "${@:5}" ;;
"nox -R -s headworks -- "*) exec "$PYTHON" -m headworks "${@:6}" ;;
*) exec "$@" ;;
esac""",
}
_PYPROJECT: Final = """
[project]
name = "small"
version = "1"
requires-python = ">=3.11"

[dependency-groups]
tools = []

[tool.uv]
package = false

[tool.headworks.sessions]
lint = {}
tests = { packages = [ "{package}" ], outputs = [ "artifacts/{package}.coverage" ] }
coverage = { packages = [], needs = [ "tests" ] }
dataset = { packages = [ "data" ], outputs = [ "artifacts/dataset" ] }
train = { packages = [ "model" ], needs = [ "dataset" ], outputs = [ "artifacts/model" ] }
serve-check = { packages = [ "serving" ], needs = [ "train" ] }
build-images = { packages = [ "serving" ], needs = [ "train" ], outputs = [ "artifacts/image" ] }
test-images = { packages = [ "serving" ], needs = [ "train", "build-images" ] }
"""
_PACKAGE: Final = '[project]\nname = "small-{name}"\nversion = "1"\n'
_TEST: Final = 'import pathlib\n\nassert all(it.read_text() for it in pathlib.Path("packages/{name}").glob("*.txt"))\n'
_FILES: Final = {
    ".gitignore": "artifacts/\n.nox/\n__pycache__/\n",
    "noxfile.py": _NOXFILE
    + "".join(
        _SESSION.format(name=name, function=name.replace("-", "_"), body=body.strip()) for name, body in _OTHERS.items()
    ),
    "pyproject.toml": _PYPROJECT,
    "README.md": "A small monorepo.\n",
    "docs/guide.md": "A guide.\n",
    "packages/data/dataset.txt": "data\n",
    "packages/model/model.txt": "model\n",
    "packages/serving/server.txt": "server\n",
    **{f"packages/{name}/pyproject.toml": _PACKAGE.format(name=name) for name in ("data", "model", "serving")},
    **{f"packages/{name}/tests/test.py": _TEST.format(name=name) for name in ("data", "model", "serving")},
}
_KEPT: Final = ("PATH", "HOME", "TMPDIR", "LANG", "UV_CACHE_DIR", "XDG_CACHE_HOME", "VIRTUAL_ENV")


class SmallMonorepo(Hosted):
    """A small repository, and the runs of this repository's `ci.yml` for it."""

    def __init__(self, folder: Path) -> None:
        """Write it into an empty folder and commit it to `main`."""
        programs = folder / "programs"
        environ = {key: os.environ[key] for key in _KEPT if key in os.environ} | {
            "PATH": os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHON": sys.executable,
        }
        super().__init__(folder, CI, environ)
        self.origin.mkdir()
        self.write(_FILES)
        self.git("init", "--quiet", "--initial-branch=main")
        self.configure()
        subprocess.run(["uv", "lock", "--quiet"], cwd=self.origin, check=True, env=environ)
        self.commit("Start")
        programs.mkdir()
        for name, script in _PROGRAMS.items():
            (programs / name).write_text(f"#!/usr/bin/env -S bash -eu\n{script}\n", encoding="utf-8")
            (programs / name).chmod(0o755)
