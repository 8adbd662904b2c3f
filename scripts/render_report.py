"""Render the report of one model on one split: a single HTML file that needs nothing else."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from fathomflow.files import write_text
from fathomflow.program import run
from fathomflow.report.build import ReportFiles, build_report


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--study", required=True, help="name of the study")
    result.add_argument("--split", required=True, help="name of the split")
    result.add_argument("--model", required=True, help="name of the model")
    result.add_argument("--predictions", type=Path, required=True, help="predictions CSV of the model")
    result.add_argument("--regions", type=Path, required=True, help="regions CSV of the split")
    result.add_argument("--lineages", type=Path, required=True, help="lineages CSV")
    result.add_argument(
        "--maps", type=Path, nargs="*", default=[], help="category maps (CSV), named by their file names"
    )
    result.add_argument("--labels", type=Path, help="labels CSV; without it the report is on the predictions alone")
    result.add_argument("--audit", type=Path, help="audit CSV of the applied corrections")
    result.add_argument(
        "--evaluation", type=Path, help="folder that evaluate_predictions.py wrote; needed with --labels"
    )
    result.add_argument("--manifest", type=Path, help="image manifest CSV, for data health")
    result.add_argument("--crops", type=Path, help="pictures of the boxes (Parquet)")
    result.add_argument("--frames", type=Path, help="pictures of the images (Parquet)")
    result.add_argument(
        "--reviewed", type=int, default=50, help="disagreements to be reviewed; 0: no pictures (default: %(default)s)"
    )
    result.add_argument(
        "--pictures", type=int, default=1000, help="boxes whose pictures the report carries (default: %(default)s)"
    )
    result.add_argument("--report", type=Path, required=True, help="report to write (HTML)")
    return result


def main(arguments: argparse.Namespace) -> None:
    given = vars(arguments)
    target = given.pop("report")
    page = build_report(ReportFiles(**given))
    write_text(target, page)
    logging.info("%s: %.1f MB", target.name, len(page.encode("utf-8")) / 1e6)


if __name__ == "__main__":
    run(main, parser())
