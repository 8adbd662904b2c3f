"""The dataset in FiftyOne against the files it is a view of. A real MongoDB runs in every test."""

import json
from collections.abc import Iterator
from pathlib import Path

import fiftyone as fo
import pandas as pd
import pytest

from curation_study import CurationStudy, write_curation_study
from fathomflow.curation.content import content_of, read_decisions, read_labels
from fathomflow.curation.database import open_database
from fathomflow.curation.decisions import export_decisions
from fathomflow.curation.exports import select_boxes, tabulate_boxes, write_coco, write_yolo
from fathomflow.curation.place import Place
from fathomflow.curation.state import load_dataset, models_of
from fathomflow.curation.updating import Identity, bring_up_to_date, verify
from fathomflow.curation.versions import (
    delete_version,
    list_versions,
    merge_datasets,
    restore_snapshot,
    take_snapshot,
)
from fathomflow.errors import InputError
from fathomflow.taxonomy import read_lineages

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with open_database(Place(tmp_path_factory.mktemp("database"))):
        yield


@pytest.fixture(scope="module")
def built(database: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[CurationStudy, dict]:
    study = write_curation_study(tmp_path_factory.mktemp("study"))
    return study, update(study)


def update(study: CurationStudy, *, force: bool = False) -> dict:
    return bring_up_to_date(Identity(study.name, study.name), study.collection(), study.judged(), force=force)


@pytest.fixture
def fresh(database: None, tmp_path: Path, request: pytest.FixtureRequest) -> CurationStudy:
    """Return a study of its own, built."""
    study = write_curation_study(tmp_path, name=request.node.name.replace("_", "-")[:60], images=5, models=("first",))
    update(study)
    return study


def box(dataset: fo.Dataset, split: str, key: int) -> tuple[fo.Sample, fo.Detection]:
    for sample in dataset.match_tags(split):
        for detection in sample["ground_truth"].detections:
            if detection["annotation_id"] == key:
                return sample, detection
    raise LookupError(key)


def change(dataset: fo.Dataset, split: str, key: int, **values: object) -> None:
    """Change a box as a person's script would."""
    sample, detection = box(dataset, split, key)
    for name, value in values.items():
        detection[name] = value
    sample.save()


def test_samples_have_the_metadata_that_the_files_have(built: tuple[CurationStudy, dict]) -> None:
    study, state = built
    dataset = load_dataset(study.name)
    assert dataset.persistent
    assert state["images"] == {"test": 12, "train": 11}
    assert state["left_out"] == {"train": {"images": 1, "boxes": 3}, "test": {"images": 0, "boxes": 0}}
    assert dataset.count_sample_tags() == {"train": 11, "test": 12}
    sample = dataset.match_tags("test").match({"image_id": 2}).first()
    assert (sample.metadata.width, sample.metadata.height, sample.metadata.num_channels) == (64, 48, 4)
    assert (sample["mode"], sample["vehicle"], sample["dive"]) == ("RGBA", "Tiburon", "2")
    assert Path(sample.filepath) == study.root / "images/test-2.png"
    assert dataset.match_tags("train").match({"image_id": 1}).first()["ground_truth"].detections == []
    lineage = read_lineages(study.lineages).set_index("category")
    detection = sample["ground_truth"].detections[0]
    assert detection["family"] == (lineage.loc[detection.label, "family"] or None)
    # Image 2 of test has boxes 4 to 6; the first lies at x 4.5 of 64.
    assert detection["annotation_id"] == 4
    assert detection.bounding_box == [4.5 / 64, 2.25 / 48, 15 / 64, 12 / 48]


def test_the_state_describes_what_is_in_the_database(built: tuple[CurationStudy, dict]) -> None:
    study, state = built
    dataset = load_dataset(study.name)
    assert verify(dataset, state, models_of(dataset)) == []
    assert update(study) == state


def test_figures_read_back_equal_the_csv_files(built: tuple[CurationStudy, dict]) -> None:
    study, _ = built
    dataset = load_dataset(study.name)
    for split in study.splits:
        for model in study.models:
            folder = study.root / "evaluation" / split / model
            results = dataset.load_evaluation_results(f"{model}_{split}")
            metrics = json.loads((folder / "metrics.json").read_text())["corrected"]
            shown = results.metrics()
            assert shown["support"] == metrics["accuracy"]["n"]
            assert float(f"{shown['accuracy']:.8g}") == metrics["accuracy"]["value"]
            for name in ("macro_f1", "macro_precision", "balanced_accuracy", "mean_distance", "calibration_error"):
                assert shown[name] == metrics[name]["value"]
            confusion = pd.read_csv(folder / "confusion.csv", keep_default_na=False)
            matrix = results.confusion_matrix(classes=results.classes)
            counted = {
                (label, name): int(matrix[row, column])
                for row, label in enumerate(results.classes)
                for column, name in enumerate(results.classes)
                if matrix[row, column]
            }
            assert counted == {(row.label, row.prediction): row.n for row in confusion.itertuples()}
            report = results.report()
            table = pd.read_csv(folder / "per_category.csv", dtype=str, keep_default_na=False).set_index("category")
            for category, figures in report.items():
                if category in table.index:
                    row = table.loc[category]
                    assert figures["support"] == int(row["support"])
                    for ours, theirs in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
                        # scikit-learn says 0 for what is undefined and stands empty in the file.
                        assert f"{figures[theirs]:.6g}" == (row[ours] if row[ours] != "" else "0")


def test_boxes_in_fiftyone_count_as_the_tables_do(built: tuple[CurationStudy, dict]) -> None:
    """Counted anew from the boxes themselves, where the images are there."""
    study, _ = built
    dataset = load_dataset(study.name)
    present = set(read_labels(dataset).query("split == 'train'")["annotation_id"])
    for model in study.models:
        view = dataset.match_tags("train")
        pairs = zip(*view.values([f"{model}.detections.{name}" for name in ("study_label", "label")]), strict=True)
        counted = pd.Series([pair for some in pairs for pair in zip(*some, strict=True)]).value_counts()
        ranked = pd.read_csv(study.root / "evaluation/train" / model / "disagreements.csv")
        labels = pd.read_csv(study.path("train", "labels")).set_index("annotation_id")["label"]
        names = pd.read_csv(study.path("train", model)).set_index("annotation_id")["concept_name"]
        expected = pd.Series([(labels[key], names[key]) for key in sorted(present)]).value_counts()
        assert counted.to_dict() == expected.to_dict()
        shown = dataset.load_saved_view(f"train, {model}: potential label errors")
        order = [one for some in shown.values(f"{model}.detections.annotation_id") for one in some]
        assert order == [key for key in ranked["annotation_id"] if key in present]
        assert [some[0] for some in shown.values("ground_truth.detections.annotation_id")] == order
        lineage = ranked[ranked["kind"].isin(["ancestor", "descendant", "perhaps nested"])]["annotation_id"]
        shown = dataset.load_saved_view(f"train, {model}: same lineage")
        assert len(shown) == len(set(lineage) & present)


def test_each_top_confusion_has_a_view(built: tuple[CurationStudy, dict]) -> None:
    study, _ = built
    dataset = load_dataset(study.name)
    confusion = pd.read_csv(study.root / "evaluation/test/first/confusion.csv")
    wrong = confusion[confusion["label"] != confusion["prediction"]]
    top = wrong.sort_values(["n", "label", "prediction"], ascending=[False, True, True]).head(10)
    for number, row in enumerate(top.itertuples(), start=1):
        view = dataset.load_saved_view(f"test, first: pair {number:02d}, {row.label} as {row.prediction}")
        assert len(view) == row.n
    assert "review" in dataset.list_workspaces()


def test_a_correction_arrives_in_place(fresh: CurationStudy) -> None:
    dataset = load_dataset(fresh.name)
    ids = dataset.values("id")
    # Someone has looked at the view before.
    dataset.load_saved_view("test, first: potential label errors")
    _, before = box(dataset, "test", 4)
    other = next(name for name in read_lineages(fresh.lineages)["category"] if name != before.label)
    fresh.correct("test", {4: other})
    state = update(fresh)
    dataset.reload()
    _, detection = box(dataset, "test", 4)
    assert (detection.label, detection["published_label"]) == (other, before.label)
    assert detection["corrected"]
    assert detection.tags == ["label_corrected"]
    assert state["corrected"] == {"test": 1}
    assert dataset.values("id") == ids, "the samples are the same ones"
    assert verify(dataset, state, models_of(dataset)) == []
    metrics = json.loads((fresh.root / "evaluation/test/first/metrics.json").read_text())["corrected"]
    results = dataset.load_evaluation_results("first_test", cache=False)
    assert float(f"{results.metrics()['accuracy']:.8g}") == metrics["accuracy"]["value"]
    patches = dataset.match_tags("test").to_evaluation_patches("first_test")
    assert (
        patches.count_values("type")
        == pd.Series(results.ytrue == results.ypred).map({True: "tp", False: "fn"}).value_counts().to_dict()
    )
    # Saved views follow, too.
    ranked = pd.read_csv(fresh.root / "evaluation/test/first/disagreements.csv")["annotation_id"].tolist()
    shown = dataset.load_saved_view("test, first: potential label errors")
    assert shown.values("first.detections.annotation_id", unwind=True) == ranked
    # And back again.
    fresh.correct("test", {4: before.label})
    update(fresh)
    dataset.reload()
    assert box(dataset, "test", 4)[1].tags == []


def test_what_people_decided_survives_updates_and_rebuilding(fresh: CurationStudy) -> None:
    dataset = load_dataset(fresh.name)
    names = read_lineages(fresh.lineages)["category"].tolist()
    labels = {key: box(dataset, "test", key)[1].label for key in (1, 4, 7)}
    wanted = next(name for name in names if name != labels[1])
    change(dataset, "test", 1, label=wanted, tags=["label_error"], reason="arms counted")
    change(dataset, "test", 4, tags=["unclear"])
    sample = dataset.match_tags("test").match({"image_id": 3}).first()
    prediction = sample["first"].detections[0]
    prediction.tags = ["model_error"]
    sample.save()
    decided = read_decisions(dataset, models_of(dataset))
    fresh.correct("test", {7: next(name for name in names if name != labels[7])})
    update(fresh)
    pd.testing.assert_frame_equal(read_decisions(dataset, models_of(dataset)), decided)
    # Another image disappears: the dataset is built anew.
    manifest = fresh.path("train", "images")
    rows = manifest.read_text().splitlines()
    manifest.write_text("\n".join([*rows[:2], rows[2].replace(",ok,", ",missing,"), *rows[3:]]) + "\n")
    state = update(fresh)
    dataset = fo.load_dataset(fresh.name)
    assert state["left_out"]["train"]["images"] == 2
    pd.testing.assert_frame_equal(read_decisions(dataset, models_of(dataset)), decided)
    # The same correction comes from the files: the decision is answered.
    fresh.correct("test", {1: wanted})
    update(fresh)
    _, detection = box(fo.load_dataset(fresh.name), "test", 1)
    assert (detection.label, detection.tags) == (wanted, ["label_corrected"])
    assert not {"1"} & set(read_decisions(dataset, models_of(dataset))["label"].dropna())


def test_decisions_become_corrections_and_conflicts(fresh: CurationStudy) -> None:
    dataset = load_dataset(fresh.name)
    names = read_lineages(fresh.lineages)["category"].tolist()
    label = {key: box(dataset, "test", key)[1].label for key in range(1, 16)}
    new = {key: next(name for name in names if name != label[key]) for key in label}
    change(dataset, "test", 1, label=new[1], reason="fins", reviewer="Kim", decided="2026-11-20")
    change(dataset, "test", 2, label=new[2])
    change(dataset, "test", 3, label="Sebastess")
    change(dataset, "test", 4, label=new[4], tags=["unclear"])
    change(dataset, "test", 5, tags=["model_error"])
    sample = next(one for one in dataset.match_tags("test") if one["image_id"] == 3)
    accepted = sample["first"].detections[2]
    accepted.tags = ["label_error"]
    sample.save()
    table = read_labels(dataset)
    decisions = read_decisions(dataset, models_of(dataset), table)
    elsewhere = pd.DataFrame(
        [
            {"annotation_id": "2", "old_label": label[2], "new_label": names[-1], "reason": "r"},
            {"annotation_id": "8", "old_label": label[8], "new_label": new[8], "reason": "r"},
        ]
    ).assign(reviewer="Ada", date="2026-01-31")
    result = export_decisions(
        decisions[decisions["split"] == "test"], table[table["split"] == "test"], [("c.csv", elsewhere)], names, "me"
    )
    rows = {row["annotation_id"]: row for row in result.corrections.to_dict("records")}
    assert rows[1] == {
        "annotation_id": 1,
        "old_label": label[1],
        "new_label": new[1],
        "reason": "fins",
        "reviewer": "Kim",
        "date": "2026-11-20",
    }
    assert rows[2]["new_label"] == names[-1], "a decision made elsewhere stays"
    assert set(rows) - {9} == {1, 2, 8}
    if accepted.label != label[9]:
        assert rows[9]["new_label"] == accepted.label
        assert rows[9]["reason"] == "prediction of first accepted in FiftyOne"
    problems = dict(zip(result.conflicts["annotation_id"], result.conflicts["problem"], strict=True))
    assert set(problems) == {2, 3, 4}
    assert "in c.csv, which stays" in problems[2]
    assert "not among the 12 categories" in problems[3]
    assert "unclear" in problems[4]
    assert {(5, "model_error"), (4, "unclear"), (9, "label_error")} == set(
        zip(result.verdicts["annotation_id"], result.verdicts["verdict"], strict=True)
    )
    again = export_decisions(
        decisions[decisions["split"] == "test"], table[table["split"] == "test"], [("c.csv", elsewhere)], names, "me"
    )
    pd.testing.assert_frame_equal(again.corrections, result.corrections)


def test_snapshot_edit_restore(fresh: CurationStudy) -> None:
    dataset = load_dataset(fresh.name)
    change(dataset, "test", 2, tags=["unclear"])
    before = content_of(dataset, models_of(dataset))
    version = take_snapshot(fresh.name, "v1")
    change(dataset, "test", 2, label="Elpidia", tags=[])
    dataset.delete_samples([dataset.first().id])
    assert content_of(dataset, models_of(dataset)) != before
    with pytest.raises(InputError, match="in no snapshot as it is now"):
        restore_snapshot(fresh.name, "v1", force=False)
    assert restore_snapshot(fresh.name, "v1", force=True).content == version.content
    restored = fo.load_dataset(fresh.name)
    assert content_of(restored, models_of(restored)) == before
    assert restored.persistent
    assert fo.load_dataset(f"{fresh.name}.v1").persistent
    kinds = {one.name: (one.kind, one.content) for one in list_versions()}
    assert kinds[fresh.name] == ("study", version.content)
    assert kinds[f"{fresh.name}.v1"] == ("snapshot", version.content)
    with pytest.raises(InputError, match="there already"):
        take_snapshot(fresh.name, "v1")
    assert delete_version(fresh.name, "v1", force=False) == f"{fresh.name}.v1"
    with pytest.raises(InputError, match="--force"):
        delete_version(fresh.name, None, force=False)
    # It is the study's dataset still, and goes on with its files.
    assert verify(restored, update(fresh), models_of(restored)) == []


def test_merging_keeps_train_and_test_apart(fresh: CurationStudy, built: tuple, tmp_path: Path) -> None:
    study, _ = built
    version = merge_datasets(study.name, fresh.name, f"{fresh.name}-merged")
    merged = fo.load_dataset(f"{fresh.name}-merged")
    assert version.boxes == sum(
        fo.load_dataset(one).count("ground_truth.detections") for one in (study.name, fresh.name)
    )
    assert sorted(merged.distinct("study")) == sorted([study.name, fresh.name])
    ids = merged.values("ground_truth.detections.id", unwind=True)
    assert len(set(ids)) == len(ids)
    dataset = load_dataset(fresh.name)
    sample = dataset.match_tags("test").first()
    sample["sha256"] = "drawn/train/2"
    sample.save()
    with pytest.raises(InputError, match=r"is in split 'train' of 'drawn' and, as test-1\.png, in 'test'"):
        merge_datasets(study.name, fresh.name, f"{fresh.name}-mixed")
    assert not fo.dataset_exists(f"{fresh.name}-mixed")


def test_exports_hold_the_same_boxes(built: tuple[CurationStudy, dict], tmp_path: Path) -> None:
    study, _ = built
    dataset = load_dataset(study.name)
    images, boxes = tabulate_boxes(select_boxes(dataset, split="test", view=None))
    write_coco(tmp_path / "coco", images, boxes, {})
    document = json.loads((tmp_path / "coco/test.json").read_text())
    regions = pd.read_csv(study.path("test", "regions")).set_index("annotation_id")
    labels = pd.read_csv(study.path("test", "labels")).set_index("annotation_id")["label"]
    names = {one["id"]: one["name"] for one in document["categories"]}
    assert len(document["annotations"]) == len(regions)
    for one in document["annotations"]:
        assert one["bbox"] == regions.loc[one["id"], ["x", "y", "width", "height"]].tolist()
        assert names[one["category_id"]] == labels[one["id"]]
    write_yolo(tmp_path / "yolo", images, boxes, [])
    lines = (tmp_path / "yolo/labels/test/test-2.txt").read_text().splitlines()
    # Box 4: centre (4.5 + 7.5) / 64 = 0.1875 and (2.25 + 6) / 48 = 0.171875.
    assert lines[0].split()[1:] == ["0.187500", "0.171875", "0.234375", "0.250000"]
    assert (tmp_path / "yolo/images/test/test-2.png").resolve() == study.root / "images/test-2.png"
    view = "test, first: potential label errors"
    _, some = tabulate_boxes(select_boxes(dataset, split=None, view=view))
    ranked = pd.read_csv(study.root / "evaluation/test/first/disagreements.csv")
    assert sorted(some["annotation_id"]) == sorted(ranked["annotation_id"])
    with pytest.raises(InputError, match="no saved view 'nothing'"):
        select_boxes(dataset, split=None, view="nothing")


def test_an_altered_dataset_is_put_right(fresh: CurationStudy, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    state = update(fresh)
    dataset = load_dataset(fresh.name)
    dataset.delete_samples([dataset.match_tags("test").first().id])
    assert update(fresh) == state
    assert "altered outside the workflow (21 boxes, 3 fewer than in the files): building" in caplog.text
    dataset = fo.load_dataset(fresh.name)
    change(dataset, "test", 5, study_label="Nonsense", published_label="Nonsense")
    assert update(fresh) == state
    assert "1 labels were altered outside the workflow; put back" in caplog.text
    assert verify(fo.load_dataset(fresh.name), state, models_of(dataset)) == []


def test_a_dataset_of_someone_else_is_left_alone(database: None, tmp_path: Path) -> None:
    study = write_curation_study(tmp_path, name="taken", images=3, models=())
    fo.Dataset("taken", persistent=True).add_sample(fo.Sample(filepath=str(tmp_path / "own.png")))
    with pytest.raises(InputError, match=r"'taken' was not made by this workflow; choose another name .* by --force"):
        update(study)
    assert len(fo.load_dataset("taken")) == 1
    assert update(study, force=True)["images"] == {"test": 3, "train": 2}


def test_a_model_that_is_gone_goes(fresh: CurationStudy) -> None:
    collection = fresh.collection()
    bring_up_to_date(Identity(fresh.name, fresh.name), collection, {})
    dataset = load_dataset(fresh.name)
    assert not dataset.has_sample_field("first")
    assert dataset.list_evaluations() == []
    assert [view for view in dataset.list_saved_views() if "first" in view] == []
    state = update(fresh)
    dataset = load_dataset(fresh.name)
    assert verify(dataset, state, models_of(dataset)) == []
