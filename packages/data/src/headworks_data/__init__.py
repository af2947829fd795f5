"""Datasets, splits and the data contract."""

from headworks_data import errors
from headworks_data._advice import advice
from headworks_data._build import BuildSettings, build, split_rows
from headworks_data._check import check
from headworks_data._command import run_command
from headworks_data._contract import Contract
from headworks_data._dataset import SPLITS, Dataset, Split, content_ids
from headworks_data._diff import DatasetDiff, diff
from headworks_data._diff_limits import DiffLimits
from headworks_data._files import load, write
from headworks_data._nearest import NearDuplicates
from headworks_data._settings import Range, parse_settings, read_settings, unknown_name, validate
from headworks_data._source import Rows, read_source
from headworks_data._splits import Shares, assign
from headworks_data._staging import replace_files
from headworks_data._violation import Violation

__all__ = [
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
