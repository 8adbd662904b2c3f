"""Small pictures for people: each box cut out, and each image whole, as WebP.

They depend on regions and images alone, so a corrected label never cuts them again.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
from PIL import Image

from fathomflow.files import atomic_write
from fathomflow.storage import ImageFile, ImageFolder

#: Longest side of a box's picture and of an image's picture, in pixels.
CROP_SIDE = 256
FRAME_SIDE = 560
#: Share of the box's longer side that is shown around it, so that its outline stays in sight.
MARGIN = 0.08
QUALITY = 72
#: Rows per Parquet row group: a report reads few boxes of many.
ROWS = 256

CROP_SCHEMA = pa.schema([("annotation_id", pa.int64()), ("picture", pa.binary())])
FRAME_SCHEMA = pa.schema([("image_id", pa.int64()), ("picture", pa.binary())])


def crop_window(box: tuple[float, float, float, float], width: int, height: int) -> tuple[int, int, int, int] | None:
    """Return the pixels to cut for a box: with a margin, inside the image.

    Parameters
    ----------
    box
        x, y, width, height in pixels from the top left.
    width, height
        Size of the image.

    Returns
    -------
    tuple of int or None
        left, top, right, bottom; None when the box lies outside the image.
    """
    x, y, box_width, box_height = box
    margin = max(MARGIN * max(box_width, box_height), 2)
    left, right = max(math.floor(x - margin), 0), min(math.ceil(x + box_width + margin), width)
    top, bottom = max(math.floor(y - margin), 0), min(math.ceil(y + box_height + margin), height)
    return (left, top, right, bottom) if left < right and top < bottom else None


def encode_picture(image: Image.Image, side: int) -> bytes:
    """Shrink an image so that its longer side is at most `side` pixels and encode it as WebP."""
    scale = min(1.0, side / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    shrunk = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0) if size != image.size else image
    buffer = io.BytesIO()
    shrunk.save(buffer, "WEBP", quality=QUALITY, method=4)
    return buffer.getvalue()


def cut_image(
    path: ImageFile, boxes: Sequence[tuple[int, tuple[float, float, float, float]]]
) -> tuple[bytes, dict[int, bytes]]:
    """Cut all boxes of one image.

    Parameters
    ----------
    path
        The image; transparency is dropped, as the models do.
    boxes
        annotation_id and box (x, y, width, height) each.

    Returns
    -------
    tuple
        The whole image's picture, and the picture of each box that touches the image.
    """
    with path.open("rb") as handle, Image.open(handle) as opened:
        image = opened.convert("RGB")
    pictures = {}
    for annotation_id, box in boxes:
        window = crop_window(box, *image.size)
        if window is not None:
            pictures[annotation_id] = encode_picture(image.crop(window), CROP_SIDE)
    return encode_picture(image, FRAME_SIDE), pictures


def cut_pictures(
    regions: pd.DataFrame, usable: set[int], folder: ImageFolder, threads: int
) -> Iterator[tuple[int, bytes, dict[int, bytes]]]:
    """Cut the boxes of every image, in the order of image_id.

    Parameters
    ----------
    regions
        The split's boxes.
    usable
        image_ids whose files are whole.
    folder
        Where images lie under their file names.
    threads
        Images decoded at once.

    Yields
    ------
    tuple
        image_id, the image's picture, the boxes' pictures by annotation_id.
    """
    groups = [
        (int(rows["image_id"].iloc[0]), folder / str(rows["file_name"].iloc[0]), _boxes(rows))
        for _, rows in regions[regions["image_id"].isin(usable)].groupby("image_id", sort=True)
    ]
    with ThreadPoolExecutor(threads) as pool:
        for (image_id, _, _), (frame, crops) in zip(
            groups, pool.map(lambda group: cut_image(group[1], group[2]), groups), strict=True
        ):
            yield image_id, frame, crops


def _boxes(rows: pd.DataFrame) -> list[tuple[int, tuple[float, float, float, float]]]:
    columns = (rows[name].tolist() for name in ("annotation_id", "x", "y", "width", "height"))
    return [(int(key), (x, y, width, height)) for key, x, y, width, height in zip(*columns, strict=True)]


def write_pictures(path: Path, schema: pa.Schema, pictures: dict[int, bytes]) -> None:
    """Write pictures by id as Parquet, sorted by id."""
    order = sorted(pictures)
    table = pa.table([order, [pictures[key] for key in order]], schema=schema)
    with atomic_write(path) as temporary:
        pyarrow.parquet.write_table(table, temporary, row_group_size=ROWS, compression="NONE", use_dictionary=False)


def read_pictures(path: Path, ids: Sequence[int]) -> dict[int, bytes]:
    """Read the pictures of the given ids; ids without a picture are left out."""
    key = pyarrow.parquet.read_schema(path).names[0]
    table = pyarrow.parquet.read_table(path, filters=[(key, "in", list(ids))]) if ids else None
    return {} if table is None else dict(zip(table[key].to_pylist(), table["picture"].to_pylist(), strict=True))
