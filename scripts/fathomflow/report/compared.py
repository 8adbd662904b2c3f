"""The page that puts all models of a split beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from fathomflow.cases import Names
from fathomflow.comparison import AGREEMENT, disputed_boxes
from fathomflow.disagreements import COLUMNS
from fathomflow.relations import KINDS
from fathomflow.report.page import render_page
from fathomflow.report.payload import (
    content_hash,
    describe_boxes,
    describe_categories,
    describe_pictures,
    read_chosen,
)
from fathomflow.report.wording import order_figures
from fathomflow.suspicions import COLUMNS as SUSPICION_COLUMNS
from fathomflow.tree import Taxonomy

#: The page's scripts: no matrix.
SCRIPTS = ("data.js", "csv.js", "review.js", "cards.js", "dialog.js", "tables.js", "gallery.js", "main.js")


@dataclass(frozen=True)
class ComparisonFiles:
    """What the page is called, and its pictures."""

    study: str
    split: str
    crops: Path | None
    frames: Path | None
    pictures: int


def build_comparison(
    files: ComparisonFiles, models: Mapping[str, pd.DataFrame], taxonomy: Taxonomy, table: pd.DataFrame
) -> str:
    """Build the page.

    Parameters
    ----------
    files
        Names and pictures.
    models
        Model → its cases on the boxes that all predict.
    taxonomy
        For the order of categories and the distance between predictions.
    table
        What `comparison.compare_models` gives.
    """
    first = next(iter(models.values()))
    found = {name for cases in models.values() for column in ("label", "prediction") for name in cases[column] if name}
    names = Names(taxonomy.categories, sorted(found))
    disputed = disputed_boxes(models, names, names.distances(taxonomy.distance))
    chosen = disputed[: files.pictures]
    pictures = describe_pictures(first, chosen, read_chosen(files.crops, files.frames, first, chosen))
    rows_of = {int(box): row for row, box in enumerate(first["annotation_id"])}
    nothing, no_doubt = pd.DataFrame(columns=COLUMNS), pd.DataFrame(columns=SUSPICION_COLUMNS)
    data = {
        "study": files.study,
        "split": files.split,
        "model": "comparison",
        "content": content_hash(table.to_csv(index=False)),
        "labelled": False,
        "goal": 0,
        "categories": describe_categories(names, taxonomy.lineages, taxonomy.maps),
        "kinds": list(KINDS),
        "boxes": describe_boxes(first, names, nothing, no_doubt),
        "models": [
            {"name": model, "prediction": [names.code(name) for name in cases["prediction"]]}
            for model, cases in models.items()
        ],
        "ranked": [rows_of[box] for box in disputed],
        "applied": [],
    }
    context = {
        "title": f"Models on {files.split} – {files.study}",
        "heading": f"Models on {files.split}",
        "crumbs": [files.study, files.split, "comparison"],
        "lead": f"{', '.join(models)}: {len(first)} boxes that all of them predict, on "
        f"{first['image_id'].nunique()} images.",
        "sections": _sections(bool(first["label"].ne("").any())),
        "models": list(models),
        "pairs": list(combinations(models, 2)),
        "limit": files.pictures,
        "pictured": len(pictures["crops"]),
        "boxes": len(first),
        "disputed": len(disputed),
        **_tables(table),
    }
    return render_page("comparison.html.j2", context, {"data": data, "pictures": pictures}, SCRIPTS)


def _sections(labelled: bool) -> list[tuple[str, str]]:
    figures = [("figures", "Figures"), ("differences", "Differences")] if labelled else []
    return [*figures, ("agreement", "Agreement"), ("review", "Boxes where they differ")]


def _tables(table: pd.DataFrame) -> dict[str, Any]:
    """Arrange the comparison's rows for look-up: figures by (figure, model), differences by (figure, model, other)."""
    figures: dict[tuple[str, str], dict[str, Any]] = {}
    differences: dict[tuple[str, str, str], dict[str, Any]] = {}
    agreement: dict[tuple[str, str], dict[str, Any]] = {}
    for row in table.to_dict("records"):
        value = {key: None if pd.isna(row[key]) else row[key] for key in ("value", "low", "high", "n")}
        if row["figure"] == AGREEMENT:
            agreement[row["model"], row["other"]] = agreement[row["other"], row["model"]] = value
        elif row["other"]:
            differences[row["figure"], row["model"], row["other"]] = value
        else:
            figures[row["figure"], row["model"]] = value
    keys = order_figures(list(dict.fromkeys(key for key, _ in figures)))
    return {"keys": keys, "figures": figures, "differences": differences, "agreement": agreement}
