"""Apply a reviewer's corrections to the published labels of a split."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from fathomflow.corrections import audit_table, follow_corrections, read_corrections
from fathomflow.labels import check_published, correct_labels
from fathomflow.program import run
from fathomflow.tables import read_table, write_table


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--labels", type=Path, required=True, help="published labels (CSV)")
    result.add_argument("--regions", type=Path, required=True, help="the split's boxes (CSV)")
    result.add_argument("--lineages", type=Path, required=True, help="the study's categories (CSV)")
    result.add_argument(
        "--corrections",
        type=Path,
        nargs="*",
        default=[],
        help="corrections (CSV: annotation_id, old_label, new_label, reason, reviewer, date), first to last",
    )
    result.add_argument("--output", type=Path, required=True, help="labels to write (CSV)")
    result.add_argument("--audit", type=Path, required=True, help="what changed, why and by whom, to write (CSV)")
    return result


def main(arguments: argparse.Namespace) -> None:
    labels = read_table(arguments.labels, {"annotation_id": int, "label": str}, key="annotation_id")
    boxes = read_table(arguments.regions, {"annotation_id": int}, key="annotation_id")
    categories = read_table(arguments.lineages, {"category": str})["category"].tolist()
    check_published(labels, categories)
    files = [(str(path), read_corrections(path)) for path in arguments.corrections]
    published = dict(zip(labels["annotation_id"], labels["label"], strict=True))
    changes = follow_corrections(files, published, set(boxes["annotation_id"]), categories)
    result = correct_labels(labels, changes)
    write_table(result, arguments.output, key="annotation_id")
    audit = audit_table(changes)
    write_table(audit.assign(file=[Path(file).name for file in audit["file"]]), arguments.audit, key=None)
    logging.info("%d labels, %d corrected", len(result), result["corrected"].sum())


if __name__ == "__main__":
    run(main, parser())
