"""The checkpoint that tests/pace/study.yaml names: random weights in the winner's format, for the drawn categories."""

from __future__ import annotations

from pathlib import Path

from fathomflow.demo_animals import ANIMALS
from fathomflow.random_checkpoint import write_random_checkpoint


def write_checkpoint(folder: Path) -> None:
    """Write the checkpoint and its encoders' configurations into the data folder of a checkout."""
    place = folder / "data" / "rehearsal" / "checkpoint"
    place.mkdir(parents=True)
    write_random_checkpoint(place / "model.ckpt", sorted(ANIMALS), 1)
