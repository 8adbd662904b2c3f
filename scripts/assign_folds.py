"""Deal a split's boxes into folds by dive, with the labels that a model is to learn."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from fathomflow.folds import assign_folds
from fathomflow.program import run
from fathomflow.tables import read_table, write_table


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--regions", type=Path, required=True, help="the split's boxes (CSV)")
    result.add_argument("--images", type=Path, required=True, help="its images and their addresses (CSV)")
    result.add_argument("--labels", type=Path, required=True, help="the labels to learn (CSV: annotation_id, label)")
    result.add_argument("--folds", type=int, default=5, help="how many [5]")
    result.add_argument("--seed", type=int, default=1, help="seed of the dealing [1]")
    result.add_argument("--output", type=Path, required=True, help="boxes with dive, fold and label to write (CSV)")
    return result


def main(arguments: argparse.Namespace) -> str:
    table = assign_folds(
        read_table(arguments.regions, {"annotation_id": int, "image_id": int}, key="annotation_id"),
        read_table(arguments.images, {"image_id": int, "uri": str}, key="image_id"),
        read_table(arguments.labels, {"annotation_id": int, "label": str}, key="annotation_id"),
        folds=arguments.folds,
        seed=arguments.seed,
    )
    write_table(table, arguments.output, key="annotation_id")
    for fold, rows in table.groupby("fold"):
        dives = len(rows[["vehicle", "dive"]].drop_duplicates())
        logging.info("fold %s: %d boxes on %d images of %d dives", fold, len(rows), rows["image_id"].nunique(), dives)
    return f"{len(table)} boxes dealt into {arguments.folds} folds"


if __name__ == "__main__":
    run(main, parser())
