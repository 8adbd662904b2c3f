"""Saved views and the workspace in which a review starts."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
from fiftyone import ViewField as F

from fathomflow.curation.names import LABEL_CORRECTED, LABELS, VERDICTS, evaluation_key, field_of
from fathomflow.curation.source import Judged
from fathomflow.relations import ANCESTOR, DESCENDANT, NESTED

#: Confusion pairs that get a view of their own, per model and split.
PAIRS = 10
WORKSPACE = "review"
DECIDED, CORRECTED = "decided in FiftyOne", "corrected labels"


@dataclass(frozen=True)
class Selection:
    """A saved view in words that compare: which split and model, and which boxes of them.

    Attributes
    ----------
    what
        ``errors``, ``pair``, ``lineage`` or ``suspicions``.
    names
        Label and prediction of a pair.
    boxes
        annotation_ids of suspicions.
    """

    split: str
    model: str
    what: str
    names: tuple[str, ...] = ()
    boxes: tuple[int, ...] = ()
    description: str = ""


def list_selections(judged: Mapping[str, Mapping[str, Judged]]) -> dict[str, Selection]:
    """Return the saved views of a study, name → selection, in the order in which they are shown.

    Parameters
    ----------
    judged
        Model → split → what is held of its predictions.
    """
    found = {}
    for model, splits in judged.items():
        for split, one in splits.items():
            if one.metrics is None:
                continue
            start = f"{split}, {model}: "
            found[f"{start}potential label errors"] = Selection(
                split, model, "errors", description="Label and prediction differ; in the order of the report."
            )
            for number, (label, name, n) in enumerate(one.confusion[:PAIRS], start=1):
                found[f"{start}pair {number:02d}, {label} as {name}"] = Selection(
                    split, model, "pair", (label, name), description=f"{n} boxes labelled {label}, predicted {name}."
                )
            found[f"{start}same lineage"] = Selection(
                split, model, "lineage", description="The prediction is an ancestor or a descendant of the label."
            )
            if one.suspicions:
                found[f"{start}suspicions"] = Selection(
                    split,
                    model,
                    "suspicions",
                    boxes=tuple(one.suspicions),
                    description="Labels and boxes that look wrong whatever the model says.",
                )
    return found


def make_view(dataset: Any, selection: Selection, pairs: Any | None = None) -> Any:
    """Return the view that a selection describes: one patch per box, its label and the prediction together.

    `pairs` is what `disagreeing` gave for the selection's split and model, where the caller has it.
    """
    if selection.what == "suspicions":
        boxes = F("annotation_id").is_in(list(selection.boxes))
        return dataset.match_tags(selection.split).filter_labels(LABELS, boxes).to_patches(LABELS)
    field = field_of(selection.model)
    view = pairs if pairs is not None else disagreeing(dataset, selection.split, selection.model)
    if selection.what == "pair":
        label, name = selection.names
        view = view.match(F(f"{field}.detections.study_label").contains(label))
        view = view.match(F(f"{field}.detections.label").contains(name))
    elif selection.what == "lineage":
        view = view.match(F(f"{field}.detections.kind").contains([ANCESTOR, DESCENDANT, NESTED]))
    # The order of the report: the surest first, then the farthest. A label that changes moves no other box.
    order = (("confidence", -1), ("distance", -1), ("annotation_id", 1))
    return view.sort_by([(f"{field}.detections.{name}", direction) for name, direction in order])


def disagreeing(dataset: Any, split: str, model: str) -> Any:
    """Return one patch for each box whose label and prediction differ, with both of them."""
    field, key = field_of(model), evaluation_key(split, model)
    wrong = F("correct") == False  # noqa: E712 (an expression for the database)
    view = dataset.match_tags(split).filter_labels(field, wrong).filter_labels(LABELS, F(key) == "fn")
    return view.to_evaluation_patches(key)


def save_views(dataset: Any, selections: Mapping[str, Selection], before: Mapping[str, Any]) -> dict[str, Any]:
    """Save the views that are new or changed, delete those that are no more; people's own views stay.

    Parameters
    ----------
    before
        What this function returned the last time.

    Returns
    -------
    dict
        Name → selection as plain values, for the next time.
    """
    wanted: dict[str, Any] = {name: list(vars(selection).values()) for name, selection in selections.items()}
    wanted = {name: [list(part) if isinstance(part, tuple) else part for part in row] for name, row in wanted.items()}
    present = set(dataset.list_saved_views())
    for name in sorted(before.keys() - wanted.keys()):
        if name in present:
            dataset.delete_saved_view(name)
    # FiftyOne cuts the patches when a view is made: once for all views of a model is enough.
    pairs: dict[tuple[str, str], Any] = {}
    for name, selection in selections.items():
        if name not in present or before.get(name) != wanted[name]:
            of = (selection.split, selection.model)
            if selection.what != "suspicions" and of not in pairs:
                pairs[of] = disagreeing(dataset, *of)
            view = make_view(dataset, selection, pairs.get(of))
            dataset.save_view(name, view, description=selection.description, overwrite=True)
    _forget_patches(dataset, wanted)
    for name, tags, description in (
        (DECIDED, list(VERDICTS), "Boxes that someone tagged; `make corrections` turns them into a file."),
        (CORRECTED, [LABEL_CORRECTED], "Boxes whose published label a corrections file replaced."),
    ):
        if name not in present:
            dataset.save_view(name, dataset.select_labels(tags=tags), description=description)
    if WORKSPACE not in dataset.list_workspaces():
        dataset.save_workspace(WORKSPACE, _review_space(), description="Boxes beside the figures of the models.")
    return wanted


def _forget_patches(dataset: Any, names: Collection[str]) -> None:
    """Have saved views cut their patches when they are opened next.

    FiftyOne remembers in a saved view which patches it has, and shows those as long as they exist, whatever changes.
    """
    for document in dataset._doc.get_saved_views():
        if document.name in names:
            stages = [json.loads(stage) for stage in document.view_stages]
            for stage in stages:
                stage["kwargs"] = [[name, None if name == "_state" else value] for name, value in stage["kwargs"]]
            forgotten = [json.dumps(stage) for stage in stages]
            if forgotten != document.view_stages:
                document.view_stages = forgotten
                document.save()


def _review_space() -> Any:
    panels = [fo.Panel(type="Samples", pinned=True), fo.Panel(type="model_evaluation_panel_builtin")]
    spaces = [fo.Space(children=[panel], active_child=panel.component_id) for panel in panels]
    return fo.Space(children=spaces, orientation="horizontal")


def first_view(dataset: Any) -> str | None:
    """Return the saved view that a review starts with."""
    return next((name for name in dataset.list_saved_views() if name.endswith("potential label errors")), None)
