"""Prediction tables, vectors and submissions: made, written, joined and checked."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fathomflow.errors import InputError
from fathomflow.files import atomic_write
from fathomflow.image_results import ImageResult
from fathomflow.tables import raise_problems, read_table, write_table

#: Columns of a prediction table. Scores are empty where predictions made elsewhere have none.
TABLE = {
    "annotation_id": int,
    "concept_name": str,
    "score": float,
    "runner_up": str,
    "runner_up_score": float,
    "flags": str,
}
#: Columns of the list of images that could not be used.
FAILED = {"image_id": int, "file_name": str, "boxes": int, "reason": str}

_VECTORS = pa.schema(
    [
        ("annotation_id", pa.int64()),
        ("probabilities", pa.list_(pa.float32())),
        ("embedding", pa.list_(pa.float16())),
    ]
)


@dataclass(frozen=True)
class Vectors:
    """Numbers of n boxes, sorted by annotation id.

    Attributes
    ----------
    annotation_ids
        (n,) int64.
    probabilities
        (n, categories) float32, in class order.
    embeddings
        (n, features) float16.
    """

    annotation_ids: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    embeddings: NDArray[np.float16]


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """Turn logits (n, categories) into probabilities, computed in float64."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float32)


def check_categories(model: Sequence[str], study: Sequence[str], source: str, table: str) -> list[str]:
    """Check that a study knows every category of a model.

    Parameters
    ----------
    model, study
        Category names.
    source, table
        The files they come from, for messages.

    Returns
    -------
    list of str
        The study's categories that the model cannot predict.

    Raises
    ------
    InputError
        The model has a category that the study does not know; each is named, with the nearest known name.
    """
    problems = []
    for name in sorted(set(model) - set(study)):
        near = difflib.get_close_matches(name, study, 1)
        hint = f"; did its spelling change from {near[0]!r}?" if near else ""
        problems.append(f"{source}: category {name!r} of the model is not among the study's in {table}{hint}")
    raise_problems(problems)
    return sorted(set(study) - set(model))


def prediction_table(vectors: Vectors, flags: Sequence[str], categories: Sequence[str]) -> pd.DataFrame:
    """Make the table that a person reads: the best and the second-best category of every box."""
    probabilities = vectors.probabilities
    names = np.array(categories, dtype=object)
    # A stable sort of the negated values gives ties to the first class, as argmax does.
    order = np.argsort(-probabilities, axis=1, kind="stable")
    rows = np.arange(len(probabilities))
    several = len(categories) > 1
    best = order[:, 0] if len(rows) else np.zeros(0, int)
    second = order[:, 1] if len(rows) and several else best
    return pd.DataFrame(
        {
            "annotation_id": vectors.annotation_ids,
            "concept_name": names[best],
            "score": probabilities[rows, best].astype(float),
            "runner_up": names[second] if several else "",
            "runner_up_score": probabilities[rows, second].astype(float) if several else np.nan,
            "flags": list(flags),
        },
        columns=list(TABLE),
    )


def result_vectors(results: Iterable[ImageResult], classes: int, features: int) -> tuple[Vectors, list[str]]:
    """Arrange the results of images as vectors sorted by annotation id, and the boxes' flags in the same order."""
    held = list(results)
    ids = np.array([box for result in held for box in result.annotation_ids], dtype=np.int64)
    flags = [text for result in held for text in result.flags]
    logits = np.concatenate([np.zeros((0, classes), np.float32), *(result.logits for result in held)])
    embeddings = np.concatenate([np.zeros((0, features), np.float16), *(result.embeddings for result in held)])
    order = np.argsort(ids)
    return Vectors(ids[order], softmax(logits[order]), embeddings[order]), [flags[row] for row in order]


def write_vectors(path: Path, vectors: Vectors, scores: str) -> None:
    """Write vectors as Parquet; `scores` says in the file's metadata how the probabilities came about."""
    table = pa.Table.from_arrays(
        [
            pa.array(vectors.annotation_ids, pa.int64()),
            _lists(vectors.probabilities, pa.float32()),
            _lists(vectors.embeddings, pa.float16()),
        ],
        schema=_VECTORS.with_metadata({"scores": scores}),
    )
    with atomic_write(path) as temporary:
        pq.write_table(table, temporary)


def _lists(values: NDArray[np.floating], kind: pa.DataType) -> pa.Array:
    offsets = np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.reshape(-1), kind))


def read_vectors(path: Path) -> Vectors:
    """Read vectors from Parquet."""
    try:
        table = pq.read_table(path, schema=_VECTORS)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except pa.ArrowException as error:
        raise InputError(f"{path}: not Parquet with annotation_id, probabilities and embedding ({error})") from None
    rows = len(table)
    numbers = [
        np.asarray(table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False))
        for name in ("probabilities", "embedding")
    ]
    if any(len(values) % max(rows, 1) for values in numbers):
        raise InputError(f"{path}: its rows are not equally long; predict again")
    return Vectors(
        table["annotation_id"].to_numpy(),
        *(values.reshape(rows, len(values) // rows if rows else 0) for values in numbers),
    )


def join_vectors(parts: Sequence[Vectors]) -> Vectors:
    """Join the vectors of shards, sorted by annotation id; empty shards add nothing."""
    filled = [part for part in parts if len(part.annotation_ids)] or list(parts[:1])
    ids = np.concatenate([part.annotation_ids for part in filled])
    order = np.argsort(ids, kind="stable")
    return Vectors(
        ids[order],
        np.concatenate([part.probabilities for part in filled])[order],
        np.concatenate([part.embeddings for part in filled])[order],
    )


def check_complete(regions: Mapping[int, int], predicted: Sequence[int], failed: Sequence[int], source: str) -> None:
    """Prove that every box is predicted exactly once, or belongs to an image that could not be used.

    Parameters
    ----------
    regions
        Image id of every box of the split, by annotation id.
    predicted
        Annotation ids of the predictions.
    failed
        Ids of the images that could not be used.
    source
        Where the predictions come from, for messages.

    Raises
    ------
    InputError
        Boxes are missing, predicted twice, or unknown; each is named.
    """
    counts = pd.Series(list(predicted), dtype="int64").value_counts()
    unusable = set(failed)
    problems = [
        f"{source}: annotation_id {box} is not in this split" for box in sorted(set(counts.index) - set(regions))
    ]
    problems += [f"{source}: annotation_id {box} stands {n} times" for box, n in sorted(counts[counts > 1].items())]
    problems += [
        f"{source}: annotation_id {box} is missing"
        for box, image in sorted(regions.items())
        if box not in counts.index and image not in unusable
    ]
    problems += [
        f"{source}: annotation_id {box} is predicted, but its image {regions[box]} is listed as unusable"
        for box in sorted(set(counts.index) & set(regions))
        if regions[box] in unusable
    ]
    raise_problems(problems)


def check_failed(failed: pd.DataFrame, images: int, most: float) -> None:
    """Check that no larger share of a split's images than `most` could not be used; each is named with its reason."""
    if len(failed) > most * images:
        raise_problems(
            [
                f"{len(failed)} of {images} images could not be used, more than the share {most:g} that is allowed; "
                "mend them and run again, or raise images.max_missing to go on without them",
                *(f"image {row.image_id} ({row.file_name}): {row.reason}" for row in failed.itertuples()),
            ]
        )


def read_region_images(path: Path) -> dict[int, int]:
    """Read the image id of every box of a split."""
    table = read_table(path, {"annotation_id": int, "image_id": int}, key="annotation_id")
    return dict(zip(table["annotation_id"].tolist(), table["image_id"].tolist(), strict=True))


def write_submission(table: pd.DataFrame, path: Path) -> None:
    """Write annotation_id and concept_name, what Kaggle takes."""
    write_table(table[["annotation_id", "concept_name"]], path, key="annotation_id")


def import_predictions(
    path: Path, regions: Mapping[int, int], categories: Sequence[str] | None, table: str
) -> pd.DataFrame:
    """Read predictions that were made elsewhere and check them against a split.

    Parameters
    ----------
    path
        CSV with annotation_id and concept_name; score, runner_up and runner_up_score where known.
    regions
        Image id of every box of the split, by annotation id.
    categories, table
        The study's category names, if names are to be checked, and the file they come from.

    Returns
    -------
    pandas.DataFrame
        A prediction table with the columns of `TABLE`.
    """
    optional = {name: TABLE[name] for name in ("score", "runner_up", "runner_up_score")}
    found = read_table(path, {"annotation_id": int, "concept_name": str}, optional=optional)
    check_complete(regions, found["annotation_id"].tolist(), [], str(path))
    named = set(found["concept_name"]) | (set(found["runner_up"]) - {""} if "runner_up" in found else set())
    if categories is not None:
        check_categories(sorted(named), categories, str(path), table)
    for name in ("score", "runner_up_score"):
        if name in found and not found[name].dropna().between(0, 1).all():
            raise InputError(f"{path}: {name} holds values outside 0 to 1; expected probabilities")
    return found.assign(**{name: "" for name in ("runner_up", "flags") if name not in found}).reindex(
        columns=list(TABLE)
    )
