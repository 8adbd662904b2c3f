"""A small study for prediction tests: drawn images, boxes, and a model converted from a random checkpoint."""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
from PIL import Image

import predict_regions
from conftest import ROOT
from fathomflow.architecture import read_encoder
from fathomflow.conversion import convert_checkpoint
from fathomflow.files import sha256_of
from fathomflow.program import run
from fathomflow.random_checkpoint import write_random_checkpoint
from fathomflow.tables import write_table

CATEGORIES = ["Sebastes", "Elpidia", "Peniagone", "Caridea", "Isididae"]


@dataclass(frozen=True)
class PredictionStudy:
    """Files that predict_regions.py reads, in one folder."""

    root: Path

    def arguments(self, name: str, *more: str) -> list[str]:
        """Return a command that predicts into ``<name>.csv`` and ``<name>.parquet``."""
        paths = {
            "--regions": "regions.csv",
            "--manifest": "manifest.csv",
            "--images": "images",
            "--model": "model.json",
            "--weights": "model.safetensors",
            "--categories": "lineages.csv",
            "--table": f"{name}.csv",
            "--vectors": f"{name}.parquet",
        }
        options = [text for option, file in paths.items() for text in (option, str(self.root / file))]
        fixed = ["--precision", "fp32", "--threads", "1", "--chunks", str(self.root / "chunks")]
        return [sys.executable, str(ROOT / "scripts/predict_regions.py"), *options, *fixed, *more]

    def predict(self, name: str, *more: str, status: int = 0) -> str:
        """Run the prediction program in this process, which has torch loaded, and return what it said."""
        return run_program(predict_regions, self.arguments(name, *more)[2:], status)

    def outputs(self, name: str) -> dict[str, bytes]:
        """Return the bytes of a prediction's files."""
        return {kind: (self.root / f"{name}.{kind}").read_bytes() for kind in ("csv", "parquet", "failed.csv")}

    def write_manifest(self) -> None:
        """Describe the images as they lie in the folder."""
        regions = pd.read_csv(self.root / "regions.csv")
        rows = []
        for image_id, image in regions.groupby("image_id").first().iterrows():
            path = self.root / "images" / str(image["file_name"])
            rows.append(
                {
                    "image_id": image_id,
                    "file_name": image["file_name"],
                    "uri": "",
                    "status": "ok",
                    "bytes": path.stat().st_size,
                    "sha256": sha256_of(path),
                    "width": image["image_width"],
                    "height": image["image_height"],
                    "mode": "RGB",
                    "detail": "",
                }
            )
        write_table(pd.DataFrame(rows), self.root / "manifest.csv", key="image_id")


def run_program(program: ModuleType, arguments: list[str], status: int = 0) -> str:
    """Run a program's main in this process, check the status it leaves with, and return what it said."""
    said = io.StringIO()
    left_with = 0
    with contextlib.redirect_stderr(said):
        try:
            run(program.main, program.parser(), arguments)
        except SystemExit as leave:
            left_with = int(leave.code or 0)
    assert left_with == status, said.getvalue()
    return said.getvalue()


def draw_image(path: Path, seed: int, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(path)


def make_study(root: Path, images: int, boxes: int, *, layers: int = 1) -> PredictionStudy:
    """Draw a study. Boxes lie anywhere, some beyond their image's border."""
    (root / "images").mkdir(parents=True)
    random = np.random.default_rng(1)
    owners = np.concatenate([np.arange(images), random.integers(0, images, boxes - images)])
    rows = []
    for number in range(images):
        size = (int(random.integers(60, 160)), int(random.integers(60, 160)))
        draw_image(root / "images" / f"{number}.png", number, size)
        for annotation_id in np.flatnonzero(owners == number):
            x, y, width, height = random.uniform([-5, -5, 1, 1], [*size, 60, 60]).round(2)
            # Ids unlike row numbers, and unlike the order of the images.
            key = 7 * boxes - 3 * int(annotation_id)
            rows.append((key, number, f"{number}.png", x, y, width, height, *size, ""))
    place = ["x", "y", "width", "height", "image_width", "image_height"]
    columns = ["annotation_id", "image_id", "file_name", *place, "flags"]
    write_table(pd.DataFrame(rows, columns=columns), root / "regions.csv", key="annotation_id", exact=True)
    (root / "lineages.csv").write_text(
        "category,category_id\n" + "".join(f"{c},{i}\n" for i, c in enumerate(CATEGORIES))
    )
    configs = write_random_checkpoint(root / "model.ckpt", CATEGORIES, seed=5, layers=layers)
    convert_checkpoint(
        root / "model.ckpt",
        {"uri": "model.ckpt", "sha256": sha256_of(root / "model.ckpt")},
        object_encoder=read_encoder(configs[0]),
        context_encoder=read_encoder(configs[1]),
        weights=root / "model.safetensors",
        description=root / "model.json",
        precision="fp32",
    )
    study = PredictionStudy(root)
    study.write_manifest()
    return study
