"""Corrections files: every problem at once or all applied; several files in order."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathomflow.coco_export import relabel
from fathomflow.corrections import (
    COLUMNS,
    audit_table,
    follow_corrections,
    merge_audit,
    read_audit,
    read_corrections,
)
from fathomflow.errors import InputError
from fathomflow.tables import write_table

SCRIPT = Path(__file__).parents[1] / "scripts" / "apply_corrections.py"
PUBLISHED = {1: "a", 2: "b", 3: "a"}
BOXES = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
CATEGORIES = ["a", "b", "Pandalus amplus"]


def table(*rows: str) -> pd.DataFrame:
    return pd.DataFrame([row.split(",") for row in rows], columns=list(COLUMNS), dtype=str)


def test_ten_mistakes_give_ten_lines_and_nothing_is_applied(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("annotation_id,label\n1,a\n2,b\n3,a\n5,a\n6,a\n7,a\n8,a\n9,a\n10,a\n11,a\n")
    (tmp_path / "regions.csv").write_text("annotation_id\n" + "".join(f"{box}\n" for box in sorted(BOXES)))
    (tmp_path / "lineages.csv").write_text("category\na\nb\nPandalus amplus\n")
    mistakes = [
        ("one,a,b,r,me,2026-01-31", "row 2: annotation_id is 'one', not a whole number"),
        ("99,a,b,r,me,2026-01-31", "row 3: annotation_id 99: no box of this split has this number"),
        (
            "2,a,Pandalus amplus,r,me,2026-01-31",
            "row 4: annotation_id 2: old_label is 'a', but the published label is 'b'",
        ),
        (
            "3,a,Pandalus amplis,r,me,2026-01-31",
            "row 5: annotation_id 3: new_label 'Pandalus amplis' is not among the 3 categories; "
            "did you mean 'Pandalus amplus'?",
        ),
        ("5,a,,r,me,2026-01-31", "row 6: annotation_id 5: new_label is empty"),
        ("6,a,a,r,me,2026-01-31", "row 7: annotation_id 6: old_label and new_label are both 'a'"),
        ("7,a,b,,me,2026-01-31", "row 8: annotation_id 7: reason is empty"),
        ("8,a,b,r,,2026-01-31", "row 9: annotation_id 8: reviewer is empty"),
        ("9,a,b,r,me,31.01.2026", "row 10: annotation_id 9: date is '31.01.2026'"),
        ("9,a,Pandalus amplus,r,me,2026-01-31", "row 11: annotation_id 9: corrected in row 10 already"),
    ]  # fmt: skip
    rows = [",".join(COLUMNS), *(row for row, _ in mistakes), "1,a,b,right,me,2026-01-31"]
    (tmp_path / "corrections.csv").write_text("\n".join(rows) + "\n")
    command = [sys.executable, str(SCRIPT), "--corrections", "corrections.csv"]
    for name in ("labels", "regions", "lineages"):
        command += [f"--{name}", f"{name}.csv"]
    command += ["--output", "out.csv", "--audit", "audit.csv"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    lines = done.stderr.splitlines()
    assert done.returncode == 2
    assert len(lines) == 10
    for line, (_, message) in zip(lines, mistakes, strict=True):
        assert line.startswith(f"error: corrections.csv: {message}")
    assert not (tmp_path / "out.csv").exists()
    assert not (tmp_path / "audit.csv").exists()


@pytest.mark.parametrize("date", ["2026-02-30", "20260131", "2026-W05-1", "", "2026-1-3"])
def test_bad_dates(date: str) -> None:
    with pytest.raises(InputError, match="not a date such as 2026-01-31") as caught:
        follow_corrections([("c.csv", table(f"1,a,b,r,me,{date}"))], PUBLISHED, BOXES, CATEGORIES)
    assert len(caught.value.problems) == 1


def test_a_later_file_corrects_what_the_earlier_left(tmp_path: Path) -> None:
    first = table("1,a,b,r1,me,2026-01-31", "2,b,a,r2,me,2026-01-31")
    second = table("1,b,Pandalus amplus,r3,you,2026-02-01", "2,a,b,back,you,2026-02-01", "4,,a,new,you,2026-02-01")
    changes = follow_corrections([("one.csv", first), ("two.csv", second)], PUBLISHED, BOXES, CATEGORIES)
    audit = audit_table(changes)
    assert audit[["annotation_id", "order", "file", "row"]].to_numpy().tolist() == [
        [1, 1, "one.csv", 2],
        [1, 2, "two.csv", 2],
        [2, 1, "one.csv", 3],
        [2, 2, "two.csv", 3],
        [4, 2, "two.csv", 4],
    ]
    write_table(audit, tmp_path / "audit.csv", key=None)
    merged = merge_audit(read_audit(tmp_path / "audit.csv"))
    assert merged.to_numpy().tolist() == [
        [1, "a", "Pandalus amplus", "r3", "you", "2026-02-01"],
        [4, "", "a", "new", "you", "2026-02-01"],
    ]


def test_the_order_of_files_counts() -> None:
    first, second = table("1,a,b,r,me,2026-01-31"), table("1,b,a,r,me,2026-01-31")
    with pytest.raises(
        InputError, match=r"two\.csv: row 2: annotation_id 1: old_label is 'b', but the published label is 'a'"
    ):
        follow_corrections([("two.csv", second), ("one.csv", first)], PUBLISHED, BOXES, CATEGORIES)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([1, 2, 3, 4]), st.sampled_from(CATEGORIES), max_size=4))
def test_one_merged_file_does_what_several_did(wanted: dict[int, str]) -> None:
    rows = [f"{box},{PUBLISHED.get(box, '')},{new},r,me,2026-01-31" for box, new in wanted.items()]
    valid = [row for row in rows if row.split(",")[1] != row.split(",")[2]]
    changes = follow_corrections(
        [(f"{i}.csv", table(row)) for i, row in enumerate(valid)], PUBLISHED, BOXES, CATEGORIES
    )
    again = follow_corrections([("all", merge_audit(audit_table(changes)).astype(str))], PUBLISHED, BOXES, CATEGORIES)
    assert {change.annotation_id: change.new_label for change in again} == {
        change.annotation_id: change.new_label for change in changes
    }


def test_spaces_around_cells_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("annotation_id,old_label,new_label,reason,reviewer,date\n 1 , a, b ,r,me, 2026-01-31\n")
    assert len(follow_corrections([("c", read_corrections(path))], PUBLISHED, BOXES, CATEGORIES)) == 1


def test_coco_with_corrected_labels_keeps_everything_else() -> None:
    content = {
        "info": {"description": "survey"},
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "extra": "kept"},
            {"id": 2, "image_id": 1, "category_id": None, "bbox": [0, 0, 2, 2]},
            {"id": 3, "image_id": 1, "category_id": 2, "bbox": [0, 0, 2, 2]},
        ],
        "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
    }
    before = json.dumps(content)
    found = relabel(content, {1: "b", 2: "c"}, {"a": 1, "b": 2, "c": 7})
    assert [entry["category_id"] for entry in found["annotations"]] == [2, 7, 2]
    assert found["annotations"][0]["extra"] == "kept"
    assert found["categories"][2:] == [{"id": 7, "name": "c", "supercategory": ""}]
    assert json.dumps(content) == before
