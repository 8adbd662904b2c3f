"""A tiny study for workflow tests: eight pictures, two boxes each, predictions made elsewhere."""

import json
from pathlib import Path

from PIL import Image

NAMES = ["Sebastes", "Sebastes diploproa", "Elpidia", "Peniagone"]
#: Label of each box, and what the model says: boxes 3, 6 and 12 differ.
LABELS = ["Sebastes", "Elpidia", "Peniagone", "Sebastes diploproa"] * 4
PREDICTED = [*LABELS]
PREDICTED[2], PREDICTED[5], PREDICTED[11] = "Elpidia", "Sebastes", "Sebastes"


def write_study(folder: Path) -> dict[str, object]:
    """Write the study's files into `folder` and return its configuration, with paths relative to the parent."""
    (folder / "images").mkdir(parents=True)
    images, boxes = [], []
    for number in range(1, 9):
        name = f"scene-{number}.png"
        Image.new("RGB", (64, 48), (10 * number, 40, 90)).save(folder / "images" / name)
        images.append({"id": number, "file_name": name, "width": 64, "height": 48})
        for corner in (4, 30):
            key = len(boxes) + 1
            category = NAMES.index(LABELS[key - 1]) + 1
            boxes.append(
                {"id": key, "image_id": number, "category_id": category, "bbox": [corner, corner // 2, 20, 16]}
            )
    categories = [{"id": index, "name": name} for index, name in enumerate(NAMES, start=1)]
    (folder / "annotations.json").write_text(
        json.dumps({"images": images, "annotations": boxes, "categories": categories})
    )
    rows = "".join(f"{key},{name}\n" for key, name in enumerate(PREDICTED, start=1))
    (folder / "predictions.csv").write_text(f"annotation_id,concept_name\n{rows}")
    (folder / "corrections.csv").write_text("annotation_id,old_label,new_label,reason,reviewer,date\n")
    place = folder.name
    return {
        "study": "tiny",
        "paths": {"data": f"{place}/data", "results": f"{place}/results"},
        "splits": {
            "survey": {
                "annotations": {"uri": f"{place}/annotations.json"},
                "images": f"{place}/images",
                "corrections": f"{place}/corrections.csv",
            }
        },
        "categories": {"lineages": "config/categories/fathomnet-2025.csv"},
        "models": {"elsewhere": {"predictions": {"survey": f"{place}/predictions.csv"}}},
        "predict": {"survey": ["elsewhere"]},
        "shards": {"images": 2, "predictions": 2},
        "evaluation": {"bootstrap": 100, "reviewed": 5},
    }
