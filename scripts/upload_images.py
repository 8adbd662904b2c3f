"""Bring one shard of a split's images into a bucket, straight from their source, and write the shard's manifest."""

from __future__ import annotations

import argparse
from pathlib import Path

from fathomflow.image_bucket import fill_bucket
from fathomflow.image_pins import check_pins, read_pins
from fathomflow.image_records import read_entries, summary, take_shard, write_manifest
from fathomflow.image_store import check_share, learned_beside
from fathomflow.program import run
from fathomflow.web import Policy


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, type=Path, help="the split's images.csv")
    parser.add_argument("--shard", type=int, default=0, help="which shard, from 0 (default: 0)")
    parser.add_argument("--of", type=int, default=1, help="how many shards there are (default: 1)")
    parser.add_argument("--store", required=True, help="folder in a bucket: gs://<bucket>/<folder> or s3://…")
    parser.add_argument("--source", type=Path, help="folder that holds the images (default: each from its URI)")
    parser.add_argument("--manifest", required=True, type=Path, help="CSV to write: what became of each image")
    parser.add_argument("--concurrency", type=int, default=32, help="images at once (default: 32)")
    parser.add_argument("--attempts", type=int, default=5, help="requests per image (default: 5)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds without a byte (default: 60)")
    parser.add_argument("--max-missing", type=float, default=1, help="share that may be corrupt or failed (default: 1)")
    parser.add_argument(
        "--verify",
        choices=["size", "full"],
        default="size",
        help="size: by what the bucket lists (size and checksum); full: read every image (default: size)",
    )
    parser.add_argument("--pins", type=Path, help="CSV (file_name, sha256, bytes) that images must agree with")
    return parser


def main(arguments: argparse.Namespace) -> str:
    entries = take_shard(read_entries(arguments.images), arguments.shard, arguments.of)
    learned = learned_beside(arguments.manifest)
    records = fill_bucket(
        entries,
        arguments.store,
        learned,
        policy=Policy(attempts=arguments.attempts, timeout_s=arguments.timeout),
        concurrency=arguments.concurrency,
        source=arguments.source,
        full=arguments.verify == "full",
        pins=read_pins(arguments.pins),
    )
    check_pins(records, arguments.pins)
    check_share(records, arguments.max_missing, learned)
    write_manifest(records, arguments.manifest)
    return summary(records)


if __name__ == "__main__":
    run(main, parser())
