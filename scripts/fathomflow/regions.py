"""The columns of a regions table, ``results/annotations/<split>.regions.csv``: boxes without labels."""

from __future__ import annotations

#: Column and type; boxes in pixels from the top left, as COCO has them.
REGION_COLUMNS: dict[str, type] = {
    "annotation_id": int,
    "image_id": int,
    "file_name": str,
    "x": float,
    "y": float,
    "width": float,
    "height": float,
    "image_width": int,
    "image_height": int,
}
#: What is unusual about a box (`coco.box_flags`); tables from elsewhere may lack it.
FLAG_COLUMN: dict[str, type] = {"flags": str}
