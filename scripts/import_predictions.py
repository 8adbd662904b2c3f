"""Take predictions that were made elsewhere, and check that they cover a split exactly."""

from __future__ import annotations

import argparse
from pathlib import Path

from fathomflow.predictions import import_predictions, read_region_images, write_submission
from fathomflow.program import run
from fathomflow.tables import read_table, write_table


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument(
        "--predictions",
        type=Path,
        required=True,
        help="CSV: annotation_id, concept_name; score, runner_up and runner_up_score where known",
    )
    result.add_argument("--regions", type=Path, required=True, help="the split's boxes (CSV)")
    result.add_argument("--categories", type=Path, help="the study's categories (lineages.csv), to check names against")
    result.add_argument("--table", type=Path, required=True, help="predictions to write (CSV)")
    result.add_argument("--submission", type=Path, required=True, help="annotation_id and concept_name to write (CSV)")
    return result


def main(arguments: argparse.Namespace) -> str:
    regions = read_region_images(arguments.regions)
    categories = None
    if arguments.categories is not None:
        categories = read_table(arguments.categories, {"category": str})["category"].tolist()
    table = import_predictions(arguments.predictions, regions, categories, str(arguments.categories))
    write_table(table, arguments.table, key="annotation_id")
    write_submission(table, arguments.submission)
    return f"{len(table)} predictions taken over,"


if __name__ == "__main__":
    run(main, parser())
