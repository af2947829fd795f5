"""Datasets, splits and the data contract."""

from headgate_data import errors
from headgate_data._build import build, split_rows
from headgate_data._check import check
from headgate_data._content import content_ids
from headgate_data._contract import Contract
from headgate_data._dataset import SPLITS, Dataset, Split
from headgate_data._diff import DatasetDiff, diff
from headgate_data._diff_limits import DiffLimits
from headgate_data._files import load, write
from headgate_data._nearest import NearDuplicates
from headgate_data._settings import BuildSettings, read_settings
from headgate_data._source import Rows, read_source
from headgate_data._splits import Shares, assign
from headgate_data._violation import Violation

__all__ = [
    "SPLITS",
    "BuildSettings",
    "Contract",
    "Dataset",
    "DatasetDiff",
    "DiffLimits",
    "NearDuplicates",
    "Rows",
    "Shares",
    "Split",
    "Violation",
    "assign",
    "build",
    "check",
    "content_ids",
    "diff",
    "errors",
    "load",
    "read_settings",
    "read_source",
    "split_rows",
    "write",
]
