"""One row per box: label, prediction and place, joined from the tables of the earlier stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fathomflow.bootstrap import Bools, Floats, Ints
from fathomflow.figures import TOP, Outcome
from fathomflow.probabilities import Probabilities
from fathomflow.regions import FLAG_COLUMN, REGION_COLUMNS
from fathomflow.tables import raise_problems, read_table
from fathomflow.taxonomy import MAX_DISTANCE


def read_regions(path: Path) -> pd.DataFrame:
    """Read a regions table, sorted by annotation_id."""
    table = read_table(path, REGION_COLUMNS, key="annotation_id", optional=FLAG_COLUMN)
    if "flags" not in table:
        table["flags"] = ""
    return table.sort_values("annotation_id", ignore_index=True)


def read_predictions(path: Path) -> pd.DataFrame:
    """Read a predictions table; scores and runner-up are NaN and empty where the file has none."""
    optional = {"score": float, "runner_up": str, "runner_up_score": float, "flags": str}
    table = read_table(path, {"annotation_id": int, "concept_name": str}, key="annotation_id", optional=optional)
    for name, kind in optional.items():
        if name not in table:
            table[name] = np.nan if kind is float else ""
    return table.rename(columns={"concept_name": "prediction", "flags": "prediction_flags"})


def read_labels(path: Path) -> pd.DataFrame:
    """Read a labels table as the labels stage writes it."""
    columns = {"annotation_id": int, "label": str, "published_label": str, "corrected": bool}
    table = read_table(path, columns, key="annotation_id", optional={"reason": str})
    if "reason" not in table:
        table["reason"] = ""
    return table


def read_images(path: Path) -> pd.DataFrame:
    """Read which images a split has, and where each is published."""
    return read_table(path, {"image_id": int, "file_name": str, "uri": str}, key="image_id")


def read_manifest(path: Path) -> pd.DataFrame:
    """Read what became of a split's images, sorted by image_id."""
    table = read_table(
        path, {"image_id": int, "file_name": str, "status": str}, key="image_id", optional={"mode": str, "detail": str}
    )
    for name in ("mode", "detail"):
        if name not in table:
            table[name] = ""
    return table.sort_values("image_id", ignore_index=True)


def join_cases(regions: pd.DataFrame, predictions: pd.DataFrame, labels: pd.DataFrame | None) -> pd.DataFrame:
    """Join regions, predictions and labels on annotation_id.

    Returns
    -------
    pandas.DataFrame
        One row per region, sorted by annotation_id; label, published_label, prediction and reason are empty where
        there are none.

    Raises
    ------
    InputError
        A prediction or a label is for a box that the regions do not have.
    """
    known = set(regions["annotation_id"])
    problems = []
    for name, table in (("predictions", predictions), ("labels", labels)):
        if table is not None:
            strange = sorted(set(table["annotation_id"]) - known)
            problems += [f"{name}: annotation_id {box} is not among the regions; use the same split" for box in strange]
    raise_problems(problems)
    cases = regions.merge(predictions, on="annotation_id", how="left", validate="one_to_one")
    if labels is None:
        cases = cases.assign(label="", published_label="", corrected=False, reason="")
    else:
        cases = cases.merge(labels, on="annotation_id", how="left", validate="one_to_one")
    texts = ["prediction", "runner_up", "prediction_flags", "label", "published_label", "reason"]
    cases[texts] = cases[texts].fillna("")
    cases["corrected"] = cases["corrected"].eq(True)
    return cases.sort_values("annotation_id", ignore_index=True)


def evaluated(cases: pd.DataFrame) -> pd.DataFrame:
    """Keep the boxes that have both a label and a prediction."""
    return cases[cases["label"].ne("") & cases["prediction"].ne("")].reset_index(drop=True)


class Names:
    """The list of names that codes index: the known categories in order, then names that only the data hold.

    Parameters
    ----------
    known
        Categories of the study.
    found
        Names in labels and predictions; those not known are appended, sorted.
    """

    def __init__(self, known: Sequence[str], found: Sequence[str]) -> None:
        self.all = [*known, *sorted(set(found) - set(known))]
        self.known = len(known)
        self._code = {name: code for code, name in enumerate(self.all)}

    def encode(self, names: Sequence[str] | pd.Series) -> Ints:
        """Return the codes of names, shape (n,)."""
        return np.array([self._code[name] for name in names], dtype=np.int64)

    def code(self, name: str) -> int:
        """Return the code of one name, -1 when it is none of them."""
        return self._code.get(name, -1)

    def distances(self, known: Floats) -> Floats:
        """Extend the matrix of the known categories: a name that is not known is as far as can be from every other."""
        size = len(self.all)
        matrix = np.full((size, size), float(MAX_DISTANCE))
        matrix[: self.known, : self.known] = known
        np.fill_diagonal(matrix, 0)
        return matrix

    def roll_up(self, targets: Mapping[str, str]) -> Ints:
        """Return the code that each name is mapped to, shape (names,); a name without a target keeps itself."""
        groups = {name: targets.get(name, name) for name in self.all}
        # A target may be no category itself (a family nobody annotates), so it gets a code of its own.
        codes = {target: code for code, target in enumerate(sorted(set(groups.values())))}
        return np.array([codes[groups[name]] for name in self.all], dtype=np.int64)


def build_outcome(
    cases: pd.DataFrame, labels: str, names: Names, distance: Floats, image: Ints, top: Mapping[int, Bools]
) -> Outcome:
    """Code labels and predictions for the figures.

    Parameters
    ----------
    cases
        Evaluated boxes.
    labels
        The column that holds the labels: ``label`` or ``published_label``.
    names, distance
        The names and their distances, extended over all of them.
    image
        Shape (cases,): index of each box's image.
    top
        What `top_hits` gives.
    """
    return Outcome(
        truth=names.encode(cases[labels]),
        predicted=names.encode(cases["prediction"]),
        image=image,
        distance=distance,
        score=cases["score"].to_numpy(dtype=float),
        hits=top,
    )


def top_hits(cases: pd.DataFrame, labels: str, probabilities: Probabilities) -> dict[int, Bools]:
    """Say for k = 3 and 5 whether each label is among the k most probable categories.

    Parameters
    ----------
    cases, labels
        Evaluated boxes and their column of labels; a label that the model does not know is a miss.
    probabilities
        The model's.

    Returns
    -------
    dict[int, Bools]
        k → shape (cases,); no k that the model's number of categories does not exceed.
    """
    values = probabilities.of(cases["annotation_id"])
    code = probabilities.encode(cases[labels])
    own = np.where(code >= 0, values[np.arange(len(code)), code], -1.0)
    better = (values > own[:, None]).sum(axis=1)
    return {k: (better < k) & (code >= 0) for k in TOP if k < values.shape[1]}
