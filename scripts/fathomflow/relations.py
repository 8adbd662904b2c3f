"""How two categories stand to each other in the tree: same lineage, siblings, or a conflict at a rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from fathomflow.ranks import RANKS

ANCESTOR = "ancestor"
DESCENDANT = "descendant"
NESTED = "perhaps nested"
SIBLING = "sibling"
CONFLICT = "conflict"
UNKNOWN = "unknown name"
#: Kinds of disagreement in the order in which a reader meets them.
KINDS = (ANCESTOR, DESCENDANT, NESTED, SIBLING, CONFLICT, UNKNOWN)

Lineages = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Relation:
    """What a prediction is to a label.

    Attributes
    ----------
    kind
        One of `KINDS`: the prediction is an ancestor or a descendant of the label (same lineage), perhaps one of
        them (a name between the seven ranks, whose place below them the table does not give), its sibling (same
        rank, same parent), in conflict with it, or a name that the lineages do not know.
    rank
        The first rank at which both have a name and the names differ; empty for a same lineage.
    """

    kind: str
    rank: str


def index_lineages(table: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Turn a lineages table (category and one column per rank, empty where there is none) into a look-up."""
    filled = table[list(RANKS)].astype(str)
    return {
        category: {rank: name for rank, name in zip(RANKS, row, strict=True) if name}
        for category, row in zip(table["category"], filled.itertuples(index=False, name=None), strict=True)
    }


def relate(label: str, prediction: str, lineages: Lineages) -> Relation:
    """Say what a prediction is to a label that it differs from.

    Parameters
    ----------
    label, prediction
        Two different names.
    lineages
        Category → rank → name, as `index_lineages` gives them.

    Returns
    -------
    Relation
        Kind and rank of the disagreement.
    """
    if label not in lineages or prediction not in lineages:
        return Relation(UNKNOWN, "")
    given, found = lineages[label], lineages[prediction]
    if prediction in given.values():
        return Relation(ANCESTOR, "")
    if label in found.values():
        return Relation(DESCENDANT, "")
    split = next((rank for rank in RANKS if rank in given and rank in found and given[rank] != found[rank]), "")
    if not split:
        return Relation(NESTED, "")
    own = [rank for rank in RANKS if rank in given]
    siblings = own == [rank for rank in RANKS if rank in found] and split == own[-1]
    return Relation(SIBLING if siblings else CONFLICT, split)
