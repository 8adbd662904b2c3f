"""What the page's script works on: boxes as columns, categories, pictures; small enough to inline."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fathomflow.cases import Names
from fathomflow.pictures import read_pictures
from fathomflow.ranks import RANKS
from fathomflow.relations import KINDS, Lineages

#: Bytes of pictures in one page at most; base64 adds a third, and the whole must stay easy to mail.
MOST_BYTES = 16_000_000


@dataclass(frozen=True)
class Pictures:
    """WebP bytes of boxes by annotation_id and of images by image_id."""

    crops: Mapping[int, bytes]
    frames: Mapping[int, bytes]


def choose_pictured(cases: pd.DataFrame, disagreements: pd.DataFrame, others: Sequence[int], limit: int) -> list[int]:
    """Choose the boxes whose pictures the report carries.

    Parameters
    ----------
    cases
        All boxes.
    disagreements
        In rank order; they come first.
    others
        Further boxes that matter (suspicions, corrected labels); they come second.
    limit
        How many at most; remaining places go to agreements in the order of annotation_id.
    """
    order = [*disagreements["annotation_id"].tolist(), *others, *cases["annotation_id"].tolist()]
    return [box for box in dict.fromkeys(int(box) for box in order) if box][:limit]


def content_key(*files: Path) -> str:
    """Hash the files that a review is about, so that its state is never shown beside other labels."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def content_hash(text: str) -> str:
    """Hash a text as `content_key` does files."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def describe_boxes(
    cases: pd.DataFrame, names: Names, disagreements: pd.DataFrame, suspicions: pd.DataFrame
) -> dict[str, Any]:
    """Give the boxes as columns of equal length, in the order of annotation_id.

    Returns
    -------
    dict
        id; image (index into files); label, published, prediction, runner (category indices, -1: none); score and
        runnerScore (in thousandths, -1: none); kind (index into kinds, -1: no disagreement), conflict (index into
        ranks, -1), distance (-1); issue (1: confident learning holds the label for wrong, -1: not sought);
        labelScore (probability of the label in thousandths, -1); suspicions (annotation_id → kinds);
        place: left, top, width, height as per mille of the image, four numbers per box.
    """
    ranked = disagreements.set_index("annotation_id").reindex(cases["annotation_id"])
    kinds = {kind: index for index, kind in enumerate(KINDS)}
    ranks = {rank: index for index, rank in enumerate(RANKS)}
    images, files = pd.factorize(cases["file_name"])
    place = np.column_stack(
        [
            cases["x"] / cases["image_width"],
            cases["y"] / cases["image_height"],
            cases["width"] / cases["image_width"],
            cases["height"] / cases["image_height"],
        ]
    )
    doubts: dict[str, list[str]] = {}
    for entry in suspicions.itertuples():
        for box in (entry.annotation_id, entry.other_annotation_id):
            if box:
                doubts.setdefault(str(box), []).append(str(entry.kind))
    return {
        "files": [str(file) for file in files],
        "id": cases["annotation_id"].tolist(),
        "image": images.tolist(),
        "label": _codes(cases["label"], names),
        "published": _codes(cases["published_label"], names),
        "prediction": _codes(cases["prediction"], names),
        "runner": _codes(cases["runner_up"], names),
        "score": _thousandths(cases["score"]),
        "runnerScore": _thousandths(cases["runner_up_score"]),
        "kind": ranked["kind"].map(kinds).fillna(-1).astype(int).tolist(),
        "conflict": ranked["conflict_rank"].map(ranks).fillna(-1).astype(int).tolist(),
        "distance": ranked["distance"].fillna(-1).astype(int).tolist(),
        "issue": ranked["label_issue"].map({"true": 1, "false": 0}).fillna(-1).astype(int).tolist(),
        "labelScore": _thousandths(ranked["label_probability"]),
        "suspicions": {box: sorted(set(kinds)) for box, kinds in sorted(doubts.items())},
        "place": np.round(place * 1000).astype(int).ravel().tolist(),
    }


def describe_categories(names: Names, lineages: Lineages, maps: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Give category names, whether each is known, its lineage over the ranks, and its target under every map."""
    return {
        "names": names.all,
        "known": names.known,
        "ranks": list(RANKS),
        "lineages": [[lineages.get(name, {}).get(rank, "") for rank in RANKS] for name in names.all],
        "maps": {key: [targets.get(name, name) for name in names.all] for key, targets in maps.items()},
    }


def describe_pictures(cases: pd.DataFrame, chosen: Sequence[int], pictures: Pictures) -> dict[str, Any]:
    """Give the chosen pictures as base64: crops by annotation_id, frames by index into the payload's files.

    Boxes are served in the order of `chosen` until `MOST_BYTES` are spent.
    """
    index = dict(zip(cases["annotation_id"], pd.factorize(cases["file_name"])[0], strict=True))
    image_id = dict(zip(cases["annotation_id"], cases["image_id"], strict=True))
    crops: dict[int, bytes] = {}
    frames: dict[int, bytes] = {}
    left = MOST_BYTES
    for box in chosen:
        crop = pictures.crops.get(box, b"")
        frame = b"" if int(index[box]) in frames else pictures.frames.get(int(image_id[box]), b"")
        left -= len(crop) + len(frame)
        if left < 0:
            break
        crops |= {box: crop} if crop else {}
        frames |= {int(index[box]): frame} if frame else {}
    return {
        "crops": {str(box): _base64(crops[box]) for box in sorted(crops)},
        "frames": {str(image): _base64(frames[image]) for image in sorted(frames)},
    }


def read_chosen(crops: Path | None, frames: Path | None, cases: pd.DataFrame, chosen: Sequence[int]) -> Pictures:
    """Read the pictures of the chosen boxes and of their images; none where there are no files."""
    if crops is None or frames is None:
        return Pictures({}, {})
    images = sorted({int(image) for image in cases["image_id"][cases["annotation_id"].isin(set(chosen))]})
    return Pictures(read_pictures(crops, chosen), read_pictures(frames, images))


def in_tree_order(lineages: pd.DataFrame) -> list[str]:
    """Return the categories so that relatives stand together: by lineage, the broader name first."""
    ordered = lineages.sort_values([*RANKS, "category"], kind="stable")
    return [str(name) for name in ordered["category"]]


def to_script(content: Any) -> str:
    """Write JSON that may stand inside a script element whatever text it holds."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _codes(column: pd.Series, names: Names) -> list[int]:
    return [names.code(name) for name in column]


def _thousandths(column: pd.Series) -> list[int]:
    return (column.astype(float) * 1000).round().fillna(-1).astype(int).tolist()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
