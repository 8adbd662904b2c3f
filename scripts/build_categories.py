"""Build the lineages of a study's categories, a category map per rank, and the taxonomic distances."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import pandas as pd

from fathomflow.program import run
from fathomflow.tables import read_table, write_table
from fathomflow.taxonomy import RANKS, distance_table, map_to_rank, read_lineages, read_map, select_lineages


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument(
        "--categories", type=Path, nargs="+", required=True, help="each split's categories, <split>.categories.csv"
    )
    result.add_argument("--facts", type=Path, required=True, help="lineages of all categories (CSV)")
    result.add_argument("--map", action="append", default=[], metavar="NAME=CSV", help="a further category map")
    result.add_argument("--lineages", type=Path, required=True, help="lineages to write (CSV)")
    result.add_argument("--maps", type=Path, required=True, help="folder for the maps")
    result.add_argument("--distances", type=Path, required=True, help="distances to write (CSV)")
    return result


def main(arguments: argparse.Namespace) -> None:
    found = [
        read_table(path, {"category_id": int, "category": str}).assign(split=path.name.partition(".")[0])
        for path in arguments.categories
    ]
    lineages = select_lineages(read_lineages(arguments.facts), pd.concat(found), arguments.facts)
    lineages = lineages.sort_values("category").reset_index(drop=True)
    names = lineages["category"].tolist()
    maps = {rank: map_to_rank(lineages, rank) for rank in RANKS}
    for item in arguments.map:
        name, _, path = item.partition("=")
        maps[name] = read_map(Path(path), names)
    write_table(lineages, arguments.lineages, key="category")
    for name, table in maps.items():
        write_table(table, arguments.maps / f"{name}.csv", key="category")
    write_table(distance_table(lineages), arguments.distances, key=None)
    logging.info("%d categories, %d maps", len(names), len(maps))


if __name__ == "__main__":
    run(main, parser())
