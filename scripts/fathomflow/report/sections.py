"""Sections with a table: suspicions, slices, applied corrections, data health."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fathomflow.report.wording import format_interval, format_value
from fathomflow.slices import FEW
from fathomflow.suspicions import DUPLICATE_IOU, NESTED_IOU

#: Rows of a table that stand in the page; the CSV beside it has all.
MOST_ROWS = 300


@dataclass(frozen=True)
class Cell:
    """A table cell: text, the value it sorts by, a smaller second line, the boxes that it opens (ids and spaces)."""

    text: str
    sort: float | str | None = None
    number: bool = False
    hint: str = ""
    boxes: str = ""


@dataclass(frozen=True)
class Column:
    """A table column's heading."""

    name: str
    number: bool = False


@dataclass(frozen=True)
class Table:
    """A section with a table; `more` rows are left out of the page and stand in `file`."""

    key: str
    title: str
    text: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    more: int = 0
    file: str = ""


def number(value: float | None, text: str | None = None, hint: str = "") -> Cell:
    """Make a cell of a number; the undefined shows as a dash and sorts last."""
    if value is None or pd.isna(value):
        return Cell("–", sort="", number=True)
    return Cell(f"{value:g}" if text is None else text, sort=float(value), number=True, hint=hint)


def figure_cell(key: str, row: Mapping[Hashable, Any], name: str | None = None) -> Cell:
    """Make a cell of a figure with its interval from a table's columns name, name_low, name_high."""
    name = name or key
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    hint = "" if pd.isna(low) else format_interval(key, low, high)
    return number(row[name], format_value(key, row[name]), hint)


def suspicions_table(suspicions: pd.DataFrame) -> Table:
    """List suspicious boxes."""
    rows = []
    for row in suspicions.head(MOST_ROWS).to_dict("records"):
        boxes = [str(row[name]) for name in ("annotation_id", "other_annotation_id") if row[name]]
        labels = dict.fromkeys(str(row[name]) for name in ("label", "other_label") if row[name])
        overlap = None if pd.isna(row["iou"]) else f"{row['iou']:.2f}"
        rows.append(
            [
                Cell(row["kind"]),
                Cell(" and ".join(boxes), boxes=" ".join(boxes)),
                Cell(" / ".join(labels)),
                number(row["iou"], overlap),
                Cell(row["file_name"]),
            ]
        )
    text = (
        f"Found without asking the model: boxes of one image that overlap by more than {DUPLICATE_IOU:g} with the same "
        f"label, a parent's and its child's label on boxes that overlap by more than {NESTED_IOU:g} (not always an "
        "error), labels that the model cannot predict, boxes outside their image. "
        + (f"{len(suspicions)} in all." if len(suspicions) else "Nothing of the kind was found.")
    )
    columns = ("Suspicion", "Boxes", "Label", "Overlap (IoU)", "Image")
    left = max(0, len(suspicions) - MOST_ROWS)
    return Table("suspicions", "Suspicions", text, columns, rows, left, "suspicions.csv")


def slices_table(slices: pd.DataFrame) -> Table:
    """Give the figures by slice; slices of few boxes are marked."""
    rows = []
    for row in slices.head(MOST_ROWS).to_dict("records"):
        rows.append(
            [
                Cell(row["slice"]),
                Cell(row["value"], hint="few boxes" if row["few"] else ""),
                number(row["n"]),
                number(row["images"]),
                figure_cell("accuracy", row),
                figure_cell("mean_distance", row),
            ]
        )
    text = (
        "The same figures on parts of the split; vehicle and dive are read off the images' addresses. "
        f"Slices of fewer than {FEW} boxes are marked: their figures are mostly chance."
    )
    columns = ("Slice", "Value", "Boxes", "Images", "Accuracy", "Mean distance")
    return Table("slices", "Slices", text, columns, rows, max(0, len(slices) - MOST_ROWS), "slices.csv")


def audit_table(corrections: pd.DataFrame) -> Table:
    """List the corrections that are applied, merged to one a box."""
    rows = [
        [
            Cell(f"box {entry.annotation_id}", boxes=str(entry.annotation_id)),
            Cell(str(entry.old_label) or "(no label)"),
            Cell(str(entry.new_label)),
            Cell(str(entry.reason)),
            Cell(str(entry.reviewer)),
            Cell(str(entry.date)),
        ]
        for entry in corrections.head(MOST_ROWS).itertuples()
    ]
    n = len(corrections)
    text = f"{n} {'label stands' if n == 1 else 'labels stand'} corrected." if n else "No correction is applied yet."
    columns = ("Box", "Published label", "Corrected label", "Reason", "Reviewer", "Date")
    left = max(0, len(corrections) - MOST_ROWS)
    return Table("corrections", "Corrections", text, columns, rows, left, "the audit table")


def health_table(cases: pd.DataFrame, manifest: pd.DataFrame | None) -> Table:
    """Say what is wrong with images and boxes, whatever the labels."""
    rows = []
    if manifest is not None:
        for row in manifest[manifest["status"].ne("ok")].itertuples():
            rows.append([Cell("image"), Cell(str(row.file_name)), Cell(str(row.status)), Cell(str(row.detail))])
    for name, what in (("flags", "box"), ("prediction_flags", "prediction")):
        for row in cases[cases[name].ne("")].itertuples():
            box = str(row.annotation_id)
            rows.append(
                [Cell(what), Cell(f"box {box}", boxes=box), Cell(str(getattr(row, name))), Cell(str(row.file_name))]
            )
    images = "No image manifest was given." if manifest is None else _count_images(manifest)
    text = f"{images} {len(cases)} boxes, {int(cases['flags'].ne('').sum())} of them flagged."
    columns = ("What", "Which", "State", "Detail")
    return Table("health", "Data health", text, columns, rows[:MOST_ROWS], max(0, len(rows) - MOST_ROWS), "the tables")


def _count_images(manifest: pd.DataFrame) -> str:
    counts = manifest["status"].value_counts()
    return (
        f"{len(manifest)} images: " + ", ".join(f"{counts[status]} {status}" for status in sorted(counts.index)) + "."
    )
