"""Fetch a model's checkpoint into the store, or take it where it lies, and record its hash."""

from __future__ import annotations

import argparse
from pathlib import Path

from fathomflow.checkpoint_store import obtain_checkpoint
from fathomflow.program import run
from fathomflow.web import Policy


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uri", required=True, help="https, http, gdrive, hf, gs or s3 URI, file:// or a path")
    parser.add_argument("--sha256", help="SHA-256 that the file must have (64 hexadecimal digits)")
    parser.add_argument(
        "--store", required=True, type=Path, help="where a download shall stand; a local file stays where it is"
    )
    parser.add_argument("--record", required=True, type=Path, help="JSON to write: uri, sha256, bytes")
    parser.add_argument("--attempts", type=int, default=5, help="requests that may fail in a row (default: 5)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds without a byte (default: 60)")
    return parser


def main(arguments: argparse.Namespace) -> str:
    policy = Policy(attempts=arguments.attempts, timeout_s=arguments.timeout)
    fetched = obtain_checkpoint(
        arguments.uri, arguments.store, arguments.record, sha256=arguments.sha256, policy=policy
    )
    return f"{fetched.uri}: {fetched.bytes} bytes, sha256 {fetched.sha256},"


if __name__ == "__main__":
    run(main, parser())
