"""Boxes whose label and prediction differ, ranked and explained."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fathomflow.bootstrap import Floats
from fathomflow.cases import Names
from fathomflow.relations import KINDS, Lineages, relate
from fathomflow.tables import read_table

COLUMNS = [
    "rank",
    "annotation_id",
    "image_id",
    "file_name",
    "label",
    "published_label",
    "prediction",
    "score",
    "runner_up",
    "runner_up_score",
    "kind",
    "conflict_rank",
    "distance",
    "label_probability",
    "label_issue",
]


def rank_disagreements(cases: pd.DataFrame, names: Names, distance: Floats, lineages: Lineages) -> pd.DataFrame:
    """List the boxes whose label and prediction differ: the surest prediction first.

    Predictions without scores are ranked by taxonomic distance, the farthest first. Ties go by distance, then by
    annotation_id.

    Parameters
    ----------
    cases
        Evaluated boxes, with what `label_issues.judge_labels` says of them.
    names, distance
        Names and their distances.
    lineages
        For the kind of disagreement.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, in rank order (rank 1 first).
    """
    table = cases[cases["label"].ne(cases["prediction"])].copy()
    table["distance"] = distance[names.encode(table["label"]), names.encode(table["prediction"])].astype(int)
    pairs = {
        (label, found): relate(label, found, lineages)
        for label, found in zip(table["label"], table["prediction"], strict=True)
    }
    relations = [pairs[pair] for pair in zip(table["label"], table["prediction"], strict=True)]
    table["kind"] = [relation.kind for relation in relations]
    table["conflict_rank"] = [relation.rank for relation in relations]
    order = ["score", "distance", "annotation_id"]
    table = table.sort_values(order, ascending=[False, False, True], na_position="last", ignore_index=True)
    table["rank"] = table.index + 1
    return table[COLUMNS]


def count_kinds(disagreements: pd.DataFrame) -> dict[str, int]:
    """Count disagreements per kind, in the order of `relations.KINDS`; kinds that do not occur count 0."""
    found = disagreements["kind"].value_counts()
    return {kind: int(found.get(kind, 0)) for kind in KINDS}


def read_disagreements(path: Path) -> pd.DataFrame:
    """Read a table that `rank_disagreements` made, in its order."""
    kinds: dict[str, type] = dict.fromkeys(COLUMNS, str)
    kinds |= dict.fromkeys(("rank", "annotation_id", "image_id", "distance"), int)
    kinds |= dict.fromkeys(("score", "runner_up_score", "label_probability"), float)
    return read_table(path, kinds, key="annotation_id")
