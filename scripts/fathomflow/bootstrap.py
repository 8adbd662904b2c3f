"""Bootstrap by image: how far a figure would move had other images been drawn.

Boxes of one image share light, depth and often the animal, so images are resampled, not boxes. A draw is a row of
weights, one per image; every figure of this workflow is a function of weighted sums over images, so a thousand
replicates are one matrix product.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: Probability mass inside an interval.
LEVEL = 0.95


def draw_weights(images: int, replicates: int, seed: int) -> Floats:
    """Draw how often each image stands in each replicate.

    Parameters
    ----------
    images, replicates
        Numbers of images and of replicates.
    seed
        Of numpy's default generator; equal seeds give equal draws, which makes differences between models paired.

    Returns
    -------
    Floats
        Shape (1 + replicates, images). Row 0 is all ones: the sample as it is, whose figure is the estimate.
    """
    generator = np.random.default_rng(seed)
    weights = np.ones((1 + replicates, images))
    for row in range(1, 1 + replicates):
        weights[row] = np.bincount(generator.integers(0, images, images), minlength=images) if images else 1
    return weights


def sum_by_image(image: Ints, columns: Floats, weights: Floats) -> Floats:
    """Sum per-box columns over the boxes of every replicate.

    Parameters
    ----------
    image
        Shape (boxes,): the index of each box's image.
    columns
        Shape (boxes, k).
    weights
        Shape (replicates, images), as `draw_weights` gives them.

    Returns
    -------
    Floats
        Shape (replicates, k).
    """
    boxes = len(image)
    gather = sparse.csr_array((np.ones(boxes), (image, np.arange(boxes))), shape=(weights.shape[1], boxes))
    return np.asarray(weights @ (gather @ columns))


def sum_by_class(image: Ints, code: Ints, values: Floats, classes: int, weights: Floats) -> Floats:
    """Sum one value per box, apart for each class, over the boxes of every replicate.

    Parameters
    ----------
    image, code, values
        Shape (boxes,): image index, class index (negative: in no class), value.
    classes
        Number of classes.
    weights
        Shape (replicates, images).

    Returns
    -------
    Floats
        Shape (replicates, classes).
    """
    kept = code >= 0
    matrix = sparse.csr_array((values[kept], (image[kept], code[kept])), shape=(weights.shape[1], classes))
    return np.asarray((matrix.T @ weights.T).T)


def divide(numerator: Floats, denominator: Floats) -> Floats:
    """Divide element by element; a division by zero is undefined (NaN), never 0."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    result = np.full(shape, np.nan)
    np.divide(numerator, denominator, out=result, where=denominator != 0)
    return result


def interval(values: Floats) -> tuple[float, float]:
    """Return the percentile interval of replicates (shape (1 + replicates,), row 0 left out); NaN when undefined.

    Replicates in which the figure is undefined (none of its boxes drawn) are left out.
    """
    drawn = values[1:]
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn) or np.isnan(values[0]):
        return float("nan"), float("nan")
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def summarise(values: Floats, n: int) -> dict[str, float | int | None]:
    """Turn the samples of one figure into what files hold: value, low, high (None when undefined) and n."""
    low, high = interval(values)
    return {"value": tidy(float(values[0])), "low": tidy(low), "high": tidy(high), "n": n}


def differences(first: Mapping[str, Floats], second: Mapping[str, Floats]) -> dict[str, Floats]:
    """Subtract paired samples (`second` minus `first`) for the figures that both have; draws must be the same."""
    return {name: second[name] - first[name] for name in first if name in second}


def tidy(value: float) -> float | None:
    """Round to 8 significant digits, so that files do not differ in noise; NaN becomes None."""
    return None if np.isnan(value) else float(f"{value:.8g}")
