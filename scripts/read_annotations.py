"""Read a COCO annotation file strictly; write its boxes, images and categories, each without any label."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from fathomflow.coco import count_flags, read_coco
from fathomflow.program import run
from fathomflow.tables import write_table


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--annotations", type=Path, required=True, help="COCO JSON")
    result.add_argument("--regions", type=Path, required=True, help="boxes to write (CSV)")
    result.add_argument("--images", type=Path, required=True, help="images to write (CSV)")
    result.add_argument("--categories", type=Path, required=True, help="categories to write (CSV)")
    return result


def main(arguments: argparse.Namespace) -> None:
    found = read_coco(arguments.annotations)
    write_table(found.regions, arguments.regions, key="annotation_id", exact=True)
    write_table(found.images, arguments.images, key="image_id")
    write_table(found.categories, arguments.categories, key="category_id")
    flags = ", ".join(count_flags(found.regions)) or "none flagged"
    logging.info(
        "%s: %d images, %d boxes (%s), %d categories",
        arguments.annotations,
        len(found.images),
        len(found.regions),
        flags,
        len(found.categories),
    )


if __name__ == "__main__":
    run(main, parser())
