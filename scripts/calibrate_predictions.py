"""Fit the temperature at which a model's scores are honest, on labelled boxes that it was not trained on."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np

from fathomflow.architecture import read_description
from fathomflow.calibration import fit_temperature, write_calibration
from fathomflow.predictions import join_vectors, read_vectors
from fathomflow.program import run
from fathomflow.tables import read_table


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument(
        "--vectors", type=Path, nargs="+", required=True, help="the split's vectors, as predicted (Parquet)"
    )
    result.add_argument("--labels", type=Path, required=True, help="CSV: annotation_id, label")
    result.add_argument("--model", type=Path, required=True, help="model.json")
    result.add_argument("--split", required=True, help="the split's name, for the record")
    result.add_argument("--calibration", type=Path, required=True, help="JSON to write")
    return result


def main(arguments: argparse.Namespace) -> str:
    vectors = join_vectors([read_vectors(path) for path in arguments.vectors])
    table = read_table(arguments.labels, {"annotation_id": int, "label": str}, key="annotation_id")
    labels = dict(zip(table["annotation_id"].tolist(), table["label"].tolist(), strict=True))
    index = {name: number for number, name in enumerate(read_description(arguments.model).categories)}
    classes = np.array([index.get(labels.get(box, ""), -1) for box in vectors.annotation_ids.tolist()], dtype=np.int64)
    known = classes >= 0
    logging.info("%d of %d boxes have a label that the model knows", known.sum(), len(classes))
    found = fit_temperature(vectors.probabilities[known], classes[known], arguments.split)
    write_calibration(arguments.calibration, found)
    return f"{found.describe()}; negative log likelihood {found.nll_before:.4g} → {found.nll_after:.4g},"


if __name__ == "__main__":
    run(main, parser())
