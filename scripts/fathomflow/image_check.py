"""Prove that a file is one whole image of the size that its annotations say."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

#: What closes a file of the format. Decoders forgive a missing end; a file without it is still cut short.
END_MARKERS = {"PNG": b"IEND\xaeB`\x82", "JPEG": b"\xff\xd9"}
#: The end is looked for in this many last bytes: some writers pad.
TAIL = 1 << 16


class ImageError(Exception):
    """The bytes are no such image; the text says why."""


def check_image(source: Path | BinaryIO, width: int, height: int) -> str:
    """Decode an image once, wholly.

    Parameters
    ----------
    source
        The file, on disk or open for reading.
    width, height
        Size in pixels that it must have.

    Returns
    -------
    str
        Pillow's mode, such as ``RGB`` or ``RGBA``.

    Raises
    ------
    ImageError
        No image, another size, or cut short.
    """
    if isinstance(source, Path):
        with source.open("rb") as handle:
            return check_image(handle, width, height)
    try:
        with Image.open(source) as image:
            # Before any pixel is decoded: a small file may claim to be an enormous image.
            if image.size != (width, height):
                raise ImageError(
                    f"the image is {image.size[0]}x{image.size[1]} pixels, the annotations say {width}x{height}"
                )
            image.load()
            mode, marker = image.mode, END_MARKERS.get(image.format or "")
    except ImageError:
        raise
    except Image.DecompressionBombError:
        raise ImageError("the image claims more pixels than can be decoded safely") from None
    except Exception as error:  # noqa: BLE001 - Pillow's decoders raise nearly anything on damaged input
        raise ImageError(_reason(source, error)) from None
    if marker is not None:
        source.seek(max(0, source.seek(0, io.SEEK_END) - TAIL))
        if marker not in source.read():
            raise ImageError("the image file is cut short: its end marker is missing")
    return mode


def _reason(source: BinaryIO, error: Exception) -> str:
    source.seek(0)
    start = source.read(256).lstrip().lower()
    if not start:
        return "the file is empty"
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page was served instead of an image"
    if isinstance(error, UnidentifiedImageError):
        return "not an image in a known format"
    return f"the image cannot be decoded: {error}"
