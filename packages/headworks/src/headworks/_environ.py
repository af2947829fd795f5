"""The environment of sessions: what every program needs, what their table declares, and nothing else.

So that no variable nobody thought of decides how a session ends, each variable is of one of three kinds. Those that say
where things are on this machine are passed on and are part of no digest. Those that choose what gets installed are
passed on and are part of the digest where they are set. All others stay out unless the table declares them, which makes
them part of the digest, set or not. The language is fixed.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["covered_variables", "session_environment"]

_MACHINE = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TMPDIR", "TEMP", "TMP"),
        *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"),
        # Windows
        *(
            "SYSTEMROOT",
            "SYSTEMDRIVE",
            "WINDIR",
            "COMSPEC",
            "PATHEXT",
            "USERNAME",
            "USERPROFILE",
            "HOMEDRIVE",
            "HOMEPATH",
        ),
        *("APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "PROGRAMFILES(X86)", "PROGRAMW6432"),
        *("NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE"),
        # the way to the network
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSH_AUTH_SOCK"),
        *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CERT_PATH"),
        # where interpreters and caches are
        *("PYENV_ROOT", "PYENV_VERSION", "UV_CACHE_DIR", "UV_PYTHON_INSTALL_DIR", "UV_TOOL_DIR", "PIP_CACHE_DIR"),
        # how installers fetch and report, which decides nothing about what they install
        *("PIP_CERT", "PIP_CLIENT_CERT", "PIP_DEFAULT_TIMEOUT", "PIP_DISABLE_PIP_VERSION_CHECK", "PIP_NO_CACHE_DIR"),
        *("PIP_NO_INPUT", "PIP_PROGRESS_BAR", "PIP_PROXY", "PIP_RETRIES", "PIP_ROOT_USER_ACTION", "PIP_TIMEOUT"),
        *("UV_CONCURRENT_BUILDS", "UV_CONCURRENT_DOWNLOADS", "UV_CONCURRENT_INSTALLS", "UV_HTTP_TIMEOUT"),
        *("UV_PYTHON_DOWNLOADS",),  # which interpreters there are counts by itself
        *("UV_HTTP_RETRIES", "UV_LINK_MODE", "UV_NATIVE_TLS", "UV_NO_CACHE", "UV_NO_PROGRESS", "UV_SYSTEM_CERTS"),
    }
)
_COVERED = frozenset({"CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"})
_COVERED_PREFIXES = ("PIP_", "UV_")
# What `uv run` and nox leave for themselves, and nox removes from the environment of every session.
_DROPPED = frozenset({"UV", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "UV_RUN_RECURSION_DEPTH", "UV_SYSTEM_PYTHON"})
_FIXED = {"LANG": "C.UTF-8"}


def session_environment(environ: Mapping[str, str], declared: Iterable[str]) -> dict[str, str]:
    """Return the whole environment that a session runs in.

    Args:
        environ: the environment that Headworks runs in.
        declared: the names of the variables that the session's table declares.
    """
    kept = {name: value for name, value in environ.items() if name.upper() in _MACHINE}
    covered = {name: value for name, value in covered_variables(environ, declared).items() if value is not None}
    return kept | _FIXED | covered


def covered_variables(environ: Mapping[str, str], declared: Iterable[str]) -> dict[str, str | None]:
    """Return the variables that are part of a session's digest, with None for one that is declared and not set."""
    chosen = {
        name: value
        for name, value in environ.items()
        if (name in _COVERED or name.startswith(_COVERED_PREFIXES)) and name not in _MACHINE | _DROPPED
    }
    return chosen | {name: environ.get(name) for name in declared}
