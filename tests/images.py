"""Images for tests, as bytes."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from fathomflow.image_records import ImageEntry

WIDTH, HEIGHT = 40, 30


def image_bytes(seed: int, width: int = WIDTH, height: int = HEIGHT, mode: str = "RGB", kind: str = "PNG") -> bytes:
    """Return an image of noise, different for each seed."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(buffer, kind)
    return buffer.getvalue()


def entry(
    image_id: int, uri: str, file_name: str | None = None, width: int = WIDTH, height: int = HEIGHT
) -> ImageEntry:
    return ImageEntry(image_id, file_name or f"{image_id}.png", uri, width, height)


def entries_csv(entries: list[ImageEntry]) -> str:
    rows = "".join(f"{e.image_id},{e.file_name},{e.uri},{e.width},{e.height}\n" for e in entries)
    return "image_id,file_name,uri,width,height\n" + rows
