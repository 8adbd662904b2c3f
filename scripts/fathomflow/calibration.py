"""Temperature scaling: one number that makes a model's scores honest, fitted on labelled boxes it was not trained on.

A network's softmax is usually too sure of itself. Dividing the logits by a temperature T changes no ranking; the T
that makes the labels most likely makes scores mean what they say (Guo et al. 2017, "On Calibration of Modern Neural
Networks"). Probabilities suffice: softmax(log p / T) is softmax(logits / T).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from fathomflow.errors import InputError
from fathomflow.files import write_text

#: Temperatures that are looked through.
RANGE = (0.05, 20.0)
#: Fewer labelled boxes than this say nothing.
FEWEST_BOXES = 100
_TINY = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class Calibration:
    """A fitted temperature, where it comes from, and what it did to the mean negative log likelihood (nats)."""

    temperature: float
    split: str
    boxes: int
    nll_before: float
    nll_after: float

    def describe(self) -> str:
        """Say in a few words how scores came about."""
        return f"softmax at temperature {self.temperature:.6g}, fitted on {self.boxes} labelled boxes of {self.split}"


def scale(probabilities: NDArray[np.floating], temperature: float) -> NDArray[np.float32]:
    """Return probabilities (boxes, categories) at another temperature."""
    logs = np.log(np.maximum(probabilities.astype(np.float64), _TINY)) / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def fit_temperature(probabilities: NDArray[np.floating], classes: NDArray[np.integer], split: str) -> Calibration:
    """Find the temperature that makes labels most likely.

    Parameters
    ----------
    probabilities
        (boxes, categories), as the model gives them.
    classes
        (boxes,): index of each box's label.
    split
        The labelled split's name, for the record.

    Raises
    ------
    InputError
        There are too few boxes.
    """
    if len(classes) < FEWEST_BOXES:
        raise InputError(
            f"calibration on {split}: {len(classes)} labelled boxes that the model can name; at least {FEWEST_BOXES} "
            "are needed"
        )
    logs = np.log(np.maximum(probabilities.astype(np.float64), _TINY))
    rows = np.arange(len(classes))

    def nll(log_temperature: float) -> float:
        scaled = logs / np.exp(log_temperature)
        peak = scaled.max(axis=1, keepdims=True)
        norm = np.log(np.exp(scaled - peak).sum(axis=1)) + peak[:, 0]
        return float((norm - scaled[rows, classes]).mean())

    # In log T the function is smooth with one minimum.
    found = minimize_scalar(nll, bounds=np.log(RANGE), method="bounded", options={"xatol": 1e-7})
    return Calibration(
        temperature=float(f"{np.exp(found.x):.6g}"),
        split=split,
        boxes=len(classes),
        nll_before=float(f"{nll(0.0):.6g}"),
        nll_after=float(f"{found.fun:.6g}"),
    )


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Write a calibration as JSON."""
    write_text(path, json.dumps(asdict(calibration), indent=2) + "\n")


def read_calibration(path: Path) -> Calibration:
    """Read a calibration."""
    try:
        return Calibration(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; calibrate_predictions.py makes it") from None
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: not a calibration ({error}); calibrate again") from None
