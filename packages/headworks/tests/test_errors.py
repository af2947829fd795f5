"""The errors and their exit codes."""

from pathlib import Path

import pytest

from headworks import errors
from headworks._cli import main


@pytest.mark.parametrize(
    ("name", "code", "builtin"),
    [
        ("UsageError", 2, Exception),
        ("ConfigurationError", 2, ValueError),
        ("StoreError", 2, OSError),
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


def test_the_readme_and_the_help_list_all_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """In the words of the one place where they are."""
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    rows = [f"| {it} | {it.meaning} |" for it in errors.Exit]
    assert "\n".join(["| exit code | meaning |", "|---|---|", *rows, ""]) in readme
    assert main(["--help"]) == errors.Exit.PASSED
    shown = capsys.readouterr().out
    assert all(it.meaning in shown for it in errors.Exit)
