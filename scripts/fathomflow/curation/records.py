"""What a dataset holds, as tables: the same columns from a study's files and out of FiftyOne, so that they compare."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from fathomflow.ranks import RANKS

KEY = ["split", "annotation_id"]
IMAGE_COLUMNS = [
    "split",
    "image_id",
    "file_name",
    "sha256",
    "width",
    "height",
    "num_channels",
    "mode",
    "vehicle",
    "dive",
]
PRIMARY_COLUMNS = ["split", "image_id", "primary_label"]
BOX_COLUMNS = [*KEY, "image_id", "bounding_box", "flags"]
LABEL_COLUMNS = [*KEY, "published_label", "study_label", "corrected", "correction", *RANKS]
PREDICTION_COLUMNS = [
    *KEY,
    "label",
    "confidence",
    "runner_up",
    "runner_up_score",
    "top5",
    "top5_scores",
    "flags",
]
JUDGEMENT_COLUMNS = [*KEY, "study_label", "correct", "distance", "kind"]
DECISION_COLUMNS = [*KEY, "label", "reason", "reviewer", "decided", "tags", "prediction_tags"]


def as_table(rows: Iterable[Sequence[object]], columns: Sequence[str]) -> pd.DataFrame:
    """Return rows as a table whose cells stay the Python values that they are, None included."""
    return pd.DataFrame(list(rows), columns=list(columns), dtype=object)


def digest(table: pd.DataFrame, columns: Sequence[str]) -> str:
    """Return the SHA-256 of a table's content, whatever the order of its rows."""
    rows = sorted(json.dumps(row, ensure_ascii=True) for row in rows_of(table, columns))
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def rows_of(table: pd.DataFrame, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return a table's rows as tuples of Python values, in the order of `columns`."""
    return list(zip(*(table[name].tolist() for name in columns), strict=True)) if len(table) else []


def changed_rows(wanted: pd.DataFrame, found: pd.DataFrame, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return the rows of `wanted`, key first, that `found` lacks or has with another content."""
    known = {row[: len(KEY)]: row for row in rows_of(found, columns)}
    return [row for row in rows_of(wanted, columns) if known.get(row[: len(KEY)]) != row]


def flatten(split: Sequence[str], columns: dict[str, Sequence[Sequence[object] | None]]) -> pd.DataFrame:
    """Turn lists per sample into one row per box.

    Parameters
    ----------
    split
        Split of each sample.
    columns
        Name → one list per sample, alike in length within a sample; the first column decides how long.
    """
    names = list(columns)
    counts = [len(values or ()) for values in columns[names[0]]]
    data: dict[str, list[object]] = {
        "split": list(itertools.chain.from_iterable([name] * n for name, n in zip(split, counts, strict=True)))
    }
    for name in names:
        padded = (values or [None] * n for values, n in zip(columns[name], counts, strict=True))
        data[name] = list(itertools.chain.from_iterable(padded))
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in data.items()})
