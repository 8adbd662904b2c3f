"""The boxes that a model learns from: their crops, their targets at every rank, and the order they come in."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from fathomflow.architecture import Architecture
from fathomflow.chunks import read_regions
from fathomflow.crops import Box, Pixels, crop_rectangles, cut
from fathomflow.errors import InputError
from fathomflow.examples import EXAMPLE_COLUMNS
from fathomflow.image_check import ImageError
from fathomflow.image_records import read_manifest
from fathomflow.pixels import read_image
from fathomflow.ranks import RANKS
from fathomflow.storage import ImageFolder
from fathomflow.tables import read_table

#: Ranks with an auxiliary classifier: those below the kingdom, which all categories may share.
AUXILIARY_RANKS = RANKS[1:]
#: Crops are kept in memory where all of them need no more bytes than this; else each is cut again when it is needed.
KEPT_BYTES = 2 << 30


@dataclass(frozen=True)
class Example:
    """A labelled box of a usable image."""

    annotation_id: int
    file_name: str
    size: tuple[int, int]
    box: Box
    label: str
    fold: int


def read_examples(examples: Path, regions: Path, manifest: Path) -> list[Example]:
    """Read the boxes that can be learnt from: with a label, on an image that is whole, not wholly outside of it.

    Parameters
    ----------
    examples
        What `folds.assign_folds` gave.
    regions
        The split's boxes.
    manifest
        The split's images.
    """
    table = read_table(examples, EXAMPLE_COLUMNS, key="annotation_id")
    given = {row.annotation_id: (str(row.label), int(str(row.fold))) for row in table.itertuples() if row.label}
    usable = {record.image_id for record in read_manifest(manifest) if record.status == "ok"}
    found = []
    for image in read_regions(regions):
        if image.image_id not in usable:
            continue
        for key, box in zip(image.annotation_ids, image.boxes, strict=True):
            if key in given and not _outside(box, image.size):
                label, fold = given[key]
                found.append(Example(key, image.file_name, image.size, box, label, fold))
    logging.info("%d of %d labelled boxes can be learnt from", len(found), len(given))
    return sorted(found, key=lambda example: example.annotation_id)


def _outside(box: Box, size: tuple[int, int]) -> bool:
    x, y, width, height = box
    return x >= size[0] or y >= size[1] or x + width <= 0 or y + height <= 0


@dataclass(frozen=True)
class Targets:
    """The categories in class order, and for each rank the class of every category among the names at that rank."""

    categories: tuple[str, ...]
    ranks: dict[str, NDArray[np.int64]]

    @property
    def rank_classes(self) -> list[int]:
        """Number of names at each rank."""
        return [int(classes.max()) + 1 for classes in self.ranks.values()]

    def encode(self, labels: Sequence[str], source: str) -> Tensor:
        """Return the class of every label at each level, (boxes, 1 + ranks): the category, then the ranks.

        Raises
        ------
        InputError
            A label is no category.
        """
        index = {name: number for number, name in enumerate(self.categories)}
        strange = sorted(set(labels) - set(index))
        if strange:
            raise InputError(f"{source}: label {strange[0]!r} is not among the {len(index)} categories of this split")
        own = np.array([index[label] for label in labels], dtype=np.int64)
        return torch.from_numpy(np.stack([own, *(classes[own] for classes in self.ranks.values())], axis=1))


def read_targets(categories: Path, lineages: Path) -> Targets:
    """Read a split's categories (their classes are in the order of category_id) and their names at every rank.

    A category that stands above a rank is a class of its own there, as in the category maps.
    """
    table = read_table(categories, {"category_id": int, "category": str}, key="category").sort_values("category_id")
    facts = read_table(lineages, {"category": str, **dict.fromkeys(RANKS, str)}, key="category").set_index("category")
    absent = sorted(set(table["category"]) - set(facts.index))
    if absent:
        raise InputError(f"{lineages}: no lineage for category {absent[0]!r}; build the categories again")
    ordered = facts.loc[table["category"]]
    ranks = {}
    for rank in AUXILIARY_RANKS:
        names = ordered[rank].mask(ordered[rank].eq(""), pd.Series(ordered.index, index=ordered.index))
        ranks[rank] = np.unique(names.to_numpy(dtype=str), return_inverse=True)[1].astype(np.int64)
    return Targets(tuple(table["category"]), ranks)


class CropDataset(Dataset[tuple[Tensor, Tensor]]):
    """Crops and targets of boxes.

    Parameters
    ----------
    examples
        The boxes.
    targets
        (boxes, levels), from `Targets.encode`.
    folder
        Folder or bucket of the images.
    architecture
        Says which crops.
    """

    def __init__(
        self, examples: Sequence[Example], targets: Tensor, folder: ImageFolder, architecture: Architecture
    ) -> None:
        self.examples, self.targets, self.folder, self.architecture = examples, targets, folder, architecture
        side = architecture.input_size
        needed = len(examples) * (1 + len(architecture.scales)) * side * side * 3
        self.kept: dict[int, Pixels] | None = {} if needed <= KEPT_BYTES else None

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return uint8 crops (1 + contexts, side, side, 3) and targets (levels,)."""
        crops = self.kept.get(index) if self.kept is not None else None
        if crops is None:
            crops = cut_crops(self.examples[index], self.folder, self.architecture)
            if self.kept is not None:
                self.kept[index] = crops
        return torch.from_numpy(crops), self.targets[index]


def cut_crops(example: Example, folder: ImageFolder, architecture: Architecture) -> Pixels:
    """Cut the crops of one box, uint8 (1 + contexts, side, side, 3), exactly as predictions cut them."""
    path = folder / example.file_name
    try:
        _, image = read_image(path, example.size)
    except ImageError as error:
        raise InputError(f"{path}: {error}; the manifest says it is whole: fetch the images again") from None
    rectangles = crop_rectangles(example.box, example.size, architecture.scales)
    return np.stack([cut(image, rectangle, architecture.input_size) for rectangle in rectangles])


class EpochSampler(Sampler[int]):
    """Every box once, in an order that depends on seed and epoch alone, so that a resumed run goes the same way."""

    def __init__(self, length: int, seed: int) -> None:
        self.length, self.seed, self.epoch = length, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch is next; Lightning calls this."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.length)
        return iter(order.tolist())

    def __len__(self) -> int:
        return self.length
