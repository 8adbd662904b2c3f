"""A small study drawn on the spot: scenes, annotations in FathomNet's structure, labels, predictions, a correction."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

import numpy as np
import pandas as pd

from fathomflow.demo_animals import ANIMALS
from fathomflow.demo_errors import plant_errors, truth_table
from fathomflow.demo_scenes import Drawn, draw_scene
from fathomflow.errors import InputError
from fathomflow.files import atomic_write, write_text
from fathomflow.tables import read_table, write_table

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
VEHICLES = ("Doc Ricketts", "Ventana", "Tiburon")
#: Scenes that a dive gives, about.
SCENES_PER_DIVE = 4
#: Share of scenes that become the train split.
TRAIN_SHARE = 0.7
#: How often the made-up observer names the right category.
OBSERVER_RIGHT = 0.82


@dataclass
class _Split:
    """What is collected for one split while its scenes are drawn."""

    name: str
    images: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    truth: dict[int, str] = field(default_factory=dict)


def make_study(folder: Path, *, scenes: int, seed: int, url: str, lineages: Path) -> None:
    """Draw a study.

    Makes, below `folder`: ``www/`` (the image server's files), ``train.json``, ``test.json``, ``test-labels.csv``,
    ``corrections/train.csv`` and ``predictions/<split>.csv`` of a made-up observer. Like the real data it holds an
    image that the server does not have, an image without a box, an RGBA image, a box that leaves its frame, a
    duplicate box, and labels that are wrong. Which ones, ``truth/train.csv`` knows; no stage reads it.

    Parameters
    ----------
    folder
        Where to write.
    scenes
        Number of images, at least 4.
    seed
        Same seed, same study.
    url
        Address, with a slash at the end, under which ``www/`` will be served.
    lineages
        Facts file that must know the drawn categories; near relatives are what the observer confuses.
    """
    ranks = _read_lineages(lineages)
    rng = np.random.default_rng(seed)
    categories = _schedule(rng, scenes)
    train = _Split("train")
    test = _Split("test")
    trains = max(3, round(TRAIN_SHARE * scenes))
    for scene in range(scenes):
        split = train if scene < trains else test
        quirk = {0: "clipped", 1: "empty", 2: "absent", 3: "rgba"}.get(scene) if scenes > 4 else None
        _add_scene(rng, split, scene, [] if quirk == "empty" else categories[scene], quirk, folder / "www", url)
    families = {name: lineage[RANKS.index("family")] for name, lineage in ranks.items()}
    published = plant_errors(rng, train.truth, families)
    corrections = _correct_one(train, published)
    _duplicate(train, published)
    _write_coco(folder / "train.json", train, published)
    _write_coco(folder / "test.json", test, None)
    write_table(_table(test.truth, "label"), folder / "test-labels.csv", key="annotation_id")
    write_table(corrections, folder / "corrections" / "train.csv", key="annotation_id")
    write_table(truth_table(train.truth, published), folder / "truth" / "train.csv", key="annotation_id")
    for split in (train, test):
        observed = _observe(rng, split.truth, ranks)
        write_table(observed, folder / "predictions" / f"{split.name}.csv", key="annotation_id")


def _read_lineages(path: Path) -> dict[str, tuple[str, ...]]:
    table = read_table(path, {"category": str, **dict.fromkeys(RANKS, str)}, key="category")
    absent = sorted(set(ANIMALS) - set(table["category"]))
    if absent:
        raise InputError(
            f"{path}: no category {absent[0]!r}, which the demo draws; use config/categories/fathomnet-2025.csv"
        )
    return {row[0]: tuple(row[1:]) for row in table.itertuples(index=False, name=None) if row[0] in ANIMALS}


def _schedule(rng: np.random.Generator, scenes: int) -> list[list[str]]:
    """Deal the categories onto scenes, two to five each, all about equally often."""
    counts = rng.integers(2, 5, scenes)
    deck: list[str] = []
    dealt = []
    for count in counts:
        hand: list[str] = []
        while len(hand) < count:
            if not deck:
                deck = [str(name) for name in rng.permutation(sorted(ANIMALS))]
            card = deck.pop()
            if card not in hand:
                hand.append(card)
        dealt.append(hand)
    return dealt


def _add_scene(
    rng: np.random.Generator,
    split: _Split,
    scene: int,
    categories: Sequence[str],
    quirk: str | None,
    www: Path,
    url: str,
) -> None:
    dive = scene // SCENES_PER_DIVE
    frame, drawn = draw_scene(rng, categories, dive, clip_first=quirk == "clipped")
    vehicle = VEHICLES[dive % len(VEHICLES)]
    clock = 3600 * 7 + 437 * scene + int(rng.integers(0, 200))
    path = f"framegrabs/{vehicle}/images/{700 + 13 * dive}/{clock // 3600:02}-{clock // 60 % 60:02}-{clock % 60:02}.png"
    if quirk == "rgba":
        frame = frame.convert("RGBA")
    if quirk != "absent":
        with atomic_write(www / path) as temporary:
            frame.save(temporary, format="PNG", compress_level=3)
    address = urljoin(url, quote(path))
    image_id = scene + 1
    split.images.append(
        {
            "id": image_id,
            "width": frame.width,
            "height": frame.height,
            "file_name": f"{uuid.UUID(bytes=rng.bytes(16), version=4)}.png",
            "license": 0,
            "flickr_url": address,
            "coco_url": address,
            "date_captured": f"2019-06-{1 + dive % 28:02} {clock // 3600:02}:{clock // 60 % 60:02}:{clock % 60:02}",
        }
    )
    for animal in drawn:
        _add_box(split, image_id, animal)


def _add_box(split: _Split, image_id: int, animal: Drawn) -> None:
    annotation_id = len(split.annotations) + 1
    x, y, width, height = animal.box
    split.truth[annotation_id] = animal.category
    split.annotations.append(
        {
            "id": annotation_id,
            "image_id": image_id,
            "category_id": None,
            "segmentation": [],
            "area": float(width * height),
            "bbox": [float(x), float(y), float(width), float(height)],
            "iscrowd": 0,
        }
    )


def _correct_one(split: _Split, published: Mapping[int, str]) -> pd.DataFrame:
    """Return the correction of one wrong label, as a reviewer's first; the others wait to be found."""
    first = next(box for box in sorted(published) if published[box] != split.truth[box])
    row = {
        "annotation_id": first,
        "old_label": published[first],
        "new_label": split.truth[first],
        "reason": "wrong animal",
        "reviewer": "demo",
        "date": "2025-01-08",
    }
    return pd.DataFrame([row])


def _duplicate(split: _Split, published: dict[int, str]) -> None:
    """Annotate the split's last animal twice, as happens when two people look at one frame."""
    last = split.annotations[-1]
    x, y, width, height = (int(value) for value in last["bbox"])
    _add_box(split, last["image_id"], Drawn(split.truth[last["id"]], (x + 1, y, width, height)))
    published[len(split.annotations)] = published[last["id"]]


def _write_coco(path: Path, split: _Split, labels: Mapping[int, str] | None) -> None:
    ids = {name: number for number, name in enumerate(sorted(ANIMALS), start=1)}
    annotations = [{**row, "category_id": ids[labels[row["id"]]] if labels else None} for row in split.annotations]
    document = {
        "info": {"year": 2025, "version": "0", "description": "Drawn for a demonstration", "contributor": "Fathomflow"},
        "images": split.images,
        "licenses": [{"id": 0, "name": "MIT", "url": "https://opensource.org/license/mit"}],
        "annotations": annotations,
        "categories": [{"id": number, "name": name, "supercategory": ""} for name, number in ids.items()],
    }
    write_text(path, json.dumps(document, indent=1) + "\n")


def _table(values: Mapping[int, str], column: str) -> pd.DataFrame:
    return pd.DataFrame({"annotation_id": list(values), column: list(values.values())})


def _observe(rng: np.random.Generator, truth: Mapping[int, str], ranks: Mapping[str, tuple[str, ...]]) -> pd.DataFrame:
    """Name every animal as an observer would who errs now and then, and then mostly towards near relatives."""
    rows = []
    for annotation_id, category in truth.items():
        others = [name for name in sorted(ranks) if name != category]
        shared = [sum(a == b != "" for a, b in zip(ranks[category], ranks[name], strict=True)) for name in others]
        weights = np.array(shared, dtype=float) ** 3 + 0.5
        relative = str(rng.choice(others, p=weights / weights.sum()))
        right = bool(rng.random() < OBSERVER_RIGHT)
        score = rng.uniform(0.55, 0.98) if right else rng.uniform(0.35, 0.8)
        named, second = (category, relative) if right else (relative, category)
        rows.append((annotation_id, named, round(score, 3), second, round((1 - score) * rng.uniform(0.4, 0.9), 3)))
    return pd.DataFrame(rows, columns=["annotation_id", "concept_name", "score", "runner_up", "runner_up_score"])
