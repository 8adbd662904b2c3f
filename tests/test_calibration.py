"""A temperature is found again, changes no ranking, and is written into what it was applied to."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

import calibrate_predictions
from conftest import Workspace
from fathomflow.calibration import fit_temperature, read_calibration, scale
from fathomflow.config import load_study
from fathomflow.errors import InputError
from fathomflow.predictions import read_vectors, softmax
from prediction_study import CATEGORIES, make_study, run_program
from test_predict_regions import gather


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_temperature_is_found_again(temperature: float) -> None:
    """Labels are drawn from the honest probabilities; the model's are sharper or flatter by a known factor."""
    random = np.random.default_rng(1)
    logits = random.normal(size=(20_000, 6)) * 2
    honest = softmax(logits)
    classes = (random.random((20_000, 1)) > honest.cumsum(axis=1)[:, :-1]).sum(axis=1)
    found = fit_temperature(softmax(logits * temperature), classes, "val")
    assert found.temperature == pytest.approx(temperature, rel=0.03)
    assert found.nll_after <= found.nll_before
    np.testing.assert_allclose(scale(softmax(logits * temperature), temperature), honest, atol=1e-5)


@given(
    hn.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(2, 9)), elements=st.floats(-20, 20, width=32)),
    st.floats(0.2, 5),
)
def test_scaling_changes_no_ranking(logits: np.ndarray, temperature: float) -> None:
    probabilities = softmax(logits)
    scaled = scale(probabilities, temperature)
    np.testing.assert_allclose(scaled.sum(axis=1), 1, atol=1e-6)
    best = probabilities.argmax(axis=1)
    assert (scaled[np.arange(len(best)), best] == scaled.max(axis=1)).all()


def test_too_few_labels() -> None:
    with pytest.raises(InputError, match="3 labelled boxes that the model can name; at least 100 are needed"):
        fit_temperature(np.full((3, 2), 0.5), np.zeros(3, int), "val")


def test_the_programs(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study", images=30, boxes=130)
    study.predict("0-of-1")
    raw = read_vectors(study.root / "0-of-1.parquet")
    random = np.random.default_rng(1)
    labels = pd.DataFrame({"annotation_id": raw.annotation_ids, "label": random.choice(CATEGORIES, 130)})
    labels.to_csv(study.root / "labels.csv", index=False)
    calibration = study.root / "calibration.json"
    options = ["--vectors", "0-of-1.parquet", "--labels", "labels.csv", "--model", "model.json", "--split", "val"]
    options = [str(study.root / text) if "." in text else text for text in options]
    said = run_program(calibrate_predictions, [*options, "--calibration", str(calibration)])
    assert "fitted on 130 labelled boxes of val" in said

    gather(study, 1)
    plain = pd.read_csv(study.root / "gathered-1.csv", keep_default_na=False)
    assert pq.read_schema(study.root / "gathered-1.parquet").metadata[b"scores"] == b"softmax"
    gather(study, 1, "--calibration", str(calibration))
    scaled = pd.read_csv(study.root / "gathered-1.csv", keep_default_na=False)
    assert scaled["concept_name"].tolist() == plain["concept_name"].tolist()
    assert scaled["flags"].tolist() == [f"{flags} calibrated".strip() for flags in plain["flags"]]
    temperature = read_calibration(calibration).temperature
    expected = scale(raw.probabilities, temperature)
    assert np.array_equal(read_vectors(study.root / "gathered-1.parquet").probabilities, expected)
    assert pq.read_schema(study.root / "gathered-1.parquet").metadata[b"scores"].startswith(b"softmax at temperature")
    calibration.write_text("{}")
    with pytest.raises(InputError, match="not a calibration"):
        read_calibration(calibration)


def configuration(folder: Path, **more: object) -> dict[str, object]:
    """Return a study whose model is calibrated on one split and predicts the other; its files are only named."""
    folder.mkdir()
    for name in ("annotations.json", "model.ckpt", "labels.csv"):
        (folder / name).touch()
    split = {"annotations": {"uri": f"{folder.name}/annotations.json"}, "labels": None}
    calibration = {"split": "val", "labels": f"{folder.name}/labels.csv"}
    return {
        "study": "calibrated",
        "splits": {"val": split, "test": split},
        "categories": {"lineages": "config/categories/fathomnet-2025.csv"},
        "models": {"mceam": {"checkpoint": {"uri": f"{folder.name}/model.ckpt"}, "calibration": calibration, **more}},
        "predict": {"test": ["mceam"]},
        "shards": {"images": 1, "predictions": 2},
    }


@pytest.mark.workflow
def test_the_workflow_calibrates_on_a_split_that_it_predicts_for_that_alone(workspace: Workspace) -> None:
    values = configuration(workspace.root / "study")
    planned = workspace.planned(workspace.configure("calibrated", values), "predictions")
    assert planned["calibrate_predictions"] == 1
    assert planned["predict_regions"] == 4
    assert planned["gather_predictions"] == 1


def test_a_split_that_the_model_learnt_cannot_calibrate_it(tmp_path: Path) -> None:
    values = configuration(tmp_path / "study", trained_on=["val"])
    with pytest.raises(InputError, match="the model was trained on 'val'"):
        load_study(values, "config.yaml")
    values["models"]["mceam"] |= {"trained_on": None, "calibration": {"split": "vall", "labels": "x"}}
    with pytest.raises(InputError, match=r"models.mceam.calibration.split: no such split: 'vall'"):
        load_study(values, "config.yaml")
