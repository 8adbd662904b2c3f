"""Write the JSON schema of the configuration and its reference page from the pydantic models."""

from __future__ import annotations

import argparse
from pathlib import Path

from fathomflow.config import schema_text
from fathomflow.config_docs import reference
from fathomflow.files import write_text
from fathomflow.program import run


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--schema", type=Path, default=Path("config/schema.json"), help="default: %(default)s")
    result.add_argument("--reference", type=Path, default=Path("docs/configuration.md"), help="default: %(default)s")
    return result


def main(arguments: argparse.Namespace) -> None:
    write_text(arguments.schema, schema_text())
    write_text(arguments.reference, reference())


if __name__ == "__main__":
    run(main, parser())
