"""The reference data golden-a as Python objects."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conftest import shared_folder
from fathomflow.crops import Box


@dataclass(frozen=True)
class GoldenBox:
    """A box, its image, and what the winner's code computed for it."""

    annotation_id: int
    box: Box
    image: Path
    size: tuple[int, int]
    expected: dict[str, Any]


@functools.cache
def golden_boxes() -> list[GoldenBox]:
    """Return every box of golden-a, or skip the test where it is absent."""
    folder = shared_folder("golden-a")
    content = json.loads((folder / "annotations.json").read_text())
    expected = json.loads((folder / "expected.json").read_text())["annotations"]
    images = {image["id"]: image for image in content["images"]}
    return [
        GoldenBox(
            annotation_id=box["id"],
            box=tuple(box["bbox"]),
            image=folder / "images" / images[box["image_id"]]["file_name"],
            size=(images[box["image_id"]]["width"], images[box["image_id"]]["height"]),
            expected=expected[str(box["id"])],
        )
        for box in content["annotations"]
    ]
