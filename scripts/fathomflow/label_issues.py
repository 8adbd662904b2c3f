"""Label issues by confident learning (Northcutt et al. 2021, as cleanlab computes it)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fathomflow.bootstrap import Bools, Floats, Ints
from fathomflow.probabilities import Probabilities


def find_label_issues(labels: Ints, probabilities: Floats) -> Bools:
    """Say which labels confident learning holds for wrong.

    Parameters
    ----------
    labels
        Shape (n,): class index of each label.
    probabilities
        Shape (n, classes); they must come from a model that has not seen these labels.

    Returns
    -------
    Bools
        Shape (n,).
    """
    # Classes that no label carries say nothing about noise, and cleanlab's estimates divide by their counts.
    used, codes = np.unique(labels, return_inverse=True)
    if len(used) < 2:
        return np.zeros(len(labels), dtype=bool)
    # cleanlab takes a while to import, and most evaluations do without it.
    from cleanlab.filter import find_label_issues as confident_learning

    kept = probabilities[:, used]
    total = kept.sum(axis=1, keepdims=True)
    shares = np.where(total > 0, kept / np.maximum(total, np.finfo(float).tiny), 1 / len(used))
    return np.asarray(confident_learning(codes, shares, n_jobs=1), dtype=bool)


def judge_labels(cases: pd.DataFrame, probabilities: Probabilities | None, *, seen: bool | None) -> pd.DataFrame:
    """Give each evaluated box the model's probability of its label, and whether the label is an issue.

    Parameters
    ----------
    cases
        Evaluated boxes.
    probabilities
        The model's, where it gives them.
    seen
        Whether the model saw these labels in training (None: not known). Where it did, no issue is sought: a model
        remembers wrong labels as well as right ones.

    Returns
    -------
    pandas.DataFrame
        annotation_id, label_probability (NaN: not known), label_issue (empty: not sought, else ``true`` or ``false``).
    """
    result = cases[["annotation_id"]].assign(label_probability=np.nan, label_issue="")
    if probabilities is None or not len(cases):
        return result
    values = probabilities.of(cases["annotation_id"])
    codes = probabilities.encode(cases["label"])
    known = codes >= 0
    result.loc[known, "label_probability"] = values[known, codes[known]]
    if seen is not True and known.any():
        issues = find_label_issues(codes[known], values[known])
        result.loc[known, "label_issue"] = np.where(issues, "true", "false")
    return result
