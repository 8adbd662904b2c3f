"""Figures on parts of a split: by size of box and image, vehicle and dive, colour mode."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from fathomflow.bootstrap import Floats, Ints, divide, interval, sum_by_class
from fathomflow.dives import parse_dive
from fathomflow.figures import Outcome
from fathomflow.tables import read_table

#: Upper ends of the box sizes, as the square root of the area in pixels; COCO's small and medium, and one more.
BOX_SIZES = (32, 96, 288)
#: A slice of fewer boxes is marked: its figures are mostly chance.
FEW = 20

FIGURES = ("accuracy", "mean_distance")


def slice_cases(cases: pd.DataFrame, images: pd.DataFrame | None, manifest: pd.DataFrame | None) -> pd.DataFrame:
    """Say to which slices each box belongs.

    Parameters
    ----------
    cases
        Evaluated boxes.
    images
        image_id and uri of the split's images, for vehicle and dive; None: no such slices.
    manifest
        image_id and mode (empty: not known), for RGB and RGBA; None: no such slice.

    Returns
    -------
    pandas.DataFrame
        One column per kind of slice, as many rows as cases; empty where a box is in none.
    """
    side = np.sqrt(cases["width"] * cases["height"])
    names = ["below 32 px", "32 to 96 px", "96 to 288 px", "288 px and more"]
    sizes = pd.Categorical.from_codes(np.digitize(side, BOX_SIZES), pd.Index(names), ordered=True)
    result = pd.DataFrame({"box size": sizes}, index=cases.index)
    result["image size"] = cases["image_width"].astype(str) + " × " + cases["image_height"].astype(str)
    if images is not None:
        dives = [parse_dive(uri) for uri in images["uri"]]
        vehicle = dict(zip(images["image_id"], (dive.vehicle for dive in dives), strict=True))
        name = {key: f"{dive.vehicle} {dive.dive}".strip() for key, dive in zip(images["image_id"], dives, strict=True)}
        result["vehicle"] = cases["image_id"].map(vehicle).fillna("")
        result["dive"] = cases["image_id"].map(name).fillna("")
    if manifest is not None:
        modes = dict(zip(manifest["image_id"], manifest["mode"], strict=True))
        result["colour mode"] = cases["image_id"].map(modes).fillna("")
    return result


def tabulate_slices(members: pd.DataFrame, outcome: Outcome, images: Ints, weights: Floats) -> pd.DataFrame:
    """Compute accuracy and mean distance on every slice.

    Parameters
    ----------
    members
        What `slice_cases` gives for the boxes of `outcome`.
    outcome
        Labels and predictions.
    images
        Shape (n,): image_id of each box.
    weights
        Bootstrap weights over images.

    Returns
    -------
    pandas.DataFrame
        slice, value, n, images, accuracy and mean_distance with their 95 % intervals, few (fewer than 20 boxes); in
        the order of the columns of `members`, then by value.
    """
    values = {
        "accuracy": (outcome.truth == outcome.predicted).astype(float),
        "mean_distance": outcome.distance[outcome.truth, outcome.predicted],
    }
    tables = []
    for kind in members.columns:
        codes, found = pd.factorize(members[kind], sort=True)
        code = np.where(members[kind].eq(""), -1, codes).astype(np.int64)
        n = sum_by_class(outcome.image, code, np.ones(len(code)), len(found), weights)
        table: dict[str, object] = {"slice": kind, "value": list(found), "n": n[0].astype(int)}
        table["images"] = pd.Series(images).groupby(code).nunique().reindex(range(len(found)), fill_value=0).to_numpy()
        for name in FIGURES:
            samples = divide(sum_by_class(outcome.image, code, values[name], len(found), weights), n)
            bounds = np.array([interval(samples[:, index]) for index in range(len(found))]).reshape(-1, 2)
            table |= {name: samples[0], f"{name}_low": bounds[:, 0], f"{name}_high": bounds[:, 1]}
        rows = pd.DataFrame(table)
        tables.append(rows[rows["n"] > 0])
    result = pd.concat(tables, ignore_index=True)
    return result.assign(few=result["n"] < FEW)


def read_slices(path: Path) -> pd.DataFrame:
    """Read a table that `tabulate_slices` made."""
    kinds: dict[str, type] = {"slice": str, "value": str, "n": int, "images": int}
    for name in FIGURES:
        kinds |= dict.fromkeys((name, f"{name}_low", f"{name}_high"), float)
    return read_table(path, kinds | {"few": bool})
