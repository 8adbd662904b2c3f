"""The data path: every image decoded once, its crops cut in a pool of threads, a bounded number of them ahead."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from fathomflow.architecture import WHOLE_IMAGE, Architecture
from fathomflow.chunks import Chunk, ImageRegions
from fathomflow.crops import Box, Pixels, Rectangle, box_flags, crop_rectangles, cut
from fathomflow.image_check import ImageError
from fathomflow.pixels import read_image
from fathomflow.storage import ImageFolder

#: Boxes whose crops are ready or under way ahead of the chunk that is computed; about 0.6 MB each.
BOXES_AHEAD = 256


@dataclass(frozen=True)
class ImageCrops:
    """Crops of one image, uint8.

    Attributes
    ----------
    sha256
        Of the image file.
    whole
        (distinct whole-image crops, side, side, 3); see `whole_rectangles`.
    boxed
        (boxes, 1 + boxed scales, side, side, 3): the object, then the contexts.
    flags
        One per box.
    """

    sha256: str
    whole: Pixels
    boxed: Pixels
    flags: tuple[str, ...]


@dataclass(frozen=True)
class LoadedChunk:
    """A chunk with the crops of the images that are to be computed; `failures` gives reasons by image_id."""

    chunk: Chunk
    crops: Mapping[int, ImageCrops]
    failures: Mapping[int, str]


def whole_rectangles(image: ImageRegions) -> tuple[list[Rectangle], list[int]]:
    """Return the distinct whole-image crops of an image's boxes, and for each box the index of its own.

    They are all alike unless a box's centre lies so far outside the image that even this crop is cut.
    """
    rectangles = [crop_rectangles(box, image.size, [WHOLE_IMAGE])[1] for box in image.boxes]
    distinct = list(dict.fromkeys(rectangles))
    return distinct, [distinct.index(rectangle) for rectangle in rectangles]


def cut_image(image: ImageRegions, folder: ImageFolder, architecture: Architecture) -> ImageCrops:
    """Decode an image and cut the crops of all its boxes. Raises ImageError."""
    data, pixels = read_image(folder / image.file_name, image.size)
    side, boxed = architecture.input_size, architecture.boxed_scales
    whole = whole_rectangles(image)[0] if WHOLE_IMAGE in architecture.scales else []
    crops = np.empty((len(image.boxes), 1 + len(boxed), side, side, 3), np.uint8)
    for row, box in enumerate(image.boxes):
        for column, rectangle in enumerate(crop_rectangles(box, image.size, boxed)):
            crops[row, column] = cut(pixels, rectangle, side)
    return ImageCrops(
        sha256=hashlib.sha256(data).hexdigest(),
        whole=np.array([cut(pixels, rectangle, side) for rectangle in whole], np.uint8).reshape(-1, side, side, 3),
        boxed=crops,
        flags=tuple(_flags(box, image, architecture) for box in image.boxes),
    )


def _flags(box: Box, image: ImageRegions, architecture: Architecture) -> str:
    return box_flags(box, image.size, crop_rectangles(box, image.size, architecture.scales))


def load_chunks(
    work: Iterable[tuple[Chunk, frozenset[int]]], folder: ImageFolder, architecture: Architecture, *, threads: int
) -> Generator[LoadedChunk]:
    """Cut the crops of chunks, in order, in threads, some chunks ahead of the one that is taken.

    Parameters
    ----------
    work
        Chunks, and which of their images (by id) are wanted.
    folder
        Where the images lie.
    architecture
        Says which crops.
    threads
        Size of the pool. Pillow's decoders and resizing let other threads run.
    """
    waiting: deque[tuple[Chunk, dict[int, Future[ImageCrops]]]] = deque()
    ahead = 0
    source = iter(work)
    with ThreadPoolExecutor(threads, thread_name_prefix="crops") as pool:
        try:
            while True:
                while ahead < BOXES_AHEAD or len(waiting) < 2:
                    chunk, wanted = next(source, (None, frozenset()))
                    if chunk is None:
                        break
                    futures = {
                        image.image_id: pool.submit(cut_image, image, folder, architecture)
                        for image in chunk.images
                        if image.image_id in wanted
                    }
                    waiting.append((chunk, futures))
                    ahead += chunk.boxes
                if not waiting:
                    return
                chunk, futures = waiting.popleft()
                crops, failures = {}, {}
                for image_id, future in futures.items():
                    try:
                        crops[image_id] = future.result()
                    except ImageError as error:
                        failures[image_id] = str(error)
                ahead -= chunk.boxes
                yield LoadedChunk(chunk, crops, failures)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
