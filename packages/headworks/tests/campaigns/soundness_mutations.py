"""Changes to the generated monorepo, of every kind that can change what a session reads or how it ends."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, TypeVar

from soundness_monorepo import LIBRARY, LINKS, PACKAGES, SUBMODULE, locked, package_files

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from soundness_monorepo import Monorepo

NAMES = [*(f"packages/{name}" for name in PACKAGES), f"libraries/{LIBRARY}"]


Option = TypeVar("Option")


class Mutator:
    """Changes a monorepo at random.

    Attributes:
        said: What was done, in words.
        is_kept: Whether it must stay as it is in the work tree, neither staged nor committed.
    """

    def __init__(self, monorepo: Monorepo, chance: random.Random, turn: int) -> None:
        """Take what is changed, what decides how, and how often a change of this kind was made before."""
        self.turn = turn
        self.monorepo = monorepo
        self.root = monorepo.root
        self.chance = chance
        self.said: list[str] = []
        self.is_kept = False

    def do(self, kind: str) -> None:
        """Make a change of a kind."""
        KINDS[kind](self)

    def pick(self, options: Sequence[Option]) -> Option:
        """Return one of some options, all of which have their turn."""
        return options[self.turn % len(options)]

    def say(self, text: str) -> None:
        """Note what is done."""
        self.said.append(text)

    def fresh(self) -> str:
        """Return a word that is nowhere else."""
        return f"new{self.chance.randrange(10**9)}"

    def write(self, name: str, content: str) -> None:
        """Write a file."""
        self.say(f"write {name}")
        self.monorepo.write(name, content)

    def append(self, name: str, text: str) -> None:
        """Add a line to a file."""
        self.write(name, f"{self.monorepo.read(name)}{text}\n")

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace a text in a file, which must be there unless an earlier change removed it."""
        self.write(name, self.monorepo.read(name).replace(old, new, 1))

    def package(self) -> str:
        """Return the folder of a package."""
        return self.chance.choice([it for it in NAMES if (self.root / it / "pyproject.toml").exists()])

    def inside(self, folder: str) -> str:
        """Return the folder with the code of a package."""
        return f"{folder}/src/{folder.rpartition('/')[2]}"

    def file(self) -> str:
        """Return any file that is neither a link nor what git itself needs, nor the noxfile."""
        listed = self.monorepo.git("ls-files").splitlines()
        spared = {SUBMODULE, ".gitmodules", "noxfile.py", *LINKS}
        return self.chance.choice([it for it in listed if it not in spared and (self.root / it).is_file()])

    def source(self) -> None:
        """Change the code or the data of a package."""
        folder = self.inside(self.package())
        changes = [("number.py", f"# {self.fresh()}"), ("number.py", "raise ValueError")]
        changes += [("table.csv", f"{self.fresh()},2"), ("__init__.py", f"NAME = '{self.fresh()}'")]
        name, text = self.chance.choice(changes)
        self.append(f"{folder}/{name}", text)

    def test(self) -> None:
        """Change a test, or write another."""
        folder = f"{self.package()}/tests"
        text = self.chance.choice(["assert False", f"NAME = '{self.fresh()}'"])
        if self.chance.random() < 0.5:  # a share
            self.write(f"{folder}/{self.chance.choice(['', 'unit/'])}test_{self.fresh()}.py", text)
        else:
            self.append(f"{folder}/test_number.py", text)

    def conftest(self) -> None:
        """Change, write or remove a conftest.py."""
        package = self.package()
        name = self.chance.choice(["", "packages/", f"{package}/", f"{package}/tests/"]) + "conftest.py"
        if (self.root / name).exists() and self.chance.random() < 0.3:  # a share
            self.say(f"remove {name}")
            (self.root / name).unlink()
        else:
            self.write(name, self.chance.choice(["raise ValueError\n", f"NAME = '{self.fresh()}'\n"]))

    def manifest(self) -> None:
        """Change what stands for the data."""
        self.write("data/manifest.json", f'{{"rows": "{self.fresh()}"}}\n')

    def lock(self) -> None:
        """Change what is locked."""
        name = self.chance.choice(["algebra", "linter", "network", "numeric", "speed", "tester"])
        other = self.chance.choice(["algebra", "numeric"])
        edge, marked = f'{{ name = "{name}"', f'{{ name = "{name}", marker = "sys_platform == \'linux\'"'
        added = (
            'name = "speed"\nversion = "1.0"\nsource = { registry = "https://example.org/simple" }\ndependencies = ['
        )
        changes = [
            (f'name = "{name}"\nversion = "1.0"', f'name = "{name}"\nversion = "1.{self.chance.randrange(1, 99)}"'),
            (f'{name}-1.0.tar.gz", hash = "sha256:0', f'{name}-1.0.tar.gz", hash = "sha256:1'),
            (edge, marked),
            (added, f'{added}{{ name = "{other}" }}'),
            ('requires-python = ">=3.11"', 'requires-python = ">=3.12"'),
            ("\n[manifest]\n", '\n[options]\nexclude-newer = "2026-01-31T00:00:00Z"\n\n[manifest]\n'),
            ('lint = [{ name = "linter" }]', 'lint = [{ name = "linter" }, { name = "algebra" }]'),
            ("\n[manifest]\n", '\n[manifest]\nconstraints = [{ name = "numeric", specifier = ">=1" }]\n'),
            ("", ""),
        ]
        old, new = self.pick(changes)
        text = self.monorepo.read("uv.lock")
        self.say(f"{old!r} becomes {new!r}" if old else "add a locked package")
        self.write("uv.lock", text.replace(old, new, 1) if old else text + locked(self.fresh()))

    def helper(self) -> None:
        """Change what the noxfile imports."""
        name, old, new = self.pick(
            [
                ("ci/values.py", "flag-1", self.fresh()),
                ("ci/helper.py", "return 1", f"return '{self.fresh()}'"),
                ("ci/helper.py", "return values.FLAG", f"return values.FLAG + '{self.fresh()}'"),
                ("ci/helper.py", "import values", "import os\nos.environ['FROM_HELPER'] = '1'\nimport values"),
            ]
        )
        self.replace(name, old, new)

    def noxfile(self) -> None:
        """Change the noxfile."""
        word = self.fresh()
        old, new = self.pick(
            [
                ("level-1", word),
                ("strict-1", word),
                ("unused-1", word),
                ("return STRICT", f"return STRICT + '{word}'"),
                ("return UNUSED", f"return '{word}'"),
                ('"tests", package, LEVEL', f'"tests", package, LEVEL, "{word}"'),
                ('run(session, "lint")', f'# {word}\n    run(session, "lint")'),
                ("def nothing():", f"LEVEL = '{word}'\n\n\ndef nothing():"),
                ("def nothing():", f"if sys:\n    STRICT = '{word}'\n\n\ndef nothing():"),
                ("def nothing():", f"class Hidden:\n    global STRICT\n    STRICT = '{word}'\n\n\ndef nothing():"),
                ("def nothing():", f"def nothing(x=os.environ.update(HIDDEN='{word}')):"),
                ("def nothing():", f"class Hidden:\n    os.environ['HIDDEN'] = '{word}'\n\n\ndef nothing():"),
                (
                    "def nothing():",
                    f"DONE = list(map(os.environ.update, [{{'HIDDEN': '{word}'}}]))\n\n\ndef nothing():",
                ),
                ('["app", "core", "solo"]', '["app", "core", "solo", "base"]'),
                ("import helper\n", f"import helper\nhelper.values.FLAG = '{word}'\n"),
                ("\nimport nox\n", "\nimport nox\nfrom nox import *\n"),
            ]
        )
        self.say(f"{old!r} becomes {new!r}")
        self.replace("noxfile.py", old, new)

    def options(self) -> None:
        """Change what holds for all sessions."""
        old = "nox.options.stop_on_first_error = False\n"
        lines = [
            "nox.options.error_on_external_run = True\n",
            f"os.environ['FROM_NOXFILE'] = '{self.fresh()}'\n",
            "nox.options.sessions = ['tests', 'check']\n",
            "nox.options.reuse_venv = 'yes'\n",
            f"sys.argv.append('{self.fresh()}')\n",
        ]
        self.replace("noxfile.py", old, old + self.say_all(self.pick(lines)))

    def say_all(self, text: str) -> str:
        """Note a text and return it."""
        self.say(text.strip())
        return text

    def configuration(self) -> None:
        """Change the configuration in the root, or what that points at."""
        name, old, new = self.pick(
            [
                ("pyproject.toml", 'verbose = "1"', f'verbose = "{self.fresh()}"'),
                ("pyproject.toml", "level = 1", "level = 2"),
                ("pyproject.toml", 'lint = ["linter"]', 'lint = ["linter", "algebra"]'),
                ("pyproject.toml", 'env = ["SEED"]', 'env = ["SEED", "HOME"]'),
                (
                    "pyproject.toml",
                    'tests = { packages = ["{package}"] }',
                    'tests = { packages = ["{package}", "solo"] }',
                ),
                ("runner.ini", "1", self.fresh()),
                (".python-version", "3.13", "3.14"),
                ("VERSION", "1", self.fresh()),
                ("shared/table.txt", "1", self.fresh()),
                ("support/support_tool.py", "VALUE = 1", "VALUE = 0"),
                ("libraries/settings.txt", "1", self.fresh()),
            ]
        )
        self.say(f"{old!r} becomes {new!r}")
        self.replace(name, old, new)

    def member(self) -> None:
        """Change the pyproject.toml of a package."""
        folder = self.package()
        other = self.chance.choice(list(PACKAGES))
        old, new = self.pick(
            [
                ("dependencies = [", f'dependencies = ["{other}", '),
                ("more = [", f'more = ["{other}", '),
                ("test = [", f'test = ["{other}", '),
                ("requires = [", f'requires = ["{other}", '),
                ("\n[tool.bundle]", f'\n[tool.other]\nword = "{self.fresh()}"\n\n[tool.bundle]'),
                ("include = [", 'include = ["../../docs/guide", '),
                ('requires-python = ">=3.11"', 'requires-python = ">=3.12"'),
            ]
        )
        self.say(f"{old!r} becomes {new!r}")
        self.replace(f"{folder}/pyproject.toml", old, new)

    def new_package(self) -> None:
        """Add a package, or take one away."""
        if self.chance.random() < 0.3:  # a share
            folder = self.package()
            self.say(f"remove {folder}")
            shutil.rmtree(self.root / folder)
            return
        name = self.fresh()
        for path, content in package_files(
            self.chance.choice(["packages", "libraries"]), name, ["base"], [], [], []
        ).items():
            self.write(path, content)

    def delete(self) -> None:
        """Remove a file."""
        name = self.file()
        self.say(f"remove {name}")
        (self.root / name).unlink()

    def rename(self) -> None:
        """Rename a file, perhaps only by the case of its letters, perhaps into another package."""
        name = self.file()
        folder, _, last = name.rpartition("/")
        target = self.chance.choice(
            [f"{folder}/{last.swapcase()}", f"{self.package()}/src/{last}", f"{folder}/z_{last}"]
        )
        target = target.lstrip("/")
        self.say(f"rename {name} to {target}")
        (self.root / name).rename(self.root / target)

    def mode(self) -> None:
        """Make a file executable."""
        name = self.chance.choice([self.file(), "packages/solo/run.sh"])
        self.say(f"make {name} executable")
        if (self.root / name).exists():
            (self.root / name).chmod(0o755)

    def link(self) -> None:
        """Change a link, what it leads to, or whether something is one."""
        name = self.chance.choice(list(LINKS))
        path = self.root / name
        match self.turn % 6:
            case 0:
                self.write("shared/links/target.txt", self.fresh())
            case 1:
                self.write(f"shared/links/{self.fresh()}.txt", self.fresh())
            case 2:
                self.relink(path, os.path.relpath(self.root / "docs/guide", path.parent))
            case 3:
                self.relink(path, os.path.relpath(self.root / "data/manifest.json", path.parent))
            case 4:  # a file is replaced by a link to the same content
                file = self.root / f"{self.inside(self.package())}/table.csv"
                file.rename(self.root / "shared" / "moved.csv")
                self.relink(file, os.path.relpath(self.root / "shared" / "moved.csv", file.parent))
            case _:  # through two links, of which the second one changes
                self.relink(self.root / "shared/second", self.chance.choice(["links", "../docs/guide", "missing"]))
                self.relink(path, os.path.relpath(self.root / "shared/second", path.parent))

    def relink(self, path: Path, target: str) -> None:
        """Make something a link."""
        self.say(f"link {path.relative_to(self.root)} to {target}")
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    def outside(self) -> None:
        """Make a link lead to what git does not know."""
        self.is_kept = True
        place = self.chance.choice([self.monorepo.folder / "elsewhere", self.root / "artifacts-of.log"])
        place.write_text(self.fresh(), encoding="utf-8")
        self.say(f"write {place}")
        path = self.root / f"{self.inside(self.package())}/elsewhere.txt"
        self.relink(path, os.path.relpath(place, path.parent))

    def untracked(self) -> None:
        """Write a new file."""
        folder = self.chance.choice([self.inside(self.package()), self.package(), "docs", "docs/new", "support", ""])
        self.write(f"{folder}/{self.fresh()}{self.chance.choice(['.py', '.txt', ''])}".lstrip("/"), self.fresh())
        self.is_kept = True

    def hidden(self) -> None:
        """Change a file that git was told not to look at."""
        self.is_kept = True
        name = self.file()
        flag = self.chance.choice(["--assume-unchanged", "--skip-worktree"])
        self.monorepo.git("update-index", flag, name)
        self.say(flag)
        if self.chance.random() < 0.3:  # a share
            self.say(f"remove {name}")
            (self.root / name).unlink()
        else:
            self.append(name, f"# {self.fresh()}")

    def submodule(self) -> None:
        """Change what is checked out in a submodule."""
        folder = self.root / SUBMODULE
        what = self.pick(["edit", "commit", "add", "remove"])
        self.say(f"{what} in the submodule")
        if what == "remove":
            (folder / "tool.txt").unlink()
            return
        (folder / ("tool.txt" if what == "edit" else self.fresh())).write_text(self.fresh(), encoding="utf-8")
        if what == "commit":
            self.monorepo.git("add", "--all", folder=folder)
            self.monorepo.git("commit", "--quiet", "--message=a change", folder=folder)

    def nested(self) -> None:
        """Put a repository of its own into a package."""
        self.is_kept = True
        folder = self.root / self.inside(self.package()) / "nested"
        self.say(f"a repository in {folder.relative_to(self.root)}")
        folder.mkdir()
        self.monorepo.git("init", "-q", folder=folder)
        (folder / "inner.txt").write_text(self.fresh(), encoding="utf-8")
        if self.chance.random() < 0.5:  # a share
            self.monorepo.git("add", "--all", folder=folder)
            self.monorepo.git("commit", "--quiet", "--message=all", folder=folder)

    def attributes(self) -> None:
        """Let git check files out with other line ends."""
        folder = self.chance.choice(["", "docs/", "data/", "shared/", "packages/", f"{self.package()}/src/"])
        self.write(f"{folder}.gitattributes", "* text eol=crlf\n")
        for name in self.monorepo.git("ls-files", folder or ".").splitlines():
            if name.endswith((".txt", ".csv", ".md", ".json")) and (self.root / name).is_file():
                (self.root / name).unlink()
                self.monorepo.git("checkout-index", "--force", name)

    def stamp(self) -> None:
        """Change a file and put its size and times back."""
        self.is_kept = True
        path = self.root / f"{self.inside(self.package())}/table.csv"
        found = path.stat()
        path.write_text(path.read_text(encoding="utf-8").swapcase(), encoding="utf-8")
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
        self.say(f"change {path.relative_to(self.root)} and put its times back")

    def settings(self) -> None:
        """Change a file under settings of git that let it overlook things."""
        self.is_kept = True
        name, value = self.pick(
            [
                ("core.fileMode", "false"),
                ("core.ignoreCase", "true"),
                ("core.checkStat", "minimal"),
                ("core.trustctime", "false"),
                ("core.untrackedCache", "true"),
                ("core.symlinks", "false"),
                ("status.showUntrackedFiles", "no"),
                ("diff.ignoreSubmodules", "all"),
            ]
        )
        self.monorepo.git("config", name, value)
        self.say(f"git config {name} {value}")
        if name == "core.ignoreCase":
            folder = self.inside(self.package())
            self.write(f"{folder}/Table.csv", self.fresh())
            return
        self.chance.choice([self.mode, self.untracked, self.submodule, self.stamp, self.link])()

    def several(self) -> None:
        """Make several changes at once."""
        for kind in self.chance.sample([it for it in KINDS if it != "several"], 2):
            self.say(f"{kind}:")
            KINDS[kind](self)

    def settle(self) -> None:
        """Leave the change in the work tree, or stage or commit it."""
        done = "left" if self.is_kept else self.chance.choice(["left", "left", "staged", "committed"])
        if done == "staged":
            self.monorepo.git("add", "--all")
        elif done == "committed":
            self.monorepo.commit()
        self.say(done)


KINDS: dict[str, Callable[[Mutator], None]] = {
    "source": Mutator.source,
    "test": Mutator.test,
    "conftest": Mutator.conftest,
    "data manifest": Mutator.manifest,
    "lock": Mutator.lock,
    "noxfile": Mutator.noxfile,
    "noxfile helper": Mutator.helper,
    "nox.options": Mutator.options,
    "root configuration": Mutator.configuration,
    "pyproject of a member": Mutator.member,
    "new or removed package": Mutator.new_package,
    "delete": Mutator.delete,
    "rename": Mutator.rename,
    "mode": Mutator.mode,
    "symlink": Mutator.link,
    "link to what git does not know": Mutator.outside,
    "untracked": Mutator.untracked,
    "assume-unchanged, skip-worktree": Mutator.hidden,
    "submodule": Mutator.submodule,
    "repository inside": Mutator.nested,
    "line ends": Mutator.attributes,
    "size and times kept": Mutator.stamp,
    "settings of git": Mutator.settings,
    "several": Mutator.several,
}
