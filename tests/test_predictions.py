"""Prediction tables, their files, and the proof that every box is there once."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

from conftest import shared_folder
from fathomflow.errors import InputError
from fathomflow.predictions import (
    Vectors,
    check_categories,
    check_complete,
    check_failed,
    import_predictions,
    join_vectors,
    prediction_table,
    read_vectors,
    softmax,
    write_submission,
    write_vectors,
)
from fathomflow.tables import write_table

NAMES = ["Sebastes", "Elpidia", "Peniagone"]


def vectors(ids: list[int], probabilities: list[list[float]]) -> Vectors:
    embeddings = np.array([[key, key + 0.5] for key in ids], np.float16).reshape(len(ids), 2)
    return Vectors(
        np.array(ids),
        np.array(probabilities, np.float32).reshape(len(ids), len((probabilities or [NAMES])[0])),
        embeddings,
    )


def test_the_table_names_the_two_best() -> None:
    table = prediction_table(vectors([4, 9], [[0.2, 0.7, 0.1], [0.5, 0.25, 0.25]]), ["clamped", ""], NAMES)
    assert table["concept_name"].tolist() == ["Elpidia", "Sebastes"]
    assert table["runner_up"].tolist() == ["Sebastes", "Elpidia"]
    assert table["score"].tolist() == pytest.approx([0.7, 0.5])
    assert table["runner_up_score"].tolist() == pytest.approx([0.2, 0.25])
    assert table["flags"].tolist() == ["clamped", ""]


def test_a_single_category_has_no_runner_up(tmp_path: Path) -> None:
    table = prediction_table(vectors([1], [[1.0]]), [""], ["Sebastes"])
    write_table(table, tmp_path / "t.csv", key="annotation_id")
    assert (tmp_path / "t.csv").read_text().splitlines()[1] == "1,Sebastes,1,,,"


@given(hn.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(2, 9)), elements=st.floats(-80, 80, width=32)))
def test_softmax(logits: np.ndarray) -> None:
    found = softmax(logits)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found, softmax(logits + np.float32(7)), atol=1e-5)
    powers = np.exp(logits.astype(np.float64))
    np.testing.assert_allclose(found, powers / powers.sum(axis=1, keepdims=True), rtol=1e-5, atol=1e-12)


def test_vectors_come_back(tmp_path: Path) -> None:
    one = vectors([4, 9], [[0.2, 0.7, 0.1], [0.5, 0.25, 0.25]])
    write_vectors(tmp_path / "v.parquet", one, "softmax")
    found = read_vectors(tmp_path / "v.parquet")
    assert np.array_equal(found.annotation_ids, one.annotation_ids)
    assert np.array_equal(found.probabilities, one.probabilities)
    assert np.array_equal(found.embeddings, one.embeddings)
    schema = pq.read_schema(tmp_path / "v.parquet")
    assert [str(field.type) for field in schema] == ["int64", "list<element: float>", "list<element: halffloat>"]
    assert schema.metadata[b"scores"] == b"softmax"
    first = (tmp_path / "v.parquet").read_bytes()
    write_vectors(tmp_path / "v.parquet", one, "softmax")
    assert (tmp_path / "v.parquet").read_bytes() == first


def test_shards_are_joined_in_order_and_empty_ones_add_nothing(tmp_path: Path) -> None:
    write_vectors(tmp_path / "empty.parquet", vectors([], []), "softmax")
    empty = read_vectors(tmp_path / "empty.parquet")
    found = join_vectors([vectors([9], [[1, 0, 0]]), empty, vectors([4, 12], [[0, 1, 0], [0, 0, 1]])])
    assert found.annotation_ids.tolist() == [4, 9, 12]
    assert found.probabilities.argmax(1).tolist() == [1, 0, 2]
    assert found.embeddings[:, 0].tolist() == [4, 9, 12]
    assert len(join_vectors([empty, empty]).annotation_ids) == 0


def test_every_box_once() -> None:
    regions = {1: 10, 2: 10, 3: 20}
    check_complete(regions, [3, 1, 2], [], "p.csv")
    check_complete(regions, [1, 2], [20], "p.csv")
    for predicted, failed, message in (
        ([1, 2], [], "p.csv: annotation_id 3 is missing"),
        ([1, 2, 3, 3], [], "p.csv: annotation_id 3 stands 2 times"),
        ([1, 2, 3, 4], [], "p.csv: annotation_id 4 is not in this split"),
        ([1, 2, 3], [20], "annotation_id 3 is predicted, but its image 20 is listed as unusable"),
    ):
        with pytest.raises(InputError, match=message):
            check_complete(regions, predicted, failed, "p.csv")


def test_too_many_unusable_images() -> None:
    failed = pd.DataFrame({"image_id": [7], "file_name": ["a.png"], "boxes": [2], "reason": ["the file is absent"]})
    check_failed(failed, 50, 0.02)
    with pytest.raises(InputError, match=r"1 of 49 images(.|\n)*image 7 \(a.png\): the file is absent"):
        check_failed(failed, 49, 0.02)


def test_categories_are_compared() -> None:
    assert check_categories(["b", "a"], ["a", "b", "c"], "model.json", "lineages.csv") == ["c"]
    with pytest.raises(InputError, match=r"model.json: category 'Elpidea' .* in lineages.csv; did its .* 'Elpidia'"):
        check_categories(["Elpidea"], NAMES, "model.json", "lineages.csv")


def test_import(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("annotation_id,concept_name,notes\n2,Elpidia,x\n1,Sebastes,\n")
    table = import_predictions(path, {1: 5, 2: 5}, NAMES, "lineages.csv")
    write_table(table, tmp_path / "t.csv", key="annotation_id")
    assert (tmp_path / "t.csv").read_text() == (
        "annotation_id,concept_name,score,runner_up,runner_up_score,flags\n1,Sebastes,,,,\n2,Elpidia,,,,\n"
    )
    path.write_text("annotation_id,concept_name,score,runner_up,runner_up_score\n1,Elpidia,0.75,Sebastes,0.25\n")
    write_table(import_predictions(path, {1: 5}, None, ""), tmp_path / "t.csv", key="annotation_id")
    assert (tmp_path / "t.csv").read_text().splitlines()[1] == "1,Elpidia,0.75,Sebastes,0.25,"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("annotation_id,concept_name\n1,Sebastes\n", "annotation_id 2 is missing"),
        ("annotation_id,concept_name\n1,Sebastes\n1,Elpidia\n2,Elpidia\n", "annotation_id 1 stands 2 times"),
        ("annotation_id,concept_name\n1,Sebastes\n2,Elpidia\n3,Elpidia\n", "annotation_id 3 is not in this split"),
        ("annotation_id,concept_name\n1,Sebastes\n2,Elpidea\n", "'Elpidea' of the model is not among the study's"),
        ("annotation_id\n1\n", "no column 'concept_name'"),
        ("annotation_id,concept_name,score\n1,Sebastes,0.2\n2,Elpidia,87\n", "score holds values outside 0 to 1"),
    ],
)
def test_import_refuses(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "p.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        import_predictions(path, {1: 5, 2: 5}, NAMES, "lineages.csv")


def test_a_submission_is_what_the_winner_submitted(tmp_path: Path) -> None:
    source = shared_folder("fathomnet-2025") / "predictions-winner.csv"
    boxes = pd.read_csv(source)["annotation_id"]
    table = import_predictions(source, dict.fromkeys(boxes.tolist(), 1), None, "")
    write_submission(table, tmp_path / "submission.csv")
    lines = (tmp_path / "submission.csv").read_text().splitlines()
    original = source.read_text().split("\n")
    assert lines[0] == original[0].strip()
    assert sorted(lines[1:]) == sorted(line.strip() for line in original[1:] if line.strip())
