"""Draw the demo study: deep-sea scenes with annotations, labels, a correction and an observer's predictions."""

from __future__ import annotations

import argparse
from pathlib import Path

from fathomflow.demo_study import make_study
from fathomflow.program import run


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", required=True, type=Path, help="folder to write the study to")
    parser.add_argument("--scenes", type=int, default=40, help="images to draw (default: 40)")
    parser.add_argument("--seed", type=int, default=1, help="seed of everything drawn (default: 1)")
    parser.add_argument("--url", required=True, help="address under which <output>/www/ is served; ends with a slash")
    parser.add_argument("--lineages", required=True, type=Path, help="facts file that knows the drawn categories")
    return parser


def main(arguments: argparse.Namespace) -> str:
    make_study(
        arguments.output,
        scenes=arguments.scenes,
        seed=arguments.seed,
        url=arguments.url,
        lineages=arguments.lineages,
    )
    return f"{arguments.scenes} scenes drawn into {arguments.output}"


if __name__ == "__main__":
    run(main, parser())
