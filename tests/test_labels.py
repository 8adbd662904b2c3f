"""Labels: as published and as corrected."""

from pathlib import Path

import pandas as pd
import pytest

from fathomflow.corrections import Change
from fathomflow.errors import InputError
from fathomflow.labels import check_published, correct_labels, read_label_table

LABELS = pd.DataFrame({"annotation_id": [1, 2, 3], "label": ["a", "b", "a"]})


def change(box: int, old: str, new: str, order: int = 1) -> Change:
    return Change(box, order, "c.csv", 2, old, new, "seen", "someone", "2026-01-31")


def test_corrections_are_applied_and_recorded() -> None:
    found = correct_labels(LABELS, [change(2, "b", "a"), change(4, "", "b")])
    assert found.to_dict("records") == [
        {"annotation_id": 1, "label": "a", "published_label": "a", "corrected": False, "reason": ""},
        {"annotation_id": 2, "label": "a", "published_label": "b", "corrected": True, "reason": "seen"},
        {"annotation_id": 3, "label": "a", "published_label": "a", "corrected": False, "reason": ""},
        {"annotation_id": 4, "label": "b", "published_label": "", "corrected": True, "reason": "seen"},
    ]


def test_a_label_that_came_back_is_not_corrected() -> None:
    found = correct_labels(LABELS, [change(2, "b", "a"), change(2, "a", "b", order=2)])
    assert not found["corrected"].any()
    assert found["reason"].eq("").all()


def test_published_labels_must_be_categories() -> None:
    with pytest.raises(InputError, match=r"annotation_id 1: 'a' is not among the 1 categories.*\(2 boxes\)"):
        check_published(LABELS, ["b"])


def test_a_label_table_of_its_own(tmp_path: Path) -> None:
    regions, labels = tmp_path / "regions.csv", tmp_path / "labels.csv"
    regions.write_text("annotation_id\n1\n2\n3\n")
    labels.write_text("image_id,annotation_id,label\n5,1,a\n5,2,\n")
    assert read_label_table(labels, regions).to_dict("records") == [{"annotation_id": 1, "label": "a"}]
    labels.write_text("annotation_id,label\n1,a\n9,b\n")
    with pytest.raises(InputError, match="row 3: annotation_id 9 is no box of this split"):
        read_label_table(labels, regions)
