"""Models of one split beside each other: figures, paired differences, agreement."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from fathomflow.bootstrap import Floats, differences, divide, draw_weights, sum_by_image, summarise
from fathomflow.cases import Names, build_outcome, top_hits
from fathomflow.figures import compute_figures
from fathomflow.probabilities import Probabilities
from fathomflow.tables import read_table
from fathomflow.tree import Taxonomy

AGREEMENT = "agreement"
COLUMNS = ["figure", "model", "other", "value", "low", "high", "n"]


def common_cases(models: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Keep the boxes that every model predicts.

    Parameters
    ----------
    models
        Model → cases of the same regions, as `cases.join_cases` gives them.
    """
    predicted = np.logical_and.reduce([cases["prediction"].ne("").to_numpy() for cases in models.values()])
    return {model: cases[predicted].reset_index(drop=True) for model, cases in models.items()}


def compare_models(
    models: Mapping[str, pd.DataFrame],
    taxonomy: Taxonomy,
    probabilities: Mapping[str, Probabilities],
    *,
    replicates: int,
    seed: int,
) -> pd.DataFrame:
    """Compute every figure of every model on the same boxes, the paired differences, and how often models agree.

    Parameters
    ----------
    models
        Model → its cases, as `common_cases` gives them.
    taxonomy
        Lineages, distances and maps.
    probabilities
        Of the models that give them.
    replicates, seed
        Of the bootstrap by image; all models share the draws, which makes differences paired.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`. other is empty for a figure of one model; else the row is the figure of model minus that of other,
        or, for the figure ``agreement``, the share of boxes on which both predict the same.
    """
    first = next(iter(models.values()))
    drawn = pd.Index(first["image_id"].unique()).sort_values()
    weights = draw_weights(len(drawn), replicates, seed)
    names = Names(
        taxonomy.categories,
        [name for cases in models.values() for column in ("label", "prediction") for name in cases[column] if name],
    )
    distance = names.distances(taxonomy.distance)
    maps = {name: names.roll_up(targets) for name, targets in taxonomy.maps.items()}
    rows: list[dict[str, object]] = []
    samples: dict[str, dict[str, Floats]] = {}
    labelled = first["label"].ne("").to_numpy()
    n = int(labelled.sum())
    for model, cases in models.items() if n else ():
        boxes = cases[labelled]
        place = drawn.get_indexer(pd.Index(boxes["image_id"])).astype(np.int64)
        top = top_hits(boxes, "label", probabilities[model]) if model in probabilities else {}
        outcome = build_outcome(boxes, "label", names, distance, place, top)
        samples[model] = compute_figures(outcome, maps, weights)
        rows += [_row(figure, model, "", values, n) for figure, values in samples[model].items()]
    place = drawn.get_indexer(pd.Index(first["image_id"])).astype(np.int64)
    for model, other in combinations(models, 2):
        if n:
            paired = differences(samples[other], samples[model])
            rows += [_row(figure, model, other, values, n) for figure, values in paired.items()]
        same = models[model]["prediction"].eq(models[other]["prediction"]).to_numpy(dtype=float)
        sums = sum_by_image(place, np.column_stack([same, np.ones(len(same))]), weights)
        rows.append(_row(AGREEMENT, model, other, divide(sums[:, 0], sums[:, 1]), len(first)))
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(figure: str, model: str, other: str, values: Floats, n: int) -> dict[str, object]:
    return {"figure": figure, "model": model, "other": other, **summarise(values, n)}


def disputed_boxes(models: Mapping[str, pd.DataFrame], names: Names, distance: Floats) -> list[int]:
    """List the boxes on which the models differ, the widest apart first.

    Returns
    -------
    list of int
        annotation_ids, by the largest taxonomic distance between two predictions, then by number.
    """
    codes = np.stack([names.encode(cases["prediction"]) for cases in models.values()])
    widest = np.zeros(codes.shape[1])
    differ = np.zeros(codes.shape[1], dtype=bool)
    for first, second in combinations(range(len(codes)), 2):
        widest = np.maximum(widest, distance[codes[first], codes[second]])
        differ |= codes[first] != codes[second]
    boxes = next(iter(models.values()))["annotation_id"].to_numpy()
    order = np.lexsort((boxes, -widest))
    return [int(boxes[index]) for index in order if differ[index]]


def read_comparison(path: Path) -> pd.DataFrame:
    """Read a table that `compare_models` made."""
    kinds: dict[str, type] = {"figure": str, "model": str, "other": str, "value": float, "low": float, "high": float}
    return read_table(path, kinds | {"n": int})
