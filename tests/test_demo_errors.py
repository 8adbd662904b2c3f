"""Planted label errors: as many as asked for, half of them in the family."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fathomflow.demo_errors import plant_errors, truth_table

FAMILIES = {"pig": "pigs", "boar": "pigs", "star": "stars", "urchin": "", "crab": ""}


@given(st.lists(st.sampled_from(sorted(FAMILIES)), min_size=1, max_size=200), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_as_many_errors_as_asked_for_and_every_one_is_wrong(names: list[str], seed: int) -> None:
    truth = dict(enumerate(names, start=1))
    published = plant_errors(np.random.default_rng(seed), truth, FAMILIES, 0.08)
    wrong = [box for box in truth if published[box] != truth[box]]
    assert len(wrong) == max(1, round(0.08 * len(truth)))
    near = [box for box in wrong if FAMILIES[truth[box]] and FAMILIES[published[box]] == FAMILIES[truth[box]]]
    mates = sum(name in ("pig", "boar") for name in names)
    assert len(near) == min((len(wrong) + 1) // 2, mates)
    assert published == plant_errors(np.random.default_rng(seed), truth, FAMILIES, 0.08)


def test_the_truth_names_every_box() -> None:
    table = truth_table({2: "star", 1: "pig"}, {1: "boar", 2: "star"})
    assert table.to_dict("list") == {"annotation_id": [1, 2], "label": ["pig", "star"], "wrong": [True, False]}
