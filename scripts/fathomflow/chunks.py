"""How a split's boxes are cut into chunks, and the chunks dealt to shards.

A chunk is a few whole images. It is the unit that is computed together, kept together and lost together. Which boxes
share a batch can change the last bits of a result, so chunks depend on the split's boxes alone: however many shards
there are, and however often a run is interrupted, a box is always computed in the same company.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fathomflow.crops import Box
from fathomflow.errors import InputError
from fathomflow.image_names import check_file_names
from fathomflow.regions import REGION_COLUMNS
from fathomflow.tables import raise_problems, read_table

#: A split is cut into about this many chunks …
CHUNKS = 64
#: … of no fewer and no more boxes than these, images being whole.
FEWEST_BOXES, MOST_BOXES = 4, 128


@dataclass(frozen=True)
class ImageRegions:
    """The boxes of one image: ids and boxes in the same order; size is width and height in pixels."""

    image_id: int
    file_name: str
    size: tuple[int, int]
    annotation_ids: tuple[int, ...]
    boxes: tuple[Box, ...]

    @property
    def cost(self) -> int:
        """Encoder passes: one for the whole image, three for each box."""
        return 1 + 3 * len(self.boxes)


@dataclass(frozen=True)
class Chunk:
    """Images that are computed together, sorted by id."""

    images: tuple[ImageRegions, ...]

    @property
    def boxes(self) -> int:
        """Number of boxes."""
        return sum(len(image.boxes) for image in self.images)

    @property
    def cost(self) -> int:
        """Encoder passes."""
        return sum(image.cost for image in self.images)


def read_regions(path: Path) -> list[ImageRegions]:
    """Read a split's regions.csv and group its boxes by image, both sorted by id.

    Raises
    ------
    InputError
        The table is not as it should be, an image is described in two ways, or a file name leaves its folder.
    """
    table = read_table(path, REGION_COLUMNS, key="annotation_id").sort_values(["image_id", "annotation_id"])
    problems = []
    bad = table[["x", "y", "width", "height"]].isin([math.inf, -math.inf]).any(axis=1) | table.isna().any(axis=1)
    problems += [
        f"{path}: box {box}: its coordinates are not all finite numbers" for box in table["annotation_id"][bad]
    ]
    images = []
    for image_id, rows in table.groupby("image_id", sort=True):
        described = {tuple(row) for row in rows[["file_name", "image_width", "image_height"]].itertuples(index=False)}
        if len(described) > 1:
            problems.append(f"{path}: image {image_id} stands under several file names or sizes: {sorted(described)}")
        file_name, width, height = min(described)
        images.append(
            ImageRegions(
                image_id=int(str(image_id)),
                file_name=file_name,
                size=(int(width), int(height)),
                annotation_ids=tuple(rows["annotation_id"].tolist()),
                boxes=tuple(rows[["x", "y", "width", "height"]].itertuples(index=False, name=None)),
            )
        )
    raise_problems(problems)
    check_file_names(str(path), ((image.image_id, image.file_name) for image in images))
    return images


def cut_chunks(images: Sequence[ImageRegions]) -> list[Chunk]:
    """Cut images, in their order, into chunks of about equal numbers of boxes; no image is split."""
    boxes = sum(len(image.boxes) for image in images)
    target = min(max(math.ceil(boxes / CHUNKS), FEWEST_BOXES), MOST_BOXES)
    chunks = []
    current: list[ImageRegions] = []
    held = 0
    for image in images:
        # An image goes where the chunk's size comes nearer to the target, so that one with many boxes stands alone.
        if current and held + len(image.boxes) - target > target - held:
            chunks.append(Chunk(tuple(current)))
            current, held = [], 0
        current.append(image)
        held += len(image.boxes)
        if held >= target:
            chunks.append(Chunk(tuple(current)))
            current, held = [], 0
    return [*chunks, Chunk(tuple(current))] if current else chunks


def deal_chunks(chunks: Sequence[Chunk], shards: int) -> list[list[int]]:
    """Deal chunks to shards so that the shards' costs are about equal.

    The dearest chunk first, each to the shard with the least so far, the first of equals: the same chunks and the
    same number of shards are always dealt alike.

    Returns
    -------
    list of list of int
        For each shard the indices of its chunks, ascending.
    """
    load = [(0, shard) for shard in range(shards)]
    hands: list[list[int]] = [[] for _ in range(shards)]
    for index in sorted(range(len(chunks)), key=lambda index: (-chunks[index].cost, index)):
        cost, shard = heapq.heappop(load)
        hands[shard].append(index)
        heapq.heappush(load, (cost + chunks[index].cost, shard))
    return [sorted(hand) for hand in hands]


def shard_chunks(images: Sequence[ImageRegions], shard: int, of: int) -> list[Chunk]:
    """Return the chunks of shard `shard` (0 … of - 1)."""
    if not 0 <= shard < of:
        raise InputError(f"shard {shard} of {of}: shards are numbered from 0 to {of - 1}")
    chunks = cut_chunks(images)
    return [chunks[index] for index in deal_chunks(chunks, of)[shard]]
