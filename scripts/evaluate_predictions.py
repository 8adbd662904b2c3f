"""Compare a model's predictions with the labels of a split: figures with intervals, confusions, disagreements."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from fathomflow.cases import join_cases, read_images, read_labels, read_manifest, read_predictions, read_regions
from fathomflow.evaluation import evaluate
from fathomflow.files import write_text
from fathomflow.probabilities import read_probabilities
from fathomflow.program import run
from fathomflow.tables import write_table
from fathomflow.tree import read_taxonomy


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--predictions", type=Path, required=True, help="predictions CSV of the model")
    result.add_argument("--vectors", type=Path, help="its probabilities (Parquet), where it has them")
    result.add_argument("--model", type=Path, help="its model.json, which names the classes of the probabilities")
    result.add_argument("--labels", type=Path, required=True, help="labels CSV of the split")
    result.add_argument("--regions", type=Path, required=True, help="regions CSV of the split")
    result.add_argument("--lineages", type=Path, required=True, help="lineages CSV")
    result.add_argument(
        "--maps", type=Path, nargs="*", default=[], help="category maps (CSV), named by their file names"
    )
    result.add_argument("--distances", type=Path, required=True, help="taxonomic distances CSV")
    result.add_argument("--images", type=Path, help="images CSV of the split, for figures by vehicle and dive")
    result.add_argument("--manifest", type=Path, help="image manifest CSV, for figures by colour mode")
    result.add_argument(
        "--seen",
        choices=["yes", "no", "unknown"],
        default="unknown",
        help="whether the model saw these labels in training; label issues are not sought where it did",
    )
    result.add_argument("--replicates", type=int, default=1000, help="bootstrap replicates (default: %(default)s)")
    result.add_argument("--seed", type=int, default=1234, help="seed of the bootstrap (default: %(default)s)")
    result.add_argument("--metrics", type=Path, required=True, help="figures to write (JSON)")
    result.add_argument("--per-category", type=Path, required=True, help="figures per category to write (CSV)")
    result.add_argument("--confusion", type=Path, required=True, help="confusion table to write (CSV)")
    result.add_argument("--disagreements", type=Path, required=True, help="ranked disagreements to write (CSV)")
    result.add_argument("--slices", type=Path, required=True, help="figures by slice to write (CSV)")
    result.add_argument("--suspicions", type=Path, required=True, help="suspicious boxes to write (CSV)")
    return result


def main(arguments: argparse.Namespace) -> None:
    taxonomy = read_taxonomy(arguments.lineages, arguments.distances, arguments.maps)
    cases = join_cases(
        read_regions(arguments.regions), read_predictions(arguments.predictions), read_labels(arguments.labels)
    )
    result = evaluate(
        cases,
        taxonomy,
        replicates=arguments.replicates,
        seed=arguments.seed,
        probabilities=read_probabilities(arguments.vectors, arguments.model),
        seen={"yes": True, "no": False, "unknown": None}[arguments.seen],
        images=None if arguments.images is None else read_images(arguments.images),
        manifest=None if arguments.manifest is None else read_manifest(arguments.manifest),
    )
    write_text(arguments.metrics, json.dumps(result.metrics, indent=2, ensure_ascii=False) + "\n")
    write_table(result.per_category, arguments.per_category, key="category")
    write_table(result.confusion, arguments.confusion, key=["label", "prediction"])
    write_table(result.disagreements, arguments.disagreements, key=None)
    write_table(result.slices, arguments.slices, key=None)
    write_table(result.suspicions, arguments.suspicions, key=None)
    boxes = result.metrics["boxes"]
    logging.info(
        "%d of %d boxes evaluated, %d disagreements", boxes["evaluated"], boxes["regions"], len(result.disagreements)
    )


if __name__ == "__main__":
    run(main, parser())
