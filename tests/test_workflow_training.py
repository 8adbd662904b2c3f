"""Training through the workflow: out of fold, apart from corrections, and good enough to find what the demo planted."""

import json
from pathlib import Path

import pandas as pd
import pytest

from conftest import Workspace, make_workspace
from fathomflow.config import load_study
from fathomflow.errors import InputError
from training_study import write_training_study

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, str]:
    """Return a workspace in which the squares have been learnt, and its configuration option."""
    workspace = make_workspace(tmp_path_factory.mktemp("training") / "clone")
    option = workspace.configure("squares", write_training_study(workspace.root / "squares"))
    workspace.snakemake(option)
    return workspace, option


def test_every_box_is_predicted_by_the_model_that_has_not_seen_its_dive(finished: tuple[Workspace, str]) -> None:
    results = finished[0].root / "squares/results"
    folds = pd.read_csv(results / "training/small/folds.csv")
    assert folds.groupby("dive")["fold"].nunique().eq(1).all()
    predictions = pd.read_csv(results / "predictions/survey/small.csv").set_index("annotation_id")
    assert len(predictions) == len(folds) == 36
    for fold, rows in folds.groupby("fold"):
        shard = pd.read_csv(results / f"predictions/shards/survey/small/{fold}.csv").set_index("annotation_id")
        assert shard.index.tolist() == rows["annotation_id"].tolist()
        assert predictions.loc[shard.index, "score"].tolist() == shard["score"].tolist()
        described = json.loads((results / f"training/small/{fold}/model.json").read_text())
        expected = {"split": "survey", "labels": "published", "boxes": 36 - len(rows), "held_out_fold": fold}
        assert described["trained_on"] == expected
    assert (predictions["concept_name"].to_numpy() == folds["label"].to_numpy()).mean() >= 0.9
    metrics = json.loads((results / "evaluation/survey/small/metrics.json").read_text())
    assert metrics["label_issues"]["seen_in_training"] is False


def test_nothing_is_left_to_do(finished: tuple[Workspace, str]) -> None:
    workspace, option = finished
    assert workspace.planned(option) == {}
    workspace.touch_everything()
    assert workspace.planned(option) == {}


def test_a_correction_trains_anew_only_where_corrected_labels_are_learnt(finished: tuple[Workspace, str]) -> None:
    workspace, option = finished
    corrections = workspace.root / "squares/corrections.csv"
    before = corrections.read_text()
    folds = pd.read_csv(workspace.root / "squares/results/training/small/folds.csv").set_index("annotation_id")
    other = "Elpidia" if folds.loc[3, "label"] != "Elpidia" else "Sebastes"
    corrections.write_text(f"{before}3,{folds.loc[3, 'label']},{other},a test,someone,2026-11-20\n")
    try:
        computed = {"assign_folds", "train_model", "predict_regions", "gather_predictions"}
        assert "apply_corrections" in workspace.planned(option)
        assert not computed & set(workspace.planned(option))
        values = write_training_study(workspace.root / "elsewhere" / "squares")
        values["models"]["small"]["training"]["labels"] = "corrected"  # type: ignore[index]
        jobs = workspace.planned(workspace.configure("learns_corrections", values))
        assert (jobs["assign_folds"], jobs["train_model"]) == (1, 2)
    finally:
        corrections.write_text(before)


def test_another_split_is_predicted_by_a_model_of_the_whole_split(workspace: Workspace) -> None:
    values = write_training_study(workspace.root / "squares") | {"predict": {"other": ["small"]}}
    jobs = workspace.planned(workspace.configure("other", values))
    assert (jobs["train_model"], jobs["predict_regions"]) == (1, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"split": "nowhere"},
            "models.small.training.split: no such split: 'nowhere'; did you mean 'other'? Known here: other, survey",
        ),
        ({"architecture": {"hidden": 30, "heads": 4}}, "architecture.hidden: 30 is not a multiple of heads, 4"),
        ({"architecture": {"features": 20}}, "architecture.features: 20 is not a multiple of 8"),
        ({"fold": 3}, "models.small.training.fold: unknown key; did you mean 'folds'?"),
        ({"folds": 1}, "models.small.training.folds: input should be greater than or equal to 2; found 1"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    values = write_training_study(tmp_path / "squares")
    values["models"]["small"]["training"] |= change  # type: ignore[index]
    with pytest.raises(InputError) as error:
        load_study(values, "my.yaml")
    assert any(message in problem for problem in error.value.problems), error.value.problems


@pytest.mark.slow
def test_the_demo_finds_its_planted_errors_and_mending_them_shows(workspace: Workspace) -> None:
    option = "--configfile=config/demo.yaml"
    config = workspace.root / "config/demo.yaml"
    # A port of its own, so that a demo beside this test goes on undisturbed.
    config.write_text(config.read_text().replace("port: 8437", "port: 8462"))
    tables = "results/demo/evaluation/train/mceam"
    workspace.snakemake(option, f"{tables}/metrics.json")
    study = workspace.root / "data/demo/study"
    truth = pd.read_csv(study / "truth/train.csv").set_index("annotation_id")
    mended = pd.read_csv(study / "corrections/train.csv").set_index("annotation_id")
    planted = set(truth.index[truth["wrong"]]) - set(mended.index)
    boxes = pd.read_csv(workspace.root / "results/demo/annotations/train.labels.csv").set_index("annotation_id")
    assert 0.07 <= truth["wrong"].mean() <= 0.09
    ranked = pd.read_csv(workspace.root / tables / "disagreements.csv")["annotation_id"].tolist()
    found = planted & set(ranked[: 2 * len(planted)])
    assert len(found) >= 0.7 * len(planted), (
        f"{len(found)} of {len(planted)} planted errors in the first {2 * len(planted)}"
    )

    before = json.loads((workspace.root / tables / "metrics.json").read_text())
    rows = [
        f"{box},{boxes.loc[box, 'label']},{truth.loc[box, 'label']},planted,test,2026-11-20" for box in sorted(planted)
    ]
    corrections = study / "corrections/train.csv"
    corrections.write_text(corrections.read_text() + "".join(f"{row}\n" for row in rows))
    jobs = workspace.planned(option, f"{tables}/metrics.json")
    assert set(jobs) == {"apply_corrections", "evaluate_predictions"}, "a correction costs no training"
    workspace.snakemake(option, f"{tables}/metrics.json")
    after = json.loads((workspace.root / tables / "metrics.json").read_text())
    assert after["boxes"]["corrected"] == len(planted) + len(mended)
    corrected = pd.read_csv(workspace.root / "results/demo/labels/train.csv").set_index("annotation_id")["label"]
    assert corrected.to_dict() == truth["label"].to_dict(), "these are the clean labels now"
    assert after["corrected"]["accuracy"]["value"] > before["corrected"]["accuracy"]["value"]
    assert after["change"]["accuracy"]["value"] > 0
