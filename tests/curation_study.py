"""A study's tables as the stages before FiftyOne write them, of any size, and the command that builds its dataset."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

import evaluate_predictions
from fathomflow.curation.source import Collection, Judged, ModelFiles, SplitFiles, read_collection, read_judged
from fathomflow.image_records import ImageEntry, bad_record, ok_record, write_manifest
from fathomflow.tables import write_table
from fathomflow.taxonomy import distance_table, read_lineages

ROOT = Path(__file__).parents[1]
REGION_COLUMNS = ["annotation_id", "image_id", "file_name", "x", "y", "width", "height"]
REGION_COLUMNS += ["image_width", "image_height", "flags"]
FACTS = ROOT / "config/categories/fathomnet-2025.csv"


@dataclass(frozen=True)
class CurationStudy:
    """Where the tables of a study lie, and which splits and models it has."""

    root: Path
    splits: tuple[str, ...] = ("train", "test")
    models: tuple[str, ...] = ("first", "second")
    name: str = "drawn"

    @property
    def lineages(self) -> Path:
        return self.root / "lineages.csv"

    @property
    def distances(self) -> Path:
        return self.root / "distances.csv"

    def path(self, split: str, kind: str) -> Path:
        return self.root / f"{split}.{kind}.csv"

    def files(self) -> dict[str, SplitFiles]:
        return {
            split: SplitFiles(
                self.path(split, "regions"),
                self.path(split, "images"),
                str(self.root / "images"),
                self.path(split, "labels"),
            )
            for split in self.splits
        }

    def collection(self) -> Collection:
        return read_collection(self.files(), self.lineages)

    def judged(self) -> dict[str, dict[str, Judged]]:
        return {
            model: {
                split: read_judged(
                    split,
                    ModelFiles(self.path(split, model), evaluation=self.root / "evaluation" / split / model),
                    self.path(split, "labels"),
                    self.distances,
                )
                for split in self.splits
            }
            for model in self.models
        }

    def evaluate(self, *, replicates: int = 100) -> None:
        """Run the evaluation stage's program for every split and model."""
        for split in self.splits:
            for model in self.models:
                folder = self.root / "evaluation" / split / model
                arguments = ["--predictions", self.path(split, model), "--labels", self.path(split, "labels")]
                arguments += ["--regions", self.path(split, "regions"), "--lineages", self.lineages]
                arguments += ["--distances", self.distances, "--replicates", replicates]
                for kind in ("metrics.json", "per_category.csv", "confusion.csv", "disagreements.csv"):
                    arguments += [f"--{kind.partition('.')[0].replace('_', '-')}", folder / kind]
                arguments += ["--slices", folder / "slices.csv", "--suspicions", folder / "suspicions.csv"]
                evaluate_predictions.main(evaluate_predictions.parser().parse_args([str(one) for one in arguments]))

    def correct(self, split: str, changes: dict[int, str]) -> None:
        """Write labels as the labels stage does after corrections, and evaluate again."""
        labels = pd.read_csv(self.path(split, "labels"), keep_default_na=False)
        for key, name in changes.items():
            row = labels["annotation_id"] == key
            labels.loc[row, "label"] = name
            labels.loc[row, "corrected"] = labels.loc[row, "published_label"] != name
            labels.loc[row, "reason"] = "looked again"
        write_table(labels, self.path(split, "labels"), key="annotation_id")
        self.evaluate()

    def build(self, database: Path, *options: str, models: tuple[str, ...] | None = None) -> list[str]:
        """Return the command that builds the dataset."""
        chosen = self.models if models is None else models
        pairs = [(split, model) for model in chosen for split in self.splits]
        command = [sys.executable, str(ROOT / "scripts/build_dataset.py"), "--study", self.name, "--dataset", self.name]
        command += ["--database", str(database), "--lineages", str(self.lineages), "--distances", str(self.distances)]
        for option, kind in (("regions", "regions"), ("manifests", "images"), ("labels", "labels")):
            command += [f"--{option}", *(f"{split}={self.path(split, kind)}" for split in self.splits)]
        command += ["--images", *(f"{split}={self.root / 'images'}" for split in self.splits)]
        if pairs:
            command += ["--predictions", *(f"{split}/{model}={self.path(split, model)}" for split, model in pairs)]
            folder = self.root / "evaluation"
            command += ["--evaluations", *(f"{split}/{model}={folder / split / model}" for split, model in pairs)]
        return [*command, "--state", str(self.root / "state.json"), *options]

    def state(self) -> dict[str, object]:
        return json.loads((self.root / "state.json").read_text())


def run_program(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """Run one of the programs as a job does."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FIFTYONE_")}
    return subprocess.run(
        command, env=environment | {"OMP_NUM_THREADS": "1"} | variables, capture_output=True, text=True, timeout=300
    )


def program(name: str, *arguments: object) -> list[str]:
    """Return the command that runs a program of ours."""
    return [sys.executable, str(ROOT / "scripts" / f"{name}.py"), *map(str, arguments)]


def write_curation_study(
    root: Path,
    *,
    images: int = 12,
    models: tuple[str, ...] = ("first", "second"),
    name: str = "drawn",
    seed: int = 1,
    pictures: bool = True,
    missing: int = 1,
) -> CurationStudy:
    """Write the tables of a study with two splits: three boxes per image, a quarter of the predictions wrong.

    The last `missing` images of train are not there; image 1 of train has no box.
    """
    study = CurationStudy(root, models=models, name=name)
    rng = np.random.default_rng(seed)
    lineages = read_lineages(FACTS).head(12)
    categories = lineages["category"].tolist()
    write_table(lineages.assign(category_id=range(1, 13)), study.lineages, key="category")
    write_table(distance_table(lineages), study.distances, key="category")
    for split in study.splits:
        rows, keys = [], iter(range(1, 10_000))
        for image in range(1, images + 1):
            for corner in [] if (split, image) == ("train", 1) else (4.5, 20, 40):
                box = (next(keys), image, f"{split}-{image}.png", corner, corner / 2, 15, 12, 64, 48, "")
                rows.append(box)
        regions = pd.DataFrame(rows, columns=REGION_COLUMNS)
        labels = rng.choice(categories, len(regions))
        write_split(study, split, regions, labels, rng, categories, missing=missing if split == "train" else 0)
        if pictures:
            for image in range(1, images + 1):
                (root / "images").mkdir(exist_ok=True)
                mode = "RGBA" if image == 2 else "RGB"
                Image.new(mode, (64, 48), (10 * image % 255, 40, 90)).save(root / "images" / f"{split}-{image}.png")
    study.evaluate()
    return study


def write_split(
    study: CurationStudy,
    split: str,
    regions: pd.DataFrame,
    labels: np.ndarray,
    rng: np.random.Generator,
    categories: list[str],
    *,
    missing: int,
    extra_images: int = 0,
) -> None:
    """Write one split's tables; `missing` of its images are not there, `extra_images` have no box."""
    sizes = regions.drop_duplicates("image_id")[["image_id", "file_name", "image_width", "image_height"]]
    known = {row.image_id: row for row in sizes.itertuples()}
    numbers = sorted({*known, *range(1, max(known) + 1)}) if extra_images == 0 else sorted(known)
    records = []
    for place, number in enumerate(numbers):
        row = known.get(number)
        file_name = row.file_name if row else f"{split}-{number}.png"
        width, height = (int(row.image_width), int(row.image_height)) if row else (64, 48)
        uri = f"https://example.org/Tiburon/images/{number % 7}/{file_name}"
        entry = ImageEntry(int(number), file_name, uri, width, height)
        if place >= len(numbers) - missing:
            records.append(bad_record(entry, "missing", "404"))
        else:
            records.append(ok_record(entry, 1000, f"{study.name}/{split}/{number}", "RGBA" if number == 2 else "RGB"))
    study.root.mkdir(parents=True, exist_ok=True)
    write_manifest(records, study.path(split, "images"))
    write_table(regions, study.path(split, "regions"), key="annotation_id", exact=True)
    table = pd.DataFrame({"annotation_id": regions["annotation_id"], "label": labels, "published_label": labels})
    write_table(table.assign(corrected=False, reason=""), study.path(split, "labels"), key="annotation_id")
    for model in study.models:
        wrong = rng.random(len(labels)) < 0.25
        names = np.where(wrong, rng.choice(categories, len(labels)), labels)
        predictions = pd.DataFrame(
            {
                "annotation_id": regions["annotation_id"],
                "concept_name": names,
                "score": rng.uniform(0.3, 1, len(labels)).round(6),
                "runner_up": rng.choice(categories, len(labels)),
                "runner_up_score": rng.uniform(0, 0.3, len(labels)).round(6),
                "flags": np.where(rng.random(len(labels)) < 0.1, "clamped", ""),
            }
        )
        write_table(predictions, study.path(split, model), key="annotation_id")


def renamed(study: CurationStudy, name: str) -> CurationStudy:
    """Return the same files under another study's name."""
    return replace(study, name=name)
