"""Names in FiftyOne: fields for models, keys of evaluation runs, ids of labels, names of datasets beside a dataset."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from fathomflow.errors import InputError

#: The field that holds a study's boxes and labels.
LABELS = "ground_truth"
#: Tags that people set on labels, and the one that the workflow sets.
LABEL_ERROR, MODEL_ERROR, UNCLEAR = "label_error", "model_error", "unclear"
VERDICTS = (LABEL_ERROR, MODEL_ERROR, UNCLEAR)
LABEL_CORRECTED = "label_corrected"

#: Fields of a sample that are not a model's.
SAMPLE_FIELDS = ("split", "image_id", "file_name", "sha256", "mode", "vehicle", "dive", "study", "primary_label")
_TAKEN = {
    "id",
    "filepath",
    "tags",
    "metadata",
    "media_type",
    "created_at",
    "last_modified_at",
    LABELS,
    *SAMPLE_FIELDS,
}


def field_of(model: str) -> str:
    """Return the field that holds a model's predictions.

    Examples
    --------
    >>> field_of("bio-clip"), field_of("2nd"), field_of("tags")
    ('bio_clip', 'model_2nd', 'model_tags')
    """
    name = model.replace("-", "_")
    return f"model_{name}" if name in _TAKEN or not re.match(r"[A-Za-z]", name) else name


def fields_of(models: Iterable[str]) -> dict[str, str]:
    """Return model → field, and refuse models that would share one."""
    fields: dict[str, str] = {}
    for model in models:
        other = next((name for name, field in fields.items() if field == field_of(model)), None)
        if other is not None:
            raise InputError(f"models {other!r} and {model!r} would share FiftyOne's field {field_of(model)!r}; rename")
        fields[model] = field_of(model)
    return fields


def evaluation_key(split: str, model: str) -> str:
    """Return the key of a model's evaluation run on a split."""
    return f"{field_of(model)}_{split.replace('-', '_')}"


def label_id(split: str, annotation_id: int, field: str) -> str:
    """Return the id of a box in a field: always the same for the same box, so that tables join without asking."""
    return hashlib.sha256(f"{split}/{annotation_id}/{field}".encode()).hexdigest()[:24]


def snapshot_name(dataset: str, snapshot: str) -> str:
    """Return the name of the dataset that holds a snapshot."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", snapshot):
        raise InputError(f"snapshot {snapshot!r} is no name; use letters, digits, '-' and '_', a letter or digit first")
    return f"{dataset}.{snapshot}"


def building_name(dataset: str) -> str:
    """Return the name that a dataset has until it is complete."""
    return f"{dataset}.being.built"


def replaced_name(dataset: str) -> str:
    """Return the name that a dataset has while another takes its place."""
    return f"{dataset}.being.replaced"
