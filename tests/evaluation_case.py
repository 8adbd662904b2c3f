"""A small evaluation that fits on paper: five categories, eight boxes on four images."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fathomflow.ranks import RANKS
from fathomflow.tables import write_table
from fathomflow.taxonomy import distance_table, map_to_rank, read_lineages

LINEAGES = """category,category_id,rank,kingdom,phylum,class,order,family,genus,species
Porifera,1,phylum,Animalia,Porifera,,,,,
Decapoda,2,order,Animalia,Arthropoda,Malacostraca,Decapoda,,,
Caridea,3,infraorder,Animalia,Arthropoda,Malacostraca,Decapoda,,,
Pandalus amplus,4,species,Animalia,Arthropoda,Malacostraca,Decapoda,Pandalidae,Pandalus,Pandalus amplus
Pandalus platyceros,5,species,Animalia,Arthropoda,Malacostraca,Decapoda,Pandalidae,Pandalus,Pandalus platyceros
"""
#: annotation_id, image_id, label, prediction, score
BOXES = [
    (1, 1, "Porifera", "Porifera", 0.9),
    (2, 1, "Pandalus amplus", "Pandalus amplus", 0.8),
    (3, 2, "Pandalus amplus", "Pandalus platyceros", 0.95),
    (4, 2, "Pandalus platyceros", "Decapoda", 0.6),
    (5, 3, "Decapoda", "Pandalus amplus", 0.7),
    (6, 3, "Caridea", "Pandalus amplus", 0.5),
    (7, 4, "Porifera", "Caridea", 0.99),
    (8, 4, "Porifera", "Porifera", 0.85),
]


def write_case(
    folder: Path,
    *,
    scores: bool = True,
    labels: bool = True,
    boxes: list[tuple] | None = None,
    lineages: str = LINEAGES,
) -> dict[str, Path]:
    """Write the tables of the case and return their paths by name."""
    boxes = BOXES if boxes is None else boxes
    paths = {name: folder / f"{name}.csv" for name in ("lineages", "distances", "regions", "predictions", "labels")}
    folder.mkdir(parents=True, exist_ok=True)
    paths["lineages"].write_text(lineages, encoding="utf-8")
    table = read_lineages(paths["lineages"])
    write_table(distance_table(table), paths["distances"], key=None)
    paths["maps"] = folder / "maps"
    for rank in RANKS:
        write_table(map_to_rank(table, rank), paths["maps"] / f"{rank}.csv", key="category")
    regions = pd.DataFrame(
        {
            "annotation_id": [box[0] for box in boxes],
            "image_id": [box[1] for box in boxes],
            "file_name": [f"image-{box[1]}.png" for box in boxes],
            "x": [10.0 * (box[0] % 20) for box in boxes],
            "y": 20.0,
            "width": 30.0,
            "height": 40.0,
            "image_width": 320,
            "image_height": 240,
            "flags": "",
        }
    )
    write_table(regions, paths["regions"], key="annotation_id")
    predictions = pd.DataFrame({"annotation_id": regions["annotation_id"], "concept_name": [box[3] for box in boxes]})
    if scores:
        predictions["score"] = [box[4] for box in boxes]
        predictions["runner_up"] = "Porifera"
        predictions["runner_up_score"] = 0.01
    write_table(predictions, paths["predictions"], key="annotation_id")
    if labels:
        table = pd.DataFrame({"annotation_id": regions["annotation_id"], "label": [box[2] for box in boxes]})
        table["published_label"] = table["label"]
        write_table(table.assign(corrected=False, reason=""), paths["labels"], key="annotation_id")
    return paths
