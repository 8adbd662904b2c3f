from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation_case import LINEAGES
from fathomflow.relations import index_lineages
from fathomflow.suspicions import find_suspicions, overlapping_pairs, read_suspicions
from fathomflow.tables import write_table

TREE = index_lineages(pd.read_csv(io.StringIO(LINEAGES), keep_default_na=False))


def cases(*rows: tuple[int, int, float, float, float, float, str, str]) -> pd.DataFrame:
    columns = ["annotation_id", "image_id", "x", "y", "width", "height", "label", "flags"]
    return pd.DataFrame(list(rows), columns=columns).assign(file_name="a.png")


def test_overlap_by_hand() -> None:
    # 10 x 10 beside 10 x 10, shifted by 2: 80 shared of 120.
    found = overlapping_pairs(cases((1, 1, 0, 0, 10, 10, "", ""), (2, 1, 2, 0, 10, 10, "", "")), 0.5)
    assert found.to_dict("records") == [{"annotation_id": 1, "other_annotation_id": 2, "iou": pytest.approx(2 / 3)}]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), *[st.integers(0, 6)] * 2, *[st.integers(1, 6)] * 2), max_size=12))
def test_pairs_equal_counted_pixels(boxes: list[tuple[int, int, int, int, int]]) -> None:
    rows = [(i + 1, image, x, y, w, h, "", "") for i, (image, x, y, w, h) in enumerate(boxes)]
    found = overlapping_pairs(cases(*rows), 0.3).set_index(["annotation_id", "other_annotation_id"])["iou"].to_dict()
    expected = {}
    for i, (image, x, y, w, h) in enumerate(boxes):
        for j, (image_2, x_2, y_2, w_2, h_2) in enumerate(boxes[i + 1 :], start=i + 1):
            first, second = np.zeros((12, 12), dtype=bool), np.zeros((12, 12), dtype=bool)
            first[y : y + h, x : x + w] = second[y_2 : y_2 + h_2, x_2 : x_2 + w_2] = True
            iou = (first & second).sum() / (first | second).sum()
            if image == image_2 and iou > 0.3:
                expected[i + 1, j + 1] = iou
    assert found == pytest.approx(expected)


def test_each_kind_of_suspicion(tmp_path) -> None:
    table = cases(
        (1, 1, 0, 0, 100, 100, "Decapoda", ""),
        (2, 1, 1, 0, 100, 100, "Decapoda", ""),
        (3, 1, 10, 0, 100, 100, "Pandalus amplus", ""),
        (4, 1, 0, 0, 100, 100, "Porifera", ""),
        (5, 2, 0, 0, 100, 100, "Decapoda", "outside"),
        (6, 2, 0, 0, 100, 100, "", ""),
        (7, 2, 0, 0, 50, 50, "Caridea", "clipped"),
    )
    found = find_suspicions(table, TREE, {"Decapoda", "Pandalus amplus", "Porifera"})
    write_table(found, tmp_path / "s.csv", key=None)
    again = read_suspicions(tmp_path / "s.csv")
    assert [tuple(row) for row in again[["kind", "annotation_id", "other_annotation_id"]].to_numpy()] == [
        ("duplicate box", 1, 2),
        ("parent and child on one spot", 1, 3),
        ("parent and child on one spot", 2, 3),
        ("label unknown to the model", 7, 0),
        ("box outside the image", 5, 0),
    ]
    assert again["iou"].iloc[0] == pytest.approx(99 / 101)


def test_nothing_suspicious_gives_an_empty_table(tmp_path) -> None:
    found = find_suspicions(cases((1, 1, 0, 0, 9, 9, "Decapoda", "")), TREE, None)
    write_table(found, tmp_path / "s.csv", key=None)
    assert len(read_suspicions(tmp_path / "s.csv")) == 0
