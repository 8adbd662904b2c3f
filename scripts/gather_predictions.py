"""Join the predictions of a split's shards, prove that every box is there once, write tables and the submission."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from pathlib import Path

import pandas as pd

from fathomflow.architecture import read_description
from fathomflow.calibration import read_calibration, scale
from fathomflow.predictions import (
    FAILED,
    TABLE,
    check_complete,
    check_failed,
    join_vectors,
    prediction_table,
    read_region_images,
    read_vectors,
    write_submission,
    write_vectors,
)
from fathomflow.program import run
from fathomflow.tables import read_table, write_table


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--regions", type=Path, required=True, help="the split's boxes (CSV)")
    result.add_argument("--model", type=Path, required=True, help="model.json")
    result.add_argument("--tables", type=Path, nargs="+", required=True, help="the shards' predictions (CSV)")
    result.add_argument("--vectors", type=Path, nargs="+", required=True, help="the shards' vectors (Parquet)")
    result.add_argument("--failed", type=Path, nargs="+", required=True, help="the shards' unusable images (CSV)")
    result.add_argument(
        "--max-failed", type=float, default=0.0, help="share of the images with boxes that may be unusable [0]"
    )
    result.add_argument("--calibration", type=Path, help="a fitted temperature (JSON); scores are then scaled by it")
    result.add_argument("--table-output", type=Path, required=True, help="predictions to write (CSV)")
    result.add_argument("--vectors-output", type=Path, required=True, help="vectors to write (Parquet)")
    result.add_argument("--failed-output", type=Path, required=True, help="unusable images to write (CSV)")
    result.add_argument("--submission", type=Path, required=True, help="annotation_id and concept_name to write (CSV)")
    return result


def main(arguments: argparse.Namespace) -> str:
    categories = read_description(arguments.model).categories
    failed = pd.concat([read_table(path, FAILED) for path in arguments.failed])
    tables = pd.concat([read_table(path, TABLE) for path in arguments.tables])
    vectors = join_vectors([read_vectors(path) for path in arguments.vectors])
    regions = read_region_images(arguments.regions)
    check_failed(failed, len(set(regions.values())), arguments.max_failed)
    for ids, source in ((tables["annotation_id"], "shard tables"), (vectors.annotation_ids, "shard vectors")):
        check_complete(regions, ids.tolist(), failed["image_id"].tolist(), source)
    flags_of = dict(zip(tables["annotation_id"].tolist(), tables["flags"].tolist(), strict=True))
    flags = [flags_of[box] for box in vectors.annotation_ids.tolist()]
    scores = "softmax"
    if arguments.calibration is not None:
        calibration = read_calibration(arguments.calibration)
        scores = calibration.describe()
        vectors = replace(vectors, probabilities=scale(vectors.probabilities, calibration.temperature))
        flags = [f"{text} calibrated".strip() for text in flags]
    table = prediction_table(vectors, flags, categories)
    write_vectors(arguments.vectors_output, vectors, scores)
    write_table(failed, arguments.failed_output, key="image_id")
    write_table(table, arguments.table_output, key="annotation_id")
    write_submission(table, arguments.submission)
    logging.info("%d of %d boxes predicted, each once", len(table), len(regions))
    return f"{len(table)} predictions ({scores}), {len(failed)} images could not be used,"


if __name__ == "__main__":
    run(main, parser())
