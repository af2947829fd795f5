"""The package's public face."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources

import headworks_data
from headworks_data import errors


def test_the_public_names_are_pinned() -> None:
    """A name enters or leaves the public interface on purpose only."""
    assert headworks_data.__all__ == [
        "SPLITS",
        "BuildSettings",
        "Contract",
        "Dataset",
        "DatasetDiff",
        "DiffLimits",
        "NearDuplicates",
        "Range",
        "Rows",
        "Shares",
        "Split",
        "Violation",
        "advice",
        "assign",
        "build",
        "check",
        "content_ids",
        "diff",
        "errors",
        "load",
        "parse_settings",
        "read_settings",
        "read_source",
        "replace_files",
        "run_command",
        "split_rows",
        "unknown_name",
        "validate",
        "write",
    ]
    assert all(hasattr(headworks_data, name) for name in headworks_data.__all__)


def test_the_package_ships_its_types() -> None:
    """Type checkers of users find the marker that lets them read our annotations."""
    assert (resources.files("headworks_data") / "py.typed").is_file()


def test_every_error_is_a_data_error_and_the_builtin_it_refines() -> None:
    """A caller can catch all of them at once, or each as what it already knows."""
    builtins = {
        errors.SettingsError: ValueError,
        errors.SourceError: ValueError,
        errors.UnknownSourceError: LookupError,
        errors.DatasetMissingError: FileNotFoundError,
        errors.DatasetInvalidError: ValueError,
        errors.WriteError: OSError,
    }
    assert {kind.__name__ for kind in builtins} | {"DataError"} == set(errors.__all__)
    for kind, builtin in builtins.items():
        assert issubclass(kind, errors.DataError)
        assert issubclass(kind, builtin)
        assert str(kind("what to do")) == "what to do"


def test_import_leaves_scikit_learn_and_pillow_unloaded() -> None:
    """Reading a dataset does not pay for the libraries that only build one."""
    code = "import sys, headworks_data; print(sorted({'sklearn', 'scipy', 'PIL'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
