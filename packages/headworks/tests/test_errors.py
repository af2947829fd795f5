"""The errors and their exit codes."""

import pytest

from headworks import errors


@pytest.mark.parametrize(
    ("name", "code", "builtin"),
    [
        ("UsageError", 2, Exception),
        ("ConfigurationError", 2, ValueError),
        ("StoreError", 2, OSError),
        ("SessionFailedError", 1, Exception),
        ("CannotDecideError", 3, Exception),
    ],
)
def test_every_error_is_one_of_ours_and_has_its_exit_code(name: str, code: int, builtin: type[Exception]) -> None:
    """Callers may catch the one base class, or the builtin that an error refines."""
    error = getattr(errors, name)("what happened")
    assert isinstance(error, errors.HeadworksError)
    assert isinstance(error, builtin)
    assert error.exit_code == code
    assert str(error) == "what happened"


def test_the_module_exports_exactly_its_errors() -> None:
    """`__all__` is sorted and complete."""
    found = [name for name, it in vars(errors).items() if isinstance(it, type) and it.__module__ == errors.__name__]
    assert errors.__all__ == sorted(found)
