"""Drawing for the demo study: shapes on a transparent square, light on them, smooth noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

Floats = npt.NDArray[np.float64]
Colour = tuple[int, int, int]
Points = Sequence[tuple[float, float]] | Floats

#: Side of the square that an animal is drawn on, in pixels; it is scaled down afterwards, which smooths all edges.
SIDE = 360


@dataclass(frozen=True)
class Pen:
    """Draws on a transparent square whose corners are (-1, -1), top left, and (1, 1)."""

    image: Image.Image
    draw: ImageDraw.ImageDraw

    def disc(self, x: float, y: float, rx: float, ry: float, colour: Colour, alpha: int = 255) -> None:
        """Fill an ellipse around (x, y)."""
        self.draw.ellipse([*_pixel(x - rx, y - ry), *_pixel(x + rx, y + ry)], fill=(*colour, alpha))

    def shape(self, points: Points, colour: Colour, alpha: int = 255) -> None:
        """Fill a polygon."""
        self.draw.polygon([_pixel(x, y) for x, y in points], fill=(*colour, alpha))

    def stroke(self, points: Points, width: float, colour: Colour, end_width: float | None = None) -> None:
        """Draw a path with round joints whose width runs from `width` to `end_width`."""
        path = np.asarray(points, dtype=float)
        ends = width if end_width is None else end_width
        widths = np.linspace(width, ends, len(path))
        for ((x0, y0), (x1, y1)), here in zip(pairwise(path), widths[1:], strict=True):
            self.draw.line([_pixel(x0, y0), _pixel(x1, y1)], fill=(*colour, 255), width=max(1, round(here * SIDE / 2)))
        for (x, y), here in zip(path, widths, strict=True):
            self.disc(x, y, here / 2, here / 2, colour)


def new_pen() -> Pen:
    """Return a pen on an empty square."""
    image = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))
    return Pen(image, ImageDraw.Draw(image))


def _pixel(x: float, y: float) -> tuple[float, float]:
    return ((x + 1) * SIDE / 2, (y + 1) * SIDE / 2)


def ring(rng: np.random.Generator, count: int, jitter: float = 0.0) -> Floats:
    """Return `count` angles around the circle (radians), each moved by up to `jitter` of their distance."""
    step = 2 * np.pi / count
    return np.arange(count) * step + rng.uniform(-jitter, jitter, count) * step


def vary(rng: np.random.Generator, colour: Colour, amount: int = 18) -> Colour:
    """Return a colour near another one."""
    red, green, blue = np.clip(np.array(colour) + rng.integers(-amount, amount + 1, 3), 0, 255).tolist()
    return red, green, blue


def darker(colour: Colour, share: float) -> Colour:
    """Return a colour with `share` of its brightness."""
    red, green, blue = (int(min(255, value * share)) for value in colour)
    return red, green, blue


def smooth_noise(rng: np.random.Generator, width: int, height: int, cells: float, octaves: int = 3) -> Floats:
    """Return noise of shape (height, width) in about [0, 1]: `cells` bumps across, finer ones upon them."""
    total = np.zeros((height, width))
    for octave in range(octaves):
        columns = max(2, round(cells * 2**octave))
        rows = max(2, round(columns * height / width))
        grid = Image.fromarray(rng.random((rows, columns)).astype(np.float32))
        total += np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC)) / 2**octave
    return total / sum(0.5**octave for octave in range(octaves))


def lit(image: Image.Image, rng: np.random.Generator, depth: float = 1.0) -> Image.Image:
    """Give a flat drawing body: its blurred outline is taken for its height, and light falls from the upper left."""
    pixels = np.asarray(image, dtype=float)
    height = np.zeros(pixels.shape[:2])
    for radius, weight in ((SIDE / 60, 0.35), (SIDE / 20, 1.0)):
        blurred = image.getchannel("A").filter(ImageFilter.GaussianBlur(radius))
        height += weight * radius * np.asarray(blurred, dtype=float) / 255
    # Edges inside the outline, such as an eye or a rib, show in the colours' brightness.
    inner = image.convert("L").filter(ImageFilter.GaussianBlur(SIDE / 160))
    height += depth * 2.0 * np.asarray(inner, dtype=float) / 255
    down, right = np.gradient(height)
    normal = np.stack([-right, -down, np.ones_like(height)])
    normal /= np.linalg.norm(normal, axis=0)
    light = np.array([-0.45, -0.65, 0.62])
    brightness = 0.38 + 0.85 * np.clip(np.tensordot(light, normal, axes=1), 0, None)
    brightness *= 0.86 + 0.28 * smooth_noise(rng, SIDE, SIDE, 9)
    gloss = np.clip(np.tensordot(np.array([-0.3, -0.45, 0.84]), normal, axes=1), 0, 1) ** 24
    pixels[..., :3] = np.clip(pixels[..., :3] * brightness[..., None] + 26 * gloss[..., None], 0, 255)
    return Image.fromarray(pixels.round().astype(np.uint8), "RGBA")


def trimmed(image: Image.Image) -> Image.Image:
    """Cut a drawing to what is not transparent."""
    box = image.getchannel("A").point(_opaque).getbbox()
    return image.crop(box) if box else image


def _opaque(alpha: Any) -> Any:
    return 255 if alpha > 24 else 0
