"""Boxes and labels of a dataset, or of a view of it, as COCO, YOLO or FiftyOne files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import fiftyone as fo
import pandas as pd

from fathomflow.curation.content import read_images, read_labels
from fathomflow.curation.names import LABELS
from fathomflow.curation.records import rows_of
from fathomflow.errors import InputError
from fathomflow.files import write_text

FORMATS = ("coco", "yolo", "fiftyone")


def select_boxes(dataset: Any, *, split: str | None, view: str | None) -> Any:
    """Return the part of a dataset to export: a split, a saved view, both, or everything.

    A view of patches stands for the boxes in it, not for all boxes of their images.

    Raises
    ------
    InputError
        There is no such view or split, or nothing is left.
    """
    selected = dataset.view()
    if view is not None:
        names = dataset.list_saved_views()
        if view not in names:
            raise InputError(f"dataset {dataset.name!r} has no saved view {view!r}; it has: {'; '.join(names)}")
        loaded = dataset.load_saved_view(view)
        if loaded._is_patches:
            field = LABELS if loaded.has_sample_field(LABELS) else loaded._label_fields[0]
            path = f"{field}.detections.id" if loaded._get_label_field_type(field) is fo.Detections else f"{field}.id"
            found = loaded.values(path)
            ids = [one for some in found for one in (some if isinstance(some, list) else [some])]
            selected = dataset.select_labels(ids=ids, fields=LABELS)
        else:
            selected = loaded
    if split is not None:
        selected = selected.match_tags(split)
    if not len(selected):
        raise InputError(
            f"dataset {dataset.name!r}: nothing to export; splits are {', '.join(dataset.distinct('split'))}"
        )
    return selected


def tabulate_boxes(samples: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the images (with filepath) and the labelled boxes to export, both sorted."""
    images = read_images(samples)
    paths = dict(zip(*samples.values(["id", "filepath"]), strict=True))
    images["filepath"] = [paths[sample] for sample in images["sample_id"]]
    boxes = read_labels(samples)
    boxes = boxes[boxes["label"].notna()]
    return (
        images.sort_values(["split", "image_id"], ignore_index=True),
        boxes.sort_values(["split", "annotation_id"], ignore_index=True),
    )


def coco_document(images: pd.DataFrame, boxes: pd.DataFrame, categories: Mapping[str, int]) -> dict[str, Any]:
    """Return a COCO document of one split, with the ids that its annotations have.

    Parameters
    ----------
    images, boxes
        As `tabulate_boxes` gives them.
    categories
        Name → id; names without one are numbered after the last.
    """
    number = dict(categories)
    for name in sorted(set(boxes["label"]) - number.keys()):
        number[name] = max(number.values(), default=0) + 1
    sizes = {key: (width, height) for key, width, height in rows_of(images, ["image_id", "width", "height"])}
    annotations = []
    for key, image, label, (x, y, width, height) in rows_of(
        boxes, ["annotation_id", "image_id", "label", "bounding_box"]
    ):
        across, down = sizes[image]
        place = [round(value, 4) for value in (x * across, y * down, width * across, height * down)]
        area = round(place[2] * place[3], 4)
        annotations.append(
            {"id": key, "image_id": image, "category_id": number[label], "bbox": place, "area": area, "iscrowd": 0}
        )
    return {
        "images": [
            {"id": key, "file_name": name, "width": width, "height": height}
            for key, name, width, height in rows_of(images, ["image_id", "file_name", "width", "height"])
        ],
        "annotations": annotations,
        "categories": [{"id": value, "name": name} for name, value in sorted(number.items(), key=lambda one: one[1])],
    }


def write_coco(folder: Path, images: pd.DataFrame, boxes: pd.DataFrame, categories: Mapping[str, int]) -> None:
    """Write one ``<split>.json`` per split."""
    for split in sorted(set(images["split"])):
        document = coco_document(images[images["split"] == split], boxes[boxes["split"] == split], categories)
        write_text(folder / f"{split}.json", json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def write_yolo(folder: Path, images: pd.DataFrame, boxes: pd.DataFrame, names: Sequence[str]) -> None:
    """Write ``dataset.yaml``, ``labels/<split>/<image>.txt`` and links to the images in ``images/<split>``."""
    classes = sorted({*names, *boxes["label"]})
    number = {name: index for index, name in enumerate(classes)}
    lines: dict[tuple[str, int], list[str]] = {}
    for split, image, label, (x, y, width, height) in rows_of(boxes, ["split", "image_id", "label", "bounding_box"]):
        centre = (x + width / 2, y + height / 2, width, height)
        text = " ".join([str(number[label]), *(f"{value:.6f}" for value in centre)])
        lines.setdefault((split, image), []).append(text)
    for split, image, name, path in rows_of(images, ["split", "image_id", "file_name", "filepath"]):
        link = folder / "images" / split / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(path, link.parent))
        rows = lines.get((split, image), [])
        write_text(folder / "labels" / split / Path(name).with_suffix(".txt"), "".join(f"{row}\n" for row in rows))
    splits = [f"{split}: images/{split}" for split in sorted(set(images["split"]))]
    quoted = [f"  {index}: {json.dumps(name, ensure_ascii=False)}" for index, name in enumerate(classes)]
    write_text(folder / "dataset.yaml", "\n".join(["path: .", *splits, "names:", *quoted]) + "\n")


def write_fiftyone(folder: Path, samples: Any) -> None:
    """Write FiftyOne's own format without the images; ids and times in it are the database's."""
    samples.export(export_dir=str(folder), dataset_type=fo.types.FiftyOneDataset, export_media=False, overwrite=True)
