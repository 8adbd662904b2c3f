"""Put a report together from the files of the earlier stages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fathomflow.cases import Names, join_cases, read_labels, read_manifest, read_predictions, read_regions
from fathomflow.corrections import COLUMNS as CORRECTION_COLUMNS
from fathomflow.corrections import merge_audit, read_audit
from fathomflow.disagreements import COLUMNS, read_disagreements
from fathomflow.errors import InputError
from fathomflow.files import sha256_of
from fathomflow.per_category import read_categories, read_confusion
from fathomflow.relations import KINDS, index_lineages
from fathomflow.report.context import category_rows, summary_context, word_method
from fathomflow.report.page import render_page
from fathomflow.report.payload import (
    choose_pictured,
    content_key,
    describe_boxes,
    describe_categories,
    describe_pictures,
    in_tree_order,
    read_chosen,
)
from fathomflow.report.sections import audit_table as corrections_table
from fathomflow.report.sections import health_table, slices_table, suspicions_table
from fathomflow.slices import read_slices
from fathomflow.suspicions import COLUMNS as SUSPICION_COLUMNS
from fathomflow.suspicions import read_suspicions
from fathomflow.taxonomy import read_lineages
from fathomflow.tree import read_map


@dataclass(frozen=True)
class ReportFiles:
    """What a report is made from; the command line's options, under their names."""

    study: str
    split: str
    model: str
    predictions: Path
    regions: Path
    lineages: Path
    maps: Sequence[Path]
    labels: Path | None
    audit: Path | None
    evaluation: Path | None
    manifest: Path | None
    crops: Path | None
    frames: Path | None
    reviewed: int
    pictures: int


def build_report(files: ReportFiles) -> str:
    """Build the page.

    Raises
    ------
    InputError
        A file is missing or does not fit the others.
    """
    if (files.labels is None) != (files.evaluation is None):
        raise InputError("--labels and --evaluation belong together; give both or neither")
    labels = None if files.labels is None else read_labels(files.labels)
    cases = join_cases(read_regions(files.regions), read_predictions(files.predictions), labels)
    lineages = read_lineages(files.lineages)
    columns = ("label", "published_label", "prediction", "runner_up")
    names = Names(in_tree_order(lineages), [name for column in columns for name in cases[column].unique() if name])
    judged = Judged.read(files.evaluation)
    corrections = pd.DataFrame(columns=CORRECTION_COLUMNS)
    if files.audit is not None:
        corrections = merge_audit(read_audit(files.audit))
    manifest = None if files.manifest is None else read_manifest(files.manifest)
    limit = max(files.reviewed, files.pictures) if files.reviewed else 0
    others = [
        *corrections["annotation_id"],
        *judged.suspicions["annotation_id"],
        *judged.suspicions["other_annotation_id"],
    ]
    chosen = choose_pictured(cases, judged.disagreements, others, limit)
    pictures = describe_pictures(cases, chosen, read_chosen(files.crops, files.frames, cases, chosen))
    heads, rows = category_rows(judged.per_category, cases)
    maps = {path.stem: read_map(path) for path in files.maps}
    tables = [health_table(cases, manifest)]
    if judged.metrics is not None:
        tables = [
            suspicions_table(judged.suspicions),
            slices_table(judged.slices),
            corrections_table(corrections),
            *tables,
        ]
    context = {
        "title": f"{files.model} on {files.split} – {files.study}",
        "heading": f"{files.model} on {files.split}",
        "crumbs": [files.study, files.split, files.model],
        "lead": _lead(cases, judged.metrics),
        "sections": _sections(judged.metrics is not None, tables),
        "notices": _notices(cases, judged.metrics),
        **summary_context(judged.metrics, judged.confusion),
        "maps": list(maps),
        "scored": bool(cases["score"].notna().any()),
        "category_columns": heads,
        "category_rows": rows,
        "limit": limit,
        "pictured": len(pictures["crops"]),
        "boxes": len(cases),
        "tables": tables,
        "method": word_method(judged.metrics, _provenance(files)),
    }
    rows_of = {int(box): row for row, box in enumerate(cases["annotation_id"])}
    content = [file for file in (files.regions, files.predictions, files.labels) if file is not None]
    data = {
        "study": files.study,
        "split": files.split,
        "model": files.model,
        "content": content_key(*content),
        "labelled": judged.metrics is not None,
        "goal": min(files.reviewed or len(judged.disagreements), len(judged.disagreements)),
        "categories": describe_categories(names, index_lineages(lineages), maps),
        "kinds": list(KINDS),
        "boxes": describe_boxes(cases, names, judged.disagreements, judged.suspicions),
        "ranked": [rows_of[int(box)] for box in judged.disagreements["annotation_id"]],
        "applied": corrections.to_dict("records"),
    }
    return render_page("report.html.j2", context, {"data": data, "pictures": pictures})


@dataclass(frozen=True)
class Judged:
    """What the evaluation wrote; empty tables and None where the split has no labels."""

    metrics: dict[str, Any] | None
    per_category: pd.DataFrame | None
    confusion: pd.DataFrame | None
    disagreements: pd.DataFrame
    slices: pd.DataFrame
    suspicions: pd.DataFrame

    @staticmethod
    def read(folder: Path | None) -> Judged:
        """Read the folder that evaluate_predictions.py wrote."""
        if folder is None:
            empty = pd.DataFrame(columns=SUSPICION_COLUMNS)
            return Judged(None, None, None, pd.DataFrame(columns=COLUMNS), pd.DataFrame(), empty)
        return Judged(
            metrics=_read_metrics(folder / "metrics.json"),
            per_category=read_categories(folder / "per_category.csv"),
            confusion=read_confusion(folder / "confusion.csv"),
            disagreements=read_disagreements(folder / "disagreements.csv"),
            slices=read_slices(folder / "slices.csv"),
            suspicions=read_suspicions(folder / "suspicions.csv"),
        )


def _read_metrics(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; evaluate_predictions.py makes it") from None
    return content


def _lead(cases: pd.DataFrame, metrics: dict[str, Any] | None) -> str:
    images = cases["image_id"].nunique()
    if metrics is None:
        return f"{len(cases)} boxes on {images} images, predicted; this split has no labels."
    return f"{metrics['boxes']['evaluated']} labelled and predicted boxes of {len(cases)}, on {images} images."


def _notices(cases: pd.DataFrame, metrics: dict[str, Any] | None) -> list[str]:
    if metrics is None:
        return [
            "This split has no labels (splits.<split>.labels is null), so there is nothing to compare the predictions "
            "with: accuracy, confusions and disagreements are left out. Below are the predictions themselves."
        ]
    boxes = metrics["boxes"]
    notices = []
    if boxes["labelled"] < boxes["regions"]:
        notices.append(f"{boxes['regions'] - boxes['labelled']} boxes have no label and are left out of the figures.")
    if boxes["predicted"] < boxes["regions"]:
        notices.append(
            f"{boxes['regions'] - boxes['predicted']} boxes have no prediction and are left out of the figures."
        )
    if metrics["unknown_names"]:
        notices.append(f"Names that the lineages do not know: {', '.join(metrics['unknown_names'])}.")
    if not cases["score"].notna().any():
        notices.append(
            "These predictions carry no scores: disagreements are ranked by taxonomic distance, and what needs scores "
            "(calibration, thresholds, top-3 and top-5) is left out."
        )
    return notices


def _sections(labelled: bool, tables: Sequence[Any]) -> list[tuple[str, str]]:
    start = [("summary", "Summary"), ("confusion", "Confusion")] if labelled else []
    middle = [("categories", "Categories"), ("review", "Disagreements" if labelled else "Predictions")]
    return [*start, *middle, *((table.key, table.title) for table in tables), ("method", "Method")]


def _provenance(files: ReportFiles) -> list[tuple[str, str]]:
    given = {
        "Predictions": files.predictions,
        "Labels": files.labels,
        "Regions": files.regions,
        "Lineages": files.lineages,
    }
    return [(name, f"SHA-256 {sha256_of(path)}") for name, path in given.items() if path is not None]
