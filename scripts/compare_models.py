"""Compare all models of a split: figures, paired differences, agreement, and the boxes on which they differ."""

from __future__ import annotations

import argparse
from pathlib import Path

from fathomflow.cases import join_cases, read_labels, read_predictions, read_regions
from fathomflow.comparison import common_cases, compare_models
from fathomflow.files import write_text
from fathomflow.probabilities import read_probabilities
from fathomflow.program import run
from fathomflow.report.compared import ComparisonFiles, build_comparison
from fathomflow.tables import write_table
from fathomflow.tree import read_taxonomy


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--study", required=True, help="name of the study")
    result.add_argument("--split", required=True, help="name of the split")
    result.add_argument("--names", nargs="+", required=True, help="names of the models")
    result.add_argument(
        "--predictions", type=Path, nargs="+", required=True, help="their predictions (CSV), in the same order"
    )
    result.add_argument(
        "--probabilities",
        nargs=3,
        action="append",
        default=[],
        metavar=("NAME", "PARQUET", "MODEL_JSON"),
        help="probabilities of a model, where it has them",
    )
    result.add_argument("--labels", type=Path, help="labels CSV; without it only agreement is compared")
    result.add_argument("--regions", type=Path, required=True, help="regions CSV of the split")
    result.add_argument("--lineages", type=Path, required=True, help="lineages CSV")
    result.add_argument(
        "--maps", type=Path, nargs="*", default=[], help="category maps (CSV), named by their file names"
    )
    result.add_argument("--distances", type=Path, required=True, help="taxonomic distances CSV")
    result.add_argument("--crops", type=Path, help="pictures of the boxes (Parquet)")
    result.add_argument("--frames", type=Path, help="pictures of the images (Parquet)")
    result.add_argument("--pictures", type=int, default=1000, help="boxes with pictures (default: %(default)s)")
    result.add_argument("--replicates", type=int, default=1000, help="bootstrap replicates (default: %(default)s)")
    result.add_argument("--seed", type=int, default=1234, help="seed of the bootstrap (default: %(default)s)")
    result.add_argument("--table", type=Path, required=True, help="figures and differences to write (CSV)")
    result.add_argument("--page", type=Path, required=True, help="page to write (HTML)")
    return result


def main(arguments: argparse.Namespace) -> None:
    taxonomy = read_taxonomy(arguments.lineages, arguments.distances, arguments.maps)
    regions = read_regions(arguments.regions)
    labels = None if arguments.labels is None else read_labels(arguments.labels)
    models = {
        name: join_cases(regions, read_predictions(path), labels)
        for name, path in zip(arguments.names, arguments.predictions, strict=True)
    }
    common = common_cases(models)
    probabilities = {
        name: found
        for name, vectors, model in arguments.probabilities
        if (found := read_probabilities(Path(vectors), Path(model))) is not None
    }
    table = compare_models(common, taxonomy, probabilities, replicates=arguments.replicates, seed=arguments.seed)
    write_table(table, arguments.table, key=None)
    files = ComparisonFiles(arguments.study, arguments.split, arguments.crops, arguments.frames, arguments.pictures)
    write_text(arguments.page, build_comparison(files, common, taxonomy, table))


if __name__ == "__main__":
    run(main, parser())
