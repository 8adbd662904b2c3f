"""Fetch one shard of a split's images, or check those that a folder already holds, and write the shard's manifest."""

from __future__ import annotations

import argparse
from pathlib import Path

from fathomflow.image_bucket import check_bucket
from fathomflow.image_pins import check_pins, read_pins
from fathomflow.image_records import read_entries, summary, take_shard, write_manifest
from fathomflow.image_store import check_folder, check_share, fill_store, learned_beside
from fathomflow.program import run
from fathomflow.storage import is_bucket
from fathomflow.web import Policy


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, type=Path, help="the split's images.csv")
    parser.add_argument("--shard", type=int, default=0, help="which shard, from 0 (default: 0)")
    parser.add_argument("--of", type=int, default=1, help="how many shards there are (default: 1)")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--store", type=Path, help="folder to fill with images")
    place.add_argument("--folder", help="folder or bucket that already holds the images: checked, nothing is fetched")
    parser.add_argument("--manifest", required=True, type=Path, help="CSV to write: what became of each image")
    parser.add_argument("--concurrency", type=int, default=32, help="downloads at once (default: 32)")
    parser.add_argument("--attempts", type=int, default=5, help="requests per image (default: 5)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds without a byte (default: 60)")
    parser.add_argument(
        "--max-missing",
        type=float,
        default=1,
        help="share of the shard's images that may be corrupt or failed (default: 1); above it the manifest is not "
        "written, and what was fetched is kept for the next run",
    )
    parser.add_argument(
        "--verify",
        choices=["size", "full"],
        default="size",
        help="how images that are there are checked (default: size)",
    )
    parser.add_argument("--pins", type=Path, help="CSV (file_name, sha256, bytes) that images must agree with")
    return parser


def main(arguments: argparse.Namespace) -> str:
    entries = take_shard(read_entries(arguments.images), arguments.shard, arguments.of)
    learned = learned_beside(arguments.manifest)
    full = arguments.verify == "full"
    pins = read_pins(arguments.pins)
    if arguments.folder is not None:
        options = {"concurrency": arguments.concurrency, "full": full, "pins": pins}
        if is_bucket(arguments.folder):
            records = check_bucket(entries, arguments.folder, learned, **options)
        else:
            records = check_folder(entries, Path(arguments.folder), learned, **options)
    else:
        policy = Policy(attempts=arguments.attempts, timeout_s=arguments.timeout)
        records = fill_store(
            entries, arguments.store, learned, policy=policy, concurrency=arguments.concurrency, full=full, pins=pins
        )
    check_pins(records, arguments.pins)
    if arguments.store is not None:
        check_share(records, arguments.max_missing, learned)
    write_manifest(records, arguments.manifest)
    return summary(records)


if __name__ == "__main__":
    run(main, parser())
