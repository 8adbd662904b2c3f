"""Compare the building of a full-size FiftyOne dataset with the bare FiftyOne calls for the same data.

The study has the size of FathomNet 2025: 23,699 training and 788 test boxes of 79 categories, and predictions of two
models. Labels and test boxes are the real ones where FATHOMNET_SHARED (default ../shared/fathomnet-2025) has them,
everything else is drawn. Each way runs in a process and a database of its own, alternating; wall and CPU seconds are
medians. Tables are read before the clock starts, as neither way would do without.

    python benchmarks/build_dataset.py --rounds 2
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from curation_study import CurationStudy, write_split  # noqa: E402
from fathomflow.tables import write_table  # noqa: E402
from fathomflow.taxonomy import distance_table, read_lineages  # noqa: E402

TRAIN_BOXES, TRAIN_IMAGES, TEST_BOXES, TEST_IMAGES = 23_699, 8_980, 788, 325


def write_full_study(root: Path, shared: Path) -> CurationStudy:
    """Write the tables of a study of full size."""
    study = CurationStudy(root, name="full")
    rng = np.random.default_rng(1)
    lineages = read_lineages(ROOT / "config/categories/fathomnet-2025.csv")
    categories = lineages["category"].tolist()
    root.mkdir(parents=True)
    write_table(lineages.assign(category_id=range(1, len(lineages) + 1)), study.lineages, key="category")
    write_table(distance_table(lineages), study.distances, key="category")
    if shared.is_dir():
        train = pd.read_csv(shared / "train-labels.csv")
        content = json.loads((shared / "dataset_test.json").read_text())
        test = pd.DataFrame([{"annotation_id": one["id"], **one} for one in content["annotations"]])
        test = test.merge(pd.read_csv(shared / "test-labels-candidate.csv")[["annotation_id", "label"]])
        boxes = np.array(test["bbox"].tolist(), dtype=float)
    else:
        train = drawn_labels(rng, categories, TRAIN_BOXES, TRAIN_IMAGES)
        test = drawn_labels(rng, categories, TEST_BOXES, TEST_IMAGES)
        boxes = drawn_boxes(rng, TEST_BOXES)
    for split, table, places in (("train", train, drawn_boxes(rng, len(train))), ("test", test, boxes)):
        regions = table[["annotation_id", "image_id"]].assign(
            file_name=[f"{split}-{number}.png" for number in table["image_id"]],
            **dict(zip(("x", "y", "width", "height"), places.T, strict=True)),
            image_width=3840,
            image_height=2160,
            flags="",
        )
        labels = table["label"].to_numpy()
        write_split(study, split, regions, labels, rng, categories, missing=0, extra_images=1)
    study.evaluate(replicates=100)
    return study


def drawn_labels(rng: np.random.Generator, categories: list[str], boxes: int, images: int) -> pd.DataFrame:
    image = np.sort(np.concatenate([np.arange(1, images + 1), rng.integers(1, images + 1, boxes - images)]))
    return pd.DataFrame(
        {"annotation_id": np.arange(1, boxes + 1), "image_id": image, "label": rng.choice(categories, boxes)}
    )


def drawn_boxes(rng: np.random.Generator, boxes: int) -> Any:
    return np.column_stack(
        [rng.integers(0, 1800, boxes), rng.integers(0, 900, boxes), rng.integers(8, 900, (boxes, 2))]
    )


def build_bare(study: CurationStudy, *, dynamic: bool) -> None:
    """Do what a script would: samples one by one, predictions with one call per model.

    `dynamic` declares the boxes' attributes, as the App needs to filter by them; without, they are only stored.
    """
    import fiftyone as fo

    collection, judged = study.collection(), study.judged()
    start()
    boxes: dict[Any, list[Any]] = {}
    labels = collection.labels.drop(columns=["split", "annotation_id"])
    table = pd.concat([collection.boxes, labels], axis=1)
    for row in table.to_dict("records"):
        image, place = (row.pop("split"), row.pop("image_id")), row.pop("bounding_box")
        boxes.setdefault(image, []).append(fo.Detection(label=row["study_label"], bounding_box=place, **row))
    samples = []
    places = {}
    for row in collection.images.to_dict("records"):
        size = {name: row.pop(name) for name in ("width", "height", "num_channels", "size_bytes", "mime_type")}
        image = (row["split"], row["image_id"])
        detections = fo.Detections(detections=boxes[image])
        for one in boxes[image]:
            places[row["split"], one["annotation_id"]] = (row["uri"], one.bounding_box)
        metadata = fo.ImageMetadata(**size)
        path = row.pop("uri")
        samples.append(fo.Sample(path, tags=[row["split"]], metadata=metadata, ground_truth=detections, **row))
    dataset = fo.Dataset("bare", persistent=True)
    dataset.add_samples(samples, dynamic=dynamic, progress=False)
    for model, splits in judged.items():
        values: dict[str, list[Any]] = {}
        for one in splits.values():
            for row in one.table.to_dict("records"):
                path, place = places[row.pop("split"), row["annotation_id"]]
                values.setdefault(path, []).append(fo.Detection(bounding_box=place, **row))
        fields = {path: fo.Detections(detections=some) for path, some in values.items()}
        dataset.set_values(model, fields, key_field="filepath", dynamic=dynamic)
        if dataset.count(f"{model}.detections") != TRAIN_BOXES + TEST_BOXES:
            raise RuntimeError("not all predictions arrived")


def build_ours(study: CurationStudy) -> None:
    from fathomflow.curation.updating import Identity, bring_up_to_date

    collection, judged = study.collection(), study.judged()
    plain = {
        model: {split: replace(one, metrics=None) for split, one in splits.items()} for model, splits in judged.items()
    }
    start()
    bring_up_to_date(Identity("full", "full"), collection, plain)


OURS = "fathomflow"
WAYS = ("bare", "bare, attributes undeclared", OURS)
CLOCK: list[float] = []


def start() -> None:
    CLOCK[:] = [time.monotonic(), time.process_time()]


def run_way(way: str, study: CurationStudy, database: Path) -> dict[str, float]:
    """Build in this process and measure it, the database's process included in the memory."""
    from fathomflow.curation.database import open_database
    from fathomflow.curation.place import Place

    with open_database(Place(database)):
        if way == OURS:
            build_ours(study)
        else:
            build_bare(study, dynamic=way == "bare")
        wall, cpu = time.monotonic() - CLOCK[0], time.process_time() - CLOCK[1]
        pid = json.loads((database / "server.json").read_text())["pid"]
        status = Path(f"/proc/{pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"wall_s": wall, "cpu_s": cpu, "memory_gb": own / 2**20, "database_gb": peak / 2**20}


def time_program(command: list[str]) -> dict[str, float]:
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": time.monotonic() - started, "cpu_s": cpu}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1, help="times that each way runs (default: %(default)s)")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        study = CurationStudy(arguments.folder / "study", name="full")
        print(json.dumps(run_way(arguments.way, study, arguments.folder / arguments.way)))
        return
    shared = Path(os.environ.get("FATHOMNET_SHARED", ROOT / "../shared/fathomnet-2025"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study = write_full_study(folder / "study", shared)
        found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _ in range(arguments.rounds):
            for way, results in found.items():
                shutil.rmtree(folder / way, ignore_errors=True)
                command = [sys.executable, __file__, "--way", way, "--folder", name]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                results.append(json.loads(done.stdout.splitlines()[-1]))
        print(f"{'build and import of two models':<46}{'wall s':>9}{'CPU s':>9}{'GB':>7}{'mongod GB':>11}")
        medians = {
            way: {key: statistics.median(one[key] for one in results) for key in results[0]}
            for way, results in found.items()
        }
        for way, row in medians.items():
            print(f"{way:<46}" + "{wall_s:>9.1f}{cpu_s:>9.1f}{memory_gb:>7.2f}{database_gb:>11.2f}".format(**row))
        for way in WAYS[:-1]:
            ratio = {key: medians[OURS][key] / medians[way][key] for key in ("wall_s", "cpu_s")}
            print(f"{'ratio to ' + way:<46}{ratio['wall_s']:>9.2f}{ratio['cpu_s']:>9.2f}")
        database = folder / OURS
        steps = {"the program, which adds evaluation and views": time_program(study.build(database))}
        steps["the program, nothing changed"] = time_program(study.build(database))
        labels = pd.read_csv(study.path("test", "labels"))["label"]
        for number in range(arguments.rounds):
            other = next(name for name in labels if name != labels[4 + number])
            study.correct("test", {5 + number: other})
            steps[f"the program, one label corrected ({number + 1})"] = time_program(study.build(database))
        labels = pd.read_csv(study.path("train", "labels"))["label"]
        for number in range(arguments.rounds):
            study.correct("train", {5 + number: next(name for name in labels if name != labels[4 + number])})
            steps[f"the program, one training label corrected ({number + 1})"] = time_program(study.build(database))
        for step, row in steps.items():
            print(f"{step:<46}{row['wall_s']:>9.1f}{row['cpu_s']:>9.1f}")


if __name__ == "__main__":
    main()
