"""Join the shards' manifests to the split's manifest and decide whether enough images are usable."""

from __future__ import annotations

import argparse
from pathlib import Path

from fathomflow.image_records import gather, read_entries, summary, write_usable
from fathomflow.program import run


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, type=Path, help="the split's images.csv")
    parser.add_argument("--shards", required=True, type=Path, nargs="+", help="the manifests of all its shards")
    parser.add_argument(
        "--max-missing", type=float, default=0.02, help="share of images that may be other than ok (default: 0.02)"
    )
    parser.add_argument("--manifest", required=True, type=Path, help="CSV to write")
    return parser


def main(arguments: argparse.Namespace) -> str:
    records = gather(read_entries(arguments.images), arguments.shards)
    write_usable(records, arguments.manifest, arguments.max_missing)
    return summary(records)


if __name__ == "__main__":
    run(main, parser())
