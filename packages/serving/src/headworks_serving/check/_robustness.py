"""Measures what a served model loses on inputs that are worse than its split, against stated rates.

A rate is the plain one over exactly these rows: noise has fixed seeds and shifts take every row, so that two runs of a
model measure the same, and no interval is needed.
"""

import json
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
from headworks_serving.check._client import predict
from headworks_serving.check._hostile import Hostile, hostile_requests, status_of
from headworks_serving.check._tables import Split
from headworks_serving.errors import CheckInputError, ServerFaultError
from numpy.typing import NDArray

Images = NDArray[np.uint8]

_FORMAT: Final = 1  # of `--format json`
_DRAWS: Final = 5  # of noise for each row: one draw alone moves the accuracy of 360 rows by 0.01
_WHITE: Final = 255
_REFUSED: Final = range(400, 500)
_DIRECTIONS: Final = {"down": (1, 1), "up": (1, -1), "right": (2, 1), "left": (2, -1)}
_MEANINGS: Final = {
    "noise": "accuracy lost",
    "shift": "accuracy lost",
    "blank": "highest confidence",
    "hostile": "share not refused",
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Sizes of the disturbances, and the most that each may cost.

    Attributes:
        noise: Standard deviation of Gaussian noise, in levels of 0 to 255.
        noise_loss: Most accuracy that noise may cost.
        shift: Pixels by which images are moved down, up, right and left; the border is repeated.
        shift_loss: Most accuracy that each of these may cost.
        blank: Levels of images of one level only.
        blank_confidence: Highest probability that such an image may get.
    """

    noise: float
    noise_loss: float
    shift: int
    shift_loss: float
    blank: list[int]
    blank_confidence: float


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A measured rate beside its limit."""

    check: str
    input: str
    measured: float
    limit: float

    @property
    def is_within(self) -> bool:
        """Whether the limit holds, up to rounding; NaN is within none."""
        return self.measured <= self.limit + 1e-9


def read_settings(path: Path) -> Settings:
    """Read the settings from a TOML file, strictly.

    Raises:
        CheckInputError: The file cannot be read, or a key or value in it is wrong.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        message = f"cannot read {path}: {error}; name a TOML file of settings"
        raise CheckInputError(message) from error
    names = [field.name for field in fields(Settings)]
    if table.keys() != {*names}:
        differ = ", ".join(sorted(table.keys() ^ {*names}))
        message = f"{path} must have exactly the keys {', '.join(names)}; add or remove {differ}"
        raise CheckInputError(message)
    for name, value in table.items():
        values = value if name == "blank" else [value]
        kinds = {int} if name in {"shift", "blank"} else {int, float}
        most = 1 if name.endswith(("_loss", "_confidence")) else _WHITE
        if not (isinstance(values, list) and values and all(type(it) in kinds and 0 <= it <= most for it in values)):
            whole = (
                "a list of whole numbers" if name == "blank" else "a whole number" if name == "shift" else "a number"
            )
            message = f"{path}: {name} must be {whole} from 0 to {most}, got {value!r}"
            raise CheckInputError(message)
    return Settings(**table)


@dataclass(frozen=True, kw_only=True)
class Robustness:
    """Every rate of a model, the accuracy without disturbance, and the hostile requests that were not refused."""

    rows: int
    accuracy: float
    rates: list[Rate]
    taken: list[str]

    @property
    def is_within(self) -> bool:
        """Whether every limit holds."""
        return all(rate.is_within for rate in self.rates)

    def as_json(self) -> str:
        """Return the document of `--format json`."""
        rates = [asdict(rate) | {"passed": rate.is_within} for rate in self.rates]
        document = {"format": _FORMAT, "passed": self.is_within, "rows": self.rows, "accuracy": self.accuracy}
        return json.dumps(document | {"rates": rates, "taken": self.taken}, indent=2) + "\n"

    def as_text(self) -> str:
        """Return a line for each rate."""
        outcome = "passed" if self.is_within else "failed"
        lines = [
            f"robustness: {outcome}: plain rates over {self.rows} rows, with fixed seeds",
            f"  undisturbed, {self.accuracy:.4f} of the rows are predicted right",
        ]
        for rate in self.rates:
            words = "" if rate.is_within else "  FAILED"
            lines.append(
                f"  {rate.check:<8} {rate.input:<36} {_MEANINGS[rate.check]:<18}"
                f" {rate.measured:>8.4f}, at most {rate.limit:.4f}{words}"
            )
        lines += [f"  not refused: {request}" for request in self.taken]
        return "".join(f"{line}\n" for line in lines)


def measure_robustness(
    address: str, name: str, split: Split, labels: NDArray[np.int64], settings: Settings
) -> Robustness:
    """Measure every rate through a server.

    Args:
        address: HOST:PORT.
        name: The name of the model.
        split: The rows, N of at least 1.
        labels: Indices of their classes, shape (N,).
        settings: Sizes and limits.

    Raises:
        ServerFaultError: The server refuses a fair request, or does not answer as before after a hostile one.
    """
    images = split.images

    def accuracy(disturbed: Images) -> float:
        served = predict(address, name, disturbed, binary=True)
        return float((served.probabilities.argmax(axis=1) == labels).mean())

    clean = accuracy(images)
    rates = []
    drawn = [accuracy(_noisy(images, settings.noise, seed)) for seed in range(_DRAWS)]
    words = f"deviation {settings.noise:g}, {_DRAWS} draws"
    rates.append(Rate(check="noise", input=words, measured=clean - sum(drawn) / _DRAWS, limit=settings.noise_loss))
    for direction, (axis, step) in _DIRECTIONS.items():
        lost = clean - accuracy(_shifted(images, axis, step * settings.shift))
        words = f"{direction} by {settings.shift} px"
        rates.append(Rate(check="shift", input=words, measured=lost, limit=settings.shift_loss))
    for level in settings.blank:
        served = predict(address, name, np.full_like(images[:1], level), binary=True)
        highest = float(served.probabilities.max())
        rates.append(Rate(check="blank", input=f"level {level}", measured=highest, limit=settings.blank_confidence))
    requests = hostile_requests(images.shape[1:])
    taken = _ask_hostile(address, name, images[:1], requests)
    words = f"{len(requests)} requests"
    rates.append(Rate(check="hostile", input=words, measured=len(taken) / len(requests), limit=0.0))
    return Robustness(rows=len(images), accuracy=clean, rates=rates, taken=taken)


def _noisy(images: Images, deviation: float, seed: int) -> Images:
    noise = np.random.default_rng(seed).normal(0, deviation, images.shape)
    return np.clip(np.rint(images + noise), 0, _WHITE).astype(np.uint8)


def _shifted(images: Images, axis: int, step: int) -> Images:
    """Return images that are moved along an axis; the border that they leave is repeated."""
    size = images.shape[axis]
    return images.take(np.clip(np.arange(size) - step, 0, size - 1), axis=axis)


def _ask_hostile(address: str, name: str, image: Images, requests: Sequence[Hostile]) -> list[str]:
    """Return the requests that were not refused; a fair one after each has to be answered as before."""
    before = predict(address, name, image, binary=True).probabilities
    taken = []
    for request in requests:
        status = status_of(address, name, request)
        try:
            answers_as_before = np.array_equal(before, predict(address, name, image, binary=True).probabilities)
        except ServerFaultError as error:
            message = f"after a hostile request ({request.name}), {error}"
            raise ServerFaultError(message) from error
        if not answers_as_before:
            message = f"after a hostile request ({request.name}), the server predicts otherwise than before"
            raise ServerFaultError(message)
        if status not in _REFUSED:
            taken.append(f"{request.name}: {f'status {status}' if status else 'no answer'}")
    return taken
