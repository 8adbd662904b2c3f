"""Corrections of labels: read, checked as a whole, followed through several files."""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd

from fathomflow.errors import InputError
from fathomflow.tables import read_table

COLUMNS = ("annotation_id", "old_label", "new_label", "reason", "reviewer", "date")


@dataclass(frozen=True)
class Change:
    """One applied correction: a row of the audit table.

    `order` counts the corrections files from 1, `row` is the row in `file` (the header is row 1).
    """

    annotation_id: int
    order: int
    file: str
    row: int
    old_label: str
    new_label: str
    reason: str
    reviewer: str
    date: str


def read_corrections(path: Path) -> pd.DataFrame:
    """Read a corrections file as text, cell by cell; what the cells say is checked later, all at once."""
    table = read_table(path, dict.fromkeys(COLUMNS, str))
    for name in COLUMNS:
        table[name] = table[name].str.strip()
    return table


def follow_corrections(
    files: Sequence[tuple[str, pd.DataFrame]],
    published: Mapping[int, str],
    boxes: Collection[int],
    categories: Sequence[str],
) -> list[Change]:
    """Check corrections files in their order and list the changes that they make.

    A later file corrects what the earlier ones left: its old_label is the label after them. Within one file a box
    may stand once.

    Parameters
    ----------
    files
        Name and content (`COLUMNS`, all text) of each file, in the order in which they apply.
    published
        Published label by annotation_id; an unlabelled box has none, and its old_label is empty.
    boxes
        annotation_ids of the split.
    categories
        The known labels.

    Returns
    -------
    list of Change
        In the order of application.

    Raises
    ------
    InputError
        With every problem of every file, one line each, and nothing applied.
    """
    current = dict(published)
    known, allowed = set(categories), set(boxes)
    problems: list[str] = []
    changes: list[Change] = []
    for order, (name, table) in enumerate(files, start=1):
        rows: dict[int, int] = {}
        for row, entry in enumerate(table[list(COLUMNS)].itertuples(index=False, name=None), start=2):
            text, old, new, reason, reviewer, date = entry
            found = [
                *_box_problems(text, allowed, rows),
                *_text_problems(new, reason, reviewer, date, categories, known),
            ]
            box = int(text) if re.fullmatch(r"\d{1,18}", text) else None
            where = f"{name}: row {row}" if box is None else f"{name}: row {row}: annotation_id {box}"
            if box is not None and box in allowed and box not in rows:
                found += _label_problems(old, new, current.get(box, ""), order)
            if box is not None:
                rows.setdefault(box, row)
            problems += [f"{where}: {problem}" for problem in found]
            if not found and box is not None:
                changes.append(Change(box, order, name, row, old, new, reason, reviewer, date))
                current[box] = new
    if problems:
        raise InputError(*problems)
    return changes


def _box_problems(text: str, boxes: set[int], rows: Mapping[int, int]) -> list[str]:
    if not re.fullmatch(r"\d{1,18}", text):
        return [f"annotation_id is {text!r}, not a whole number; copy it from the report"]
    box = int(text)
    if box in rows:
        return [f"corrected in row {rows[box]} already; keep one of the two"]
    return [] if box in boxes else ["no box of this split has this number; correct it"]


def _label_problems(old: str, new: str, current: str, order: int) -> list[str]:
    if old != current:
        after = "the published label" if order == 1 else "the label after the files before"
        return [f"old_label is {old!r}, but {after} is {current!r}; look at the box again"]
    return [f"old_label and new_label are both {new!r}; delete the row"] if old == new else []


def _text_problems(
    new: str, reason: str, reviewer: str, date: str, categories: Sequence[str], known: set[str]
) -> list[str]:
    problems = []
    if not new:
        problems.append("new_label is empty; name the category")
    elif new not in known:
        problems.append(f"new_label {new!r} is not among the {len(known)} categories{nearest(new, categories)}")
    if not reason:
        problems.append("reason is empty; say why")
    if not reviewer:
        problems.append("reviewer is empty; say who")
    if not _is_date(date):
        problems.append(f"date is {date!r}, not a date such as 2026-01-31")
    return problems


def _is_date(text: str) -> bool:
    # fromisoformat alone also takes 20260131 and week dates.
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return False
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def nearest(name: str, names: Sequence[str]) -> str:
    """Say which known name was probably meant, as the end of a message; nothing where none is near."""
    near = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def audit_table(changes: Sequence[Change]) -> pd.DataFrame:
    """Return the changes as a table, by box and then in the order of application."""
    columns = [field.name for field in fields(Change)]
    table = pd.DataFrame([asdict(change) for change in changes], columns=columns)
    return table.sort_values(["annotation_id", "order"], kind="stable", ignore_index=True)


def read_audit(path: Path) -> pd.DataFrame:
    """Read a table that `audit_table` made."""
    kinds: dict[str, type] = {field.name: str for field in fields(Change)}
    return read_table(path, kinds | dict.fromkeys(("annotation_id", "order", "row"), int))


def merge_audit(audit: pd.DataFrame) -> pd.DataFrame:
    """Merge the changes of each box into one correction, from its published label to its last one.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, sorted by annotation_id: a corrections file that does in one step what several files did. A box
        that came back to its published label is left out.
    """
    boxes = audit.groupby("annotation_id", sort=True)
    merged = boxes.last().reset_index().assign(old_label=boxes["old_label"].first().to_numpy())
    return merged.loc[merged["old_label"].ne(merged["new_label"]), list(COLUMNS)].reset_index(drop=True)
