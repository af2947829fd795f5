"""All errors of this package, as one tree.

    DataError
    ├── SettingsError (ValueError)              a settings or contract file, or a value in it, is wrong
    ├── SourceError (ValueError)                the data of a source cannot become a dataset
    │   └── UnknownSourceError (LookupError)    no source is registered under the name
    ├── DatasetMissingError (FileNotFoundError) there is no dataset in the folder, or a file of it is gone
    ├── DatasetInvalidError (ValueError)        rows contradict each other, their types or dataset.json
    └── WriteError (OSError)                    a dataset cannot be written; an earlier one there is whole

Each message says what happened, where, and what to do next. Each error also is the builtin it refines.
"""

__all__ = [
    "DataError",
    "DatasetInvalidError",
    "DatasetMissingError",
    "SettingsError",
    "SourceError",
    "UnknownSourceError",
    "WriteError",
]


class DataError(Exception):
    """Base of every error of this package."""


class SettingsError(DataError, ValueError):
    """A settings or contract file, or a value in it, is wrong."""


class SourceError(DataError, ValueError):
    """The data of a source cannot become a dataset."""


class UnknownSourceError(SourceError, LookupError):
    """No source is registered under the name."""


class DatasetMissingError(DataError, FileNotFoundError):
    """There is no dataset in the folder, or a file of it is gone."""


class DatasetInvalidError(DataError, ValueError):
    """The rows of a dataset contradict each other, their types or dataset.json."""


class WriteError(DataError, OSError):
    """A dataset cannot be written; an earlier one there is whole."""
