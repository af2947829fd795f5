"""All errors of this package, as one tree.

ModelError
├── ConfigError (ValueError)       a setting is unknown, of the wrong type or out of range, or its network fails
├── ShapeError (ValueError)        images have a shape, or splits a size, that nothing can be done with
├── TrainingError (RuntimeError)   training cannot continue
├── CheckpointError (RuntimeError) an interrupted training cannot be resumed
├── TrainedError (ValueError)      a training folder is missing, damaged, or belongs to another dataset
├── EvaluationError (RuntimeError) predictions do not show the quality of the network
└── ExportError (RuntimeError)     the exported graph has another form or output than promised

Each has the exit code of the commands: 2 for bad input, 1 for a failed check.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "CheckpointError",
    "ConfigError",
    "EvaluationError",
    "ExportError",
    "ModelError",
    "ShapeError",
    "TrainedError",
    "TrainingError",
]


class ModelError(Exception):
    """Base of every error of this package."""

    exit_code: ClassVar[int] = 2


class ConfigError(ModelError, ValueError):
    """A setting is unknown, of the wrong type or out of range, or the network that it names fails."""


class ShapeError(ModelError, ValueError):
    """Images have a shape, or splits a size, that nothing can be done with."""


class TrainingError(ModelError, RuntimeError):
    """Training cannot continue, because its loss is not a finite number or a process was killed."""

    exit_code = 1


class CheckpointError(ModelError, RuntimeError):
    """An interrupted training cannot be resumed: its checkpoint is damaged or belongs to another run."""


class TrainedError(ModelError, ValueError):
    """A training folder is missing, damaged, or belongs to another dataset."""


class EvaluationError(ModelError, RuntimeError):
    """Predictions do not show the quality of the network."""

    exit_code = 1


class ExportError(ModelError, RuntimeError):
    """The exported graph has another form or output than promised."""

    exit_code = 1
