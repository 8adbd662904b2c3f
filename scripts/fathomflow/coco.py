"""COCO annotation files, read strictly and parted into boxes without labels and labels without boxes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fathomflow.errors import InputError
from fathomflow.regions import FLAG_COLUMN, REGION_COLUMNS
from fathomflow.tables import raise_problems

IMAGE_COLUMNS = ["image_id", "file_name", "uri", "width", "height"]


@dataclass(frozen=True)
class Annotations:
    """What an annotation file holds.

    Attributes
    ----------
    images
        image_id, file_name, uri (may be empty), width, height in pixels; every image, also those without a box.
    regions
        One row per box, columns `REGION_COLUMNS` and flags; x, y, width, height in pixels from the top left (COCO).
    labels
        annotation_id, label; only boxes that have a label.
    categories
        category_id, category.
    """

    images: pd.DataFrame
    regions: pd.DataFrame
    labels: pd.DataFrame
    categories: pd.DataFrame


def read_coco(path: Path) -> Annotations:
    """Read a COCO annotation file and check all of it.

    A null ``category_id`` means that the box has no label. Boxes partly or wholly outside their image, or thinner
    than a pixel, are kept and flagged.

    Raises
    ------
    InputError
        The file is missing or no COCO JSON; an id stands twice; an image or category is unknown; a box is not four
        finite numbers with positive width and height; two images share a file name. All problems are named.
    """
    document = _load(path)
    problems: list[str] = []
    categories = _records(path, document, "categories", _category, problems)
    images = _records(path, document, "images", _image, problems)
    names = {row["category_id"]: row["category"] for row in categories}
    sizes = {row["image_id"]: row for row in images}
    boxes = _records(path, document, "annotations", lambda entry: _box(entry, sizes, names), problems)
    _unique(path, "categories", "id", categories, "category_id", problems)
    _unique(path, "categories", "name", categories, "category", problems)
    _unique(path, "images", "id", images, "image_id", problems)
    _unique(path, "images", "file_name", images, "file_name", problems)
    _unique(path, "annotations", "id", boxes, "annotation_id", problems)
    raise_problems(problems)
    labels = [
        {"annotation_id": row["annotation_id"], "label": row["label"]} for row in boxes if row["label"] is not None
    ]
    return Annotations(
        images=pd.DataFrame(images, columns=IMAGE_COLUMNS),
        regions=pd.DataFrame(boxes, columns=[*REGION_COLUMNS, *FLAG_COLUMN]),
        labels=pd.DataFrame(labels, columns=["annotation_id", "label"]),
        categories=pd.DataFrame(categories, columns=["category_id", "category"]),
    )


def box_flags(x: float, y: float, width: float, height: float, image_width: int, image_height: int) -> str:
    """Name what is unusual about a box in pixels, space-separated: degenerate, outside, clipped; empty when nothing is.

    ``degenerate``: thinner than one pixel; ``outside``: no part of it lies in the image; ``clipped``: a part of it
    lies outside the image.
    """
    flags = []
    if width < 1 or height < 1:
        flags.append("degenerate")
    if x >= image_width or y >= image_height or x + width <= 0 or y + height <= 0:
        flags.append("outside")
    elif x < 0 or y < 0 or x + width > image_width or y + height > image_height:
        flags.append("clipped")
    return " ".join(flags)


def _load(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a JSON file ({error}); fetch it again") from None
    if not isinstance(document, dict):
        raise InputError(f"{path}: a COCO file is a JSON object; found {type(document).__name__}")
    for name in ("images", "annotations", "categories"):
        if not isinstance(document.get(name), list):
            raise InputError(f"{path}: no list {name!r}; a COCO file has images, annotations and categories")
    return document


def _records(
    path: Path, document: dict[str, Any], name: str, read: Callable[[Any], dict[str, Any]], problems: list[str]
) -> list[dict[str, Any]]:
    rows = []
    for index, entry in enumerate(document[name]):
        try:
            rows.append(read(entry))
        except ValueError as error:
            known_id = f" (id {entry['id']})" if isinstance(entry, dict) and "id" in entry else ""
            problems.append(f"{path}: {name}[{index}]{known_id}: {error}")
    return rows


def _unique(path: Path, name: str, what: str, rows: list[dict[str, Any]], key: str, problems: list[str]) -> None:
    seen: set[Any] = set()
    for row in rows:
        if row[key] in seen:
            problems.append(f"{path}: {name}: {what} {row[key]!r} stands twice")
        seen.add(row[key])


def _get(entry: Any, key: str, kind: type) -> Any:
    if not isinstance(entry, dict):
        raise ValueError(f"not an object but {entry!r}")
    value = entry.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{key} is {value!r}, not {'a whole number' if kind is int else 'a text'}")
    return value


def _category(entry: Any) -> dict[str, Any]:
    name = _get(entry, "name", str)
    if not name or name != name.strip():
        raise ValueError(f"name is {name!r}, empty or with spaces around it")
    return {"category_id": _get(entry, "id", int), "category": name}


def _image(entry: Any) -> dict[str, Any]:
    row = {"image_id": _get(entry, "id", int), "file_name": _get(entry, "file_name", str)}
    row["uri"] = entry.get("coco_url") or ""
    for side in ("width", "height"):
        row[side] = _get(entry, side, int)
        if row[side] <= 0:
            raise ValueError(f"{side} is {row[side]}, not positive")
    if not row["file_name"]:
        raise ValueError("file_name is empty")
    return row


def _box(entry: Any, images: dict[int, dict[str, Any]], categories: dict[int, str]) -> dict[str, Any]:
    image = images.get(_get(entry, "image_id", int))
    if image is None:
        raise ValueError(f"image_id {entry['image_id']} is not among the images")
    category = entry.get("category_id")
    if category is not None and category not in categories:
        raise ValueError(f"category_id {category!r} is not among the categories; null means no label")
    box = entry.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(_finite(value) for value in box):
        raise ValueError(f"bbox is {box!r}, not four finite numbers (x, y, width, height)")
    x, y, width, height = map(float, box)
    if width <= 0 or height <= 0:
        raise ValueError(f"bbox is {box!r}; width and height must be positive")
    return {
        "annotation_id": _get(entry, "id", int),
        "image_id": image["image_id"],
        "file_name": image["file_name"],
        "x": x,
        "y": y,
        "width": width,
        "height": height,
        "image_width": image["width"],
        "image_height": image["height"],
        "flags": box_flags(x, y, width, height, image["width"], image["height"]),
        "label": None if category is None else categories[category],
    }


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def count_flags(regions: pd.DataFrame) -> Iterator[str]:
    """Say for each flag how many boxes carry it, as ``12 clipped``."""
    counts = regions["flags"].str.split().explode().dropna().value_counts().sort_index()
    for flag, count in counts.items():
        yield f"{count} {flag}"
