"""Find out in seconds whether a bucket can be listed, written and read, and say what to do where it cannot."""

from __future__ import annotations

import argparse

from fathomflow.program import run
from fathomflow.storage import check_bucket_access


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("uri", help="folder in a bucket: gs://<bucket>/<folder> or s3://<bucket>/<folder>")
    parser.add_argument("--read-only", action="store_true", help="only list: for a bucket that is never written to")
    return parser


def main(arguments: argparse.Namespace) -> str:
    done = check_bucket_access(arguments.uri, write=not arguments.read_only)
    return f"{arguments.uri}: {', '.join(done)}"


if __name__ == "__main__":
    run(main, parser())
