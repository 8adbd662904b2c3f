"""Random views of crops: all crops of a box turn alike and change colour alike, on whatever device they are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Augmentation:
    """How far views may differ from the crop; zeros leave it as it is.

    Attributes
    ----------
    flip
        Probability of a mirror image.
    rotation
        Degrees to either side.
    scale
        Share by which a view may be larger or smaller.
    shift
        Share of the side by which it may move.
    colour
        Share by which brightness, contrast and each channel may change.
    """

    flip: float = 0.5
    rotation: float = 15.0
    scale: float = 0.15
    shift: float = 0.05
    colour: float = 0.2


def augment(crops: Tensor, generator: torch.Generator, settings: Augmentation) -> Tensor:
    """Draw one random view of every box.

    Parameters
    ----------
    crops
        uint8, (boxes, crops, side, side, 3).
    generator
        On the CPU; the same state gives the same views on every device.
    settings
        How far views may differ.

    Returns
    -------
    torch.Tensor
        uint8, of the same shape.
    """
    boxes, views = crops.shape[:2]
    theta = _transforms(boxes, generator, settings).to(crops.device)
    pixels = crops.movedim(-1, -3).flatten(0, 1).float() / 255
    grid = functional.affine_grid(theta.repeat_interleave(views, dim=0), list(pixels.shape), align_corners=False)
    turned = functional.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False)
    gain = 1 + settings.colour * (2 * torch.rand(boxes, 5, generator=generator) - 1)
    gain = gain.to(crops.device).repeat_interleave(views, dim=0)[..., None, None]
    contrast, brightness, channels = gain[:, :1], gain[:, 1:2], gain[:, 2:]
    mean = turned.mean(dim=(1, 2, 3), keepdim=True)
    coloured = ((turned - mean) * contrast + mean) * brightness * channels
    result = (coloured.clamp(0, 1) * 255).round().to(torch.uint8)
    return result.reshape(boxes, views, *result.shape[1:]).movedim(-3, -1)


def _transforms(boxes: int, generator: torch.Generator, settings: Augmentation) -> Tensor:
    """Draw affine maps from view to crop, (boxes, 2, 3), in coordinates that run from -1 to 1."""
    draws = 2 * torch.rand(boxes, 5, generator=generator) - 1
    angle = draws[:, 0] * math.radians(settings.rotation)
    size = 1 + draws[:, 1] * settings.scale
    mirror = torch.where(draws[:, 2] < 2 * settings.flip - 1, -1.0, 1.0)
    shift = 2 * settings.shift * draws[:, 3:]
    cosine, sine = torch.cos(angle) * size, torch.sin(angle) * size
    first = torch.stack([cosine * mirror, -sine, shift[:, 0]], dim=1)
    second = torch.stack([sine * mirror, cosine, shift[:, 1]], dim=1)
    return torch.stack([first, second], dim=1)
