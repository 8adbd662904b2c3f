"""The figures of an evaluation, each as samples: the estimate and its bootstrap replicates.

Conventions are scikit-learn's with ``zero_division=nan``: macro averages run over the categories that stand among
labels or predictions, and what is undefined for a category (the precision of one never predicted) is left out of
the average instead of counting as 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fathomflow.bootstrap import Bools, Floats, Ints, divide, sum_by_class, sum_by_image

#: Equal-width bins of the expected calibration error.
CALIBRATION_BINS = 15
#: How many of the most probable categories a top-k accuracy looks at.
TOP = (3, 5)


@dataclass(frozen=True)
class Outcome:
    """Labels beside predictions for n boxes, as codes into one list of names.

    Attributes
    ----------
    truth, predicted
        Shape (n,): codes of label and predicted name.
    image
        Shape (n,): index of each box's image among the columns of the bootstrap weights.
    distance
        Shape (names, names): taxonomic distance.
    score
        Shape (n,): probability of the predicted name, NaN where there is none.
    hits
        k → shape (n,): whether the label is among the k most probable; empty without probabilities.
    """

    truth: Ints
    predicted: Ints
    image: Ints
    distance: Floats
    score: Floats
    hits: Mapping[int, Bools]


@dataclass(frozen=True)
class ClassCounts:
    """Per class and replicate, shape (replicates, classes): true positives, labels, predictions, summed distance."""

    hits: Floats
    support: Floats
    predicted: Floats
    distance: Floats

    @property
    def precision(self) -> Floats:
        """True positives among predictions; NaN where never predicted."""
        return divide(self.hits, self.predicted)

    @property
    def recall(self) -> Floats:
        """True positives among labels; NaN where no label."""
        return divide(self.hits, self.support)

    @property
    def f1(self) -> Floats:
        """Harmonic mean 2 TP / (labels + predictions); NaN for a class that is in neither."""
        return divide(2 * self.hits, self.support + self.predicted)

    @property
    def mean_distance(self) -> Floats:
        """Mean distance of the predictions for the boxes of a label."""
        return divide(self.distance, self.support)


def count_classes(outcome: Outcome, weights: Floats) -> ClassCounts:
    """Count per class in every replicate."""
    classes = len(outcome.distance)
    ones = np.ones(len(outcome.truth))
    right = (outcome.truth == outcome.predicted).astype(float)
    distance = outcome.distance[outcome.truth, outcome.predicted]
    return ClassCounts(
        hits=sum_by_class(outcome.image, outcome.truth, right, classes, weights),
        support=sum_by_class(outcome.image, outcome.truth, ones, classes, weights),
        predicted=sum_by_class(outcome.image, outcome.predicted, ones, classes, weights),
        distance=sum_by_class(outcome.image, outcome.truth, distance, classes, weights),
    )


def _average(values: Floats, by: Floats | None = None) -> Floats:
    """Average over classes, undefined ones left out; weighted by `by` where given."""
    defined = ~np.isnan(values)
    share = defined.astype(float) if by is None else by * defined
    return divide((np.where(defined, values, 0) * share).sum(axis=1), share.sum(axis=1))


def compute_figures(
    outcome: Outcome, maps: Mapping[str, Ints], weights: Floats, counts: ClassCounts | None = None
) -> dict[str, Floats]:
    """Compute every figure of one model on one set of labels.

    Parameters
    ----------
    outcome
        Labels and predictions.
    maps
        Category maps, name → shape (names,): the code that each name is rolled up to. Each gives an
        ``accuracy_at_<name>``.
    weights
        Bootstrap weights, shape (1 + replicates, images).
    counts
        What `count_classes` gave for the same arguments, where the caller has it.

    Returns
    -------
    dict[str, Floats]
        Samples of shape (1 + replicates,) per figure: accuracy, balanced_accuracy, macro_* and weighted_* precision,
        recall and f1, accuracy_at_*, mean_distance; with probabilities top3_accuracy, top5_accuracy; with scores
        calibration_error.
    """
    counts = counts or count_classes(outcome, weights)
    columns = {
        "accuracy": outcome.truth == outcome.predicted,
        **{f"accuracy_at_{name}": target[outcome.truth] == target[outcome.predicted] for name, target in maps.items()},
        "mean_distance": outcome.distance[outcome.truth, outcome.predicted],
        **{f"top{k}_accuracy": hit for k, hit in outcome.hits.items()},
    }
    ones = np.ones((len(outcome.truth), 1))
    stacked = np.column_stack([ones, *(np.asarray(column, dtype=float) for column in columns.values())])
    sums = sum_by_image(outcome.image, stacked, weights)
    means = dict(zip(columns, divide(sums[:, 1:], sums[:, :1]).T, strict=True))
    figures = {"accuracy": means.pop("accuracy"), "balanced_accuracy": _average(counts.recall)}
    for name, values in (("precision", counts.precision), ("recall", counts.recall), ("f1", counts.f1)):
        figures[f"macro_{name}"] = _average(values)
        figures[f"weighted_{name}"] = _average(values, counts.support)
    figures |= means
    if len(outcome.score) and not np.isnan(outcome.score).any():
        figures["calibration_error"] = calibration_error(outcome, weights)
    return figures


def calibration_error(outcome: Outcome, weights: Floats) -> Floats:
    """Compute the expected calibration error: the mean gap between score and accuracy over equal-width bins.

    Guo et al., "On calibration of modern neural networks", ICML 2017, equation 3; bins are (lower, upper].

    Returns
    -------
    Floats
        Shape (1 + replicates,).
    """
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1]
    bins = np.searchsorted(edges, outcome.score, side="left").astype(np.int64)
    gap = (outcome.truth == outcome.predicted) - outcome.score
    gaps = sum_by_class(outcome.image, bins, gap, CALIBRATION_BINS, weights)
    boxes = sum_by_class(outcome.image, bins, np.ones(len(bins)), CALIBRATION_BINS, weights)
    return divide(np.abs(gaps).sum(axis=1), boxes.sum(axis=1))
