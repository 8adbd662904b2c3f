"""The crops that a model sees of a box: exact geometry and resizing, as the winner's code has them.

For a box (x, y, width, height) in pixels, from the top left: the centre is (int(x + width // 2),
int(y + height // 2)) and `half` is max(width, height) // 2, floor division on floats. The object's crop reaches
half + 1 from the centre, a context's half · scale, the whole image's max(image width, image height). Ends pass through
int() and are clamped to the image. An empty crop is black.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fathomflow.architecture import WHOLE_IMAGE

#: Left, top, right, bottom in pixels; right and bottom are exclusive.
Rectangle = tuple[int, int, int, int]
Box = tuple[float, float, float, float]
Pixels = NDArray[np.uint8]

#: What a prediction's flags may say of its box.
FLAGS = {
    "clamped": "the object's crop reached beyond the image and was cut",
    "outside": "the box lies wholly outside the image",
    "empty_object": "the object's crop held no pixel and was black",
    "empty_context": "a context's crop held no pixel and was black",
}


def crop_rectangles(box: Box, image_size: tuple[int, int], scales: Sequence[int]) -> list[Rectangle]:
    """Compute the crops of a box.

    Parameters
    ----------
    box
        x, y, width, height in pixels.
    image_size
        Width and height in pixels.
    scales
        The contexts, see `fathomflow.architecture.Architecture`.

    Returns
    -------
    list of Rectangle
        The object's crop, then one per scale.
    """
    x, y, width, height = map(float, box)
    centre = int(x + width // 2), int(y + height // 2)
    half = max(width, height) // 2
    reaches = [half + 1, *(max(image_size) if scale == WHOLE_IMAGE else half * scale for scale in scales)]
    return [_rectangle(centre, reach, image_size) for reach in reaches]


def _rectangle(centre: tuple[int, int], reach: float, image_size: tuple[int, int]) -> Rectangle:
    left, right = (_clamp(int(centre[0] + side * reach), image_size[0]) for side in (-1, 1))
    top, bottom = (_clamp(int(centre[1] + side * reach), image_size[1]) for side in (-1, 1))
    return left, top, right, bottom


def _clamp(value: int, end: int) -> int:
    return min(max(value, 0), end)


def is_empty(rectangle: Rectangle) -> bool:
    """Tell whether a crop holds no pixel."""
    left, top, right, bottom = rectangle
    return right <= left or bottom <= top


def cut(image: Image.Image, rectangle: Rectangle, side: int) -> Pixels:
    """Cut a crop out of an RGB image and resize it, bicubic, aspect not kept.

    Returns
    -------
    numpy.ndarray
        uint8, (side, side, 3); black when the crop is empty.
    """
    if is_empty(rectangle):
        return np.zeros((side, side, 3), np.uint8)
    # Cut first: Pillow's own `box` argument would let pixels beyond the crop into its edges.
    piece = image if rectangle == (0, 0, *image.size) else image.crop(rectangle)
    return np.asarray(piece.resize((side, side), Image.Resampling.BICUBIC))


def box_flags(box: Box, image_size: tuple[int, int], rectangles: Sequence[Rectangle]) -> str:
    """Return the flags of a box, in the order of `FLAGS`, separated by spaces.

    Parameters
    ----------
    box, image_size
        As in `crop_rectangles`.
    rectangles
        What `crop_rectangles` returned for them.
    """
    x, y, width, height = map(float, box)
    reach = max(width, height) // 2 + 1
    centre = int(x + width // 2), int(y + height // 2)
    found = {
        "clamped": any(
            int(middle - reach) < 0 or int(middle + reach) > end for middle, end in zip(centre, image_size, strict=True)
        ),
        "outside": x >= image_size[0] or y >= image_size[1] or x + width <= 0 or y + height <= 0,
        "empty_object": is_empty(rectangles[0]),
        "empty_context": any(map(is_empty, rectangles[1:])),
    }
    return " ".join(flag for flag in FLAGS if found[flag])
