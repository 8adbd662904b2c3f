"""Image files as RGB pixels, by one written rule for every kind of image.

======================  ==================================================================================
Pillow's mode           rule
======================  ==================================================================================
RGB                     as it is; of 16 bits a channel the high byte, as Pillow's PNG reader hands them out
L, 1                    grey in all three channels; 1-bit images become 0 and 255
RGBA, LA, PA, RGBa …    alpha is dropped, not blended: what lies under it is what the camera saw
P                       looked up in the palette
I;16, I;16B, I;16L      the high byte, in all three channels
CMYK, YCbCr             converted by Pillow's formulas, without a colour profile
anything else           refused: there is no rule
======================  ==================================================================================

EXIF orientation is not applied: boxes are given on the pixels as they are stored.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from fathomflow.image_check import ImageError
from fathomflow.storage import ImageFile

_PLAIN = ("1", "L", "P", "CMYK", "YCbCr")
_ALPHA = {"RGBA": "RGB", "RGBX": "RGB", "LA": "L", "PA": "P"}
_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N")


def decode_rgb(data: bytes, size: tuple[int, int]) -> Image.Image:
    """Decode an image file's bytes.

    Parameters
    ----------
    data
        The file.
    size
        Width and height in pixels that the annotations give.

    Returns
    -------
    PIL.Image.Image
        In mode RGB.

    Raises
    ------
    ImageError
        No image, damaged, of another size, or of a kind without a rule.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.size != size:
                raise ImageError(
                    f"the image is {image.size[0]}x{image.size[1]} pixels, the annotations say {size[0]}x{size[1]}"
                )
            image.load()
            return to_rgb(image)
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError("not an image in a known format" if data else "the file is empty") from None
    except Exception as error:  # noqa: BLE001 - Pillow's decoders raise nearly anything on damaged input
        raise ImageError(f"the image cannot be decoded: {error}") from None


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert a decoded image by the rule for its mode; see the table above."""
    mode = image.mode
    if mode == "RGB":
        return image
    if mode in _ALPHA:
        # Pillow's conversion drops alpha; only the premultiplied modes would need a division first.
        return image.convert(_ALPHA[mode]).convert("RGB") if mode != "PA" else image.convert("RGBA").convert("RGB")
    if mode in _SIXTEEN_BITS:
        return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)).convert("RGB")
    if mode in _PLAIN:
        return image.convert("RGB")
    raise ImageError(f"the image has mode {mode}; there is no rule how to make RGB of it")


def read_image(path: ImageFile, size: tuple[int, int]) -> tuple[bytes, Image.Image]:
    """Read and decode an image file: its bytes and its RGB pixels. Raises ImageError, see `decode_rgb`."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ImageError("the file is absent") from None
    except OSError as error:
        raise ImageError(f"the file cannot be read: {error.strerror or error}") from None
    return data, decode_rgb(data, size)
