"""Build a study's FiftyOne dataset from its files, or bring the one that is there up to date."""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from fathomflow.curation.arguments import add_database, add_predictions, add_splits, judged_of, place_of, splits_of
from fathomflow.curation.source import Collection, Judged, read_collection
from fathomflow.errors import InputError
from fathomflow.files import write_text
from fathomflow.program import run


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--study", required=True, help="name of the study")
    result.add_argument("--dataset", required=True, help="name of the dataset")
    add_database(result)
    add_splits(result)
    add_predictions(result)
    result.add_argument("--force", action="store_true", help="delete a dataset of this name that is not the study's")
    result.add_argument(
        "--thorough", action="store_true", help="compare everything, not only what changed since the last time"
    )
    result.add_argument("--state", type=Path, required=True, help="state of the dataset to write (JSON)")
    result.add_argument("--seal", type=Path, help="file to write beside the database: it goes when the database goes")
    return result


def read_tables(arguments: argparse.Namespace) -> tuple[Collection, dict[str, dict[str, Judged]]]:
    return read_collection(splits_of(arguments), arguments.lineages), judged_of(arguments)


def main(arguments: argparse.Namespace) -> str:
    # Hundreds of thousands of small objects that live to the end: looking through them all the time is a waste.
    gc.set_threshold(200_000, 20, 20)
    # FiftyOne takes seconds to import, and as long another process can read the tables.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        tables = pool.submit(read_tables, arguments)
        from fathomflow.curation.database import is_enterprise, open_database
        from fathomflow.curation.updating import Identity, bring_up_to_date

        try:
            collection, judged = tables.result()
        except InputError as error:
            raise InputError(*str(error).splitlines()) from None
    in_buckets = [split for split, files in splits_of(arguments).items() if "://" in files.images]
    if in_buckets and not is_enterprise():
        raise InputError(
            f"splits.{in_buckets[0]}.images is a bucket, which only FiftyOne Enterprise shows; install its SDK, or "
            "leave splits.*.images empty to download the images"
        )
    with open_database(place_of(arguments), wait_s=arguments.wait, force=arguments.force):
        state = bring_up_to_date(
            Identity(arguments.dataset, arguments.study),
            collection,
            judged,
            force=arguments.force,
            thorough=arguments.thorough,
        )
    text = json.dumps(state, indent=2, ensure_ascii=False) + "\n"
    write_text(arguments.state, text)
    if arguments.seal is not None:
        write_text(arguments.seal, text)
    left_out = sum(counts["images"] for counts in state["left_out"].values())
    return (
        f"dataset {arguments.dataset!r}: {sum(state['images'].values())} images ({left_out} left out), "
        f"{sum(state['boxes'].values())} boxes, {len(state['models'])} models"
    )


if __name__ == "__main__":
    run(main, parser())
