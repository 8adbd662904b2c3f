"""Evaluate one model on one split: every figure, for published and for corrected labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fathomflow.bootstrap import LEVEL, differences, draw_weights, summarise
from fathomflow.cases import Names, build_outcome, evaluated, top_hits
from fathomflow.disagreements import count_kinds, rank_disagreements
from fathomflow.figures import Outcome, compute_figures, count_classes
from fathomflow.label_issues import judge_labels
from fathomflow.per_category import tabulate_categories, tabulate_confusion
from fathomflow.probabilities import Probabilities
from fathomflow.slices import slice_cases, tabulate_slices
from fathomflow.suspicions import KINDS as SUSPICIONS
from fathomflow.suspicions import find_suspicions
from fathomflow.tree import Taxonomy


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation gives: the document for metrics.json, and the tables."""

    metrics: dict[str, Any]
    per_category: pd.DataFrame
    confusion: pd.DataFrame
    disagreements: pd.DataFrame
    slices: pd.DataFrame
    suspicions: pd.DataFrame


def evaluate(
    cases: pd.DataFrame,
    taxonomy: Taxonomy,
    *,
    replicates: int,
    seed: int,
    probabilities: Probabilities | None = None,
    seen: bool | None = None,
    images: pd.DataFrame | None = None,
    manifest: pd.DataFrame | None = None,
) -> Evaluation:
    """Evaluate the predictions of one model.

    Parameters
    ----------
    cases
        One row per region, as `cases.join_cases` gives them.
    taxonomy
        Lineages, distances and maps.
    replicates, seed
        Of the bootstrap by image.
    probabilities
        Where the model gives them.
    seen
        Whether the model saw these labels in training; None: not known.
    images, manifest
        Addresses and colour modes of the images, for slices; None: those slices are left out.

    Returns
    -------
    Evaluation
        ``metrics`` holds n of boxes and images, the figures on ``published`` and ``corrected`` labels, their paired
        ``change``, and the number of disagreements of each kind.
    """
    boxes = evaluated(cases)
    names = Names(taxonomy.categories, [*boxes["label"], *boxes["published_label"], *boxes["prediction"]])
    distance = names.distances(taxonomy.distance)
    maps = {name: names.roll_up(targets) for name, targets in taxonomy.maps.items()}
    drawn = pd.Index(boxes["image_id"].unique()).sort_values()
    weights = draw_weights(len(drawn), replicates, seed)

    def outcome_of(labels: str) -> Outcome:
        labelled = boxes[boxes[labels].ne("")]
        place = drawn.get_indexer(pd.Index(labelled["image_id"])).astype(np.int64)
        top = {} if probabilities is None else top_hits(labelled, labels, probabilities)
        return build_outcome(labelled, labels, names, distance, place, top)

    outcomes = {"published": outcome_of("published_label"), "corrected": outcome_of("label")}
    counts = {name: count_classes(outcome, weights) for name, outcome in outcomes.items()}
    figures = {name: compute_figures(outcomes[name], maps, weights, counts[name]) for name in outcomes}
    n = {name: len(outcome.truth) for name, outcome in outcomes.items()}
    confusion = tabulate_confusion(outcomes["corrected"], names)
    issues = judge_labels(boxes, probabilities, seen=seen)
    disagreements = rank_disagreements(boxes.merge(issues, on="annotation_id"), names, distance, taxonomy.lineages)
    classes = None if probabilities is None else probabilities.classes
    suspicions = find_suspicions(cases, taxonomy.lineages, classes)
    found = suspicions["kind"].value_counts()
    metrics: dict[str, Any] = {
        "boxes": {
            "regions": len(cases),
            "labelled": int(cases["label"].ne("").sum()),
            "predicted": int(cases["prediction"].ne("").sum()),
            "evaluated": n["corrected"],
            "corrected": int(boxes["corrected"].sum()),
        },
        "images": weights.shape[1],
        "bootstrap": {"replicates": replicates, "seed": seed, "level": LEVEL, "resampled": "images"},
        "unknown_names": names.all[names.known :],
        "label_issues": {
            "n": int(issues["label_issue"].eq("true").sum()) if issues["label_issue"].ne("").any() else None,
            "seen_in_training": seen,
        },
        "suspicions": {kind: int(found.get(kind, 0)) for kind in SUSPICIONS},
        "disagreements": {"n": len(disagreements)} | count_kinds(disagreements),
        **{name: {key: summarise(samples, n[name]) for key, samples in figures[name].items()} for name in figures},
        "change": {
            key: summarise(samples, n["corrected"])
            for key, samples in differences(figures["published"], figures["corrected"]).items()
        },
    }
    return Evaluation(
        metrics=metrics,
        per_category=tabulate_categories(counts["corrected"], confusion, names, counts["published"]),
        confusion=confusion,
        disagreements=disagreements,
        slices=tabulate_slices(
            slice_cases(boxes, images, manifest), outcomes["corrected"], boxes["image_id"].to_numpy(), weights
        ),
        suspicions=suspicions,
    )
