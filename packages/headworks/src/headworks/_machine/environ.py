"""The environment of sessions: variables that every program needs, those that their table declares, and no others.

So that no variable nobody thought of decides how a session ends, each variable is of one of three kinds. Those that say
where things are on this machine, who fetches packages and how, are passed on and are part of no digest. Those that
choose what gets installed, and `CI`, by which many programs decide how strict they are, are passed on and are part of
the digest where they are set. All others stay out unless the table declares them, which makes them part of the digest,
set or not. The language is fixed.

A URL counts without the user name and the password in it. What a declared variable holds counts as it is, so that a
digest could be used to try guesses of a short secret: a session that reads one is better not cached.

Of the folders with shared libraries, those do not count that hold nothing but an interpreter, as `setup-python` names
one for each Python: a new patch version of one would void the verdicts of all, and which Python a session gets counts
by itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from headworks._quick.answers import note_file

_MACHINE = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TMPDIR", "TEMP", "TMP"),
        *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"),
        # Windows
        *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "USERNAME", "USERPROFILE"),
        *("HOMEDRIVE", "HOMEPATH"),
        *("APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "PROGRAMFILES(X86)", "PROGRAMW6432"),
        *("NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE"),
        # the way to the network
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSH_AUTH_SOCK"),
        *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS", "NETRC"),
        *("DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CERT_PATH"),
        # where interpreters and caches are
        *("PYENV_ROOT", "PYENV_VERSION", "UV_CACHE_DIR", "UV_PYTHON_INSTALL_DIR", "UV_TOOL_DIR", "PIP_CACHE_DIR"),
        "UV_PYTHON_DOWNLOADS",  # which interpreters there are counts by itself
        # where installers put what they need for themselves
        *("UV_PYTHON_BIN_DIR", "UV_PYTHON_CACHE_DIR", "UV_PYTHON_INSTALL_BIN", "UV_TOOL_BIN_DIR", "UV_CREDENTIALS_DIR"),
    }
)
_LIBRARIES = frozenset({"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"})
_COVERED = _LIBRARIES | {"CI", "CUDA_VISIBLE_DEVICES"}
_OF_PYTHON = re.compile(r"(?:lib)?python\d.*|pkgconfig")
_INSTALLERS = ("PIP_", "UV_")
# How installers sign in, fetch and report, which decides nothing about what they install: by how a name goes on after
# its installer's prefix, and by how it ends.
_FETCHING = (
    *("CERT", "CLIENT_CERT", "COLOR", "CONCURRENT_", "DEBUG", "DEFAULT_TIMEOUT", "DISABLE_PIP_VERSION_CHECK"),
    *("HIDE_BUILD_OUTPUT", "HTTP_", "INSECURE_HOST", "KEYRING_PROVIDER", "LINK_MODE", "LOCK_TIMEOUT", "LOG"),
    *("NATIVE_TLS", "NO_CACHE", "NO_COLOR", "NO_INPUT", "NO_PROGRESS", "NO_PYTHON_VERSION_WARNING", "NO_WARN_"),
    *("PROGRESS_BAR", "PROXY", "PUBLISH_", "QUIET", "REQUEST_TIMEOUT", "RESUME_RETRIES", "RETRIES"),
    *("ROOT_USER_ACTION", "SHOW_RESOLUTION", "STACK_SIZE", "SYSTEM_CERTS", "TIMEOUT", "TRUSTED_HOST", "UPLOAD_"),
    "VERBOSE",
)
_SECRET = ("_CREDENTIALS", "_KEY", "_PASSWORD", "_SECRET", "_TOKEN", "_USERNAME")
# What `uv run` and nox leave for themselves, and nox removes from the environment of every session.
_DROPPED = frozenset({"UV", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "UV_RUN_RECURSION_DEPTH", "UV_SYSTEM_PYTHON"})
_FIXED = {"LANG": "C.UTF-8"}
_USER = re.compile(r"(?<=://)[^/?# \t\n]*@")  # and password, in a URL


def session_environment(environ: Mapping[str, str], declared: Iterable[str]) -> dict[str, str]:
    """Return the whole environment that a session runs in.

    Args:
        environ: the environment that Headworks runs in.
        declared: the names of the variables that the session's table declares.
    """
    kept = {name: value for name, value in environ.items() if _is_passed_on(name)}
    declared_ones = {name: environ[name] for name in declared if name in environ}
    return kept | _FIXED | declared_ones


def covered_variables(environ: Mapping[str, str], declared: Iterable[str]) -> dict[str, str | None]:
    """Return the variables in a session's digest, with None for one that is declared and not set."""
    chosen = {
        name: _USER.sub("", value) for name, value in environ.items() if _is_passed_on(name) and not _is_machine(name)
    }
    for name in _LIBRARIES & chosen.keys():
        folders = [it for it in chosen.pop(name).split(os.pathsep) if not _is_interpreters(it)]
        chosen |= {name: os.pathsep.join(folders)} if folders else {}
    return chosen | {name: environ.get(name) for name in declared}


def _is_passed_on(name: str) -> bool:
    """Tell whether every session gets a variable."""
    return _is_machine(name) or name in _COVERED or (name.startswith(_INSTALLERS) and name not in _DROPPED)


def _is_interpreters(folder: str) -> bool:
    """Tell whether a folder holds the library of an interpreter and nothing else."""
    note_file(folder)
    try:
        names = os.listdir(folder or os.curdir)
    except OSError:
        return False
    return bool(names) and all(map(_OF_PYTHON.fullmatch, names))


def _is_machine(name: str) -> bool:
    """Tell whether a variable says where things are, or who fetches packages and how, and so counts in no digest."""
    name = name.upper()
    prefix, _, rest = name.partition("_")
    return name in _MACHINE or (f"{prefix}_" in _INSTALLERS and (rest.startswith(_FETCHING) or name.endswith(_SECRET)))
