from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import evaluate_predictions
from evaluation_case import BOXES, write_case
from fathomflow.architecture import Architecture, Encoder, ModelDescription, write_description
from fathomflow.errors import InputError

SHARED = Path(os.environ.get("FATHOMNET_SHARED", Path(__file__).parents[2] / "shared" / "fathomnet-2025"))


def evaluate(paths: dict[str, Path], out: Path, *options: str) -> None:
    files = {"metrics": "metrics.json", "per-category": "per_category.csv"}
    files |= {name: f"{name}.csv" for name in ("confusion", "disagreements", "slices", "suspicions")}
    arguments: list[object] = [*options, "--maps", *sorted(paths["maps"].glob("*.csv"))]
    for name in ("predictions", "labels", "regions", "lineages", "distances"):
        arguments += [f"--{name}", paths[name]]
    for name, file in files.items():
        arguments += [f"--{name}", out / file]
    evaluate_predictions.main(evaluate_predictions.parser().parse_args([str(argument) for argument in arguments]))


def test_figures_of_the_case_on_paper(tmp_path: Path) -> None:
    paths = write_case(tmp_path)
    evaluate(paths, tmp_path / "out", "--replicates", "200")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    found = {key: figure["value"] for key, figure in metrics["corrected"].items()}
    assert found["accuracy"] == pytest.approx(3 / 8)
    # Sibling species: 2. Species against order: family, genus and species are one-sided: 3, both ways round. Caridea
    # against a species: 3, and 1 because Caridea is none of the seven ranks. Porifera against Caridea: phyla differ 2,
    # class and order one-sided 2, Caridea 1.
    assert found["mean_distance"] == pytest.approx((2 + 3 + 3 + 4 + 5) / 8)
    # Decapoda and Caridea stand above the genus and stay themselves there.
    assert found["accuracy_at_genus"] == pytest.approx(4 / 8)
    assert found["accuracy_at_order"] == pytest.approx(7 / 8)
    # F1: Porifera 4/5, Decapoda 0, Caridea 0, P. amplus 2/5, P. platyceros 0.
    assert found["macro_f1"] == pytest.approx((4 / 5 + 2 / 5) / 5)
    assert found["weighted_f1"] == pytest.approx((3 * 4 / 5 + 2 * 2 / 5) / 8)
    # Precision: 2/2, 0/1, 0/1, 1/3, 0/1; recall 2/3, 0/1, 0/1, 1/2, 0/1.
    assert found["macro_precision"] == pytest.approx((1 + 1 / 3) / 5)
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 1 / 2) / 5)
    assert metrics["published"] == metrics["corrected"]
    assert metrics["disagreements"] == {
        "n": 5,
        "ancestor": 1,
        "descendant": 1,
        "perhaps nested": 1,
        "sibling": 1,
        "conflict": 1,
        "unknown name": 0,
    }
    for figure in metrics["corrected"].values():
        assert figure["low"] <= figure["value"] <= figure["high"]
        assert figure["n"] == 8


def test_disagreements_are_ranked_by_score_or_else_by_distance(tmp_path: Path) -> None:
    for name, scores in (("with", True), ("without", False)):
        evaluate(write_case(tmp_path / name, scores=scores), tmp_path / name)
    ranked = {name: pd.read_csv(tmp_path / name / "disagreements.csv") for name in ("with", "without")}
    assert ranked["with"]["annotation_id"].tolist() == [7, 3, 5, 4, 6]
    assert ranked["without"]["annotation_id"].tolist() == [7, 6, 4, 5, 3]
    assert ranked["with"]["conflict_rank"].fillna("").tolist() == ["phylum", "species", "", "", ""]


def test_per_category_leaves_the_undefined_empty(tmp_path: Path) -> None:
    boxes = [(1, 1, "Porifera", "Porifera", 0.9), (2, 1, "Porifera", "Kraken", 0.9)]
    evaluate(write_case(tmp_path, boxes=boxes), tmp_path)
    table = pd.read_csv(tmp_path / "per_category.csv", index_col="category")
    assert table.loc["Porifera", ["support", "recall", "precision", "mean_distance"]].tolist() == [2, 0.5, 1, 6]
    assert table.loc["Decapoda", ["precision", "recall", "f1", "mean_distance"]].isna().all()
    assert table.loc["Porifera", "main_confusions"] == "Kraken: 1"
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    # A name that nobody knows is 12 away.
    assert metrics["corrected"]["mean_distance"]["value"] == 6
    assert metrics["unknown_names"] == ["Kraken"]


def test_published_and_corrected_labels_stand_side_by_side(tmp_path: Path) -> None:
    paths = write_case(tmp_path)
    text = paths["labels"].read_text().replace("7,Porifera,Porifera,false,", "7,Caridea,Porifera,true,a shrimp")
    paths["labels"].write_text(text)
    evaluate(paths, tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["boxes"]["corrected"] == 1
    assert metrics["published"]["accuracy"]["value"] == pytest.approx(3 / 8)
    assert metrics["corrected"]["accuracy"]["value"] == pytest.approx(4 / 8)
    assert metrics["change"]["accuracy"]["value"] == pytest.approx(1 / 8)
    assert metrics["change"]["mean_distance"]["value"] == pytest.approx(-5 / 8)


def test_a_box_labelled_only_by_a_correction_counts_only_afterwards(tmp_path: Path) -> None:
    paths = write_case(tmp_path)
    text = paths["labels"].read_text().replace("8,Porifera,Porifera,false", "8,Porifera,,true")
    paths["labels"].write_text(text)
    evaluate(paths, tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["published"]["accuracy"] | {"low": 0, "high": 0} == {
        "value": 0.28571429,
        "low": 0,
        "high": 0,
        "n": 7,
    }
    assert metrics["corrected"]["accuracy"]["n"] == 8


def test_boxes_without_label_or_prediction_are_counted_and_left_out(tmp_path: Path) -> None:
    paths = write_case(tmp_path)
    lines = paths["labels"].read_text().splitlines()
    paths["labels"].write_text("\n".join(lines[:-1]) + "\n")
    paths["predictions"].write_text(paths["predictions"].read_text().replace("7,Caridea", "7,"))
    evaluate(paths, tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["boxes"] == {"regions": 8, "labelled": 7, "predicted": 7, "evaluated": 6, "corrected": 0}


def test_predictions_of_another_split_are_refused(tmp_path: Path) -> None:
    paths = write_case(tmp_path)
    paths["predictions"].write_text("annotation_id,concept_name\n99,Porifera\n")
    with pytest.raises(InputError, match="annotation_id 99 is not among the regions"):
        evaluate(paths, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    paths = write_case(tmp_path)
    evaluate(paths, tmp_path / "a")
    evaluate(paths, tmp_path / "b")
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is absent (FATHOMNET_SHARED)")
def test_the_winner_scores_what_was_published(tmp_path: Path) -> None:
    content = json.loads((SHARED / "dataset_test.json").read_text())
    boxes = [(entry["id"], entry["image_id"], "", "", 0.0) for entry in content["annotations"]]
    candidate = pd.read_csv(SHARED / "test-labels-candidate.csv").set_index("annotation_id")["label"]
    facts = pd.read_csv(SHARED / "lineages.tsv", sep="\t", keep_default_na=False).drop(columns="official_exception")
    figures = {}
    for model in ("winner", "bioclip"):
        predicted = pd.read_csv(SHARED / f"predictions-{model}.csv").set_index("annotation_id")["concept_name"]
        rows = [(box, image, candidate[box], predicted[box], 0.0) for box, image, *_ in boxes]
        lineages = facts.to_csv(index=False)
        paths = write_case(tmp_path / model, scores=False, boxes=rows, lineages=lineages)
        evaluate(paths, tmp_path / model)
        metrics = json.loads((tmp_path / model / "metrics.json").read_text())
        figures[model] = metrics["corrected"]
        right = [label == found for _, _, label, found, _ in rows]
        assert figures[model]["accuracy"]["value"] == pytest.approx(sum(right) / len(right))
        kinds = metrics["disagreements"]
        assert sum(kinds.values()) == 2 * kinds["n"] == 2 * (len(right) - sum(right))
    assert 1.45 <= figures["winner"]["mean_distance"]["value"] <= 1.62
    # The interval covers what was published for the public part of the test split.
    assert figures["winner"]["mean_distance"]["low"] <= 1.45 <= 1.62 <= figures["winner"]["mean_distance"]["high"]
    assert figures["bioclip"]["mean_distance"]["value"] > figures["winner"]["mean_distance"]["high"]


def test_probabilities_give_top_k_and_label_issues(tmp_path: Path) -> None:
    paths = write_case(tmp_path)
    categories = ["Porifera", "Decapoda", "Caridea", "Pandalus amplus", "Pandalus platyceros"]
    # The label of box 7, Porifera, comes fifth; that of every other box comes first or second.
    rows = []
    for box, _, label, found, _ in BOXES:
        values = [0.05, 0.04, 0.03, 0.02, 0.01]
        if box == 7:
            values[0] = 0.001
        else:
            values[categories.index(label)] = 0.3
        values[categories.index(found)] = 0.6
        rows.append({"annotation_id": box, "probabilities": values})
    schema = pa.schema([("annotation_id", pa.int64()), ("probabilities", pa.list_(pa.float32()))])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), tmp_path / "vectors.parquet")
    write_description(
        tmp_path / "model.json",
        ModelDescription(
            architecture=Architecture(Encoder(), Encoder(), scales=(3,), feature_dim=8),
            categories=tuple(categories),
            precision="fp32",
            source={},
            weights={},
        ),
    )
    options = ["--vectors", str(tmp_path / "vectors.parquet"), "--model", str(tmp_path / "model.json")]
    evaluate(paths, tmp_path, *options, "--seen", "no")
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["corrected"]["top3_accuracy"]["value"] == pytest.approx(7 / 8)
    # Five categories: the top five hold every label, so that figure would say nothing.
    assert "top5_accuracy" not in metrics["corrected"]
    assert metrics["label_issues"]["seen_in_training"] is False
    assert isinstance(metrics["label_issues"]["n"], int)
    disagreements = pd.read_csv(tmp_path / "disagreements.csv").set_index("annotation_id")
    assert disagreements.loc[7, "label_probability"] == pytest.approx(0.001)
    evaluate(paths, tmp_path, *options, "--seen", "yes")
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["label_issues"] == {"n": None, "seen_in_training": True}
