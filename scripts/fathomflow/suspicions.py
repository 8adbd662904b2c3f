"""What looks wrong with labels and boxes without asking a model's opinion."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from fathomflow.relations import ANCESTOR, DESCENDANT, Lineages, relate
from fathomflow.tables import read_table

DUPLICATE = "duplicate box"
NESTED_LABELS = "parent and child on one spot"
UNKNOWN_LABEL = "label unknown to the model"
OUTSIDE = "box outside the image"
KINDS = (DUPLICATE, NESTED_LABELS, UNKNOWN_LABEL, OUTSIDE)

#: Overlap (intersection over union) above which two boxes with one label are taken for one animal boxed twice.
DUPLICATE_IOU = 0.9
#: Overlap above which a parent's and its child's label are taken to be about one animal.
NESTED_IOU = 0.5

COLUMNS = ["kind", "annotation_id", "other_annotation_id", "file_name", "label", "other_label", "iou"]


def overlapping_pairs(regions: pd.DataFrame, least: float) -> pd.DataFrame:
    """List the pairs of boxes of one image that overlap by more than `least`.

    Parameters
    ----------
    regions
        annotation_id, image_id, x, y, width, height.
    least
        Intersection over union that must be exceeded.

    Returns
    -------
    pandas.DataFrame
        annotation_id, other_annotation_id (the larger one) and iou, sorted.
    """
    boxes = regions[["annotation_id", "image_id", "x", "y", "width", "height"]]
    pairs = boxes.merge(boxes, on="image_id", suffixes=("", "_2"))
    pairs = pairs[pairs["annotation_id"] < pairs["annotation_id_2"]]
    shared = _shared(pairs, "x", "width") * _shared(pairs, "y", "height")
    union = pairs["width"] * pairs["height"] + pairs["width_2"] * pairs["height_2"] - shared
    pairs = pairs.assign(iou=shared / union).rename(columns={"annotation_id_2": "other_annotation_id"})
    columns = ["annotation_id", "other_annotation_id", "iou"]
    return pairs.loc[pairs["iou"] > least, columns].sort_values(columns[:2], ignore_index=True)


def _shared(pairs: pd.DataFrame, start: str, size: str) -> pd.Series:
    """Return the length that both boxes of each pair cover along one axis."""
    ends = pd.concat([pairs[start] + pairs[size], pairs[f"{start}_2"] + pairs[f"{size}_2"]], axis=1).min(axis=1)
    return (ends - pairs[[start, f"{start}_2"]].max(axis=1)).clip(lower=0)


def find_suspicions(cases: pd.DataFrame, lineages: Lineages, classes: Collection[str] | None) -> pd.DataFrame:
    """List suspicions about labelled boxes.

    Parameters
    ----------
    cases
        One row per region with its label, as `cases.join_cases` gives them.
    lineages
        Category → rank → name.
    classes
        Names that the model can predict; None where that is not known.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, by kind in the order of `KINDS`, then by annotation_id; other_annotation_id is 0, other_label empty
        and iou NaN for what concerns one box.
    """
    labelled = cases[cases["label"].ne("")]
    by_box = labelled.set_index("annotation_id")
    pairs = overlapping_pairs(labelled, NESTED_IOU)
    pairs["label"] = by_box["label"].reindex(pairs["annotation_id"]).to_numpy()
    pairs["other_label"] = by_box["label"].reindex(pairs["other_annotation_id"]).to_numpy()
    pairs["file_name"] = by_box["file_name"].reindex(pairs["annotation_id"]).to_numpy()
    same = pairs["label"].eq(pairs["other_label"])
    nested = [
        first != second and relate(first, second, lineages).kind in (ANCESTOR, DESCENDANT)
        for first, second in zip(pairs["label"], pairs["other_label"], strict=True)
    ]
    unknown = labelled[~labelled["label"].isin(list(classes))] if classes is not None else labelled.head(0)
    outside = cases[cases["flags"].str.split().map(lambda flags: "outside" in flags).astype(bool)]
    found = [
        pairs[same & pairs["iou"].gt(DUPLICATE_IOU)].assign(kind=DUPLICATE),
        pairs[np.array(nested, dtype=bool)].assign(kind=NESTED_LABELS),
        _single(unknown, UNKNOWN_LABEL),
        _single(outside, OUTSIDE),
    ]
    filled = [table[COLUMNS] for table in found if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=COLUMNS)


def _single(boxes: pd.DataFrame, kind: str) -> pd.DataFrame:
    return boxes.assign(kind=kind, other_annotation_id=0, other_label="", iou=np.nan)


def read_suspicions(path: Path) -> pd.DataFrame:
    """Read a table that `find_suspicions` made."""
    kinds: dict[str, type] = dict.fromkeys(COLUMNS, str)
    kinds |= {"annotation_id": int, "other_annotation_id": int, "iou": float}
    return read_table(path, kinds)
