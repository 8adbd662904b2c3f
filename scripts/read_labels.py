"""Write the published labels of a split, from its annotation file or from a table of labels."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from fathomflow.coco import read_coco
from fathomflow.labels import read_label_table
from fathomflow.program import run
from fathomflow.tables import write_table


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--source", type=Path, required=True, help="COCO JSON, or a CSV (annotation_id, label)")
    result.add_argument("--regions", type=Path, required=True, help="the split's boxes (CSV)")
    result.add_argument("--labels", type=Path, required=True, help="labels to write (CSV)")
    return result


def main(arguments: argparse.Namespace) -> None:
    if arguments.source.suffix.lower() == ".json":
        labels = read_coco(arguments.source).labels
    else:
        labels = read_label_table(arguments.source, arguments.regions)
    write_table(labels, arguments.labels, key="annotation_id")
    logging.info("%s: %d labels, %d names", arguments.source, len(labels), labels["label"].nunique())


if __name__ == "__main__":
    run(main, parser())
