from __future__ import annotations

import json
from urllib.parse import unquote

import pandas as pd
import pytest
import requests
from PIL import Image

from conftest import ROOT
from fathomflow.demo_animals import ANIMALS
from fathomflow.demo_server import serve_directory
from fathomflow.demo_study import make_study
from fathomflow.errors import InputError

LINEAGES = ROOT / "config" / "categories" / "fathomnet-2025.csv"
URL = "http://127.0.0.1:8437/"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    make_study(folder, scenes=10, seed=3, url=URL, lineages=LINEAGES)
    return folder


def split(study, name):
    return json.loads((study / f"{name}.json").read_text())


def file_of(study, image):
    return study / "www" / unquote(image["coco_url"].removeprefix(URL))


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(study, tmp_path):
    make_study(tmp_path, scenes=10, seed=3, url=URL, lineages=LINEAGES)
    files = {path.relative_to(study): path.read_bytes() for path in study.rglob("*") if path.is_file()}
    assert files == {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    make_study(tmp_path / "b", scenes=4, seed=4, url=URL, lineages=LINEAGES)
    assert split(tmp_path / "b", "train")["images"] != split(study, "train")["images"][:3]


def test_the_structure_is_that_of_the_official_files(study):
    train, test = split(study, "train"), split(study, "test")
    for document in (train, test):
        assert list(document) == ["info", "images", "licenses", "annotations", "categories"]
        assert [row["name"] for row in document["categories"]] == sorted(ANIMALS)
        ids = {image["id"] for image in document["images"]}
        assert len(ids) == len({image["file_name"] for image in document["images"]}) == len(document["images"])
        assert all(row["image_id"] in ids for row in document["annotations"])
    assert (len(train["images"]), len(test["images"])) == (7, 3)
    assert all(row["category_id"] is None for row in test["annotations"])
    assert all(1 <= row["category_id"] <= len(ANIMALS) for row in train["annotations"])
    assert {row["id"] for row in test["annotations"]} <= {row["id"] for row in train["annotations"]} | set(
        range(1, 999)
    )
    labels = pd.read_csv(study / "test-labels.csv")
    assert list(labels["annotation_id"]) == [row["id"] for row in test["annotations"]]
    assert set(labels["label"]) <= set(ANIMALS)


def test_images_have_the_annotated_size_and_the_oddities_of_real_data(study):
    train, test = split(study, "train"), split(study, "test")
    absent = [image for image in train["images"] + test["images"] if not file_of(study, image).exists()]
    assert len(absent) == 1
    modes = []
    for image in train["images"] + test["images"]:
        if image is not absent[0]:
            with Image.open(file_of(study, image)) as picture:
                assert picture.size == (image["width"], image["height"])
                modes.append(picture.mode)
    assert sorted(set(modes)) == ["RGB", "RGBA"]
    assert modes.count("RGBA") == 1
    boxes = [row["image_id"] for row in train["annotations"]]
    assert len(set(boxes)) == len(train["images"]) - 1, "one image has no box"
    clipped = [row for row in train["annotations"] if row["bbox"][0] < 0]
    assert len(clipped) == 1
    last, twin = train["annotations"][-2:]
    assert (last["image_id"], last["category_id"]) == (twin["image_id"], twin["category_id"])
    assert twin["bbox"][0] == last["bbox"][0] + 1


def test_boxes_enclose_the_animals(study):
    """Inside a box, at its edges' middle, something was drawn: the frame differs from one without animals."""
    test = split(study, "test")
    sizes = {image["id"]: (image["width"], image["height"]) for image in test["images"]}
    for row in test["annotations"]:
        x, y, width, height = row["bbox"]
        right, bottom = sizes[row["image_id"]]
        assert 0 <= x < x + width <= right
        assert 0 <= y < y + height <= bottom
        assert width >= 10
        assert height >= 10


def test_one_wrong_label_has_a_correction_and_others_wait(study):
    train = split(study, "train")
    names = {row["id"]: row["name"] for row in train["categories"]}
    published = {row["id"]: names[row["category_id"]] for row in train["annotations"]}
    corrections = pd.read_csv(study / "corrections" / "train.csv")
    assert list(corrections.columns) == ["annotation_id", "old_label", "new_label", "reason", "reviewer", "date"]
    row = corrections.iloc[0]
    assert published[row["annotation_id"]] == row["old_label"] != row["new_label"]


def test_the_observer_is_mostly_right(study):
    labels = pd.read_csv(study / "test-labels.csv").set_index("annotation_id")["label"]
    observed = pd.read_csv(study / "predictions" / "test.csv").set_index("annotation_id")
    assert observed.index.equals(labels.index)
    assert 0.5 < (observed["concept_name"] == labels).mean() < 1
    assert (observed["score"] + observed["runner_up_score"] <= 1).all()


def test_lineages_that_do_not_know_the_animals_are_refused(tmp_path):
    (tmp_path / "l.csv").write_text("category,kingdom,phylum,class,order,family,genus,species\n")
    with pytest.raises(InputError, match="no category 'Asteroidea'"):
        make_study(tmp_path, scenes=4, seed=1, url=URL, lineages=tmp_path / "l.csv")


def test_the_server_serves_its_folder_only_and_names_a_taken_port(tmp_path):
    (tmp_path / "www" / "a b").mkdir(parents=True)
    (tmp_path / "www" / "a b" / "x.png").write_bytes(b"bytes")
    (tmp_path / "secret").write_text("no")
    server = serve_directory(tmp_path / "www", "127.0.0.1", 0)
    try:
        base = f"http://127.0.0.1:{server.server_port}"
        assert requests.get(f"{base}/a%20b/x.png", timeout=5).content == b"bytes"
        for path in ("/", "/a%20b/", "/../secret", "/%2e%2e/secret", "/none"):
            assert requests.get(base + path, timeout=5).status_code == 404
        with pytest.raises(InputError, match=rf"demo\.port: {server.server_port} on 127\.0\.0\.1 is taken"):
            serve_directory(tmp_path / "www", "127.0.0.1", server.server_port)
    finally:
        server.shutdown()
        server.server_close()
