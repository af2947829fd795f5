"""A session's environment holds what it needs, what counts, and nothing else."""

from headworks._environ import covered_variables, session_environment

ENVIRON = {"PATH": "/bin", "http_proxy": "x", "PYTEST_ADDOPTS": "-x", "LANG": "de_DE", "UV_TORCH_BACKEND": "cpu"}
ENVIRON |= {"UV_CACHE_DIR": "/cache", "TZ": "UTC", "CI": "true", "UV_RUN_RECURSION_DEPTH": "1", "UV_PYTHON": "/x"}


def test_only_known_and_declared_variables_reach_a_session() -> None:
    """A variable that nobody thought of stays out, and the language is always the same."""
    expected = {"PATH": "/bin", "http_proxy": "x", "UV_CACHE_DIR": "/cache", "UV_TORCH_BACKEND": "cpu"}
    assert session_environment(ENVIRON, []) == expected | {"LANG": "C.UTF-8"}
    assert session_environment(ENVIRON, ["CI", "LANG", "NONE"]) == expected | {"CI": "true", "LANG": "de_DE"}


def test_what_can_change_a_session_is_covered() -> None:
    """Declared variables, set or not, and those that choose what is installed; not how it is fetched, or from where."""
    fetching = {"PIP_CERT": "/cert", "UV_PYTHON_DOWNLOADS": "never"}
    assert covered_variables(ENVIRON | fetching, ["CI", "NONE"]) == {
        "UV_TORCH_BACKEND": "cpu",
        "CI": "true",
        "NONE": None,
    }
