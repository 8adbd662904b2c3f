"""What an evaluation knows of the categories, as the categories stage wrote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fathomflow.bootstrap import Floats
from fathomflow.errors import InputError
from fathomflow.relations import Lineages, index_lineages
from fathomflow.tables import read_table
from fathomflow.taxonomy import read_lineages


@dataclass(frozen=True)
class Taxonomy:
    """What is known of the categories.

    Attributes
    ----------
    categories, distance
        The known categories and the distances between them, shape (categories, categories).
    maps
        Category maps: name → category → target.
    lineages
        Category → rank → name.
    """

    categories: Sequence[str]
    distance: Floats
    maps: Mapping[str, Mapping[str, str]]
    lineages: Lineages


def read_distances(path: Path) -> tuple[list[str], Floats]:
    """Read the distance matrix: its categories in the order of the file, and shape (categories, categories)."""
    table = read_table(path, {"category": str}, key="category")
    categories = list(table["category"])
    table = read_table(path, {"category": str} | dict.fromkeys(categories, float))
    matrix = table[categories].to_numpy(dtype=float)
    if np.isnan(matrix).any() or not np.array_equal(matrix, matrix.T):
        raise InputError(f"{path}: the matrix has gaps or is not symmetric; make it again with the categories stage")
    return categories, matrix


def read_map(path: Path) -> dict[str, str]:
    """Read a category map: category → target."""
    table = read_table(path, {"category": str, "target": str}, key="category")
    return dict(zip(table["category"], table["target"], strict=True))


def read_taxonomy(lineages: Path, distances: Path, maps: Sequence[Path]) -> Taxonomy:
    """Read lineages, distances and category maps; a map is called what its file is called."""
    categories, distance = read_distances(distances)
    return Taxonomy(
        categories=categories,
        distance=distance,
        maps={path.stem: read_map(path) for path in maps},
        lineages=index_lineages(read_lineages(lineages)),
    )
