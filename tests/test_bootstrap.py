from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathomflow.bootstrap import differences, divide, draw_weights, interval, sum_by_class, sum_by_image, summarise


def test_the_first_row_is_the_sample_and_every_row_draws_as_many_images() -> None:
    weights = draw_weights(7, 50, seed=3)
    assert weights.shape == (51, 7)
    assert (weights[0] == 1).all()
    assert (weights.sum(axis=1) == 7).all()
    assert len(np.unique(weights[1:], axis=0)) > 40


def test_equal_seeds_give_equal_draws() -> None:
    assert np.array_equal(draw_weights(5, 20, 1), draw_weights(5, 20, 1))
    assert not np.array_equal(draw_weights(5, 20, 1), draw_weights(5, 20, 2))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 2), st.floats(-5, 5)), max_size=30))
def test_sums_equal_a_loop_over_boxes(boxes: list[tuple[int, int, float]]) -> None:
    weights = draw_weights(4, 3, seed=0)
    image = np.array([box[0] for box in boxes], dtype=np.int64)
    code = np.array([box[1] for box in boxes], dtype=np.int64)
    value = np.array([box[2] for box in boxes], dtype=float)
    by_image = sum_by_image(image, value[:, None], weights)
    by_class = sum_by_class(image, code, value, 3, weights)
    for row in range(4):
        assert by_image[row, 0] == pytest.approx(sum(weights[row, i] * v for i, _, v in boxes))
        for k in range(3):
            assert by_class[row, k] == pytest.approx(sum(weights[row, i] * v for i, c, v in boxes if c == k))


def test_a_division_by_zero_is_undefined() -> None:
    assert np.isnan(divide(np.array([0.0, 1.0]), np.array([0.0, 0.0]))).all()


def test_an_interval_leaves_out_undefined_replicates() -> None:
    values = np.array([5.0, *np.linspace(0, 100, 101), np.nan])
    assert interval(values) == pytest.approx((2.5, 97.5))
    undefined = summarise(np.array([np.nan, 1.0]), 3)
    assert undefined == {"value": None, "low": None, "high": None, "n": 3}


def test_the_interval_of_a_mean_matches_its_standard_error() -> None:
    # 400 images of one box each, half of them right: the standard error is sqrt(.25 / 400) = 0.025.
    weights = draw_weights(400, 2000, seed=1)
    right = np.arange(400) % 2
    sums = sum_by_image(np.arange(400), np.column_stack([right, np.ones(400)]).astype(float), weights)
    low, high = interval(sums[:, 0] / sums[:, 1])
    assert (low, high) == pytest.approx((0.5 - 1.96 * 0.025, 0.5 + 1.96 * 0.025), abs=0.006)


def test_a_paired_difference_is_narrower_than_the_figures() -> None:
    weights = draw_weights(100, 500, seed=1)
    image = np.arange(100)
    first = (np.arange(100) % 3 == 0).astype(float)
    second = first.copy()
    second[1] = 1
    figures = [sum_by_image(image, column[:, None], weights)[:, 0] / 100 for column in (first, second)]
    low, high = interval(differences({"a": figures[0]}, {"a": figures[1]})["a"])
    assert 0 <= low <= 0.01 <= high <= 0.04
