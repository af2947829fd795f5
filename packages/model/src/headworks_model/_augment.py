"""Changes training images a little, so that the network learns what does not matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from headworks_model._config import TrainConfig


def augment(images: torch.Tensor, *, config: TrainConfig, brightest: float, generator: torch.Generator) -> torch.Tensor:
    """Move, turn, scale and blur images with noise, each by its own random amount.

    Args:
        images: Pixels, uint8 [B, H, W, C].
        config: Says how much of each.
        brightest: The value of which `config.noise` is a share.
        generator: Source of every random number.

    Returns:
        Images on the same scale, float32 [B, H, W, C]; what comes into sight at the edges is 0.
    """
    planes = images.permute(0, 3, 1, 2).float()
    maps = affine_maps(images.shape, config=config, generator=generator)
    grid = functional.affine_grid(maps, list(planes.shape), align_corners=False)
    moved = functional.grid_sample(planes, grid, align_corners=False).permute(0, 2, 3, 1)
    noise = torch.randn(moved.shape, generator=generator) * (config.noise * brightest)
    return moved + noise


def affine_maps(shape: torch.Size, *, config: TrainConfig, generator: torch.Generator) -> torch.Tensor:
    """Draw one affine map per image, float32 [B, 2, 3], from output to input coordinates, both -1 to 1.

    A turn is one of pixels, not of these coordinates: images that are not square must not be sheared.
    """
    rows, height, width, _ = shape
    angle, growth, across, down = (2 * torch.rand(4, rows, generator=generator) - 1).unbind()
    angle = torch.deg2rad(angle * config.rotation)
    zoom = 1 + growth * config.scale
    cosine, sine = zoom * torch.cos(angle), zoom * torch.sin(angle)
    first = torch.stack([cosine, -sine * height / width, across * config.shift * 2 / width])
    second = torch.stack([sine * width / height, cosine, down * config.shift * 2 / height])
    return torch.stack([first, second]).permute(2, 0, 1).contiguous()
