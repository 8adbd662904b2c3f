"""Ask WoRMS for the lineage of every category of annotation files, and write the facts file that `categories` reads."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from fathomflow.coco import read_coco
from fathomflow.errors import InputError
from fathomflow.program import run
from fathomflow.ranks import RANKS
from fathomflow.tables import read_table, write_table
from fathomflow.web import Policy, open_session
from fathomflow.worms import SERVICE, Register, find_lineages


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--annotations", required=True, type=Path, nargs="+", help="COCO JSON, one or several")
    parser.add_argument(
        "--output", required=True, type=Path, help="facts file; rows that it holds already are kept as they are"
    )
    parser.add_argument("--unresolved", type=Path, help="CSV of open names and suggestions [<output>.unresolved.csv]")
    parser.add_argument("--cache", type=Path, default=Path("data/worms"), help="keeps answers (default: %(default)s)")
    parser.add_argument("--interval", type=float, default=0.5, help="seconds between requests (default: %(default)s)")
    parser.add_argument("--attempts", type=int, default=5, help="tries per request (default: %(default)s)")
    parser.add_argument("--service", default=SERVICE, help="address of the service (default: %(default)s)")
    return parser


def main(arguments: argparse.Namespace) -> str:
    names = [name for path in arguments.annotations for name in read_coco(path).categories["category"]]
    known = {}
    if arguments.output.exists():
        table = read_table(
            arguments.output, {"category": str, "rank": str, **dict.fromkeys(RANKS, str)}, key="category"
        )
        known = {row["category"]: {str(key): str(row[key]) for key in row} for row in table.to_dict("records")}
    with open_session() as session:
        register = Register(
            session,
            arguments.cache,
            policy=Policy(attempts=arguments.attempts),
            service=arguments.service,
            interval_s=arguments.interval,
        )
        facts, unresolved = find_lineages(register, names, known)
    write_table(facts, arguments.output, key="category")
    path = arguments.unresolved or arguments.output.with_suffix(".unresolved.csv")
    rows = [(name, similar) for name, options in unresolved.items() for similar in options or [""]]
    if unresolved:
        write_table(pd.DataFrame(rows, columns=["category", "suggestion"]), path, key=["category", "suggestion"])
        raise InputError(
            *(
                f"{name}: WoRMS has no single taxon of this name; "
                f"{'it may be ' + ' or '.join(options[:3]) if options else 'and nothing like it'}"
                for name, options in unresolved.items()
            ),
            f"{path}: add a row for each of these to {arguments.output} (or mend the annotations) and run again",
        )
    path.unlink(missing_ok=True)
    return f"{arguments.output}: {len(facts)} lineages"


if __name__ == "__main__":
    run(main, parser())
