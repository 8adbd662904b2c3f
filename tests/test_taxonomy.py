"""Lineages, maps and distances, against cases worked out by hand with the official rule."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathomflow.errors import InputError
from fathomflow.taxonomy import (
    RANKS,
    distance_matrix,
    distance_table,
    map_to_rank,
    read_lineages,
    read_map,
    select_lineages,
)

ROOT = Path(__file__).parents[1]
FACTS = ROOT / "config/categories/fathomnet-2025.csv"
SHARED = Path(os.environ.get("FATHOMNET_SHARED", ROOT / "../shared/fathomnet-2025"))


def distances() -> pd.DataFrame:
    return distance_table(read_lineages(FACTS)).set_index("category")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        # Same genus, both species: only the species differ.
        ("Pandalus amplus", "Pandalus platyceros", 2),
        # A genus and its species: one has a species.
        ("Sebastes", "Sebastes diploproa", 1),
        # Sebastes and Sebastolobus share all down to the family; genus differs.
        ("Sebastes", "Sebastolobus", 2),
        # An infraorder: shares kingdom to order; family, genus and species stand only on one side: 3 + 1.
        ("Caridea", "Pandalus amplus", 4),
        # Two of the five, both with kingdom and phylum only: nothing differs but the names: 1 + 1.
        ("Tunicata", "Actinopterygii", 2),
        # Subphylum against class ... species of the same phylum: 5 one-sided + 1.
        ("Tunicata", "Pyrosoma atlanticum", 6),
        # Phylum against phylum, five one-sided ranks on one side: 2 + 5.
        ("Porifera", "Octopus rubescens", 7),
        # Six ranks differ below the kingdom: the worst.
        ("Octopus rubescens", "Merluccius productus", 12),
        ("Zoantharia", "Actiniaria", 2),
        ("Caridea", "Caridea", 0),
    ],
)
def test_distance_by_hand(one: str, other: str, expected: int) -> None:
    table = distances()
    assert table.loc[one, other] == table.loc[other, one] == expected


def test_distance_of_all_pairs_against_a_plain_loop() -> None:
    lineages = read_lineages(FACTS)
    between = {"Caridea", "Acanthascinae", "Actinopterygii", "Zoantharia", "Tunicata"}
    table = distances()
    for one in lineages.to_dict("records"):
        for other in lineages.to_dict("records"):
            expected = 0
            if one["category"] != other["category"]:
                for rank in RANKS:
                    if one[rank] and other[rank]:
                        expected += 2 * (one[rank] != other[rank])
                    elif one[rank] or other[rank]:
                        expected += 1
                expected += (one["category"] in between) + (other["category"] in between)
            assert table.loc[one["category"], other["category"]] == expected
    assert table.to_numpy().max() == 12


def test_the_facts_are_those_of_the_competition() -> None:
    path = SHARED / "lineages.tsv"
    if not path.is_file():
        pytest.skip(f"{path} is absent: the competition's lineages cannot be compared")
    official = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False).set_index("category")
    ours = read_lineages(FACTS).set_index("category")
    columns = ["rank", *RANKS]
    pd.testing.assert_frame_equal(ours[columns].sort_index(), official[columns].sort_index())


name = st.sampled_from(["a", "b", "c"])


@st.composite
def trees(draw: st.DrawFn) -> pd.DataFrame:
    """Lineages of a random tree: a path of up to seven names, each made of its parent's."""
    rows = {}
    for parts in draw(st.lists(st.lists(name, min_size=1, max_size=7), min_size=1, max_size=12)):
        path = ["x" + "".join(parts[: depth + 1]) for depth in range(len(parts))]
        rows[path[-1]] = [*path, *[""] * (7 - len(path))]
    return pd.DataFrame([[key, "any", *value] for key, value in rows.items()], columns=["category", "rank", *RANKS])


@given(trees())
def test_distance_is_a_distance(lineages: pd.DataFrame) -> None:
    """Laws: symmetric, zero only between equal categories, at most 12."""
    matrix = distance_matrix(lineages)
    assert (matrix == matrix.T).all()
    assert ((matrix == 0) == np.eye(len(lineages), dtype=bool)).all()
    assert matrix.max() <= 12


def test_maps_to_ranks() -> None:
    lineages = read_lineages(FACTS)
    genus = map_to_rank(lineages, "genus").set_index("category")
    assert genus.loc["Sebastes diploproa"].tolist() == ["Sebastes", False]
    assert genus.loc["Ophiuroidea"].tolist() == ["Ophiuroidea", True]
    phylum = map_to_rank(lineages, "phylum")
    assert sorted(phylum["target"].unique()) == [
        "Annelida",
        "Arthropoda",
        "Chordata",
        "Cnidaria",
        "Echinodermata",
        "Mollusca",
        "Porifera",
    ]
    assert not phylum["above"].any()


def test_a_category_without_lineage_is_named_with_the_nearest() -> None:
    found = pd.DataFrame({"category_id": [1], "category": ["Elpidea"], "split": ["train"]})
    with pytest.raises(InputError, match=r"no lineage for category 'Elpidea' of split train; did you mean 'Elpidia'"):
        select_lineages(read_lineages(FACTS), found, FACTS)


def test_a_category_with_two_ids() -> None:
    found = pd.DataFrame({"category_id": [1, 2], "category": ["Elpidia"] * 2, "split": ["train", "test"]})
    with pytest.raises(InputError, match=r"'Elpidia' has several ids \(1 in train, 2 in test\)"):
        select_lineages(read_lineages(FACTS), found, FACTS)


def test_a_typing_mistake_in_a_parent_shows(tmp_path: Path) -> None:
    text = FACTS.read_text().replace("Elpidia,genus,Animalia,Echinodermata", "Elpidia,genus,Animalia,Echinodermta")
    path = tmp_path / "facts.csv"
    path.write_text(text)
    with pytest.raises(InputError, match="class Holothuroidea stands under phylum Echinodermata and Echinodermta"):
        read_lineages(path)


def test_a_map_must_cover_every_category(tmp_path: Path) -> None:
    path = tmp_path / "map.csv"
    path.write_text("category,target\na,x\nd,y\n")
    with pytest.raises(InputError) as caught:
        read_map(path, ["a", "b"])
    assert caught.value.problems == (
        f"{path}: no row for category 'b'",
        f"{path}: 'd' is no category of this study",
    )
