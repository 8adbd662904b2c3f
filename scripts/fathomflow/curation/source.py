"""A study's tables, joined into what its dataset must hold."""

from __future__ import annotations

import json
import mimetypes
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import ImageMode

from fathomflow.cases import read_labels, read_predictions, read_regions
from fathomflow.curation.records import (
    BOX_COLUMNS,
    IMAGE_COLUMNS,
    JUDGEMENT_COLUMNS,
    KEY,
    LABEL_COLUMNS,
    PREDICTION_COLUMNS,
    as_table,
)
from fathomflow.disagreements import read_disagreements
from fathomflow.dives import parse_dive
from fathomflow.errors import InputError
from fathomflow.files import sha256_of
from fathomflow.image_records import ImageRecord, read_manifest
from fathomflow.probabilities import read_probabilities
from fathomflow.ranks import RANKS
from fathomflow.suspicions import read_suspicions
from fathomflow.tables import raise_problems
from fathomflow.taxonomy import MAX_DISTANCE, read_lineages
from fathomflow.tree import read_distances

#: Most probable names shown with a prediction.
TOP = 5


@dataclass(frozen=True)
class SplitFiles:
    """Where a split's tables and images are; labels None: it has none."""

    regions: Path
    manifest: Path
    images: str
    labels: Path | None = None


@dataclass(frozen=True)
class ModelFiles:
    """Where a model's tables for one split are; None: there are none."""

    predictions: Path
    vectors: Path | None = None
    description: Path | None = None
    evaluation: Path | None = None


@dataclass(frozen=True)
class Collection:
    """Images, boxes and labels of a study, one row each.

    Attributes
    ----------
    images
        `IMAGE_COLUMNS`, primary_label, uri (where FiftyOne finds the image), size_bytes and mime_type.
    boxes, labels
        `BOX_COLUMNS` (bounding_box relative to the image: x, y, width, height), `LABEL_COLUMNS`.
    left_out
        Split → counts of images that are not ok, and of their boxes.
    taxonomy
        SHA-256 of the lineages, from which distances and kinds of disagreement follow.
    """

    images: pd.DataFrame
    boxes: pd.DataFrame
    labels: pd.DataFrame
    left_out: Mapping[str, Mapping[str, int]]
    taxonomy: str


@dataclass(frozen=True)
class Judged:
    """What one model's predictions for one split are held to be worth.

    Attributes
    ----------
    table
        One row per prediction: `PREDICTION_COLUMNS` and the rest of `JUDGEMENT_COLUMNS`; boxes of left-out images
        included.
    metrics
        What metrics.json holds; None where the split has no labels.
    confusion
        label, prediction, n: pairs of different names, the most frequent first.
    suspicions
        annotation_ids that look wrong whatever the model says.
    """

    table: pd.DataFrame
    metrics: Mapping[str, Any] | None
    confusion: Sequence[tuple[str, str, int]]
    suspicions: Sequence[int]


def read_collection(splits: Mapping[str, SplitFiles], lineages: Path) -> Collection:
    """Read what the dataset is built of.

    Raises
    ------
    InputError
        A table is missing or wrong, a box is on an image that the manifest lacks, or all images of the study are
        left out.
    """
    ranks = {
        row[0]: row[1:] for row in read_lineages(lineages)[["category", *RANKS]].itertuples(index=False, name=None)
    }
    images, boxes, labels = [], [], []
    left_out = {}
    for split, files in splits.items():
        records = {record.image_id: record for record in read_manifest(files.manifest)}
        regions = read_regions(files.regions)
        unknown = sorted(set(regions["image_id"]) - records.keys())
        raise_problems([f"{files.manifest}: image {number} of {files.regions} is not here" for number in unknown])
        usable = regions["image_id"].map(lambda number, records=records: records[number].status == "ok")
        left_out[split] = {
            "images": sum(record.status != "ok" for record in records.values()),
            "boxes": int((~usable).sum()),
        }
        regions = regions[usable.astype(bool)]
        rows = _label_rows(split, regions, files.labels, ranks)
        boxes += _box_rows(split, regions)
        labels += rows
        names = pd.DataFrame({"image_id": regions["image_id"].to_numpy(), "label": [row[3] for row in rows]})
        primary = {number: primary_label(group) for number, group in names.groupby("image_id")["label"]}
        folder = files.images.rstrip("/") if "://" in files.images else str(Path(files.images).resolve())
        images += [
            _image_row(split, record, folder, primary.get(record.image_id))
            for record in records.values()
            if record.status == "ok"
        ]
    if not images:
        raise InputError("no image of the study is there; look at the details in results/images")
    return Collection(
        images=as_table(images, [*IMAGE_COLUMNS, "primary_label", "uri", "size_bytes", "mime_type"]),
        boxes=as_table(boxes, BOX_COLUMNS),
        labels=as_table(labels, LABEL_COLUMNS),
        left_out=left_out,
        taxonomy=sha256_of(lineages),
    )


def primary_label(labels: Sequence[str | None] | pd.Series) -> str | None:
    """Return the most frequent label, the first by name among equals; None where there is no label.

    Examples
    --------
    >>> primary_label(["Sebastes", "Elpidia", None, "Sebastes", "Elpidia"])
    'Elpidia'
    """
    counts = Counter(label for label in labels if label)
    return min(counts, key=lambda label: (-counts[label], label)) if counts else None


def _image_row(split: str, record: ImageRecord, folder: str, primary: str | None) -> tuple[object, ...]:
    dive = parse_dive(record.uri)
    return (
        split,
        record.image_id,
        record.file_name,
        record.sha256,
        record.width,
        record.height,
        len(ImageMode.getmode(record.mode).bands),
        record.mode,
        dive.vehicle or None,
        dive.dive or None,
        primary,
        f"{folder}/{record.file_name}",
        record.bytes,
        mimetypes.guess_type(record.file_name)[0],
    )


def _box_rows(split: str, regions: pd.DataFrame) -> list[tuple[object, ...]]:
    size = regions[["image_width", "image_height", "image_width", "image_height"]].to_numpy(dtype=float)
    relative = (regions[["x", "y", "width", "height"]].to_numpy(dtype=float) / size).tolist()
    columns = (regions[name].tolist() for name in ("annotation_id", "image_id", "flags"))
    return [
        (split, key, image, box, flags.split())
        for (key, image, flags), box in zip(zip(*columns, strict=True), relative, strict=True)
    ]


def _label_rows(
    split: str, regions: pd.DataFrame, path: Path | None, ranks: Mapping[str, Sequence[str]]
) -> list[tuple[object, ...]]:
    known: dict[int, tuple[str, str, bool, str]] = {}
    if path is not None:
        table = read_labels(path)
        columns = (
            table[name].tolist() for name in ("annotation_id", "published_label", "label", "corrected", "reason")
        )
        known = {key: rest for key, *rest in zip(*columns, strict=True)}  # type: ignore[misc]
    rows = []
    for key in regions["annotation_id"].tolist():
        published, label, corrected, reason = known.get(key, ("", "", False, ""))
        lineage = [name or None for name in ranks.get(label, [""] * len(RANKS))]
        rows.append((split, key, published or None, label or None, corrected, (corrected and reason) or None, *lineage))
    return rows


def read_judged(split: str, files: ModelFiles, labels: Path | None, distances: Path) -> Judged:
    """Read one model's predictions for a split, and what the evaluation stage found about them."""
    table = read_predictions(files.predictions)
    table = table[table["prediction"].ne("")].sort_values("annotation_id", ignore_index=True)
    top = _most_probable(table, files)
    optional = (
        table[["score", "runner_up_score"]].astype(object).where(table[["score", "runner_up_score"]].notna(), None)
    )
    given = {}
    if labels is not None:
        read = read_labels(labels)
        given = dict(zip(read["annotation_id"].tolist(), read["label"].tolist(), strict=True))
    distance = _distance_lookup(distances)
    metrics, confusion, suspicions = None, [], []
    kinds: dict[int, str] = {}
    if files.evaluation is not None:
        metrics = json.loads((files.evaluation / "metrics.json").read_text(encoding="utf-8"))
        ranked = read_disagreements(files.evaluation / "disagreements.csv")
        kinds = dict(zip(ranked["annotation_id"].tolist(), ranked["kind"].tolist(), strict=True))
        confusion = _confused(files.evaluation / "confusion.csv")
        if (files.evaluation / "suspicions.csv").is_file():
            suspicions = sorted(set(read_suspicions(files.evaluation / "suspicions.csv")["annotation_id"].tolist()))
    rows = []
    columns = (table[name].tolist() for name in ("annotation_id", "prediction", "runner_up", "prediction_flags"))
    scores = (optional[name].tolist() for name in ("score", "runner_up_score"))
    for key, name, runner_up, flags, score, second, best in zip(*columns, *scores, top, strict=True):
        label = given.get(key) or None
        row = (split, key, name, score, runner_up or None, second, *best, flags.split())
        rows.append((*row, label, *_compare(label, name, distance), kinds.get(key)))
    wanted = [*PREDICTION_COLUMNS, *(name for name in JUDGEMENT_COLUMNS if name not in KEY)]
    return Judged(as_table(rows, wanted), metrics, confusion, suspicions)


def _compare(label: str | None, name: str, distance: Mapping[tuple[str, str], int]) -> tuple[bool | None, int | None]:
    if label is None:
        return None, None
    return label == name, 0 if label == name else distance.get((label, name), MAX_DISTANCE)


def _distance_lookup(path: Path) -> dict[tuple[str, str], int]:
    names, matrix = read_distances(path)
    return {
        (first, second): int(matrix[row, column])
        for row, first in enumerate(names)
        for column, second in enumerate(names)
    }


def _most_probable(table: pd.DataFrame, files: ModelFiles) -> list[tuple[list[str], list[float]]]:
    probabilities = read_probabilities(files.vectors, files.description)
    if probabilities is None:
        return [([], [])] * len(table)
    values = probabilities.of(table["annotation_id"])
    order = np.argsort(-values, axis=1, kind="stable")[:, :TOP]
    names = np.array(probabilities.classes)[order].tolist()
    scores = np.take_along_axis(values, order, axis=1).tolist()
    return list(zip(names, scores, strict=True))


def _confused(path: Path) -> list[tuple[str, str, int]]:
    # keep_default_na: a category may be called "NA".
    table = pd.read_csv(path, keep_default_na=False)
    table = table[table["label"].ne(table["prediction"])]
    table = table.sort_values(["n", "label", "prediction"], ascending=[False, True, True])
    return list(zip(table["label"].tolist(), table["prediction"].tolist(), table["n"].tolist(), strict=True))
