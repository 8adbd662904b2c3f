"""Lineages of categories, maps to each rank, and the taxonomic distance of the FathomNet 2025 competition."""

from __future__ import annotations

import difflib
import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathomflow.errors import InputError
from fathomflow.ranks import RANKS as RANKS
from fathomflow.tables import raise_problems, read_table

#: The worst distance; also that of a predicted name that is not among the categories.
MAX_DISTANCE = 12


def read_lineages(path: Path) -> pd.DataFrame:
    """Read lineages: category, rank and the names at the seven ranks, empty where a lineage has none.

    Returns
    -------
    pandas.DataFrame
        category, rank, kingdom … species, and category_id where the file has it.

    Raises
    ------
    InputError
        A category stands twice, has no lineage at all, or a name stands under two different parents (which is how a
        typing mistake shows).
    """
    columns = {"category": str, "rank": str, **dict.fromkeys(RANKS, str)}
    table = read_table(path, columns, key="category", optional={"category_id": int})
    problems = [
        f"{path}: row {row + 2}: {table['category'][row]} has no name at any rank; fill in at least its kingdom"
        for row in table.index[(table[list(RANKS)] == "").all(axis=1)]
    ]
    for upper, lower in itertools.pairwise(RANKS):
        pairs = table.loc[(table[upper] != "") & (table[lower] != ""), [upper, lower]].drop_duplicates()
        for name, parents in pairs.groupby(lower)[upper]:
            if len(parents) > 1:
                problems.append(
                    f"{path}: {lower} {name} stands under {upper} {' and '.join(sorted(parents))}; keep one"
                )
    raise_problems(problems)
    return table


def select_lineages(facts: pd.DataFrame, categories: pd.DataFrame, source: Path) -> pd.DataFrame:
    """Return the lineages of a study's categories, with the ids that its annotations give them.

    Parameters
    ----------
    facts
        As `read_lineages` gives them.
    categories
        category_id, category of all splits, with a column split for messages.
    source
        The facts file, for messages.

    Returns
    -------
    pandas.DataFrame
        category, category_id, rank, kingdom … species.

    Raises
    ------
    InputError
        A category has no lineage, or two ids.
    """
    problems = []
    known = facts["category"].tolist()
    for name, rows in categories.groupby("category", sort=False):
        if name not in set(known):
            near = difflib.get_close_matches(str(name), known, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            problems.append(f"{source}: no lineage for category {name!r} of split {rows['split'].iloc[0]}{meant}")
        if rows["category_id"].nunique() > 1:
            given = ", ".join(f"{row.category_id} in {row.split}" for row in rows.itertuples())
            problems.append(f"category {name!r} has several ids ({given}); number the splits' categories alike")
    raise_problems(problems)
    ids = categories.drop_duplicates("category").set_index("category")["category_id"]
    chosen = facts[facts["category"].isin(ids.index)].copy()
    chosen["category_id"] = chosen["category"].map(ids)
    return chosen[["category", "category_id", "rank", *RANKS]]


def map_to_rank(lineages: pd.DataFrame, rank: str) -> pd.DataFrame:
    """Map every category to its name at a rank.

    Returns
    -------
    pandas.DataFrame
        category, target, above: a category without a name at that rank, because it stands above it, maps to itself.
    """
    names = lineages[rank]
    above = names == ""
    return pd.DataFrame(
        {"category": lineages["category"], "target": names.mask(above, lineages["category"]), "above": above}
    )


def read_map(path: Path, categories: list[str]) -> pd.DataFrame:
    """Read a category map of the user's: category, target.

    Raises
    ------
    InputError
        A category is missing, unknown or stands twice, or a target is empty.
    """
    table = read_table(path, {"category": str, "target": str}, key="category")
    problems = [f"{path}: row {row + 2}: target is empty" for row in table.index[table["target"] == ""]]
    problems += [f"{path}: no row for category {name!r}" for name in sorted(set(categories) - set(table["category"]))]
    problems += [
        f"{path}: {name!r} is no category of this study" for name in sorted(set(table["category"]) - set(categories))
    ]
    raise_problems(problems)
    return table.assign(above=False)


def distance_matrix(lineages: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Compute the taxonomic distance between all pairs of categories.

    The rule of the FathomNet 2025 competition's metric, as its published scores bear out: at each of the seven ranks,
    2 where both lineages have a name and the names differ, 1 where exactly one has a name; between different
    categories, 1 more for each of the two whose own name is none of its lineage's seven (a name at a rank between
    them, such as an infraorder). `MAX_DISTANCE` bounds it, which only lineages of different kingdoms could pass.

    Parameters
    ----------
    lineages
        n rows with category and the seven ranks.

    Returns
    -------
    numpy.ndarray
        n × n, symmetric, 0 on the diagonal.
    """
    names = lineages[list(RANKS)].to_numpy(dtype=object)
    has = names != ""
    both = has[:, None] & has[None, :]
    differ = both & (names[:, None] != names[None, :])
    one = has[:, None] != has[None, :]
    between = ~(names == lineages["category"].to_numpy(dtype=object)[:, None]).any(axis=1)
    distance = 2 * differ.sum(axis=2) + one.sum(axis=2) + between[:, None] + between[None, :]
    np.fill_diagonal(distance, 0)
    result: npt.NDArray[np.int64] = np.minimum(distance, MAX_DISTANCE).astype(np.int64)
    return result


def distance_table(lineages: pd.DataFrame) -> pd.DataFrame:
    """Return the distances as a table: category, then one column per category in the same order."""
    names = lineages["category"].tolist()
    clash = {"category"} & set(names)
    if clash:
        raise InputError("a category is called 'category', which is the name of a column; rename it")
    return pd.DataFrame(distance_matrix(lineages), columns=names).assign(category=names)[["category", *names]]
