"""Write a split's annotations as COCO with its corrected labels."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from fathomflow.cases import read_labels
from fathomflow.coco_export import relabel
from fathomflow.files import write_text
from fathomflow.program import run
from fathomflow.tables import read_table


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--annotations", type=Path, required=True, help="annotations as published (COCO JSON)")
    result.add_argument("--labels", type=Path, required=True, help="corrected labels (CSV)")
    result.add_argument("--lineages", type=Path, required=True, help="the study's categories with their ids (CSV)")
    result.add_argument("--output", type=Path, required=True, help="annotations to write (COCO JSON)")
    return result


def main(arguments: argparse.Namespace) -> None:
    content = json.loads(arguments.annotations.read_text(encoding="utf-8"))
    table = read_labels(arguments.labels)
    lineages = read_table(arguments.lineages, {"category": str, "category_id": int}, key="category")
    labels = dict(zip(table["annotation_id"].tolist(), table["label"].tolist(), strict=True))
    ids = dict(zip(lineages["category"].tolist(), lineages["category_id"].tolist(), strict=True))
    write_text(arguments.output, json.dumps(relabel(content, labels, ids), ensure_ascii=False) + "\n")
    logging.info("%d boxes, %d labels corrected", len(content["annotations"]), int(table["corrected"].sum()))


if __name__ == "__main__":
    run(main, parser())
