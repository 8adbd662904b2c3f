"""Labels: as published, and with a reviewer's corrections applied."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from fathomflow.corrections import Change, nearest
from fathomflow.tables import raise_problems, read_table

LABEL_COLUMNS = ["annotation_id", "label", "published_label", "corrected", "reason"]


def read_label_table(path: Path, regions: Path) -> pd.DataFrame:
    """Read labels that lie in a CSV (annotation_id, label; other columns are ignored).

    Returns
    -------
    pandas.DataFrame
        annotation_id, label; boxes with an empty label are left out.

    Raises
    ------
    InputError
        An annotation_id stands twice or is none of the boxes in `regions`.
    """
    labels = read_table(path, {"annotation_id": int, "label": str}, key="annotation_id")
    known = read_table(regions, {"annotation_id": int})["annotation_id"]
    strange = ~labels["annotation_id"].isin(known)
    raise_problems(
        [
            f"{path}: row {row + 2}: annotation_id {labels['annotation_id'][row]} is no box of this split"
            for row in labels.index[strange]
        ]
    )
    return labels[labels["label"] != ""]


def check_published(labels: pd.DataFrame, categories: Sequence[str]) -> None:
    """Refuse published labels that are no categories.

    Raises
    ------
    InputError
        One line per unknown name, with the first box that carries it.
    """
    known = set(categories)
    unknown = labels[~labels["label"].isin(known)].groupby("label", sort=True)["annotation_id"].agg(["min", "size"])
    raise_problems(
        [
            f"labels: annotation_id {row['min']}: {name!r} is not among the {len(known)} categories"
            f"{nearest(str(name), categories)} ({row['size']} boxes)"
            for name, row in unknown.iterrows()
        ]
    )


def correct_labels(labels: pd.DataFrame, changes: Sequence[Change]) -> pd.DataFrame:
    """Apply changes to published labels.

    Parameters
    ----------
    labels
        annotation_id, label; as published.
    changes
        In the order of application, checked by `corrections.follow_corrections`.

    Returns
    -------
    pandas.DataFrame
        Columns `LABEL_COLUMNS`, sorted by annotation_id. published_label is empty for a box that had none; corrected
        says whether the label is another than the published one, reason why.
    """
    published = dict(zip(labels["annotation_id"], labels["label"], strict=True))
    last = {change.annotation_id: change for change in changes}
    result = pd.DataFrame({"annotation_id": sorted(published.keys() | last.keys())})
    boxes = result["annotation_id"]
    result["published_label"] = boxes.map(published).fillna("")
    new = boxes.map({box: change.new_label for box, change in last.items()})
    result["label"] = new.fillna(result["published_label"])
    result["corrected"] = result["label"].ne(result["published_label"])
    reason = boxes.map({box: change.reason for box, change in last.items()}).fillna("")
    result["reason"] = reason.where(result["corrected"], "")
    return result[LABEL_COLUMNS]
