"""The places that observation passes over, by a stated list; any other place outside the repository is named.

Passed over are the system's files, temporary folders, Python interpreters with their environments, the caches of uv,
pip and pre-commit, and the settings of git and of installers. In the repository these are environments and caches,
known by the file that marks them or by their name, unless git tracks something in them; git's own folder is judged by
itself.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from headworks._tree.snapshot import Snapshot

__all__ = ["GIT", "OUTSIDE", "PASSED", "Places"]

PASSED, GIT, OUTSIDE = "passed", "git", "outside"  # any other kind is a folder of the repository: the empty text

_SYSTEM = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/nix/store", "/opt/hostedtoolcache", "/proc"),
    *("/run/lock", "/run/nscd", "/run/systemd", "/run/user", "/sbin", "/snap", "/sys", "/usr", "/var/cache/fontconfig"),
)
_TEMPORARY = ("/dev/shm", "/tmp", "/var/tmp")  # noqa: S108  # to recognise them, not to write there
_HOME = (
    *(".cache/pip", ".cache/pre-commit", ".cache/uv", ".cache/virtualenv", ".config/git", ".config/pip", ".config/uv"),
    *(".gitconfig", ".local/bin", ".local/lib", ".local/share/uv", ".local/share/virtualenv", ".netrc", ".pip"),
    *(".pyenv", ".pypirc"),
)
_VARIABLES = ("PIP_CACHE_DIR", "PYENV_ROOT", "TMPDIR", "UV_CACHE_DIR", "UV_PYTHON_INSTALL_DIR", "UV_TOOL_DIR")
# A folder with one of these is a cache (https://bford.info/cachedir/) or an environment, made from what is declared.
_SIGNS = ("CACHEDIR.TAG", "pyvenv.cfg")
_INTERPRETER = ("conda-meta", "os.py")  # of an environment of conda, and of the library that comes with any Python
_BYTECODE = "__pycache__"
_NOX = ".nox"
_NAMED = {".git", _NOX, _BYTECODE}  # nox makes its own folder before any session runs
_CACHES = {".hypothesis", _NOX, _BYTECODE}  # those that have no such sign
_FETCHES = re.compile(r"_PROXY$|^(?:PIP|UV)_", re.IGNORECASE)
_HERE = re.compile(r"//(?:[^\s/@]*@)?(?:localhost|127\.[\d.]+|\[::1\]):(\d+)")
# Places of git's own that decide no answer by their content, or do so by that of files that are seen as well.
_QUIET = {"", "commondir", "gitdir", "headworks", "lfs"}
_SETTINGS = {"config", "config.worktree"}
_HISTORY = {"HEAD", "objects", "packed-refs", "refs"}


class Places:
    """Tells for each folder whether what is read there counts.

    Attributes:
        top: the top of the repository.
        modules: The files that the noxfile imports, of which digests hold what nox takes.
        fetching: The ports of this machine through which names are found, and packages fetched.
    """

    def __init__(
        self,
        top: str,
        git_folders: tuple[str, ...],
        environ: Mapping[str, str],
        is_known: Callable[[str], bool],
        modules: Iterable[str] = (),
    ) -> None:
        """Take the repository and the machine.

        Args:
            top: The top of the repository, without links in its path.
            git_folders: Git's folders of this work tree and of the whole repository.
            environ: The environment, which says where caches are.
            is_known: Tells whether git knows a file, or a file below a folder, by its path relative to the top.
            modules: The files that the noxfile imports, relative to the top.
        """
        self.modules = {os.path.join(top, it) for it in modules}
        self.top = top
        self._git_folders = tuple(map(os.path.realpath, git_folders))
        home = environ.get("HOME") or os.path.expanduser("~")
        cache = environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
        places = [*_SYSTEM, *_TEMPORARY, tempfile.gettempdir(), sys.prefix, sys.base_prefix]
        places += [os.path.join(home, it) for it in _HOME]
        places += [os.path.join(cache, it) for it in ("pip", "pre-commit", "uv")]
        places += [environ[it] for it in _VARIABLES if environ.get(it)]
        self._passed = {os.path.realpath(it) for it in places} | {*places}
        self._fixed = tuple(it + "/" for it in _SYSTEM if not top.startswith(it + "/"))
        self._is_known = is_known
        self._kinds: dict[str, str] = {top: ""}
        urls = " ".join(value for name, value in environ.items() if _FETCHES.search(name))
        self.fetching = {0, 53} | {int(port) for port in _HERE.findall(urls)}

    @classmethod
    def of(cls, snapshot: Snapshot, environ: Mapping[str, str], modules: Iterable[str] = ()) -> Self:
        """Return the places of a work tree on this machine; see `__init__`."""
        listing, repository = snapshot.listing, snapshot.repository
        return cls(
            os.path.realpath(repository.top),
            (repository.git_folder(), repository.shared_folder()),
            environ,
            lambda path: listing.has(os.fsencode(path)),
            modules,
        )

    def kind(self, path: str) -> str:
        """Return the kind of place that a path without links lies in: one of those of this module."""
        if path in self._passed:
            return PASSED
        if path in self._git_folders or os.path.basename(path) in _NAMED:  # judged by their own names
            return self._folder(path)
        return "" if path == self.top else self._folder(os.path.dirname(path))

    def is_fixed(self, path: str) -> bool:
        """Return whether a path lies among the system's files, so that no link in it can lead to the repository."""
        return path.startswith(self._fixed) and "/../" not in path

    def relative(self, path: str) -> str:
        """Return a path in the repository relative to its top, the empty text for the top itself."""
        return path[len(self.top) + 1 :]

    def git_part(self, path: str) -> str:
        """Return what a file in a folder of git belongs to.

        Returns:
            `index` or `history`; `settings`; `rules` for what is ignored and which attributes files have; `other` for
            a file that counts by its content, as all do of another repository; empty for what decides nothing, and for
            such a folder itself, in which tools that walk through all folders look.
        """
        folder = next((it for it in self._git_folders if f"{path}/".startswith(f"{it}/")), "")
        is_own = bool(folder)
        folder = folder or f"{path}/".rpartition("/.git/")[0] + "/.git"
        first, _, rest = path[len(folder) + 1 :].partition("/")
        is_object = "objects" in {first, *rest.split("/")} and not (is_own and first == "objects")
        if first in _QUIET or is_object or path.endswith(".lock"):
            return ""
        if first in _SETTINGS:
            return "settings"
        if is_own and (first == "index" or first in _HISTORY):
            return "index" if first == "index" else "history"
        return "rules" if first == "info" else "other"

    def ref(self, path: str) -> str:
        """Return the name of the ref that a path in git's own folder stands for, a folder of refs included.

        It is `refs` for the file that holds many of them; empty for what is no ref, and for tags.
        """
        for folder in self._git_folders:
            name = path[len(folder) + 1 :] if path.startswith(f"{folder}/") else ""
            if name == "packed-refs":
                return "refs"
            if f"{name}/".startswith("refs/") and not f"{name}/".startswith("refs/tags/"):
                return name
        return ""

    def _folder(self, folder: str) -> str:
        """Return the kind of a folder."""
        kind = self._kinds.get(folder)
        if kind is None:
            kind = self._kinds[folder] = self._judged(folder)
        return kind

    def _is_left_by_nox(self, folder: str) -> bool:
        """Return whether it is a folder in which nox has sessions keep files: all of them, or one of them."""
        parts = folder.split("/")
        return folder.startswith(self.top + "/") and (parts[-2:] == [_NOX, ".cache"] or parts[-3::2] == [_NOX, "tmp"])

    def _judged(self, folder: str) -> str:
        parent = os.path.dirname(folder)
        if folder in self._git_folders:
            return GIT
        if folder in self._passed:
            return PASSED
        above = OUTSIDE if parent == folder else self._folder(parent)
        if above in {PASSED, GIT}:  # also of a repository that a test makes in a temporary folder
            return "" if above == PASSED and self._is_left_by_nox(folder) else above
        if os.path.basename(folder) == ".git":
            return GIT
        signs = (*_SIGNS, *_INTERPRETER) if above == OUTSIDE else _SIGNS
        is_marked = any(os.path.exists(os.path.join(folder, it)) for it in signs)
        if above == OUTSIDE:
            return PASSED if is_marked else OUTSIDE
        is_cache = is_marked or os.path.basename(folder) in _CACHES
        return PASSED if is_cache and not self._is_known(self.relative(folder)) else ""
