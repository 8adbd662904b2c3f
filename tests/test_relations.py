from __future__ import annotations

import io

import pandas as pd
import pytest

from evaluation_case import LINEAGES
from fathomflow.relations import Relation, index_lineages, relate

TREE = index_lineages(pd.read_csv(io.StringIO(LINEAGES), keep_default_na=False))


@pytest.mark.parametrize(
    ("label", "prediction", "expected"),
    [
        ("Pandalus amplus", "Decapoda", Relation("ancestor", "")),
        ("Decapoda", "Pandalus amplus", Relation("descendant", "")),
        # Caridea's own row says that it stands under Decapoda.
        ("Caridea", "Decapoda", Relation("ancestor", "")),
        # The table does not say what stands under an infraorder.
        ("Pandalus amplus", "Caridea", Relation("perhaps nested", "")),
        ("Pandalus amplus", "Pandalus platyceros", Relation("sibling", "species")),
        ("Pandalus amplus", "Porifera", Relation("conflict", "phylum")),
        ("Porifera", "Caridea", Relation("conflict", "phylum")),
        ("Porifera", "Kraken", Relation("unknown name", "")),
    ],
)
def test_relations(label: str, prediction: str, expected: Relation) -> None:
    assert relate(label, prediction, TREE) == expected
