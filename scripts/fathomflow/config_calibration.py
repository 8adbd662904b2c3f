"""The section that says on which labelled boxes a model's scores are calibrated."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from fathomflow.config_section import Name, Section


class CalibrationData(Section):
    """Labelled boxes on which a model's scores are made honest: the model must not have been trained on them."""

    split: Name
    """The split they belong to."""
    labels: str
    """Their labels, a CSV (annotation_id, label) of its own: corrections do not reach predictions."""


def calibration_problems(
    key: str, calibration: CalibrationData | None, trained_on: Collection[str] | None, splits: Collection[str]
) -> Iterator[str]:
    """Yield what is wrong with a model's calibration, one line each; `key` is where it stands."""
    if calibration is None:
        return
    if calibration.split not in splits:
        yield f"{key}.split: no such split: {calibration.split!r}; the splits are {', '.join(sorted(splits))}"
    if calibration.split in (trained_on or ()):
        yield f"{key}.split: the model was trained on {calibration.split!r}; its scores there say nothing of new boxes"
