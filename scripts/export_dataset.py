"""Export a FiftyOne dataset, a split or a saved view of it, as COCO, YOLO or FiftyOne files."""

from __future__ import annotations

import argparse
from pathlib import Path

from fathomflow.curation.arguments import add_database, place_of
from fathomflow.curation.database import open_database
from fathomflow.curation.exports import FORMATS, select_boxes, tabulate_boxes, write_coco, write_fiftyone, write_yolo
from fathomflow.curation.state import load_dataset
from fathomflow.program import run
from fathomflow.tables import read_table


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--dataset", required=True, help="name of the dataset")
    add_database(result)
    result.add_argument("--format", choices=FORMATS, required=True, help="what to write")
    result.add_argument("--split", help="only this split")
    result.add_argument("--view", help="only what this saved view shows")
    result.add_argument("--lineages", type=Path, help="the study's categories (CSV), for their ids and full number")
    result.add_argument("--output", type=Path, required=True, help="folder to write")
    return result


def main(arguments: argparse.Namespace) -> str:
    categories = {}
    if arguments.lineages is not None:
        table = read_table(arguments.lineages, {"category": str, "category_id": int})
        categories = dict(zip(table["category"].tolist(), table["category_id"].tolist(), strict=True))
    with open_database(place_of(arguments), wait_s=arguments.wait):
        samples = select_boxes(load_dataset(arguments.dataset), split=arguments.split, view=arguments.view)
        images, boxes = tabulate_boxes(samples)
        if arguments.format == "coco":
            write_coco(arguments.output, images, boxes, categories)
        elif arguments.format == "yolo":
            write_yolo(arguments.output, images, boxes, sorted(categories))
        else:
            write_fiftyone(arguments.output, samples)
    return f"{len(images)} images and {len(boxes)} boxes in {arguments.output}"


if __name__ == "__main__":
    run(main, parser())
