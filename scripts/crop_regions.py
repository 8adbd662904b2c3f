"""Cut small pictures of a split's boxes and images for the reports."""

from __future__ import annotations

import argparse
from pathlib import Path

from fathomflow.cases import read_regions
from fathomflow.pictures import CROP_SCHEMA, FRAME_SCHEMA, cut_pictures, write_pictures
from fathomflow.program import progress, run
from fathomflow.storage import image_folder
from fathomflow.tables import read_table


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--regions", type=Path, required=True, help="regions CSV of the split")
    result.add_argument(
        "--manifest", type=Path, required=True, help="image manifest CSV; only images that are ok are read"
    )
    result.add_argument(
        "--images",
        required=True,
        help="folder or bucket of the images, under their file names",
    )
    result.add_argument("--threads", type=int, default=1, help="images decoded at once (default: %(default)s)")
    result.add_argument("--crops", type=Path, required=True, help="pictures of the boxes to write (Parquet)")
    result.add_argument("--frames", type=Path, required=True, help="pictures of the images to write (Parquet)")
    return result


def main(arguments: argparse.Namespace) -> None:
    regions = read_regions(arguments.regions)
    manifest = read_table(arguments.manifest, {"image_id": int, "status": str}, key="image_id")
    usable = set(manifest["image_id"][manifest["status"].eq("ok")]) & set(regions["image_id"])
    frames: dict[int, bytes] = {}
    crops: dict[int, bytes] = {}
    with progress(total=len(usable), description="cut", unit="images") as bar:
        for image_id, frame, cut in cut_pictures(regions, usable, image_folder(arguments.images), arguments.threads):
            frames[image_id] = frame
            crops |= cut
            bar.update()
    write_pictures(arguments.crops, CROP_SCHEMA, crops)
    write_pictures(arguments.frames, FRAME_SCHEMA, frames)


if __name__ == "__main__":
    run(main, parser())
