"""What a dataset holds now, and its hash: equal hashes, equal datasets, whatever happened on the way."""

from __future__ import annotations

import datetime
import hashlib
import itertools
from collections.abc import Mapping
from typing import Any

import pandas as pd

from fathomflow.curation.fields import read_boxes
from fathomflow.curation.names import LABELS, VERDICTS
from fathomflow.curation.records import (
    BOX_COLUMNS,
    DECISION_COLUMNS,
    IMAGE_COLUMNS,
    JUDGEMENT_COLUMNS,
    KEY,
    LABEL_COLUMNS,
    PREDICTION_COLUMNS,
    PRIMARY_COLUMNS,
    as_table,
    digest,
)

_IN_METADATA = ("width", "height", "num_channels")


def read_images(dataset: Any) -> pd.DataFrame:
    """Read `IMAGE_COLUMNS`, primary_label and sample_id of every sample."""
    names = [*IMAGE_COLUMNS, "primary_label"]
    paths = [f"metadata.{name}" if name in _IN_METADATA else name for name in names]
    return as_table(zip(*dataset.values([*paths, "id"]), strict=True), [*names, "sample_id"])


def read_labels(dataset: Any) -> pd.DataFrame:
    """Read boxes and labels: `BOX_COLUMNS`, `LABEL_COLUMNS`, and label and tags as they stand in the App."""
    attributes = [*BOX_COLUMNS, *LABEL_COLUMNS, "label", "tags"]
    wanted = [name for name in dict.fromkeys(attributes) if name not in (*KEY, "image_id")]
    table = read_boxes(dataset, LABELS, wanted)
    images = dict(zip(*dataset.values(["id", "image_id"]), strict=True))
    table["image_id"] = [images[sample] for sample in table["sample_id"]]
    for name in ("tags", "flags"):
        table[name] = [list(values or ()) for values in table[name]]
    return table


def read_predictions(dataset: Any, field: str) -> pd.DataFrame:
    """Read a model's predictions and what is held of them: `PREDICTION_COLUMNS`, `JUDGEMENT_COLUMNS` and tags."""
    attributes = [*PREDICTION_COLUMNS, *JUDGEMENT_COLUMNS, "tags"]
    table = read_boxes(dataset, field, [name for name in dict.fromkeys(attributes) if name not in KEY])
    for name in ("tags", "flags", "top5", "top5_scores"):
        table[name] = [list(values or ()) for values in table[name]]
    return table


def read_decisions(dataset: Any, models: Mapping[str, str], labels: pd.DataFrame | None = None) -> pd.DataFrame:
    """Read what people decided in FiftyOne and the study's files do not have yet.

    Parameters
    ----------
    models
        Model → field.
    labels
        What `read_labels` gave, where the caller has it.

    Returns
    -------
    pandas.DataFrame
        `DECISION_COLUMNS`, sorted: boxes whose label is not the study's, or that carry one of the verdict tags, on
        the label or on a prediction (prediction_tags: model → [label, tags]), or a reason. decided is the day of the
        sample's last change unless the box says otherwise.
    """
    table = read_labels(dataset) if labels is None else labels
    notes = read_boxes(dataset, LABELS, ["reason", "reviewer", "decided"])
    tagged = _tagged_predictions(dataset, models)
    changed = None
    rows = []
    for (split, key, label, study, tags, sample), note in zip(
        zip(*(table[name] for name in (*KEY, "label", "study_label", "tags", "sample_id")), strict=True),
        zip(*(notes[name] for name in ("reason", "reviewer", "decided")), strict=True),
        strict=True,
    ):
        verdicts = sorted(set(tags) & set(VERDICTS))
        predictions = tagged.get((split, key), {})
        reason, reviewer, decided = note
        if label == study and not verdicts and not predictions and not reason:
            continue
        if decided is None:
            changed = changed or dict(zip(*dataset.values(["id", "last_modified_at"]), strict=True))
            decided = _day(changed[sample])
        own = label if label != study else None
        rows.append((split, key, own, reason, reviewer, decided, verdicts, predictions))
    return as_table(rows, DECISION_COLUMNS).sort_values(KEY, ignore_index=True)


def _tagged_predictions(dataset: Any, models: Mapping[str, str]) -> dict[tuple[str, int], dict[str, Any]]:
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for model, field in sorted(models.items()):
        if not dataset.has_sample_field(field):
            continue
        table = read_boxes(dataset, field, ["label", "tags"])
        for split, key, label, tags in zip(*(table[name] for name in (*KEY, "label", "tags")), strict=True):
            verdicts = sorted(set(tags or ()) & set(VERDICTS))
            if verdicts:
                found.setdefault((split, key), {})[model] = [label, verdicts]
    return found


def _day(moment: datetime.datetime) -> str:
    return moment.date().isoformat()


def content_of(dataset: Any, models: Mapping[str, str]) -> dict[str, str]:
    """Return the SHA-256 of each part of a dataset: what the workflow wrote, and what people decided.

    Ids, paths and times are left out: two datasets of the same files and decisions have the same hashes.
    """
    labels = read_labels(dataset)
    images = read_images(dataset)
    parts = {
        "images": digest(images, IMAGE_COLUMNS),
        "boxes": digest(labels, BOX_COLUMNS),
        "labels": digest(labels, LABEL_COLUMNS),
        "primary": digest(images, PRIMARY_COLUMNS),
    }
    for model, field in sorted(models.items()):
        table = read_predictions(dataset, field)
        parts[f"predictions/{model}"] = digest(table, PREDICTION_COLUMNS)
        parts[f"judgements/{model}"] = digest(table, JUDGEMENT_COLUMNS)
    parts["decisions"] = digest(read_decisions(dataset, models, labels), DECISION_COLUMNS)
    return parts


def combine(parts: Mapping[str, str]) -> str:
    """Return one SHA-256 for all parts but the decisions, which no file of the study holds."""
    lines = (f"{name} {value}\n" for name, value in sorted(parts.items()) if name != "decisions")
    return hashlib.sha256("".join(itertools.chain(lines)).encode()).hexdigest()
