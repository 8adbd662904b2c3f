"""The configuration: what is accepted, and what a person reads after a mistake."""

import copy
from pathlib import Path

import pytest
import yaml

from fathomflow.config import Study, load_study, local_path, missing_files, schema_text
from fathomflow.config_docs import reference
from fathomflow.errors import InputError

ROOT = Path(__file__).parents[1]
SMALL = {
    "study": "reef",
    "splits": {"train": {"annotations": {"uri": "train.json"}}},
    "categories": {"lineages": "lineages.csv"},
    "models": {
        "first": {"checkpoint": {"uri": "https://example.org/a.ckpt"}},
        "csv": {"predictions": {"train": "p.csv"}},
    },
    "predict": {"train": ["first", "csv"]},
}


def changed(path: str, value: object) -> dict[str, object]:
    result = copy.deepcopy(SMALL)
    *sections, key = path.split("/")
    section = result
    for name in sections:
        section = section.setdefault(name, {})
    section[key] = value
    return result


def test_defaults_are_those_of_the_design() -> None:
    study = load_study(SMALL, "small.yaml")
    assert study.images.model_dump(include={"concurrency", "attempts", "timeout_s", "max_missing"}) == {
        "concurrency": 32,
        "attempts": 5,
        "timeout_s": 60,
        "max_missing": 0.02,
    }
    assert study.shards.model_dump() == {"images": 8, "predictions": 4}
    assert study.evaluation.model_dump(include={"reviewed", "bootstrap", "seed"}) == {
        "reviewed": 50,
        "bootstrap": 1000,
        "seed": 1234,
    }
    assert study.splits["train"].labels == "annotations"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("imagse", {}, "imagse: unknown key; did you mean 'images'?"),
        ("images/concurency", 3, "images.concurency: unknown key; did you mean 'concurrency'?"),
        ("splits/train/annotations/url", "x", "splits.train.annotations.url: unknown key; did you mean 'uri'?"),
        ("models/first/precison", "fp32", "models.first.precison: unknown key; did you mean 'precision'?"),
        (
            "models/first/precision",
            "fp8",
            "models.first.precision: 'fp8' is not allowed; use 'auto', 'fp32', 'fp16' or 'bf16'",
        ),
        ("models/first/checkpoint/sha256", "abc", "models.first.checkpoint.sha256: 'abc' is no SHA-256"),
        ("images/attempts", 0, "images.attempts: input should be greater than or equal to 1; found 0"),
        ("predict/train", ["frist"], "predict.train: no model 'frist'; did you mean 'first'?"),
        ("predict/tain", ["first"], "predict.tain: no such split; did you mean 'train'?"),
        ("splits/te st", {"annotations": {"uri": "x"}}, "splits.te st: 'te st' is no name"),
    ],
)
def test_a_mistake_names_key_value_and_nearest_name(path: str, value: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_study(changed(path, value), "small.yaml")
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(f"small.yaml: {message}")


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(InputError) as caught:
        load_study(changed("shards", {"images": 0, "predictons": 2}) | {"studdy": "x"}, "small.yaml")
    assert len(caught.value.problems) == 3


def test_a_model_without_predictions_for_a_split_it_shall_predict() -> None:
    values = changed("splits/test", {"annotations": {"uri": "test.json"}})
    values["predict"]["test"] = ["csv"]
    with pytest.raises(InputError, match=r"predict\.test: model 'csv' has no predictions for this split"):
        load_study(values, "small.yaml")


def test_missing_files_are_named_with_their_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.json").touch()
    with pytest.raises(InputError) as caught:
        missing_files(load_study(SMALL, "small.yaml"))
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "categories.lineages",
        "models.csv.predictions.train",
    ]


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("a/b c.csv", "a/b c.csv"),
        ("file:///data/b%20c.csv", "/data/b c.csv"),
        ("https://example.org/a", None),
        ("gdrive://1dr0", None),
        ("s3://bucket/key", None),
    ],
)
def test_local_path(uri: str, path: str | None) -> None:
    assert local_path(uri) == (None if path is None else Path(path))


def test_the_schema_in_config_is_the_one_the_models_give() -> None:
    assert (ROOT / "config/schema.json").read_text() == schema_text(), "run `make schema`"


def test_the_reference_page_is_the_one_the_models_give() -> None:
    assert (ROOT / "docs/configuration.md").read_text() == reference(), "run `make schema`"


def test_every_key_is_described() -> None:
    schema = Study.model_json_schema()
    for name, section in [("Study", schema), *schema["$defs"].items()]:
        for key, node in section["properties"].items():
            described = node.get("description") or schema["$defs"].get(node.get("$ref", "").rpartition("/")[2], {}).get(
                "description"
            )
            assert described, f"{name}.{key} has no description"


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_the_configurations_that_ship_are_valid_and_name_their_schema(path: Path) -> None:
    text = path.read_text()
    assert text.splitlines()[0] == "# yaml-language-server: $schema=schema.json"
    load_study(yaml.safe_load(text), path.name)
