"""Evaluation runs for the App's Model Evaluation panel, joined by annotation id, with the figures of metrics.json."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from fiftyone.utils.eval.coco import COCOEvaluationConfig
from fiftyone.utils.eval.detection import DetectionResults

from fathomflow.curation.database import changing
from fathomflow.curation.fields import declare_run, write_attribute
from fathomflow.curation.names import LABELS, evaluation_key, field_of, label_id
from fathomflow.curation.records import KEY, rows_of
from fathomflow.curation.source import Judged

#: Figures of metrics.json that the panel does not compute itself, and whether less is better.
FIGURES = {
    "macro_precision": False,
    "macro_recall": False,
    "macro_f1": False,
    "balanced_accuracy": False,
    "top3_accuracy": False,
    "top5_accuracy": False,
    "accuracy_at_genus": False,
    "accuracy_at_family": False,
    "accuracy_at_order": False,
    "mean_distance": True,
    "calibration_error": True,
}


def digest_run(judged: Judged) -> str:
    """Return the SHA-256 of what a run shows."""
    rows = sorted(rows_of(judged.table, [*KEY, "study_label", "label", "confidence"]))
    return hashlib.sha256(json.dumps([rows, judged.metrics]).encode()).hexdigest()


def write_run(
    dataset: Any, split: str, model: str, judged: Judged, samples: Mapping[Any, str], changed: Collection[Any] | None
) -> None:
    """Write the evaluation run of a model on a split.

    FiftyOne's own evaluation pairs boxes by overlap and, by default, only within a class, so that a confusion can
    never be seen. Here every prediction is paired with the label of the very same box.

    Parameters
    ----------
    samples
        (split, annotation_id) → sample id.
    changed
        Boxes whose verdict changed; None: the run is written anew.
    """
    key, field = evaluation_key(split, model), field_of(model)
    rows = [row for row in rows_of(judged.table, [*KEY, "study_label", "label", "confidence"]) if row[2] is not None]
    view = dataset.match_tags(split)
    with changing(dataset.name):
        dataset.reload()
        declare_run(dataset, field, key)
        config = COCOEvaluationConfig(field, LABELS, iou=1.0, classwise=False)
        method = config.build()
        if key not in dataset.list_evaluations():
            method.register_run(view, key, cleanup=False)
        matches = [
            (label, name, 1.0, score, label_id(part, box, LABELS), label_id(part, box, field))
            for part, box, label, name, score in rows
        ]
        classes = sorted({name for row in rows for name in row[2:4]})
        results = DetectionResults(view, config, key, matches, classes=classes, custom_metrics=_figures(judged))
        method.save_run_results(view, key, results, cache=False)
    verdicts = {row[:2]: row[2] == row[3] for row in rows}
    _write_counts(dataset, split, key, verdicts, samples)
    if changed is None:
        _write_verdicts(view, field, key, split, verdicts)
    else:
        for boxes, other, wrong in ((LABELS, field, "fn"), (field, LABELS, "fp")):
            values = [(*box, _word(verdicts.get(box), wrong)) for box in changed]
            write_attribute(dataset, boxes, key, values, samples)
            ids = [(*box, label_id(box[0], box[1], other) if box in verdicts else None) for box in changed]
            write_attribute(dataset, boxes, f"{key}_id", ids, samples)


def _word(right: bool | None, wrong: str) -> str | None:
    return None if right is None else "tp" if right else wrong


def _write_verdicts(view: Any, field: str, key: str, split: str, verdicts: Mapping[Any, bool]) -> None:
    for boxes, other, wrong in ((LABELS, field, "fn"), (field, LABELS, "fp")):
        keys = view.values(f"{boxes}.detections.annotation_id")
        words = [[_word(verdicts.get((split, box)), wrong) for box in one or ()] for one in keys]
        ids = [[label_id(split, box, other) if (split, box) in verdicts else None for box in one or ()] for one in keys]
        view.set_values(f"{boxes}.detections.{key}", words, validate=False)
        view.set_values(f"{boxes}.detections.{key}_id", ids, validate=False)


def _write_counts(dataset: Any, split: str, key: str, verdicts: Mapping[Any, bool], samples: Mapping[Any, str]) -> None:
    right = Counter(samples[box] for box, same in verdicts.items() if same and box in samples)
    wrong = Counter(samples[box] for box, same in verdicts.items() if not same and box in samples)
    view = dataset.match_tags(split)
    ids = view.values("id")
    for name, counts in (("tp", right), ("fp", wrong), ("fn", wrong)):
        before = view.values(f"{key}_{name}")
        values = {sample: counts[sample] for sample, old in zip(ids, before, strict=True) if old != counts[sample]}
        if values:
            dataset.set_values(f"{key}_{name}", values, key_field="id", validate=False)


def _figures(judged: Judged) -> dict[str, dict[str, Any]]:
    found = (judged.metrics or {}).get("corrected", {})
    return {
        f"fathomflow/{name}": {
            "key": name,
            "label": name.replace("_", " "),
            "value": found[name]["value"],
            "lower_is_better": less,
        }
        for name, less in FIGURES.items()
        if found.get(name, {}).get("value") is not None
    }
