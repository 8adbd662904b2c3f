"""What people decided in FiftyOne, as corrections, verdicts and conflicts: files that others can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fathomflow.corrections import COLUMNS, nearest
from fathomflow.curation.names import LABEL_ERROR, UNCLEAR

VERDICT_COLUMNS = ["annotation_id", "verdict", "model", "label", "prediction", "reason", "reviewer", "date"]
CONFLICT_COLUMNS = ["annotation_id", "label", "decided", "problem"]


@dataclass(frozen=True)
class Export:
    """What goes into files, each sorted by annotation_id.

    Attributes
    ----------
    corrections
        `corrections.COLUMNS`: the rows that were there, and the new ones.
    verdicts
        `VERDICT_COLUMNS`: every tag, also those that name no new label.
    conflicts
        `CONFLICT_COLUMNS`: decisions that became no correction, and why.
    added
        Number of new corrections.
    """

    corrections: pd.DataFrame
    verdicts: pd.DataFrame
    conflicts: pd.DataFrame
    added: int


def merge_files(files: Sequence[tuple[str, pd.DataFrame]]) -> dict[int, dict[str, str]]:
    """Merge corrections files in their order into one row per box: from its published label to its last one.

    Returns
    -------
    dict
        annotation_id → `corrections.COLUMNS` and ``file``, the file that had the last word.
    """
    merged: dict[int, dict[str, str]] = {}
    for name, table in files:
        for row in table.to_dict("records"):
            key = int(row["annotation_id"])
            first = merged.get(key, row)["old_label"]
            merged[key] = {**{column: str(row[column]) for column in COLUMNS}, "old_label": first, "file": name}
    return merged


def export_decisions(
    decisions: pd.DataFrame,
    labels: pd.DataFrame,
    files: Sequence[tuple[str, pd.DataFrame]],
    categories: Sequence[str],
    reviewer: str,
) -> Export:
    """Turn decisions on one split into a corrections file that keeps everything decided elsewhere.

    A changed label is a correction to it; the tag ``label_error`` on a prediction is a correction to that prediction.
    Where a box has another correction already, that one stays and the decision is listed as a conflict.

    Parameters
    ----------
    decisions
        What `content.read_decisions` gave, for one split.
    labels
        annotation_id, published_label and study_label of the split's boxes.
    files
        Name and content of the corrections files that the study has, in their order.
    categories
        The known labels.
    reviewer
        Who decided, where the box does not say.
    """
    before = merge_files(files)
    known = {
        key: (published or "", study or "")
        for key, published, study in zip(
            *(labels[name] for name in ("annotation_id", "published_label", "study_label")), strict=True
        )
    }
    added: list[dict[str, Any]] = []
    verdicts: list[dict[str, Any]] = []
    conflicts: list[dict[str, Any]] = []
    for row in decisions.to_dict("records"):
        key = row["annotation_id"]
        published, study = known[key]
        who, reason = row["reviewer"] or reviewer, row["reason"] or ""
        signed = {"reason": reason, "reviewer": who, "date": row["decided"]}
        verdicts += [{"annotation_id": key, "label": study, **signed, **verdict} for verdict in _verdicts(row)]
        proposals = _proposals(row)
        if not proposals:
            continue
        name = next(iter(proposals))
        problem = _problem(row, proposals, before.get(key), study, published, categories)
        if problem:
            conflicts.append(
                {"annotation_id": key, "label": study, "decided": " / ".join(proposals), "problem": problem}
            )
        elif key not in before and name != published:
            change = {"annotation_id": key, "old_label": published, "new_label": name}
            added.append({**change, **signed, "reason": reason or proposals[name]})
    kept = [{**row, "annotation_id": key} for key, row in before.items() if row["old_label"] != row["new_label"]]
    return Export(
        corrections=_sorted([*kept, *added], list(COLUMNS)),
        verdicts=_sorted(verdicts, VERDICT_COLUMNS),
        conflicts=_sorted(conflicts, CONFLICT_COLUMNS),
        added=len(added),
    )


def _proposals(row: Mapping[Any, Any]) -> dict[str, str]:
    """Return proposed label → where it comes from."""
    found = {row["label"]: "label changed in FiftyOne"} if row["label"] is not None else {}
    for model, (name, tags) in sorted(row["prediction_tags"].items()):
        if LABEL_ERROR in tags:
            found.setdefault(name, f"prediction of {model} accepted in FiftyOne")
    return found


def _problem(
    row: Mapping[Any, Any],
    proposals: Mapping[str, str],
    before: Mapping[str, str] | None,
    study: str,
    published: str,
    categories: Sequence[str],
) -> str:
    name = next(iter(proposals))
    if len(proposals) > 1:
        return "several labels are proposed; keep one"
    if name not in categories:
        return f"{name!r} is not among the {len(categories)} categories{nearest(name, categories)}"
    if UNCLEAR in row["tags"]:
        return "tagged unclear as well; remove the tag or the change"
    if before is not None and before["new_label"] != name:
        return f"corrected to {before['new_label']!r} in {before['file']}, which stays; change it there"
    if before is None and study != published:
        return f"the dataset still has {study!r} for it; run `snakemake fiftyone` and look again"
    return ""


def _verdicts(row: Mapping[Any, Any]) -> list[dict[str, str]]:
    own = [{"verdict": tag, "model": "", "prediction": ""} for tag in row["tags"]]
    return own + [
        {"verdict": tag, "model": model, "prediction": name}
        for model, (name, tags) in sorted(row["prediction_tags"].items())
        for tag in tags
    ]


def _sorted(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    table = pd.DataFrame([{name: row[name] for name in columns} for row in rows], columns=list(columns))
    keys = [name for name in ("annotation_id", "verdict", "model") if name in columns]
    return table.sort_values(keys, kind="stable", ignore_index=True)
