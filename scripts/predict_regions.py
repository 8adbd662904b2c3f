"""Predict the boxes of one shard of a split with a converted model."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch

from fathomflow.architecture import ModelDescription, read_description
from fathomflow.batches import BatchRunner
from fathomflow.chunk_store import ChunkStore, run_fingerprint
from fathomflow.chunks import Chunk, read_regions, shard_chunks
from fathomflow.errors import InputError
from fathomflow.folding import FoldedMceam
from fathomflow.image_records import read_manifest
from fathomflow.precision import PRECISIONS, choose_device, choose_precision
from fathomflow.predicting import Outcome, predict_chunks, unusable_images
from fathomflow.predictions import (
    FAILED,
    check_categories,
    prediction_table,
    result_vectors,
    write_vectors,
)
from fathomflow.program import run
from fathomflow.safe_weights import StoredWeights, check_weights
from fathomflow.staging import staged
from fathomflow.storage import image_folder
from fathomflow.tables import read_table, write_table


def batch_size(text: str) -> int | None:
    if text != "auto" and (not text.isdigit() or int(text) < 1):
        raise argparse.ArgumentTypeError(f"{text!r} is neither auto nor a number of boxes")
    return None if text == "auto" else int(text)


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--regions", type=Path, required=True, help="the split's boxes (CSV)")
    result.add_argument("--manifest", type=Path, required=True, help="the split's images (CSV)")
    result.add_argument("--images", required=True, help="folder or bucket that holds them")
    result.add_argument("--model", type=Path, required=True, help="model.json")
    result.add_argument("--weights", type=Path, required=True, help="model.safetensors")
    result.add_argument("--stage", help="folder on the node's own disk to copy the weights to; empty for none [none]")
    result.add_argument("--categories", type=Path, required=True, help="the study's categories (lineages.csv)")
    result.add_argument("--shard", type=int, default=0, help="number of this shard, from 0 [0]")
    result.add_argument("--of", type=int, default=1, help="number of shards [1]")
    result.add_argument("--table", type=Path, required=True, help="predictions to write (CSV)")
    result.add_argument("--vectors", type=Path, required=True, help="probabilities and embeddings to write (Parquet)")
    result.add_argument("--failed", type=Path, help="images that could not be used (CSV) [<table>.failed.csv]")
    result.add_argument("--chunks", type=Path, help="folder that keeps finished chunks [<table's folder>/chunks]")
    result.add_argument("--precision", choices=("auto", *PRECISIONS), default="auto", help="of the encoders [auto]")
    result.add_argument("--batch-size", type=batch_size, default="auto", help="boxes per batch, or auto [auto]")
    result.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="threads [all cores]")
    result.add_argument(
        "--max-failed", type=float, default=0.0, help="share of images that may fail before the exit status says so [0]"
    )
    return result


def main(arguments: argparse.Namespace) -> str:
    description = read_description(arguments.model)
    check_weights(arguments.weights, description)
    study = read_table(arguments.categories, {"category": str})["category"].tolist()
    unknown = check_categories(description.categories, study, str(arguments.model), str(arguments.categories))
    if unknown:
        logging.info("categories that this model cannot predict: %s", ", ".join(unknown))
    images = read_regions(arguments.regions)
    chunks = shard_chunks(images, arguments.shard, arguments.of)
    manifest = {record.image_id: record for record in read_manifest(arguments.manifest)}
    unusable = unusable_images(chunks, manifest, str(arguments.manifest))
    torch.set_num_threads(arguments.threads)
    device = choose_device()
    precision = choose_precision(arguments.precision, device)
    fingerprint = run_fingerprint(
        weights_sha256=description.weights["sha256"],
        precision=precision,
        device=device.type,
        batch_size=str(arguments.batch_size or "auto"),
    )
    store = ChunkStore(arguments.chunks or arguments.table.parent / "chunks", fingerprint)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu, {arguments.threads} threads"
    boxes = sum(chunk.boxes for chunk in chunks)
    logging.info("%d boxes on %d images; %s, %s", boxes, sum(len(c.images) for c in chunks), name, precision)

    def make_runner(stop: Callable[[], bool]) -> BatchRunner:
        folder = Path(arguments.stage) if arguments.stage else None
        weights = staged(arguments.weights, folder, f"{description.weights['sha256']}.safetensors")
        model = FoldedMceam(
            description.architecture,
            len(description.categories),
            lambda prefix: StoredWeights(weights, prefix),
            device=device,
            dtype=PRECISIONS[precision],
        )
        return BatchRunner(model, arguments.batch_size, stop, threads=arguments.threads)

    outcome = predict_chunks(
        chunks, store, manifest, image_folder(arguments.images), unusable, make_runner, threads=arguments.threads
    )
    if outcome.stopped:
        logging.warning("stopped after %d boxes; a rerun goes on from there", outcome.computed + outcome.taken_over)
        sys.exit(143)
    write(arguments, chunks, outcome, description)
    return report(arguments, chunks, outcome)


def write(arguments: argparse.Namespace, chunks: list[Chunk], outcome: Outcome, description: ModelDescription) -> None:
    vectors, flags = result_vectors(
        outcome.results.values(), len(description.categories), description.architecture.feature_dim
    )
    write_vectors(arguments.vectors, vectors, "softmax")
    write_table(prediction_table(vectors, flags, description.categories), arguments.table, key="annotation_id")
    failed = [
        (image.image_id, image.file_name, len(image.boxes), outcome.failures[image.image_id])
        for chunk in chunks
        for image in chunk.images
        if image.image_id in outcome.failures
    ]
    write_table(pd.DataFrame(failed, columns=list(FAILED)), failed_path(arguments), key="image_id")


def failed_path(arguments: argparse.Namespace) -> Path:
    path: Path = arguments.failed or arguments.table.with_name(f"{arguments.table.stem}.failed.csv")
    return path


def report(arguments: argparse.Namespace, chunks: list[Chunk], outcome: Outcome) -> str:
    images = sum(len(chunk.images) for chunk in chunks)
    summary = f"{outcome.computed} boxes computed, {outcome.taken_over} taken over"
    if outcome.seconds:
        summary += (
            f"; {outcome.computed / outcome.seconds:.3g} boxes/s, the device waited for images "
            f"{outcome.waited_s:.1f} s of {outcome.seconds:.1f} s"
        )
    if len(outcome.failures) > arguments.max_failed * images:
        logging.info(summary)
        raise InputError(
            f"{failed_path(arguments)}: {len(outcome.failures)} of {images} images could not be used, their reasons "
            "are there; the boxes of the others are predicted. Mend the images and run again: only they are computed"
        )
    return f"{summary}; {len(outcome.failures)} of {images} images could not be used;"


if __name__ == "__main__":
    run(main, parser())
