"""The fields of a study's dataset: what is declared, and how label lists are read and written in bulk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import fiftyone as fo
import pandas as pd

from fathomflow.curation.names import LABELS, SAMPLE_FIELDS, label_id
from fathomflow.curation.records import flatten
from fathomflow.ranks import RANKS

_TEXT, _NUMBER, _WHOLE, _YES_NO = fo.StringField, fo.FloatField, fo.IntField, fo.BooleanField
_TEXTS, _NUMBERS = (fo.ListField, _TEXT), (fo.ListField, _NUMBER)

LABEL_ATTRIBUTES: dict[str, Any] = {
    "annotation_id": _WHOLE,
    "published_label": _TEXT,
    "study_label": _TEXT,
    "corrected": _YES_NO,
    "correction": _TEXT,
    "flags": _TEXTS,
    "reason": _TEXT,
    "reviewer": _TEXT,
    "decided": _TEXT,
    **dict.fromkeys(RANKS, _TEXT),
}
PREDICTION_ATTRIBUTES: dict[str, Any] = {
    "annotation_id": _WHOLE,
    "runner_up": _TEXT,
    "runner_up_score": _NUMBER,
    "top5": _TEXTS,
    "top5_scores": _NUMBERS,
    "flags": _TEXTS,
    "study_label": _TEXT,
    "correct": _YES_NO,
    "distance": _WHOLE,
    "kind": _TEXT,
}


def declare_samples(dataset: Any) -> None:
    """Declare what every study's samples have."""
    kinds: dict[str, Any] = dict.fromkeys(SAMPLE_FIELDS, _TEXT)
    _declare(dataset, kinds | {"image_id": _WHOLE})
    declare_labels(dataset, LABELS, LABEL_ATTRIBUTES)


def declare_labels(dataset: Any, field: str, attributes: Mapping[str, Any]) -> None:
    """Declare a field of boxes and their attributes, as far as they are not there yet."""
    if not dataset.has_sample_field(field):
        dataset.add_sample_field(field, fo.EmbeddedDocumentField, embedded_doc_type=fo.Detections)
    _declare(dataset, {f"{field}.detections.{name}": kind for name, kind in attributes.items()})


def declare_run(dataset: Any, field: str, key: str) -> None:
    """Declare what an evaluation run writes to samples and boxes."""
    _declare(dataset, {f"{key}_{name}": _WHOLE for name in ("tp", "fp", "fn")})
    for boxes in (LABELS, field):
        declare_labels(dataset, boxes, {key: _TEXT, f"{key}_id": _TEXT})


def _declare(dataset: Any, kinds: Mapping[str, Any]) -> None:
    known = dataset.get_field_schema(flat=True)
    # One by one, each would write and read the whole description of the dataset.
    missing = {
        path: kind[0](field=kind[1]()) if isinstance(kind, tuple) else kind()
        for path, kind in kinds.items()
        if path not in known
    }
    if missing:
        dataset.add_dynamic_sample_fields(fields=missing)


def read_boxes(samples: Any, field: str, attributes: Sequence[str]) -> pd.DataFrame:
    """Read attributes of all boxes in a field: split, sample_id, annotation_id and `attributes`, one row per box."""
    names = ["annotation_id", *(name for name in attributes if name != "annotation_id")]
    split, ids, *columns = samples.values(["split", "id", *(f"{field}.detections.{name}" for name in names)])
    repeated = [[one] * len(keys or ()) for one, keys in zip(ids, columns[0], strict=True)]
    return flatten(split, dict(zip(names, columns, strict=True)) | {"sample_id": repeated})


def write_attribute(
    dataset: Any, field: str, name: str, values: Iterable[tuple[str, int, object]], samples: Mapping[Any, str]
) -> None:
    """Set one attribute of some boxes.

    Parameters
    ----------
    field, name
        The field of boxes and the attribute.
    values
        (split, annotation_id, value).
    samples
        (split, annotation_id) → id of the sample.
    """
    changes = [
        {"sample_id": samples[split, key], "label_id": label_id(split, key, field), "value": value}
        for split, key, value in values
        if (split, key) in samples
    ]
    if changes:
        dataset.set_label_values(f"{field}.detections.{name}", changes, validate=False)


def sample_of_box(dataset: Any) -> dict[tuple[str, int], str]:
    """Return (split, annotation_id) → id of the sample that holds the box."""
    table = read_boxes(dataset, LABELS, [])
    columns = (table[name].tolist() for name in ("split", "annotation_id", "sample_id"))
    return {(split, key): sample for split, key, sample in zip(*columns, strict=True)}
