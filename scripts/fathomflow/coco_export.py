"""COCO annotations with corrected labels."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any


def relabel(content: Mapping[str, Any], labels: Mapping[int, str], category_ids: Mapping[str, int]) -> dict[str, Any]:
    """Give the boxes of COCO annotations other labels and leave everything else as it is.

    Parameters
    ----------
    content
        The annotations as published.
    labels
        Label by annotation_id; boxes that are not named keep what they have.
    category_ids
        Id of every category of the study, for labels that the file's own categories do not have.

    Returns
    -------
    dict
        A new COCO document; categories that it newly uses are appended, in the order of their ids.
    """
    result: dict[str, Any] = copy.deepcopy(dict(content))
    own = {str(category["name"]): int(category["id"]) for category in result["categories"]}
    for annotation in result["annotations"]:
        label = labels.get(annotation["id"])
        if label:
            annotation["category_id"] = own.setdefault(label, category_ids.get(label, -1))
    listed = {category["name"] for category in result["categories"]}
    added = sorted((number, name) for name, number in own.items() if name not in listed)
    result["categories"] += [{"id": number, "name": name, "supercategory": ""} for number, name in added]
    return result
