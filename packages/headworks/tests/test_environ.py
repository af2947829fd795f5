"""A session's environment holds what it needs, what counts, and nothing else."""

import os
from pathlib import Path

import pytest

from headworks._machine.environ import covered_variables, session_environment

ENVIRON = {"PATH": "/bin", "http_proxy": "x", "PYTEST_ADDOPTS": "-x", "LANG": "de_DE", "UV_TORCH_BACKEND": "cpu"}
ENVIRON |= {"UV_CACHE_DIR": "/cache", "TZ": "UTC", "CI": "true", "UV_RUN_RECURSION_DEPTH": "1", "UV_PYTHON": "/x"}


def test_only_known_and_declared_variables_reach_a_session() -> None:
    """A variable that nobody thought of stays out, and the language is always the same."""
    expected = {"PATH": "/bin", "http_proxy": "x", "UV_CACHE_DIR": "/cache", "UV_TORCH_BACKEND": "cpu", "CI": "true"}
    assert session_environment(ENVIRON, []) == expected | {"LANG": "C.UTF-8"}
    assert session_environment(ENVIRON, ["TZ", "LANG", "NONE"]) == expected | {"TZ": "UTC", "LANG": "de_DE"}


def test_what_can_change_a_session_is_covered() -> None:
    """Declared variables, set or not, those that choose what is installed, and whether it is a CI that runs."""
    found = covered_variables(ENVIRON, ["TZ", "NONE"])
    assert found == {"UV_TORCH_BACKEND": "cpu", "CI": "true", "TZ": "UTC", "NONE": None}


@pytest.mark.parametrize("name", ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"])
def test_a_folder_with_an_interpreter_alone_is_not_covered(name: str, tmp_path: Path) -> None:
    """A patch version of one Python voids no verdict of another; any other library there counts."""
    folders = [tmp_path / version / "lib" for version in ("3.11.9", "3.13.1")]
    for folder in folders:
        (folder / "pkgconfig").mkdir(parents=True)
        for file in ("libpython3.so", "libpython3.13.so.1.0", "python3.13"):
            (folder / file).touch()
    (empty := tmp_path / "empty").mkdir()
    value = os.pathsep.join(map(str, folders))
    assert session_environment({name: value}, [])[name] == value
    assert covered_variables({name: value}, []) == {}
    assert covered_variables({name: value}, [name]) == {name: value}
    others = f"{os.pathsep}{tmp_path / 'missing'}{os.pathsep}{empty}"
    assert covered_variables({name: value + others}, []) == {name: others[1:]}
    (folders[0] / "libcuda.so").touch()
    assert covered_variables({name: value}, []) == {name: str(folders[0])}


@pytest.mark.parametrize(
    "name",
    [
        *("UV_INDEX_OWN_PASSWORD", "UV_INDEX_OWN_USERNAME", "UV_PUBLISH_TOKEN", "UV_PUBLISH_URL", "UV_GITHUB_TOKEN"),
        *("PIP_KEYRING_PROVIDER", "UV_KEYRING_PROVIDER", "PIP_PROXY", "HTTPS_PROXY", "https_proxy", "NETRC"),
        *("PIP_CERT", "PIP_TIMEOUT", "UV_HTTP_TIMEOUT", "UV_HTTP_CONNECT_TIMEOUT", "UV_REQUEST_TIMEOUT", "PIP_RETRIES"),
        *("UV_HTTP_RETRIES", "UV_CONCURRENT_DOWNLOADS", "UV_NO_PROGRESS", "PIP_PROGRESS_BAR", "PIP_NO_COLOR"),
        *("UV_LOCK_TIMEOUT", "PIP_LOG", "PIP_NO_WARN_SCRIPT_LOCATION", "UV_PYTHON_DOWNLOADS", "UV_CREDENTIALS_DIR"),
        *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "AWS_CA_BUNDLE"),
    ],
)
def test_who_fetches_packages_and_how_is_passed_on_and_not_covered(name: str) -> None:
    """It lets a session install, and says nothing about what it gets."""
    assert session_environment({name: "x"}, [])[name] == "x"
    assert covered_variables({name: "x"}, []) == {}
    assert covered_variables({name: "x"}, [name]) == {name: "x"}


@pytest.mark.parametrize(
    ("value", "covered"),
    [
        ("https://me:hunter2@example.org/simple", "https://example.org/simple"),
        ("https://me:h@nter2@example.org", "https://example.org"),
        ("own=https://t0ken@a.org/x other=https://me:p@b.org:80", "own=https://a.org/x other=https://b.org:80"),
        ("https://a.org https://me:p@b.org?x=@y", "https://a.org https://b.org?x=@y"),
        ("https://a.org/mail@b.org#@c", "https://a.org/mail@b.org#@c"),
        ("only-if-needed", "only-if-needed"),
    ],
)
def test_a_url_counts_without_the_user_and_the_password_in_it(value: str, covered: str) -> None:
    """The session gets all of it, to install with."""
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX", "UV_INDEX_URL", "UV_DEFAULT_INDEX"):
        assert session_environment({name: value}, [])[name] == value
        assert covered_variables({name: value}, []) == {name: covered}
