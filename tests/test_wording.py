from __future__ import annotations

import pytest

from fathomflow.report.wording import format_interval, format_value, order_figures, word_figure


@pytest.mark.parametrize(
    ("key", "value", "signed", "text"),
    [
        ("accuracy", 0.7322335, False, "73.2 %"),
        ("accuracy", 0.0084, True, "+0.8 pts"),
        ("accuracy", -0.0084, True, "−0.8 pts"),
        ("accuracy", -0.00001, True, "0.0 pts"),
        ("mean_distance", 1.5545685, False, "1.55"),
        ("mean_distance", -0.06, True, "−0.06"),
        ("mean_distance", None, False, "–"),
    ],
)
def test_figures_are_written_for_people(key: str, value: float | None, signed: bool, text: str) -> None:
    assert format_value(key, value, signed=signed) == text


def test_intervals_name_their_unit_once() -> None:
    assert format_interval("accuracy", 0.6826, 0.778) == "68.3–77.8 %"
    assert format_interval("mean_distance", -0.21, 0.0, signed=True) == "−0.21 to 0.00"
    assert format_interval("accuracy", None, None) == "–"


def test_ranks_come_from_the_root_and_other_maps_last() -> None:
    keys = ["accuracy_at_guild", "accuracy_at_species", "mean_distance", "accuracy_at_kingdom", "accuracy"]
    assert order_figures(keys) == [
        "accuracy",
        "mean_distance",
        "accuracy_at_kingdom",
        "accuracy_at_species",
        "accuracy_at_guild",
    ]
    assert word_figure("accuracy_at_guild").title == "Accuracy under “guild”"
