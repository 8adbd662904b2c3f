"""Whole dives go into folds, and labels are spread over them."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathomflow.errors import InputError
from fathomflow.examples import EXAMPLE_COLUMNS, held_out_regions
from fathomflow.folds import assign_folds
from fathomflow.tables import write_table


def tables(dives: list[str], labels: list[str]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Make one image per dive name given, with two boxes each; labels go round."""
    images = range(1, len(dives) + 1)
    regions = pd.DataFrame([(2 * i + k, i) for i in images for k in (0, 1)], columns=["annotation_id", "image_id"])
    uris = [f"https://example.org/Ventana/images/{dive}/{i}.png" if dive else "" for i, dive in enumerate(dives)]
    given_labels = [labels[row % len(labels)] for row in range(len(regions))]
    return (
        regions,
        pd.DataFrame({"image_id": images, "uri": uris}),
        pd.DataFrame({"annotation_id": regions["annotation_id"], "label": given_labels}),
    )


@given(
    dives=st.lists(st.sampled_from("abcdefgh"), min_size=8, max_size=40),
    folds=st.integers(2, 4),
    seed=st.integers(0, 5),
)
@settings(max_examples=40, deadline=None)
def test_no_dive_is_split_and_every_box_has_one_fold(dives: list[str], folds: int, seed: int) -> None:
    if len(set(dives)) < folds:
        return
    table = assign_folds(*tables(dives, ["A", "B", "C"]), folds=folds, seed=seed)
    assert list(table.columns) == list(EXAMPLE_COLUMNS)
    assert table["annotation_id"].tolist() == sorted(table["annotation_id"])
    assert set(table["fold"]) <= set(range(folds))
    assert table.groupby("dive")["fold"].nunique().eq(1).all()
    assert set(table["dive"]) == set(dives)


def test_labels_are_spread_as_whole_dives_allow() -> None:
    regions, images, labels = tables(list("abcdefgh"), ["A"])
    # Dives a to d hold only A, e to h only B: each of two folds must get two of either.
    labels["label"] = ["A"] * 8 + ["B"] * 8
    table = assign_folds(regions, images, labels, folds=2, seed=1)
    assert table.groupby(["fold", "label"]).size().tolist() == [4, 4, 4, 4]


def test_the_seed_decides() -> None:
    study = tables(list("abcdefghijklmnop"), ["A", "B", "C"])
    first = assign_folds(*study, folds=4, seed=1)
    assert first.equals(assign_folds(*study, folds=4, seed=1))
    assert not first.equals(assign_folds(*study, folds=4, seed=2))


def test_boxes_without_label_and_images_without_dive_are_dealt_too() -> None:
    regions, images, labels = tables(["", "", "", "a"], ["A"])
    table = assign_folds(regions, images, labels[labels["annotation_id"] > 3], folds=2, seed=1)
    assert table["label"].tolist() == ["", "", *["A"] * 6]
    assert table.groupby("image_id")["fold"].nunique().eq(1).all()


def test_more_folds_than_dives_are_refused() -> None:
    with pytest.raises(InputError, match="2 dives cannot be dealt into 3 folds; ask for fewer folds"):
        assign_folds(*tables(["a", "b", "a"], ["A"]), folds=3, seed=1)


def test_held_out_regions_keep_their_coordinates(tmp_path: Path) -> None:
    regions = pd.DataFrame(
        {"annotation_id": [1, 2], "image_id": [1, 2], "file_name": ["a", "b"]}
        | {"x": [0.1234567, 2], "y": [1, 2], "width": [3, 4], "height": [5, 6.5]}
        | {"image_width": [9, 9], "image_height": [9, 9], "flags": ["", "clipped"]}
    )
    write_table(regions, tmp_path / "regions.csv", key="annotation_id", exact=True)
    examples = pd.DataFrame([(1, 1, "v", "d", 0, "A"), (2, 2, "v", "e", 1, "")], columns=list(EXAMPLE_COLUMNS))
    write_table(examples, tmp_path / "folds.csv", key="annotation_id")
    chosen = [held_out_regions(tmp_path / "regions.csv", tmp_path / "folds.csv", fold) for fold in (0, 1, None)]
    assert [table["annotation_id"].tolist() for table in chosen] == [[1], [2], []]
    assert chosen[0]["x"].tolist() == [0.1234567]
    assert chosen[1]["flags"].tolist() == ["clipped"]
