"""A model's probabilities for every category, where it gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet

from fathomflow.architecture import read_description
from fathomflow.bootstrap import Floats, Ints
from fathomflow.errors import InputError


@dataclass(frozen=True)
class Probabilities:
    """Probabilities of n boxes.

    Attributes
    ----------
    classes
        The model's category names in class order.
    boxes
        Shape (n,): annotation ids.
    values
        Shape (n, classes).
    """

    classes: Sequence[str]
    boxes: Ints
    values: Floats

    def of(self, boxes: Sequence[int] | pd.Series) -> Floats:
        """Return the rows of the given annotation ids, shape (ids, classes)."""
        row = pd.Index(self.boxes).get_indexer(pd.Index(boxes))
        return np.asarray(self.values[row])

    def encode(self, labels: Sequence[str] | pd.Series) -> Ints:
        """Return the class index of each label, -1 for one that the model does not know; shape (labels,)."""
        column = {name: index for index, name in enumerate(self.classes)}
        return np.array([column.get(label, -1) for label in labels], dtype=np.int64)


def read_probabilities(vectors: Path | None, model: Path | None) -> Probabilities | None:
    """Read the probabilities of a model, or None where there are none.

    Parameters
    ----------
    vectors
        Parquet with annotation_id and probabilities (list of float).
    model
        model.json, whose ``categories`` are the names in class order.

    Raises
    ------
    InputError
        The rows are not as long as the model has categories, or only one of the two files is given.
    """
    if vectors is None and model is None:
        return None
    if vectors is None or model is None:
        raise InputError("probabilities need both the vectors and the model.json that names their classes")
    classes = read_description(model).categories
    table = pyarrow.parquet.read_table(vectors, columns=["annotation_id", "probabilities"])
    boxes = table["annotation_id"].to_numpy().astype(np.int64)
    flat = table["probabilities"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    if len(flat) != len(boxes) * len(classes):
        raise InputError(
            f"{vectors}: {len(flat)} probabilities for {len(boxes)} boxes and {len(classes)} categories of {model}; "
            "predict again with this model"
        )
    return Probabilities(classes, boxes, flat.reshape(len(boxes), len(classes)).astype(float))
