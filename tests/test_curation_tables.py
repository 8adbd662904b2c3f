"""What the FiftyOne stage computes without FiftyOne: names, joined tables, hashes, merged corrections."""

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation_study import write_curation_study
from fathomflow.curation.decisions import merge_files
from fathomflow.curation.exports import coco_document
from fathomflow.curation.names import evaluation_key, field_of, fields_of, label_id, snapshot_name
from fathomflow.curation.records import KEY, as_table, changed_rows, digest
from fathomflow.curation.source import primary_label
from fathomflow.errors import InputError


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ("mceam", "mceam"),
        ("bio-clip", "bio_clip"),
        ("2nd", "model_2nd"),
        ("tags", "model_tags"),
        ("split", "model_split"),
    ],
)
def test_field_of(model: str, field: str) -> None:
    assert field_of(model) == field
    assert evaluation_key("train-1", model).isidentifier()


def test_models_do_not_share_a_field() -> None:
    assert fields_of(["a-b", "c"]) == {"a-b": "a_b", "c": "c"}
    with pytest.raises(InputError, match="'a-b' and 'a_b' would share FiftyOne's field 'a_b'"):
        fields_of(["a-b", "a_b"])


def test_a_label_has_its_id_for_good() -> None:
    assert label_id("train", 1, "ground_truth") == label_id("train", 1, "ground_truth")
    ids = {label_id(split, key, field) for split in ("a", "b") for key in range(50) for field in ("x", "y")}
    assert len(ids) == 200
    assert all(len(one) == 24 and int(one, 16) >= 0 for one in ids)


def test_snapshots_have_plain_names() -> None:
    assert snapshot_name("demo", "before-review") == "demo.before-review"
    with pytest.raises(InputError, match="is no name"):
        snapshot_name("demo", "../x")


@given(st.lists(st.sampled_from(["b", "a", "c", None]), max_size=9))
def test_primary_label_is_the_most_frequent_and_the_first_of_equals(labels: list[str | None]) -> None:
    found = primary_label(labels)
    given_labels = [label for label in labels if label]
    if not given_labels:
        assert found is None
        return
    most = max(given_labels.count(label) for label in given_labels)
    assert found == sorted(label for label in given_labels if given_labels.count(label) == most)[0]


@given(st.permutations(range(5)))
def test_a_hash_does_not_depend_on_the_order_of_rows(order: list[int]) -> None:
    rows = [("train", number, f"name {number}", [0.1 * number]) for number in range(5)]
    table = as_table(rows, [*KEY, "label", "place"])
    shuffled = as_table([rows[number] for number in order], [*KEY, "label", "place"])
    assert digest(table, table.columns) == digest(shuffled, table.columns)
    assert changed_rows(table, shuffled, table.columns) == []
    other = as_table([*rows[:4], ("train", 4, "another", [0.4])], [*KEY, "label", "place"])
    assert digest(other, table.columns) != digest(table, table.columns)
    assert changed_rows(other, shuffled, table.columns) == [("train", 4, "another", [0.4])]


def test_collection_and_judgements_follow_the_tables(tmp_path: Path) -> None:
    study = write_curation_study(tmp_path, images=4, models=("first",), pictures=False)
    collection = study.collection()
    assert collection.left_out == {"train": {"images": 1, "boxes": 3}, "test": {"images": 0, "boxes": 0}}
    assert len(collection.images) == 3 + 4
    labels = pd.read_csv(study.path("test", "labels")).set_index("annotation_id")
    primary = collection.images.set_index(["split", "image_id"])["primary_label"]
    counts = labels.loc[[1, 2, 3], "label"].value_counts()
    assert primary["test", 1] == sorted(counts[counts == counts.max()].index)[0]
    assert primary["train", 1] is None
    one = study.judged()["first"]["train"]
    # Predictions for boxes on missing images count in the figures.
    assert len(one.table) == 9
    ranked = pd.read_csv(study.root / "evaluation/train/first/disagreements.csv").set_index("annotation_id")
    wrong = one.table[one.table["correct"].eq(False)].set_index("annotation_id")
    assert wrong["kind"].to_dict() == ranked["kind"].to_dict()
    assert wrong["distance"].to_dict() == ranked["distance"].to_dict()
    assert set(one.table[one.table["correct"].eq(True)]["distance"]) == {0}
    assert json.loads((study.root / "evaluation/train/first/metrics.json").read_text()) == one.metrics


def test_corrections_files_merge_from_the_published_to_the_last_label() -> None:
    columns = ["annotation_id", "old_label", "new_label", "reason", "reviewer", "date"]
    first = pd.DataFrame([["1", "a", "b", "r", "Ada", "2026-01-01"], ["2", "a", "c", "r", "Ada", "2026-01-01"]])
    second = pd.DataFrame([["1", "b", "c", "s", "Kim", "2026-02-01"]])
    merged = merge_files([("one.csv", first.set_axis(columns, axis=1)), ("two.csv", second.set_axis(columns, axis=1))])
    assert merged[1]["old_label"] == "a"
    assert (merged[1]["new_label"], merged[1]["reviewer"], merged[1]["file"]) == ("c", "Kim", "two.csv")
    assert merged[2]["file"] == "one.csv"


def test_coco_numbers_unknown_categories_after_the_known() -> None:
    images = pd.DataFrame([{"image_id": 7, "file_name": "a.png", "width": 100, "height": 50}])
    boxes = pd.DataFrame(
        [{"annotation_id": 3, "image_id": 7, "label": "new", "bounding_box": [0.1, 0.2, 0.5, 0.5]}], dtype=object
    )
    document = coco_document(images, boxes, {"old": 4})
    assert document["categories"] == [{"id": 4, "name": "old"}, {"id": 5, "name": "new"}]
    assert document["annotations"] == [
        {"id": 3, "image_id": 7, "category_id": 5, "bbox": [10.0, 10.0, 50.0, 25.0], "area": 1250.0, "iscrowd": 0}
    ]
