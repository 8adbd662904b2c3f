"""How figures and kinds are called in reports, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass

from fathomflow.ranks import RANKS
from fathomflow.relations import ANCESTOR, CONFLICT, DESCENDANT, NESTED, SIBLING, UNKNOWN
from fathomflow.taxonomy import MAX_DISTANCE


@dataclass(frozen=True)
class Wording:
    """Title and meaning of a figure; `percent` figures lie between 0 and 1; `top` is the end of its scale."""

    title: str
    meaning: str
    percent: bool = True
    rising: bool = True
    top: float = 1.0


FIGURES = {
    "accuracy": Wording("Accuracy", "boxes whose prediction is the label"),
    "balanced_accuracy": Wording("Balanced accuracy", "mean over categories of the share of their boxes found"),
    "macro_f1": Wording("Macro F1", "mean over categories of the harmonic mean of precision and recall"),
    "macro_precision": Wording("Macro precision", "mean over categories of the share of predictions that are right"),
    "macro_recall": Wording("Macro recall", "mean over categories of the share of labels found"),
    "weighted_f1": Wording("Weighted F1", "F1 averaged over categories by their number of boxes"),
    "weighted_precision": Wording("Weighted precision", "precision averaged over categories by their number of boxes"),
    "weighted_recall": Wording("Weighted recall", "recall averaged over categories by their number of boxes"),
    "top3_accuracy": Wording("Top-3 accuracy", "boxes whose label is among the three most probable categories"),
    "top5_accuracy": Wording("Top-5 accuracy", "boxes whose label is among the five most probable categories"),
    "mean_distance": Wording(
        "Mean taxonomic distance",
        "0 is the label itself, 12 as far as can be; the score of the FathomNet 2025 competition",
        percent=False,
        rising=False,
        top=MAX_DISTANCE,
    ),
    "calibration_error": Wording(
        "Calibration error", "mean gap between the score and how often such scores are right", rising=False
    ),
}

KINDS = {
    ANCESTOR: "Same lineage: the prediction is broader than the label",
    DESCENDANT: "Same lineage: the prediction is narrower than the label",
    NESTED: "Perhaps same lineage: one is a name between the seven ranks",
    SIBLING: "Siblings: same rank, same parent",
    CONFLICT: "Conflict: the lineages part",
    UNKNOWN: "A name that the lineages do not know",
}


def word_figure(key: str) -> Wording:
    """Return the wording of a figure by its key in metrics.json."""
    if key in FIGURES:
        return FIGURES[key]
    if not key.startswith("accuracy_at_"):
        return Wording(key.replace("_", " ").capitalize(), "")
    name = key.removeprefix("accuracy_at_")
    if name in RANKS:
        return Wording(f"Accuracy at {name}", f"label and prediction share their {name}")
    return Wording(f"Accuracy under “{name}”", f"label and prediction fall together under the category map {name}")


def order_figures(keys: list[str]) -> list[str]:
    """Order figures for a reader: the known ones first, then ranks from the root, then other category maps."""
    known = [key for key in FIGURES if key in keys]
    ranks = [f"accuracy_at_{rank}" for rank in RANKS if f"accuracy_at_{rank}" in keys]
    return known + ranks + sorted(set(keys) - set(known) - set(ranks))


def format_value(key: str, value: float | None, *, signed: bool = False) -> str:
    """Write a figure for people: shares as percentages, distances with two decimals, the undefined as a dash.

    A signed value is a difference, so of percentages it is in points.
    """
    if value is None:
        return "–"
    unit = (" pts" if signed else " %") if word_figure(key).percent else ""
    return _format_number(key, value, signed=signed) + unit


def format_interval(key: str, low: float | None, high: float | None, *, signed: bool = False) -> str:
    """Write an interval for people, the unit once; the undefined as a dash."""
    if low is None or high is None:
        return "–"
    between = " to " if signed else "–"
    return f"{_format_number(key, low, signed=signed)}{between}{format_value(key, high, signed=signed)}"


def _format_number(key: str, value: float, *, signed: bool) -> str:
    percent = word_figure(key).percent
    # Rounding first keeps a tiny negative number from showing as −0.0; adding 0 turns -0.0 into 0.0.
    number = round(value * 100 if percent else value, 1 if percent else 2) + 0.0
    text = f"{number:{'+' if signed and number else ''}.{1 if percent else 2}f}"
    return text.replace("-", "−")
