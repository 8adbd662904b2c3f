"""Wrong labels for the demo study: known ones, so that finding them can be tested."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

#: Share of the boxes whose published label is wrong.
WRONG = 0.08


def plant_errors(
    rng: np.random.Generator, truth: Mapping[int, str], families: Mapping[str, str], share: float = WRONG
) -> dict[int, str]:
    """Return labels as published: of `share` of the boxes a wrong one.

    Half of the wrong labels name another category of the same family, as a tired expert would; the others name any
    category outside it, as a slip of the mouse does. Where too few boxes have a relative in their family, more are of
    the second kind.

    Parameters
    ----------
    rng
        Where every choice comes from.
    truth
        The right label of every box.
    families
        The family of every category, empty where it stands above families.
    share
        Wrong ones among all labels; at least one is wrong.
    """
    mates = {
        name: sorted(other for other in families if other != name and family and families[other] == family)
        for name, family in families.items()
    }
    strangers = {name: sorted(set(families) - {name, *mates[name]}) for name in families}
    boxes = [int(box) for box in rng.permutation(sorted(truth))]
    wanted = max(1, round(share * len(boxes)))
    near = [box for box in boxes if mates[truth[box]]][: (wanted + 1) // 2]
    far = [box for box in boxes if box not in set(near)][: wanted - len(near)]
    published = dict(truth)
    for chosen, names in ((near, mates), (far, strangers)):
        for box in chosen:
            published[box] = str(rng.choice(names[truth[box]]))
    return published


def truth_table(truth: Mapping[int, str], published: Mapping[int, str]) -> pd.DataFrame:
    """Return every box's right label and whether the published one is: annotation_id, label, wrong."""
    boxes = sorted(truth)
    return pd.DataFrame(
        {
            "annotation_id": boxes,
            "label": [truth[box] for box in boxes],
            "wrong": [truth[box] != published[box] for box in boxes],
        }
    )
