"""What the report's template shows: tiles, tables and sentences, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from fathomflow.relations import ANCESTOR, CONFLICT, DESCENDANT, KINDS
from fathomflow.report.sections import Cell, Column, figure_cell, number
from fathomflow.report.wording import KINDS as KIND_MEANINGS
from fathomflow.report.wording import format_value, order_figures

#: Figures that stand large at the top.
HEADLINE = ("accuracy", "macro_f1", "mean_distance")
#: Most confused pairs that are listed.
MOST_PAIRS = 12


def summary_context(metrics: Mapping[str, Any] | None, confusion: pd.DataFrame | None) -> dict[str, Any]:
    """Give what the summary shows; without metrics it is empty."""
    if metrics is None or confusion is None:
        return {"metrics": None, "corrected": 0}
    counts = metrics["disagreements"]
    kinds = [
        {"name": kind, "n": counts[kind], "css": kind.replace(" ", "-"), "meaning": KIND_MEANINGS[kind]}
        for kind in KINDS
    ]
    wrong = confusion[confusion["label"].ne(confusion["prediction"])]
    wrong = wrong.sort_values(["n", "distance", "label"], ascending=[False, False, True]).head(MOST_PAIRS)
    return {
        "metrics": metrics,
        "corrected": metrics["boxes"]["corrected"],
        "headline": HEADLINE,
        "figures": order_figures(list(metrics["corrected"])),
        "kinds": kinds,
        "same_lineage": counts[ANCESTOR] + counts[DESCENDANT],
        "conflicts": counts[CONFLICT],
        "confused": wrong.to_dict("records"),
        "issues": word_issues(metrics["label_issues"]),
    }


def word_issues(issues: Mapping[str, Any]) -> str:
    """Say what confident learning found, and whether it may be believed."""
    if issues["seen_in_training"]:
        return (
            "Label issues by confident learning were not sought: the model saw these labels in training, so its "
            "probabilities are not out of sample."
        )
    if issues["n"] is None:
        return "Label issues by confident learning need the model's probabilities, which are not there."
    found = f"Confident learning holds {issues['n']} labels for wrong; they are marked “label issue” below. "
    if issues["seen_in_training"] is None:
        return found + (
            "It is not known whether the model saw these labels in training (models.<model>.trained_on is not set); if "
            "it did, its probabilities are not out of sample and this number is too low."
        )
    return found + "The model did not see these labels in training: its probabilities are out of sample."


def category_rows(per_category: pd.DataFrame | None, cases: pd.DataFrame) -> tuple[list[Column], list[list[Cell]]]:
    """Give the per-category table; without labels it counts predictions."""
    if per_category is None:
        counts = cases["prediction"].value_counts().sort_index()
        scores = cases.groupby("prediction")["score"].mean()
        rows = [
            [Cell(str(name)), number(float(n)), number(scores.get(name), f"{scores.get(name):.2f}")]
            for name, n in counts.items()
            if name
        ]
        return [Column("Category"), Column("Predicted", number=True), Column("Mean score", number=True)], rows
    moved = bool((per_category["published_f1"] - per_category["f1"]).abs().gt(1e-9).any())
    columns = [Column("Category")]
    columns += [Column(name, number=True) for name in ("Boxes", "Predicted", "Precision", "Recall", "F1")]
    columns += [Column("F1 before", number=True)] if moved else []
    columns += [Column("Mean distance", number=True), Column("Most often taken for")]
    rows = []
    for row in per_category.sort_values("category").to_dict("records"):
        before = f"{row['published_support']} before" if row["published_support"] != row["support"] else ""
        cells = [Cell(row["category"]), number(row["support"], hint=before), number(row["predicted"])]
        cells += [figure_cell("macro_f1", row, name) for name in ("precision", "recall", "f1")]
        if moved:
            cells.append(number(row["published_f1"], format_value("macro_f1", row["published_f1"])))
        cells += [figure_cell("mean_distance", row), Cell(row["main_confusions"] or "–")]
        rows.append(cells)
    return columns, rows


def word_method(metrics: Mapping[str, Any] | None, provenance: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Explain how the figures came about, and from what."""
    rows = []
    if metrics is not None:
        bootstrap = metrics["bootstrap"]
        rows = [
            (
                "Intervals",
                f"{bootstrap['level']:.0%} percentile intervals of {bootstrap['replicates']} bootstrap replicates, "
                f"{metrics['images']} images drawn with replacement with all their boxes (seed {bootstrap['seed']}). "
                "Changes and differences are paired: both sides are computed on the same draws.",
            ),
            (
                "Undefined values",
                "A figure that cannot be computed, such as the precision of a category that is never predicted, shows "
                "as a dash and is left out of averages; it does not count as 0.",
            ),
            (
                "Ranks",
                "Accuracy at a rank compares the names at that rank; a category that stands above the rank counts as "
                "itself.",
            ),
            (
                "Taxonomic distance",
                "At each of the seven ranks from kingdom to species 2 where the names differ and 1 where only one has "
                "a name; between different names 1 more for each that stands at a rank between the seven; 12 for a "
                "name that is not known.",
            ),
        ]
    return [*rows, *provenance]
