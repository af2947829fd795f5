"""Every error that this package raises.

ServingError
├── ConfigError (ValueError)            a setting is out of its range
├── ModelError (ValueError)             the file is no model that can be served
├── AddressError (OSError)              the address cannot be listened on
├── InferenceError (RuntimeError)       the model itself failed on a valid request
├── RequestError (ValueError)           a request cannot be answered; `status` is its HTTP status
│   ├── UnknownModelError (LookupError)
│   ├── SlowBodyError (TimeoutError)
│   ├── TooLargeError
│   ├── EncodingError
│   └── OverloadError
└── CheckError                          the check could not compare; `exit_code` is that of its command
    ├── CheckInputError (ValueError)    what is to be compared or served cannot be read
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
    """The file is no model that can be served."""


class AddressError(ServingError, OSError):
    """The address cannot be listened on."""


class InferenceError(ServingError, RuntimeError):
    """The model itself failed on a valid request, which is a fault of the model and not of the client."""

    status: ClassVar[int] = 500


class RequestError(ServingError, ValueError):
    """A request cannot be answered; `status` is the HTTP status that says so."""

    status: ClassVar[int] = 400


class UnknownModelError(RequestError, LookupError):
    """No model, or no version of it, has the name that was asked for."""

    status = 404


class SlowBodyError(RequestError, TimeoutError):
    """The body did not arrive in time."""

    status = 408


class TooLargeError(RequestError):
    """The body or the batch is larger than the stated limit."""

    status = 413


class EncodingError(RequestError):
    """The body is compressed in a way that is not supported."""

    status = 415


class OverloadError(RequestError):
    """As many requests as allowed are waiting for an answer already."""

    status = 503


class CheckError(ServingError):
    """The check could not compare; `exit_code` is that of its command."""

    exit_code: ClassVar[int] = 1


class CheckInputError(CheckError, ValueError):
    """What is to be compared or served cannot be read."""

    exit_code = 2


class ServerFaultError(CheckError, RuntimeError):
    """The server is not ready, or does not answer as it should."""
