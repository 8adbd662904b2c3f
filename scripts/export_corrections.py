"""Read what people decided in FiftyOne and write it as corrections, beside those that the study has already."""

from __future__ import annotations

import argparse
import getpass
import logging
from pathlib import Path

import pandas as pd

from fathomflow.corrections import read_corrections
from fathomflow.curation.arguments import add_database, place_of
from fathomflow.curation.content import read_decisions, read_labels
from fathomflow.curation.database import open_database
from fathomflow.curation.decisions import export_decisions
from fathomflow.curation.state import load_dataset, models_of
from fathomflow.errors import InputError
from fathomflow.program import run
from fathomflow.tables import read_table, write_table


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--dataset", required=True, help="name of the dataset")
    add_database(result)
    result.add_argument("--splits", nargs="+", required=True, help="splits to export")
    result.add_argument(
        "--corrections",
        nargs="*",
        default=[],
        metavar="SPLIT=PATH",
        help="corrections that the study has, in their order; they are kept as they are",
    )
    result.add_argument("--lineages", type=Path, required=True, help="the study's categories (CSV)")
    result.add_argument("--reviewer", help="who decided, where a box does not say (default: the user's name)")
    result.add_argument(
        "--output", type=Path, required=True, help="folder for <split>.csv, <split>.verdicts.csv, <split>.conflicts.csv"
    )
    return result


def main(arguments: argparse.Namespace) -> str:
    categories = read_table(arguments.lineages, {"category": str})["category"].tolist()
    files: dict[str, list[tuple[str, pd.DataFrame]]] = {split: [] for split in arguments.splits}
    for value in arguments.corrections:
        split, equals, path = value.partition("=")
        if not equals or split not in files:
            raise InputError(f"--corrections: {value!r} is not SPLIT=PATH of one of the splits")
        files[split].append((path, read_corrections(Path(path))))
    with open_database(place_of(arguments), wait_s=arguments.wait):
        dataset = load_dataset(arguments.dataset)
        labels = read_labels(dataset)
        decisions = read_decisions(dataset, models_of(dataset), labels)
    added = 0
    for split in arguments.splits:
        result = export_decisions(
            decisions[decisions["split"] == split],
            labels[labels["split"] == split],
            files[split],
            categories,
            arguments.reviewer or getpass.getuser(),
        )
        added += result.added
        write_table(result.corrections, arguments.output / f"{split}.csv", key=None)
        write_table(result.verdicts, arguments.output / f"{split}.verdicts.csv", key=None)
        write_table(result.conflicts, arguments.output / f"{split}.conflicts.csv", key=None)
        for row in result.conflicts.to_dict("records"):
            logging.warning("%s: box %s: %r: %s", split, row["annotation_id"], row["decided"], row["problem"])
    return f"{added} new corrections from {len(decisions)} decisions"


if __name__ == "__main__":
    run(main, parser())
