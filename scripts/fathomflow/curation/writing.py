"""Write a study's tables into its dataset: whole, in bulk, or only what changed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import fiftyone as fo
import pandas as pd

from fathomflow.curation.content import read_labels, read_predictions
from fathomflow.curation.database import changing
from fathomflow.curation.fields import (
    PREDICTION_ATTRIBUTES,
    declare_labels,
    declare_samples,
    read_boxes,
    write_attribute,
)
from fathomflow.curation.names import LABEL_CORRECTED, LABEL_ERROR, LABELS, label_id
from fathomflow.curation.records import (
    JUDGEMENT_COLUMNS,
    KEY,
    LABEL_COLUMNS,
    PREDICTION_COLUMNS,
    changed_rows,
    rows_of,
)
from fathomflow.curation.source import Collection

Samples = Mapping[Any, str]


def create_dataset(name: str, study: str, collection: Collection) -> Any:
    """Make a dataset with the images, boxes and labels of a study."""
    dataset = fo.Dataset(name, persistent=True)
    declare_samples(dataset)
    dataset.add_samples(
        _samples(study, collection),
        expand_schema=False,
        validate=False,
        progress=False,
        num_samples=len(collection.images),
    )
    return dataset


def _samples(study: str, collection: Collection) -> Iterator[Any]:
    boxes: dict[tuple[str, int], list[Any]] = {}
    labels = rows_of(collection.labels, LABEL_COLUMNS)
    names = LABEL_COLUMNS[len(KEY) :]
    columns = (collection.boxes[name] for name in (*KEY, "image_id", "bounding_box", "flags"))
    for (split, key, image, place, flags), row in zip(zip(*columns, strict=True), labels, strict=True):
        attributes = dict(zip(names, row[len(KEY) :], strict=True))
        detection = fo.Detection(
            label=attributes["study_label"], bounding_box=place, annotation_id=key, flags=flags, **attributes
        )
        detection.id = label_id(split, key, LABELS)
        if attributes["corrected"]:
            detection.tags = [LABEL_CORRECTED]
        boxes.setdefault((split, image), []).append(detection)
    for image in collection.images.to_dict("records"):
        yield fo.Sample(
            filepath=image["uri"],
            tags=[image["split"]],
            metadata=fo.ImageMetadata(
                width=image["width"],
                height=image["height"],
                num_channels=image["num_channels"],
                size_bytes=image["size_bytes"],
                mime_type=image["mime_type"],
            ),
            study=study,
            **{
                name: image[name]
                for name in ("split", "image_id", "file_name", "sha256", "mode", "vehicle", "dive", "primary_label")
            },
            **{LABELS: fo.Detections(detections=boxes.get((image["split"], image["image_id"]), []))},
        )


def update_labels(dataset: Any, scope: Any, collection: Collection, samples: Samples, models: Mapping[str, str]) -> int:
    """Bring the labels of the samples in `scope` up to date in place, and say how many boxes changed.

    A label that someone changed in FiftyOne stays as they left it until the study's files say the same.
    """
    found = read_labels(scope)
    present = set(rows_of(found, KEY))
    labels = collection.labels[[key in present for key in rows_of(collection.labels, KEY)]]
    changes = changed_rows(labels, found, LABEL_COLUMNS)
    state = {(split, key): rest for split, key, *rest in rows_of(found, [*KEY, "label", "study_label", "tags"])}
    for position, name in enumerate(LABEL_COLUMNS[len(KEY) :], start=len(KEY)):
        values = ((str(row[0]), row[1], row[position]) for row in changes)
        write_attribute(dataset, LABELS, name, values, samples)
    column = LABEL_COLUMNS.index("study_label")
    untouched = [row for row in changes if state[row[:2]][0] == state[row[:2]][1]]
    write_attribute(dataset, LABELS, "label", ((row[0], row[1], row[column]) for row in untouched), samples)
    label_tags, solved = [], set()
    for split, key, label, corrected in rows_of(labels, [*KEY, "study_label", "corrected"]):
        before, study, tags = state[split, key]
        wanted = [tag for tag in tags if tag != LABEL_CORRECTED] + ([LABEL_CORRECTED] if corrected else [])
        if corrected and label != study:
            solved.add((split, key, label))
            # Someone else's correction does not answer a change that still stands.
            if before in (study, label):
                wanted = [tag for tag in wanted if tag != LABEL_ERROR]
        if sorted(wanted) != sorted(tags):
            label_tags.append((split, key, wanted))
    write_attribute(dataset, LABELS, "tags", label_tags, samples)
    if solved:
        for field in models.values():
            if dataset.has_sample_field(field):
                _clear_accepted(dataset, scope, field, solved, samples)
    _update_primary(dataset, scope, collection)
    return len(changes)


def _clear_accepted(dataset: Any, scope: Any, field: str, solved: set[Any], samples: Samples) -> None:
    """Take the tag off predictions that were accepted as the right label, now that it is the label."""
    table = read_predictions(scope, field)
    changes = [
        (split, key, [tag for tag in tags if tag != LABEL_ERROR])
        for split, key, label, tags in rows_of(table, [*KEY, "label", "tags"])
        if LABEL_ERROR in tags and (split, key, label) in solved
    ]
    write_attribute(dataset, field, "tags", changes, samples)


def _update_primary(dataset: Any, scope: Any, collection: Collection) -> None:
    wanted = {
        (split, image): primary
        for split, image, primary in rows_of(collection.images, ["split", "image_id", "primary_label"])
    }
    columns = scope.values(["id", "split", "image_id", "primary_label"])
    changes = {
        sample: wanted[split, image]
        for sample, split, image, primary in zip(*columns, strict=True)
        if wanted[split, image] != primary
    }
    if changes:
        dataset.set_values("primary_label", changes, key_field="id", validate=False)


def write_predictions(dataset: Any, field: str, table: pd.DataFrame, samples: Samples, *, split: str) -> None:
    """Write a model's predictions for a split in bulk, in place of those it has; tags that people set stay.

    Parameters
    ----------
    table
        `PREDICTION_COLUMNS` and the rest of `JUDGEMENT_COLUMNS`; boxes that the dataset lacks are passed over.
    samples
        (split, annotation_id) → sample id.
    split
        The split: its samples without predictions lose those of an earlier run.
    """
    tags: dict[Any, list[str]] = {}
    if dataset.has_sample_field(field):
        found = read_predictions(dataset.match_tags(split), field)
        tags = {(part, key): list(kept) for part, key, kept in rows_of(found, [*KEY, "tags"]) if kept}
    with changing(dataset.name):
        dataset.reload()
        declare_labels(dataset, field, PREDICTION_ATTRIBUTES)
    names = [name for name in table.columns if name not in (*KEY, "label")]
    boxes = {
        (part, key): place
        for part, key, place in rows_of(
            read_boxes(dataset.match_tags(split), LABELS, ["bounding_box"]), [*KEY, "bounding_box"]
        )
    }
    lists: dict[str, list[Any]] = {sample: [] for sample in dataset.match_tags(split).values("id")}
    for row in table.to_dict("records"):
        key = (row["split"], row["annotation_id"])
        if key in samples:
            detection = fo.Detection(
                label=row["label"],
                bounding_box=boxes[key],
                annotation_id=row["annotation_id"],
                tags=tags.get(key, []),
                **{name: row[name] for name in names},
            )
            detection.id = label_id(*key, field)
            lists[samples[key]].append(detection)
    values = {sample: fo.Detections(detections=detections) for sample, detections in lists.items()}
    dataset.set_values(field, values, key_field="id", validate=False, expand_schema=False)


def update_judgements(dataset: Any, field: str, table: pd.DataFrame, found: pd.DataFrame, samples: Samples) -> set[Any]:
    """Bring what is held of predictions up to date in place, and return the keys of boxes whose verdict changed."""
    changes = [row for row in changed_rows(table, found, JUDGEMENT_COLUMNS) if row[:2] in samples]
    before = {row[:2]: row for row in rows_of(found, JUDGEMENT_COLUMNS)}
    for position, name in enumerate(JUDGEMENT_COLUMNS[len(KEY) :], start=len(KEY)):
        values = ((row[0], row[1], row[position]) for row in changes if before[row[:2]][position] != row[position])
        write_attribute(dataset, field, name, values, samples)
    place = JUDGEMENT_COLUMNS.index("correct")
    return {row[:2] for row in changes if before[row[:2]][place] != row[place]}


def remove_fields(dataset: Any, fields: Iterable[str]) -> None:
    """Remove the fields of models that the study has no more, with their evaluation runs and views."""
    for field in fields:
        for key in dataset.list_evaluations():
            if dataset.get_evaluation_info(key).config.pred_field == field:
                dataset.delete_evaluation(key)
        if dataset.has_sample_field(field):
            dataset.delete_sample_field(field)
        logging.info("removed the predictions of %s, which the study has no more", field)


def same_predictions(table: pd.DataFrame, found: pd.DataFrame) -> bool:
    """Say whether the dataset has these predictions, whatever is held of them."""
    return not changed_rows(table, found, PREDICTION_COLUMNS) and len(table) == len(found)


def write_decisions(dataset: Any, decisions: pd.DataFrame, models: Mapping[str, str], samples: Samples) -> None:
    """Put people's decisions back into a dataset that was built anew, but those that its labels now follow."""
    found = read_labels(dataset)
    study = {(split, key): label for split, key, label in rows_of(found, [*KEY, "study_label"])}
    own_tags = {(split, key): tags for split, key, tags in rows_of(found, [*KEY, "tags"])}
    rows = [row for row in decisions.to_dict("records") if (row["split"], row["annotation_id"]) in study]
    label_tags = []
    for row in rows:
        key = (row["split"], row["annotation_id"])
        followed = row["label"] is not None and row["label"] == study[key]
        tags = [tag for tag in row["tags"] if not (followed and tag == LABEL_ERROR)]
        row["label"] = None if followed else row["label"]
        if tags:
            label_tags.append((*key, sorted({*own_tags[key], *tags})))
    for name in ("label", "reason", "reviewer", "decided"):
        values = [(row["split"], row["annotation_id"], row[name]) for row in rows if row[name] is not None]
        write_attribute(dataset, LABELS, name, values, samples)
    write_attribute(dataset, LABELS, "tags", label_tags, samples)
    for model, field in models.items():
        if dataset.has_sample_field(field):
            known = set(rows_of(read_predictions(dataset, field), [*KEY, "label"]))
            tagged = []
            for row in rows:
                key, (name, tags) = (row["split"], row["annotation_id"]), row["prediction_tags"].get(model, (None, []))
                tags = [tag for tag in tags if not (name == study[key] and tag == LABEL_ERROR)]
                if tags and (*key, name) in known:
                    tagged.append((*key, tags))
            write_attribute(dataset, field, "tags", tagged, samples)


def stamp_decisions(dataset: Any, decisions: pd.DataFrame, samples: Samples) -> None:
    """Write down when people decided, before the workflow's own changes move the samples' dates."""
    rows = decisions.to_dict("records")
    write_attribute(
        dataset, LABELS, "decided", ((row["split"], row["annotation_id"], row["decided"]) for row in rows), samples
    )
