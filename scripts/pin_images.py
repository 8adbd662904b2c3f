"""Write down the hashes of fetched images, so that later downloads notice a silent change."""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml

from fathomflow.config import load_study
from fathomflow.errors import InputError
from fathomflow.image_pins import write_pins
from fathomflow.image_records import read_manifest
from fathomflow.program import run


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--configuration", type=Path, help="a study: every split is pinned whose manifest is there")
    what.add_argument("--manifest", type=Path, help="one manifest, with --output")
    parser.add_argument("--output", type=Path, help="the pins of that manifest: config/checksums/<study>/<split>.csv")
    return parser


def manifests(configuration: Path) -> dict[Path, Path]:
    """Return the manifests of a study that are there, and where their pins belong."""
    study = load_study(yaml.safe_load(configuration.read_text(encoding="utf-8")), str(configuration))
    found = {}
    for split in study.splits:
        manifest = Path(study.paths.results, "images", f"{split}.csv")
        if manifest.is_file():
            found[manifest] = Path("config", "checksums", study.study, f"{split}.csv")
    if not found:
        raise InputError(f"{study.paths.results}/images: no manifest of any split; fetch the images first")
    return found


def main(arguments: argparse.Namespace) -> str:
    if arguments.manifest is not None and arguments.output is None:
        raise InputError("--manifest: name the file for its pins, too (--output)")
    chosen = manifests(arguments.configuration) if arguments.configuration else {arguments.manifest: arguments.output}
    pinned = [f"{write_pins(read_manifest(source), target)} images in {target}" for source, target in chosen.items()]
    return f"pinned {', '.join(pinned)}"


if __name__ == "__main__":
    run(main, parser())
