from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from fathomflow.bootstrap import draw_weights
from fathomflow.figures import Outcome, calibration_error, compute_figures, count_classes


def outcome(truth: list[int], predicted: list[int], classes: int, **changes: object) -> Outcome:
    n = len(truth)
    values = {
        "truth": np.array(truth, dtype=np.int64),
        "predicted": np.array(predicted, dtype=np.int64),
        "image": np.arange(n),
        "distance": np.ones((classes, classes)) - np.eye(classes),
        "score": np.full(n, np.nan),
        "hits": {},
    }
    return Outcome(**(values | changes))  # type: ignore[arg-type]


def test_every_figure_equals_scikit_learn() -> None:
    random = np.random.default_rng(5)
    truth, predicted = random.integers(0, 6, 200), random.integers(0, 8, 200)
    weights = np.ones((1, 200))
    found = {k: v[0] for k, v in compute_figures(outcome(list(truth), list(predicted), 9), {}, weights).items()}
    nan = float("nan")
    expected = {"accuracy": sk.accuracy_score(truth, predicted)}
    for average in ("macro", "weighted"):
        precision, recall, f1, _ = sk.precision_recall_fscore_support(
            truth, predicted, average=average, zero_division=nan
        )
        expected |= {f"{average}_precision": precision, f"{average}_recall": recall, f"{average}_f1": f1}
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        expected["balanced_accuracy"] = sk.balanced_accuracy_score(truth, predicted)
    assert {key: found[key] for key in expected} == pytest.approx(expected)


def test_replicates_equal_scikit_learn_on_repeated_boxes() -> None:
    random = np.random.default_rng(6)
    image = np.sort(random.integers(0, 20, 60))
    truth, predicted = random.integers(0, 4, 60), random.integers(0, 4, 60)
    weights = draw_weights(20, 5, seed=9)
    found = compute_figures(outcome(list(truth), list(predicted), 4, image=image), {}, weights)
    for row in range(6):
        drawn = np.repeat(np.arange(60), weights[row, image].astype(int))
        nan = float("nan")
        expected = sk.f1_score(truth[drawn], predicted[drawn], average="macro", zero_division=nan)
        assert found["macro_f1"][row] == pytest.approx(expected)


def test_what_is_undefined_is_left_out_and_never_0() -> None:
    # Class 0: 2 labels, found once; class 1: 1 label, never predicted; class 2: predicted, no label; class 3: absent.
    case = outcome([0, 0, 1], [0, 2, 0], 4)
    counts = count_classes(case, np.ones((1, 3)))
    nan = float("nan")
    assert counts.precision[0].tolist() == pytest.approx([1 / 2, nan, 0, nan], nan_ok=True)
    assert counts.recall[0].tolist() == pytest.approx([1 / 2, 0, nan, nan], nan_ok=True)
    assert counts.f1[0].tolist() == pytest.approx([1 / 2, 0, 0, nan], nan_ok=True)
    figures = compute_figures(case, {}, np.ones((1, 3)))
    assert figures["macro_precision"][0] == pytest.approx((1 / 2 + 0) / 2)
    assert figures["macro_recall"][0] == pytest.approx((1 / 2 + 0) / 2)
    assert figures["macro_f1"][0] == pytest.approx((1 / 2 + 0 + 0) / 3)


def test_no_boxes_leave_every_figure_undefined() -> None:
    figures = compute_figures(outcome([], [], 2), {}, np.ones((3, 0)))
    assert all(np.isnan(samples).all() for samples in figures.values())


def test_maps_and_distances_by_hand() -> None:
    distance = np.array([[0, 2, 12], [2, 0, 12], [12, 12, 0.0]])
    case = outcome([0, 0, 1, 2], [0, 1, 0, 0], 3, distance=distance)
    figures = compute_figures(case, {"family": np.array([7, 7, 9])}, np.ones((1, 4)))
    assert figures["mean_distance"][0] == pytest.approx((0 + 2 + 2 + 12) / 4)
    assert figures["accuracy_at_family"][0] == pytest.approx(3 / 4)


def test_calibration_error_by_hand() -> None:
    # Bins of width 1/15. Two boxes at 0.9 (one right), two at 0.1 (both wrong): (|0.5 - 0.9| + |0 - 0.1|) / 2.
    score = np.array([0.9, 0.9, 0.1, 0.1])
    case = outcome([0, 0, 0, 0], [0, 1, 1, 1], 2, score=score)
    assert calibration_error(case, np.ones((1, 4)))[0] == pytest.approx(0.25)
    assert "calibration_error" in compute_figures(case, {}, np.ones((1, 4)))
    score[0] = np.nan
    assert "calibration_error" not in compute_figures(case, {}, np.ones((1, 4)))
