"""A study to learn from within seconds: red, green and blue squares on four dives, one category each."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"Elpidia": (200, 40, 40), "Peniagone": (40, 190, 60), "Sebastes": (50, 60, 210)}
#: Small enough for a second of training, and large enough to tell colours.
ARCHITECTURE = {
    "hidden": 16,
    "layers": 1,
    "heads": 2,
    "features": 16,
    "attention_layers": 1,
    "scales": [2, -1],
    "side": 28,
}


def write_training_study(folder: Path, *, seed: int = 0) -> dict[str, object]:
    """Write twelve images on four dives with three boxes each, and return a configuration that trains on them.

    Paths in the configuration are relative to the parent of `folder`.
    """
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    names = list(COLOURS)
    images, boxes = [], []
    for number in range(1, 13):
        name = f"{number:02}.png"
        frame = rng.integers(60, 90, (48, 72, 3)).astype(np.uint8)
        for place in range(3):
            category = (number + place) % 3
            left = 4 + 23 * place
            frame[14:32, left : left + 18] = np.array(COLOURS[names[category]]) + rng.integers(-20, 20, 3)
            box = [left, 14, 18, 18]
            boxes.append({"id": len(boxes) + 1, "image_id": number, "category_id": category + 1, "bbox": box})
        Image.fromarray(frame).save(folder / "images" / name)
        url = f"https://example.org/framegrabs/Ventana/images/{100 + number % 4}/{name}"
        images.append({"id": number, "file_name": name, "width": 72, "height": 48, "coco_url": url})
    categories = [{"id": index, "name": name} for index, name in enumerate(names, start=1)]
    document = {"images": images, "annotations": boxes, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(document))
    (folder / "corrections.csv").write_text("annotation_id,old_label,new_label,reason,reviewer,date\n")
    place = folder.name
    split = {"annotations": {"uri": f"{place}/annotations.json"}, "images": f"{place}/images"}
    training = {
        "split": "survey",
        "folds": 2,
        "epochs": 16,
        "batch_size": 6,
        "learning_rate": 4e-3,
        "warmup_epochs": 1,
        "dropout": 0,
        "architecture": ARCHITECTURE,
    }
    return {
        "study": "squares",
        "paths": {"data": f"{place}/data", "results": f"{place}/results"},
        "splits": {"survey": split | {"corrections": f"{place}/corrections.csv"}, "other": split},
        "categories": {"lineages": "config/categories/fathomnet-2025.csv"},
        "models": {"small": {"training": training, "precision": "fp32"}},
        "predict": {"survey": ["small"]},
        "shards": {"images": 1, "predictions": 1},
        "evaluation": {"bootstrap": 100, "reviewed": 0},
    }
