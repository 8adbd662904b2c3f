"""Record what results were made from: git revision, configuration, versions, SHA-256 of every file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from fathomflow.files import write_text
from fathomflow.program import run
from fathomflow.provenance import describe


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--configuration", required=True, help="the validated configuration (JSON)")
    result.add_argument("--record", type=Path, required=True, help="the record to write (JSON)")
    result.add_argument("files", type=Path, nargs="+", help="inputs and outputs to hash")
    return result


def main(arguments: argparse.Namespace) -> None:
    record = describe(json.loads(arguments.configuration), arguments.files)
    write_text(arguments.record, json.dumps(record, indent=2, ensure_ascii=False, sort_keys=True) + "\n")


if __name__ == "__main__":
    run(main, parser())
