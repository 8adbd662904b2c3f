"""The table of boxes that a model is to learn, as folds are dealt and trainings read it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fathomflow.regions import FLAG_COLUMN, REGION_COLUMNS
from fathomflow.tables import read_table

#: A box of the split: where it was taken, in which fold it is held out, the label to learn (may be empty).
EXAMPLE_COLUMNS = {
    "annotation_id": int,
    "image_id": int,
    "vehicle": str,
    "dive": str,
    "fold": int,
    "label": str,
}


def held_out_regions(regions: Path, examples: Path, fold: int | None) -> pd.DataFrame:
    """Return the rows of a split's regions that a fold holds out, as they stand; none for None."""
    dealt = read_table(examples, EXAMPLE_COLUMNS, key="annotation_id")
    chosen = set(dealt.loc[dealt["fold"].eq(-1 if fold is None else fold), "annotation_id"])
    table = read_table(regions, REGION_COLUMNS | FLAG_COLUMN, key="annotation_id")
    return table[table["annotation_id"].isin(chosen)]
