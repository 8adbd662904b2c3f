"""Bring a study's dataset up to date with its files: built anew where it must be, changed in place where it can."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import pandas as pd
from fiftyone import ViewField as F

from fathomflow.curation.content import combine, content_of, read_decisions, read_images, read_labels, read_predictions
from fathomflow.curation.database import changing
from fathomflow.curation.fields import read_boxes, sample_of_box
from fathomflow.curation.names import LABELS, building_name, evaluation_key, fields_of
from fathomflow.curation.records import (
    BOX_COLUMNS,
    IMAGE_COLUMNS,
    JUDGEMENT_COLUMNS,
    KEY,
    LABEL_COLUMNS,
    PREDICTION_COLUMNS,
    PRIMARY_COLUMNS,
    changed_rows,
    digest,
    rows_of,
)
from fathomflow.curation.runs import digest_run, write_run
from fathomflow.curation.source import Collection, Judged
from fathomflow.curation.state import LAYOUT, STUDY, building, claim, exchange, read_note, update_note, write_note
from fathomflow.curation.views import list_selections, save_views
from fathomflow.curation.writing import (
    create_dataset,
    remove_fields,
    same_predictions,
    stamp_decisions,
    update_judgements,
    update_labels,
    write_decisions,
    write_predictions,
)

#: Model → split → its predictions and what is held of them.
AllJudged = Mapping[str, Mapping[str, Judged]]


@dataclass(frozen=True)
class Identity:
    """Which dataset of which study."""

    dataset: str
    study: str


def bring_up_to_date(
    identity: Identity, collection: Collection, judged: AllJudged, *, force: bool = False, thorough: bool = False
) -> dict[str, Any]:
    """Make the dataset hold what the study's files say, and return its state.

    Parameters
    ----------
    identity
        Name of the dataset and its study.
    collection, judged
        What the files say.
    force
        Delete a dataset of the same name that is not this study's.
    thorough
        Compare everything, not only what changed in the files or in the database since the last time.

    Returns
    -------
    dict
        What ``results/fiftyone/<dataset>.json`` holds.
    """
    fields = fields_of(judged)
    wanted = _digests(collection)
    with building(identity.dataset):
        dataset = claim(identity.dataset, identity.study, force=force)
        reason = _why_rebuild(dataset, wanted)
        if reason is None:
            samples, scope = _what_changed(dataset, collection, thorough=thorough)
            reason = _why_altered(dataset, scope, collection)
        if reason is not None:
            logging.info("%s: building dataset %r of %d images", reason, identity.dataset, len(collection.images))
            dataset = _rebuild(dataset, identity, collection, judged, wanted)
        else:
            _update(dataset, scope, samples, collection, judged, wanted)
        _finish(dataset)
    return describe_state(dataset, fields, collection, judged, wanted)


def _digests(collection: Collection) -> dict[str, str]:
    images = collection.images
    return {
        "images": digest(images, IMAGE_COLUMNS),
        "boxes": digest(collection.boxes, BOX_COLUMNS),
        "labels": digest(collection.labels, LABEL_COLUMNS),
        "primary": digest(images, PRIMARY_COLUMNS),
        # Not part of the content: where the images are, which may differ from machine to machine.
        "places": digest(images, ["uri"]),
        "taxonomy": collection.taxonomy,
    }


def _why_rebuild(dataset: Any | None, wanted: Mapping[str, str]) -> str | None:
    """Say in words why the dataset must be built anew, or None when it need not."""
    if dataset is None:
        return "there is none in the database"
    note = read_note(dataset)
    if note.get("layout") != LAYOUT:
        return "it was made by another version of this workflow"
    made_of = note.get("sources", {})
    reasons = {
        "images": "the images changed",
        "boxes": "the boxes changed",
        "places": "the images moved",
        "taxonomy": "the lineages changed",
    }
    return next((words for name, words in reasons.items() if made_of.get(name) != wanted[name]), None)


def _what_changed(dataset: Any, collection: Collection, *, thorough: bool) -> tuple[dict[Any, str], Any]:
    """Return (split, annotation_id) → sample id, and the samples that must be compared with the files.

    Those are the samples that somebody wrote to since the workflow finished with them, and those of boxes whose
    label is another one now; all of them where the last job did not finish.
    """
    slim = ["published_label", "study_label", "corrected", "correction"]
    found = read_boxes(dataset, LABELS, slim)
    samples = {row[:2]: row[2] for row in rows_of(found, [*KEY, "sample_id"])}
    note = read_note(dataset)
    if thorough or not note.get("finished"):
        return samples, dataset
    changed = changed_rows(collection.labels, found, [*KEY, *slim])
    touched = dataset.match(F("last_modified_at") > note["finished"]).values("id")
    ids = {*touched, *(samples[row[:2]] for row in changed if row[:2] in samples)}
    return samples, dataset.select(sorted(ids))


def _why_altered(dataset: Any, scope: Any, collection: Collection) -> str | None:
    """Say in words how the samples or boxes in `scope` differ from the files, or None when they do not."""
    labels, images = read_labels(scope), read_images(scope)
    present = set(rows_of(images, ["split", "image_id"]))
    boxes = _of_images(collection.boxes, present)
    same = len(dataset) == len(collection.images) and digest(labels, BOX_COLUMNS) == digest(boxes, BOX_COLUMNS)
    if same and digest(images, IMAGE_COLUMNS) == digest(_of_images(collection.images, present), IMAGE_COLUMNS):
        return None
    n = dataset.count(f"{LABELS}.detections")
    return f"it was altered outside the workflow ({n} boxes, {len(collection.boxes) - n} fewer than in the files)"


def _of_images(table: pd.DataFrame, images: set[Any]) -> pd.DataFrame:
    return table[[key in images for key in rows_of(table, ["split", "image_id"])]]


def _rebuild(
    old: Any | None, identity: Identity, collection: Collection, judged: AllJudged, wanted: Mapping[str, str]
) -> Any:
    decisions = read_decisions(old, read_note(old).get("models", {})) if old is not None else None
    dataset = create_dataset(building_name(identity.dataset), identity.study, collection)
    write_note(dataset, {"layout": LAYOUT, "kind": STUDY, "study": identity.study, "sources": dict(wanted)})
    samples = sample_of_box(dataset)
    _update_models(dataset, dataset, judged, samples)
    if decisions is not None and len(decisions):
        logging.info("putting %d decisions made in FiftyOne back", len(decisions))
        write_decisions(dataset, decisions, fields_of(judged), samples)
    exchange(dataset, identity.dataset)
    dataset.reload()
    return dataset


def _update(
    dataset: Any,
    scope: Any,
    samples: Mapping[Any, str],
    collection: Collection,
    judged: AllJudged,
    wanted: Mapping[str, str],
) -> None:
    note = read_note(dataset)
    # Until it is done, the next job must compare everything.
    update_note(dataset, lambda note: note.update(finished=None))
    decisions = read_decisions(scope, note.get("models", {}))
    stamp_decisions(dataset, decisions, samples)
    n = update_labels(dataset, scope, collection, samples, fields_of(judged))
    if n and note["sources"]["labels"] == wanted["labels"]:
        logging.info("%d labels were altered outside the workflow; put back", n)
    elif n:
        logging.info("%d labels changed", n)
    gone = note.get("models", {}).keys() - judged.keys() - set(note.get("guests", ()))
    remove_fields(dataset, (note["models"][model] for model in sorted(gone)))

    def record(note: dict[str, Any]) -> None:
        note["sources"] = dict(wanted)
        note["models"] = {model: field for model, field in note.get("models", {}).items() if model not in gone}
        for part in ("predictions", "runs"):
            kept = note.get(part, {}).items()
            note[part] = {name: value for name, value in kept if name.partition("/")[2] not in gone}

    update_note(dataset, record)
    _update_models(dataset, scope, judged, samples)


def _finish(dataset: Any) -> None:
    """Note that everything is as the files say, and the time of the last change that is known."""
    last = dataset.bounds("last_modified_at")[1]
    update_note(dataset, lambda note: note.update(finished=last))


def _update_models(dataset: Any, scope: Any, judged: AllJudged, samples: Mapping[Any, str]) -> None:
    for model, splits in judged.items():
        update_model(dataset, model, splits, samples, scope=scope)
    # Views show what runs wrote, so they come last.
    selections = list_selections(judged)
    with changing(dataset.name):
        dataset.reload()
        note = read_note(dataset)
        note["views"] = save_views(dataset, selections, note.get("views", {}))
        write_note(dataset, note)


def update_model(
    dataset: Any,
    model: str,
    splits: Mapping[str, Judged],
    samples: Mapping[Any, str],
    *,
    scope: Any | None = None,
    guest: bool = False,
) -> None:
    """Bring one model's predictions, what is held of them, and its evaluation runs up to date.

    Jobs for different models may do this at once on a server. A guest is a model that the study's configuration does
    not name: it stays when the dataset is brought up to date, and goes when it is built anew. `scope` holds the samples
    that may differ from the files (default: all).
    """
    field = fields_of([model])[model]
    note = read_note(dataset)
    runs = dict(note.get("runs", {}))
    written = dict(note.get("predictions", {}))
    existing = set(dataset.list_evaluations())
    scope = dataset if scope is None else scope
    in_scope = set(scope.values("id"))
    for split, one in splits.items():
        key, name = evaluation_key(split, model), f"{split}/{model}"
        whole = _in_dataset(one.table, samples)
        table = whole[[samples[box] in in_scope for box in rows_of(whole, KEY)]]
        content = digest(whole, PREDICTION_COLUMNS)
        found = None
        if dataset.has_sample_field(field) and written.get(name) == content:
            found = read_predictions(scope.match_tags(split), field)
        changed: set[Any] | None
        if found is None or not same_predictions(table, found):
            write_predictions(dataset, field, whole, samples, split=split)
            written[name] = content
            logging.info("wrote %d predictions of %s for %s", len(whole), model, split)
            changed = None
        else:
            changed = update_judgements(dataset, field, table, found, samples)
        run = digest_run(one)
        if one.metrics is not None and (changed is None or key not in existing or runs.get(name) != run):
            write_run(dataset, split, model, one, samples, changed if key in existing else None)
            runs[name] = run
            logging.info("wrote the evaluation of %s on %s", model, split)
    own = {f"{split}/{model}" for split in splits}

    def record(note: dict[str, Any]) -> None:
        note["models"] = {**note.get("models", {}), model: field}
        guests = set(note.get("guests", ())) - {model}
        note["guests"] = sorted(guests | {model} if guest else guests)
        note["predictions"] = {**note.get("predictions", {}), **{name: written[name] for name in own}}
        note["runs"] = {**note.get("runs", {}), **{name: runs[name] for name in own if name in runs}}

    update_note(dataset, record)


def _in_dataset(table: pd.DataFrame, samples: Mapping[Any, str]) -> pd.DataFrame:
    keys = list(zip(*(table[name] for name in KEY), strict=True)) if len(table) else []
    return table[[key in samples for key in keys]].reset_index(drop=True)


def describe_state(
    dataset: Any, fields: Mapping[str, str], collection: Collection, judged: AllJudged, wanted: Mapping[str, str]
) -> dict[str, Any]:
    """Return the state of a dataset: counts, and the hash of everything that the workflow wrote into it.

    It follows from the study's files alone, so that the same files give the same state. `verify` reads a dataset back
    and compares.
    """
    boxes = dict.fromkeys(zip(*(collection.boxes[name] for name in KEY), strict=True), "")
    content = {name: value for name, value in wanted.items() if name not in ("places", "taxonomy")}
    counts = {}
    for model, splits in judged.items():
        table = pd.concat([_in_dataset(one.table, boxes) for one in splits.values()], ignore_index=True)
        content[f"predictions/{model}"] = digest(table, PREDICTION_COLUMNS)
        content[f"judgements/{model}"] = digest(table, JUDGEMENT_COLUMNS)
        counts[model] = {"field": fields[model], "predictions": len(table)}
    return {
        "dataset": dataset.name,
        "fiftyone": fo.__version__,
        "images": _count(collection.images),
        "boxes": _count(collection.boxes),
        "labels": _count(collection.labels[collection.labels["study_label"].notna()]),
        "corrected": _count(collection.labels[collection.labels["corrected"].eq(True)]),
        "left_out": dict(collection.left_out),
        "models": counts,
        "evaluations": sorted(
            evaluation_key(split, model)
            for model, splits in judged.items()
            for split, one in splits.items()
            if one.metrics is not None
        ),
        "content": content,
        "content_hash": combine(content),
    }


def _count(table: pd.DataFrame) -> dict[str, int]:
    return {str(split): int(n) for split, n in table["split"].value_counts().sort_index().items()}


def verify(dataset: Any, state: Mapping[str, Any], models: Mapping[str, str]) -> list[str]:
    """List the parts in which the dataset is not what its state says."""
    found = content_of(dataset, models)
    return [name for name, value in state["content"].items() if found.get(name) != value]
