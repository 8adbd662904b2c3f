"""Fetch a split's annotation file and check that it is the one that was meant."""

from __future__ import annotations

import argparse
from pathlib import Path

from fathomflow.fetch import fetch_annotations
from fathomflow.program import run


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uri", required=True, help="https, http, gdrive, hf, gs or s3 URI, file:// or a path")
    parser.add_argument("--sha256", help="SHA-256 that the file must have (64 hexadecimal digits)")
    parser.add_argument("--output", required=True, type=Path, help="where the file shall stand")
    return parser


def main(arguments: argparse.Namespace) -> str:
    fetched = fetch_annotations(arguments.uri, arguments.output, sha256=arguments.sha256)
    return f"{arguments.output}: {fetched.bytes} bytes, sha256 {fetched.sha256},"


if __name__ == "__main__":
    run(main, parser())
