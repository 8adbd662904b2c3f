"""Folds for out-of-fold prediction: whole dives, labels spread as evenly as whole dives allow."""

from __future__ import annotations

import logging
import warnings

import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from fathomflow.dives import parse_dive
from fathomflow.errors import InputError
from fathomflow.examples import EXAMPLE_COLUMNS


def assign_folds(
    regions: pd.DataFrame, images: pd.DataFrame, labels: pd.DataFrame, *, folds: int, seed: int
) -> pd.DataFrame:
    """Deal a split's boxes into folds, every dive wholly into one.

    Images of one dive show the same place, often the same animals; were they dealt apart, a held-out box would be
    predicted by a model that has seen its neighbours. An image whose address names no dive is dealt alone.

    Parameters
    ----------
    regions
        annotation_id, image_id.
    images
        image_id, uri.
    labels
        annotation_id, label.
    folds
        How many.
    seed
        Same seed, same folds.

    Returns
    -------
    pandas.DataFrame
        `EXAMPLE_COLUMNS`, sorted by annotation_id; fold from 0, label empty for a box without one.

    Raises
    ------
    InputError
        There are fewer dives than folds.
    """
    dives = {image: parse_dive(uri) for image, uri in zip(images["image_id"], images["uri"], strict=True)}
    label_of = dict(zip(labels["annotation_id"], labels["label"], strict=True))
    table = regions[["annotation_id", "image_id"]].sort_values("annotation_id", ignore_index=True)
    table["vehicle"] = [dives[image].vehicle for image in table["image_id"]]
    table["dive"] = [dives[image].dive for image in table["image_id"]]
    table["label"] = [label_of.get(box, "") for box in table["annotation_id"]]
    groups = [
        f"{vehicle}/{dive}" if dive else f"image {image}"
        for vehicle, dive, image in zip(table["vehicle"], table["dive"], table["image_id"], strict=True)
    ]
    alone = table.loc[table["dive"].eq(""), "image_id"].nunique()
    if alone:
        logging.info("%d images have an address that names no dive; each is dealt on its own", alone)
    if len(set(groups)) < folds:
        raise InputError(f"{len(set(groups))} dives cannot be dealt into {folds} folds; ask for fewer folds")
    table["fold"] = -1
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # Categories with fewer boxes than folds are usual; they are spread as far as they go.
        warnings.filterwarnings("ignore", message="The least populated class")
        for fold, (_, held_out) in enumerate(splitter.split(table, table["label"], groups)):
            table.loc[held_out, "fold"] = fold
    return table[list(EXAMPLE_COLUMNS)]
