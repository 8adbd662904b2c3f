"""Figures for each category, and the confusion table behind them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from fathomflow.bootstrap import Floats, interval
from fathomflow.cases import Names
from fathomflow.figures import ClassCounts, Outcome
from fathomflow.tables import read_table

#: Confusions named per category.
MAIN_CONFUSIONS = 3
#: Figures with an interval, as `ClassCounts` names them.
FIGURES = ("precision", "recall", "f1", "mean_distance")


def tabulate_categories(
    counts: ClassCounts, confusion: pd.DataFrame, names: Names, published: ClassCounts
) -> pd.DataFrame:
    """Give one row per category that stands among labels or predictions, or is known.

    Parameters
    ----------
    counts
        On the labels as corrected, with bootstrap replicates.
    confusion
        What `tabulate_confusion` gives.
    names
        The names that codes index.
    published
        Counts on the published labels, for the figures before correction.

    Returns
    -------
    pandas.DataFrame
        category, support, predicted, precision, recall, f1 and mean_distance with their 95 % intervals (empty where
        undefined), published_support, published_f1, main_confusions (``name: n`` joined by ``; ``).
    """
    columns: dict[str, object] = {
        "category": names.all,
        "support": counts.support[0].astype(int),
        "predicted": counts.predicted[0].astype(int),
    }
    for name in FIGURES:
        values: Floats = getattr(counts, name)
        columns[name] = values[0]
        bounds = np.array([interval(values[:, code]) for code in range(len(names.all))]).reshape(-1, 2)
        columns[f"{name}_low"], columns[f"{name}_high"] = bounds[:, 0], bounds[:, 1]
    columns["published_support"] = published.support[0].astype(int)
    columns["published_f1"] = published.f1[0]
    wrong = confusion[confusion["label"].ne(confusion["prediction"])]
    wrong = wrong.sort_values(["n", "prediction"], ascending=[False, True])
    texts = (wrong["prediction"] + ": " + wrong["n"].astype(str)).groupby(wrong["label"])
    main = texts.apply(lambda rows: "; ".join(rows.head(MAIN_CONFUSIONS)))
    columns["main_confusions"] = pd.Series(names.all).map(main).fillna("").to_numpy()
    return pd.DataFrame(columns)


def tabulate_confusion(outcome: Outcome, names: Names) -> pd.DataFrame:
    """Count boxes per (label, prediction), pairs without boxes left out.

    Returns
    -------
    pandas.DataFrame
        label, prediction, n, distance.
    """
    size = len(names.all)
    pairs, n = np.unique(outcome.truth * size + outcome.predicted, return_counts=True)
    truth, predicted = pairs // size, pairs % size
    return pd.DataFrame(
        {
            # Without the type an empty table would hold numbers.
            "label": pd.Series([names.all[code] for code in truth], dtype=str),
            "prediction": pd.Series([names.all[code] for code in predicted], dtype=str),
            "n": n.astype(int),
            "distance": outcome.distance[truth, predicted].astype(int),
        }
    )


def read_categories(path: Path) -> pd.DataFrame:
    """Read a table that `tabulate_categories` made."""
    kinds: dict[str, type] = {"category": str, "support": int, "predicted": int}
    for name in FIGURES:
        kinds |= dict.fromkeys((name, f"{name}_low", f"{name}_high"), float)
    kinds |= {"published_support": int, "published_f1": float, "main_confusions": str}
    return read_table(path, kinds, key="category")


def read_confusion(path: Path) -> pd.DataFrame:
    """Read a table that `tabulate_confusion` made."""
    return read_table(path, {"label": str, "prediction": str, "n": int, "distance": int})
