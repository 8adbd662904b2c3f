from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fathomflow.label_issues import find_label_issues, judge_labels
from fathomflow.probabilities import Probabilities

CLASSES = ("a", "b", "c")


def planted(n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels of which every tenth is wrong, sure probabilities of the truth, and which are wrong."""
    random = np.random.default_rng(1)
    truth = random.integers(0, 3, n)
    labels = truth.copy()
    wrong = np.arange(n) % 10 == 0
    labels[wrong] = (truth[wrong] + 1) % 3
    values = np.full((n, 3), 0.1)
    values[np.arange(n), truth] = 0.8
    return labels, values, wrong


def test_planted_errors_are_found() -> None:
    labels, values, wrong = planted()
    found = find_label_issues(labels, values)
    assert found[wrong].all()
    assert not found[~wrong].any()


def test_classes_without_labels_do_not_matter() -> None:
    labels, values, wrong = planted()
    wider = np.column_stack([np.zeros(len(values)), values])
    assert np.array_equal(find_label_issues(labels + 1, wider), find_label_issues(labels, values))
    assert not find_label_issues(np.zeros(5, dtype=np.int64), np.ones((5, 2)) / 2).any()
    assert wrong.any()


@pytest.mark.parametrize(("seen", "sought"), [(True, False), (False, True), (None, True)])
def test_issues_are_not_sought_where_the_model_saw_the_labels(seen: bool | None, sought: bool) -> None:
    labels, values, wrong = planted()
    boxes = np.arange(1, len(labels) + 1)
    cases = pd.DataFrame({"annotation_id": boxes, "label": [CLASSES[code] for code in labels]})
    cases.loc[5, "label"] = "not known to the model"
    found = judge_labels(cases, Probabilities(CLASSES, boxes, values), seen=seen)
    assert found["label_probability"].iloc[[0, 1]].tolist() == [pytest.approx(0.1), pytest.approx(0.8)]
    assert np.isnan(found["label_probability"].iloc[5])
    assert found["label_issue"].iloc[0] == ("true" if sought else "")
    assert found["label_issue"].iloc[5] == ""
    assert found["label_issue"].eq("true").sum() == (wrong.sum() if sought else 0)


def test_without_probabilities_nothing_is_judged() -> None:
    found = judge_labels(pd.DataFrame({"annotation_id": [1], "label": ["a"]}), None, seen=False)
    assert found["label_issue"].tolist() == [""]
