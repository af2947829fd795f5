"""What can go wrong, as one tree.

ModelError
├── ConfigError (ValueError)       a setting is unknown, of the wrong type or out of range, or its network fails
├── ShapeError (ValueError)        no network can be built for, or fed with, such images
├── TrainingError (RuntimeError)   training cannot go on
├── CheckpointError (RuntimeError) an interrupted training cannot be resumed
├── TrainedError (ValueError)      a training folder is missing, damaged, or belongs to another dataset
├── EvaluationError (RuntimeError) what was predicted says nothing of how good the network is
└── ExportError (RuntimeError)     the exported graph is not what was promised, or computes something else

Each carries the exit code with which the commands end: 2 where the input is at fault, 1 where a check failed.
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
    """Base of every error this package raises on purpose."""

    exit_code: ClassVar[int] = 2


class ConfigError(ModelError, ValueError):
    """A setting is unknown, of the wrong type or out of range, or the network that it names fails."""


class ShapeError(ModelError, ValueError):
    """No network can be built for, or fed with, images of such a shape."""


class TrainingError(ModelError, RuntimeError):
    """Training cannot go on, because its loss is no longer a finite number."""

    exit_code = 1


class CheckpointError(ModelError, RuntimeError):
    """An interrupted training cannot be resumed: its checkpoint is damaged or belongs to another run."""


class TrainedError(ModelError, ValueError):
    """A training folder is missing, damaged, or belongs to another dataset."""


class EvaluationError(ModelError, RuntimeError):
    """What was predicted says nothing of how good the network is."""

    exit_code = 1


class ExportError(ModelError, RuntimeError):
    """The exported graph is not what was promised, or does not compute what the network computes."""

    exit_code = 1
