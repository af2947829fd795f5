"""Every error that this package raises.

ServingError
├── ConfigError (ValueError)            a setting is out of its range
├── ModelError (ValueError)             the model cannot be found or served
├── AddressError (OSError)              the address cannot be listened on
├── InferenceError (RuntimeError)       the model failed on a valid request
├── RequestError (ValueError)           a request cannot be answered; `status` is its HTTP status
│   ├── UnknownModelError (LookupError)
│   ├── SlowBodyError (TimeoutError)
│   ├── TooLargeError
│   ├── EncodingError
│   └── OverloadError
└── CheckError                          the check could not compare; `exit_code` is that of its command
    ├── CheckInputError (ValueError)    an input of the check, or its output, cannot be used
    └── ServerFaultError (RuntimeError) the server is not ready, or does not answer as it should
"""

from typing import ClassVar

__all__ = [
    "AddressError",
    "CheckError",
    "CheckInputError",
    "ConfigError",
    "EncodingError",
    "InferenceError",
    "ModelError",
    "OverloadError",
    "RequestError",
    "ServerFaultError",
    "ServingError",
    "SlowBodyError",
    "TooLargeError",
    "UnknownModelError",
]


class ServingError(Exception):
    """The base class of every error of this package."""


class ConfigError(ServingError, ValueError):
    """A setting is out of its range."""


class ModelError(ServingError, ValueError):
    """The model cannot be found or served."""


class AddressError(ServingError, OSError):
    """The address cannot be listened on."""


class InferenceError(ServingError, RuntimeError):
    """The model failed on a valid request."""

    status: ClassVar[int] = 500


class RequestError(ServingError, ValueError):
    """A request cannot be answered; `status` is its HTTP status."""

    status: ClassVar[int] = 400


class UnknownModelError(RequestError, LookupError):
    """There is no model of the requested name and version."""

    status = 404


class SlowBodyError(RequestError, TimeoutError):
    """The body did not arrive in time."""

    status = 408


class TooLargeError(RequestError):
    """The body or the batch is larger than its limit."""

    status = 413


class EncodingError(RequestError):
    """The body is compressed in a way that is not supported."""

    status = 415


class OverloadError(RequestError):
    """The limit of waiting requests is reached."""

    status = 503


class CheckError(ServingError):
    """The check could not compare; `exit_code` is that of its command."""

    exit_code: ClassVar[int] = 1


class CheckInputError(CheckError, ValueError):
    """An input of the check, or its output, cannot be used."""

    exit_code = 2


class ServerFaultError(CheckError, RuntimeError):
    """The server is not ready, or does not answer as it should."""
