from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fathomflow.bootstrap import draw_weights
from fathomflow.figures import Outcome
from fathomflow.slices import read_slices, slice_cases, tabulate_slices
from fathomflow.tables import write_table

CASES = pd.DataFrame(
    {
        "annotation_id": range(1, 26),
        "image_id": [1] * 20 + [2] * 5,
        "width": [10.0] * 24 + [400.0],
        "height": [40.0] * 25,
        "image_width": 1920,
        "image_height": [1080] * 20 + [720] * 5,
    }
)
IMAGES = pd.DataFrame(
    {"image_id": [1, 2], "uri": ["https://x.org/f/Doc%20Ricketts/images/772/a.png", "https://x.org/f/scene.png"]}
)
MANIFEST = pd.DataFrame({"image_id": [1, 2], "mode": ["RGB", "RGBA"]})


def test_slices_by_hand(tmp_path: Path) -> None:
    truth = np.zeros(25, dtype=np.int64)
    predicted = np.array([0] * 15 + [1] * 10, dtype=np.int64)
    image = (CASES["image_id"] - 1).to_numpy(dtype=np.int64)
    outcome = Outcome(truth, predicted, image, np.array([[0, 4], [4, 0.0]]), np.full(25, np.nan), {})
    members = slice_cases(CASES, IMAGES, MANIFEST)
    table = tabulate_slices(members, outcome, CASES["image_id"].to_numpy(), draw_weights(2, 100, 1))
    write_table(table, tmp_path / "s.csv", key=None)
    rows = read_slices(tmp_path / "s.csv").set_index(["slice", "value"])
    assert list(rows.index) == [
        ("box size", "below 32 px"),
        ("box size", "96 to 288 px"),
        ("image size", "1920 × 1080"),
        ("image size", "1920 × 720"),
        ("vehicle", "Doc Ricketts"),
        ("dive", "Doc Ricketts 772"),
        ("colour mode", "RGB"),
        ("colour mode", "RGBA"),
    ]
    ricketts = rows.loc[("vehicle", "Doc Ricketts")]
    assert ricketts[["n", "images", "accuracy", "mean_distance"]].tolist() == [20, 1, 0.75, 1.0]
    assert not ricketts["few"]
    assert rows.loc[("colour mode", "RGBA"), ["n", "accuracy", "few"]].tolist() == [5, 0.0, True]
    assert rows["n"].groupby("slice").sum()["box size"] == 25


def test_without_addresses_and_manifest_there_are_only_sizes() -> None:
    assert list(slice_cases(CASES, None, None).columns) == ["box size", "image size"]


@pytest.mark.parametrize(("side", "name"), [(31.9, "below 32 px"), (32, "32 to 96 px"), (288, "288 px and more")])
def test_box_sizes(side: float, name: str) -> None:
    case = CASES.head(1).assign(width=side, height=side)
    assert slice_cases(case, None, None)["box size"].tolist() == [name]
