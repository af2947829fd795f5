"""A small convolutional network for any image shape and number of classes, and the registry of other ones.

Shapes are written with B for batch, H for height, W for width, C for channels, K for classes.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol, cast

import torch
from headworks_data import unknown_name
from headworks_model._trial import first_line
from headworks_model.errors import ConfigError, ModelError, ShapeError
from torch import nn

if TYPE_CHECKING:
    from headworks_model._settings import TrainConfig

GROUP = "headworks_model.networks"
BRIGHTEST = 255
LARGEST_MAP = 4
"""Feature maps are halved until no side is longer; then they are flattened, so that position still counts."""


class NetworkFactory(Protocol):
    """Type of an entry point in the group `headworks_model.networks`."""

    def __call__(self, image_shape: tuple[int, int, int], num_classes: int, config: TrainConfig) -> nn.Module:
        """Return a module that turns images, uint8 or float32 [B, H, W, C], into logits, float32 [B, K]."""
        ...


class ConvNet(nn.Module):
    """Convolutions with batch normalisation, halved by pooling until the map is small, and one linear layer.

    Batch normalisation learns mean and deviation of the pixels, so that the network takes images as they are stored.

    Args:
        image_shape: Height, width (both at least 2) and channels (1 or 3).
        num_classes: At least 2.
        width: Channels of the first convolution.
        dropout: Share of features dropped before the last layer while training.

    Raises:
        ShapeError: There can be no such image, or there are less than two classes.
    """

    def __init__(
        self, image_shape: tuple[int, int, int], num_classes: int, *, width: int = 32, dropout: float = 0.2
    ) -> None:
        """Build the layers; weights are drawn from torch's default generator."""
        super().__init__()
        _check_shape(image_shape, num_classes)
        self.image_shape = tuple(image_shape)
        height, length, channels = image_shape
        layers: list[nn.Module] = [nn.BatchNorm2d(channels, affine=False)]
        features = width
        while max(height, length) > LARGEST_MAP:
            kernel = (1 + (height > LARGEST_MAP), 1 + (length > LARGEST_MAP))
            layers += [*convolution(channels, features), *convolution(features, features), nn.MaxPool2d(kernel)]
            height, length = height // kernel[0], length // kernel[1]
            channels, features = features, min(2 * features, 4 * width)
        layers += [*convolution(channels, features), nn.Flatten(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(features * height * length, num_classes))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits, float32 [B, K], of images whose pixels are 0 to 255, uint8 or float32 [B, H, W, C].

        Raises:
            ShapeError: The images are not of the shape the network was built for.
        """
        if tuple(image.shape[1:]) != self.image_shape:
            message = f"images of shape {list(self.image_shape)} expected, got a batch of {list(image.shape)}"
            raise ShapeError(message)
        planes = image.permute(0, 3, 1, 2).float() / BRIGHTEST  # float32 [B, C, H, W]
        return cast("torch.Tensor", self.layers(planes))


def convolution(channels: int, features: int) -> list[nn.Module]:
    """Return a 3 by 3 convolution that keeps the size of the map, normalised and rectified."""
    # Batch normalisation subtracts the mean, and so any bias.
    return [nn.Conv2d(channels, features, 3, padding=1, bias=False), nn.BatchNorm2d(features), nn.ReLU()]


BUILT_IN: dict[str, NetworkFactory] = {
    "conv": lambda image_shape, num_classes, config: ConvNet(
        image_shape, num_classes, width=config.width, dropout=config.dropout
    ),
}


def _check_shape(image_shape: tuple[int, int, int], num_classes: int) -> None:
    """Raise ShapeError unless there can be such images, and at least two classes of them."""
    smallest = 2  # With less, batch normalisation has nothing to average over for a single image.
    if len(image_shape) != len("HWC") or min(image_shape[:2]) < smallest or image_shape[2] not in {1, 3}:
        message = (
            f"image shape {list(image_shape)} cannot be used: "
            "it must be height and width of at least 2 pixels, and 1 or 3 channels"
        )
        raise ShapeError(message)
    if num_classes < smallest:
        message = f"{num_classes} class(es) leave nothing to choose from: at least 2 are needed"
        raise ShapeError(message)


def build_network(config: TrainConfig, *, image_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """Build the network that a configuration names.

    Args:
        config: Names the network, and holds its width and dropout.
        image_shape: Height, width, channels.
        num_classes: Number of logits.

    Raises:
        ConfigError: No network of that name is built in or registered, or the registered one fails.
        ShapeError: The network cannot be built for such images.
    """
    if own := BUILT_IN.get(config.network):
        return own(image_shape, num_classes, config)
    registered = {point.name: point for point in entry_points(group=GROUP)}
    if config.network not in registered:
        raise ConfigError(unknown_name("network", config.network, [*BUILT_IN, *registered]))
    try:
        factory = cast("NetworkFactory", registered[config.network].load())
        network: object = factory(image_shape, num_classes, config)
    except ModelError:
        raise
    except Exception as error:
        # Registered code may raise anything.
        message = (
            f"network {config.network!r} ({registered[config.network].value}) cannot be built for images of shape "
        )
        message += f"{list(image_shape)} and {num_classes} classes: {first_line(error)}"
        raise ConfigError(message) from error
    if not isinstance(network, nn.Module):
        message = f"network {config.network!r} is a {type(network).__name__}, and must be a torch.nn.Module"
        raise ConfigError(message)
    return network


class Probabilities(nn.Module):
    """A network followed by softmax: images, uint8 [B, H, W, C], to probabilities, float32 [B, K]."""

    def __init__(self, network: nn.Module) -> None:
        """Wrap a network that returns logits."""
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the probability of each class; every row sums to one."""
        return torch.softmax(self.network(image), dim=1)
