"""Command-line options that the FiftyOne programs share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from fathomflow.curation.place import WAIT_S, Place, find_place
from fathomflow.curation.source import Judged, ModelFiles, SplitFiles, read_judged
from fathomflow.errors import InputError


def add_database(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where the database is."""
    parser.add_argument("--database", type=Path, required=True, help="folder of the study's embedded database")
    parser.add_argument(
        "--database-uri",
        help="MongoDB server to use instead, without credentials; FIFTYONE_DATABASE_URI goes before it",
    )
    parser.add_argument(
        "--wait", type=float, default=WAIT_S, help="seconds to wait for the turn on an embedded database"
    )


def place_of(arguments: argparse.Namespace) -> Place:
    """Return where the database is."""
    return find_place(arguments.database, arguments.database_uri)


def add_predictions(parser: argparse.ArgumentParser) -> None:
    """Add the options that name the tables of models."""
    name = {"nargs": "*", "default": [], "metavar": "SPLIT/MODEL=PATH"}
    parser.add_argument("--predictions", **name, help="predictions CSV of a model for a split")  # type: ignore[arg-type]
    parser.add_argument("--vectors", **name, help="its probabilities (Parquet), where it has them")  # type: ignore[arg-type]
    parser.add_argument("--descriptions", **name, help="model.json that names the probabilities' classes")  # type: ignore[arg-type]
    parser.add_argument("--evaluations", **name, help="folder with what the evaluation stage wrote")  # type: ignore[arg-type]
    parser.add_argument("--labels", nargs="*", default=[], metavar="SPLIT=PATH", help="labels CSV of a split")
    parser.add_argument("--distances", type=Path, required=True, help="taxonomic distances CSV")


def add_splits(parser: argparse.ArgumentParser) -> None:
    """Add the options that name the tables and images of splits."""
    name = {"nargs": "+", "required": True, "metavar": "SPLIT=PATH"}
    parser.add_argument("--regions", **name, help="regions CSV of a split")  # type: ignore[arg-type]
    parser.add_argument("--manifests", **name, help="image manifest of a split")  # type: ignore[arg-type]
    parser.add_argument("--images", **name, help="folder, or bucket, that holds a split's images")  # type: ignore[arg-type]
    parser.add_argument("--lineages", type=Path, required=True, help="lineages CSV")


def named(option: str, values: Sequence[str]) -> dict[str, str]:
    """Read ``name=path`` arguments.

    Raises
    ------
    InputError
        One has no name, or a name stands twice.
    """
    found: dict[str, str] = {}
    for value in values:
        name, equals, path = value.partition("=")
        if not (name and equals and path) or name in found:
            raise InputError(f"--{option}: {value!r} is not a new NAME=PATH")
        found[name] = path
    return found


def splits_of(arguments: argparse.Namespace) -> dict[str, SplitFiles]:
    """Return the files of every split."""
    regions, manifests = named("regions", arguments.regions), named("manifests", arguments.manifests)
    images, labels = named("images", arguments.images), named("labels", arguments.labels)
    for option, given in (("manifests", manifests), ("images", images)):
        missing = sorted(regions.keys() - given.keys())
        if missing:
            raise InputError(f"--{option}: nothing for split {missing[0]!r}")
    return {
        split: SplitFiles(
            Path(path), Path(manifests[split]), images[split], Path(labels[split]) if split in labels else None
        )
        for split, path in regions.items()
    }


def judged_of(arguments: argparse.Namespace) -> dict[str, dict[str, Judged]]:
    """Read the predictions that were asked for: model → split → predictions and what is held of them."""
    vectors, evaluations = named("vectors", arguments.vectors), named("evaluations", arguments.evaluations)
    descriptions, labels = named("descriptions", arguments.descriptions), named("labels", arguments.labels)
    found: dict[str, dict[str, Judged]] = {}
    for name, path in named("predictions", arguments.predictions).items():
        split, slash, model = name.partition("/")
        if not slash:
            raise InputError(f"--predictions: {name!r} is not SPLIT/MODEL")
        has_vectors = name in vectors and name in descriptions
        files = ModelFiles(
            predictions=Path(path),
            vectors=Path(vectors[name]) if has_vectors else None,
            description=Path(descriptions[name]) if has_vectors else None,
            evaluation=Path(evaluations[name]) if name in evaluations else None,
        )
        judged = read_judged(split, files, Path(labels[split]) if split in labels else None, arguments.distances)
        found.setdefault(model, {})[split] = judged
    return found
