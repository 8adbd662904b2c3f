from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import compare_models
from evaluation_case import BOXES, write_case
from fathomflow.comparison import read_comparison
from test_evaluation import evaluate
from test_report import embedded, pictures_of


def compare(folder: Path, *, labels: bool = True) -> tuple[pd.DataFrame, str]:
    """Compare the case's predictions with those of a second model, which is right on boxes 3 and 7 as well."""
    first = write_case(folder / "first")
    better = [
        (box, image, label, label if box in (3, 7) else found, score) for box, image, label, found, score in BOXES
    ]
    second = write_case(folder / "second", boxes=better)
    pictures = dict(zip(*[iter(pictures_of(first, folder / "first"))] * 2, strict=True))
    arguments = ["--study", "paper", "--split", "survey", "--names", "first", "second", "--replicates", "200"]
    arguments += ["--predictions", first["predictions"], second["predictions"], "--regions", first["regions"]]
    arguments += ["--lineages", first["lineages"], "--distances", first["distances"]]
    arguments += ["--maps", *sorted(first["maps"].glob("*.csv"))]
    arguments += ["--crops", pictures["--crops"], "--frames", pictures["--frames"]]
    arguments += ["--labels", first["labels"]] if labels else []
    arguments += ["--table", folder / "comparison.csv", "--page", folder / "comparison.html"]
    compare_models.main(compare_models.parser().parse_args([str(argument) for argument in arguments]))
    return read_comparison(folder / "comparison.csv"), (folder / "comparison.html").read_text(encoding="utf-8")


def test_figures_differences_and_agreement_by_hand(tmp_path: Path) -> None:
    table, page = compare(tmp_path)
    rows = table.set_index(["figure", "model", "other"])
    assert rows.loc[("accuracy", "first", ""), "value"] == pytest.approx(3 / 8)
    assert rows.loc[("accuracy", "second", ""), "value"] == pytest.approx(5 / 8)
    assert rows.loc[("accuracy", "first", "second"), "value"] == pytest.approx(-2 / 8)
    assert rows.loc[("mean_distance", "first", "second"), "value"] == pytest.approx((2 + 5) / 8)
    assert rows.loc[("agreement", "first", "second"), ["value", "n"]].tolist() == [6 / 8, 8]
    assert (table["low"] <= table["value"] + 1e-9).all()
    assert (table["value"] <= table["high"] + 1e-9).all()
    data = embedded(page, "data")
    # Porifera against Caridea are farther apart than two species of one genus.
    assert [data["boxes"]["id"][row] for row in data["ranked"]] == [7, 3]
    assert [model["name"] for model in data["models"]] == ["first", "second"]
    assert "first − second" in page


def test_figures_equal_those_of_the_evaluation(tmp_path: Path) -> None:
    table, _ = compare(tmp_path)
    evaluate(write_case(tmp_path / "again"), tmp_path, "--replicates", "200")
    figures = json.loads((tmp_path / "metrics.json").read_text())["corrected"]
    rows = table[table["model"].eq("first") & table["other"].eq("")].set_index("figure")
    for figure, row in figures.items():
        assert rows.loc[figure, ["value", "low", "high"]].tolist() == pytest.approx(
            [row["value"], row["low"], row["high"]], rel=1e-5
        )


def test_without_labels_models_are_compared_by_agreement(tmp_path: Path) -> None:
    table, page = compare(tmp_path, labels=False)
    assert table["figure"].tolist() == ["agreement"]
    assert "This split has no labels, so there are no figures to compare" in page
