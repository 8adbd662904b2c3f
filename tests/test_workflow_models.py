"""The workflow on reference data: the winner's own results, and real FathomNet images over HTTP."""

import functools
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import Workspace, shared_folder
from fathomflow.tables import read_table

pytestmark = pytest.mark.workflow

LINEAGES = {"lineages": "config/categories/fathomnet-2025.csv"}


def golden_model(golden: Path) -> dict[str, object]:
    return {
        "checkpoint": {"uri": str(golden / "model.ckpt")},
        "encoder": {
            "object": str(golden / "encoder_obj/config.json"),
            "context": str(golden / "encoder_img/config.json"),
        },
        "precision": "fp32",
    }


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def test_the_winners_own_results(workspace: Workspace) -> None:
    golden = shared_folder("golden-a")
    values = {
        "study": "golden",
        "splits": {
            "test": {
                "annotations": {"uri": str(golden / "annotations.json")},
                "images": str(golden / "images"),
                "labels": None,
            }
        },
        "categories": LINEAGES,
        "models": {"mceam": golden_model(golden)},
        "predict": {"test": ["mceam"]},
        "shards": {"images": 1, "predictions": 2},
    }
    workspace.snakemake(workspace.configure("golden", values), "predictions")
    folder = workspace.root / "results/predictions/test"
    expected = json.loads((golden / "expected.json").read_text())["annotations"]
    vectors = pd.read_parquet(folder / "mceam.parquet").set_index("annotation_id")
    table = read_table(folder / "mceam.csv", {"annotation_id": int, "concept_name": str, "score": float})
    assert (folder / "mceam.submission.csv").read_text().split() == (golden / "expected.csv").read_text().split()
    assert sorted(vectors.index) == sorted(map(int, expected)) == table["annotation_id"].tolist()
    for row in table.itertuples():
        golden_row = expected[str(row.annotation_id)]
        probabilities = softmax(np.array(golden_row["logits"], dtype=np.float64))
        np.testing.assert_allclose(vectors.loc[row.annotation_id, "probabilities"], probabilities, atol=1e-6, rtol=0)
        assert row.concept_name == golden_row["concept"]
        assert row.score == pytest.approx(probabilities.max(), abs=2e-6)


@pytest.fixture
def image_server() -> Iterator[tuple[str, list[str]]]:
    """Serve the mini set's images as FathomNet's server does, and keep the paths that were asked for."""
    folder = shared_folder("fathomnet-2025") / "mini/images"
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_real_images_over_http(workspace: Workspace, image_server: tuple[str, list[str]]) -> None:
    address, asked = image_server
    mini = shared_folder("fathomnet-2025") / "mini"
    annotations = json.loads((mini / "dataset.json").read_text())
    for image in annotations["images"]:
        image["coco_url"] = f"{address}/{image['file_name']}"
    (workspace.root / "mini.json").write_text(json.dumps(annotations))
    values = {
        "study": "mini",
        "splits": {"train": {"annotations": {"uri": "mini.json"}}},
        "categories": LINEAGES,
        "models": {"mceam": golden_model(shared_folder("golden-a"))},
        "predict": {"train": ["mceam"]},
        "shards": {"images": 2, "predictions": 2},
        "evaluation": {"bootstrap": 100, "reviewed": 10},
    }
    option = workspace.configure("mini", values)
    workspace.snakemake(option)
    results = workspace.root / "results"
    manifest = read_table(
        results / "images/train.csv", {"image_id": int, "file_name": str, "status": str, "mode": str, "bytes": int}
    )
    assert len(manifest) == 32
    assert set(manifest["status"]) == {"ok"}
    assert manifest["mode"].value_counts().to_dict() == {"RGB": 28, "RGBA": 4}
    for row in manifest.itertuples():
        served = (mini / "images" / row.file_name).read_bytes()
        assert (workspace.root / "data/images/train" / row.file_name).read_bytes() == served
        assert row.bytes == len(served)
    assert len(pd.read_csv(results / "predictions/train/mceam.csv")) == 84
    report = (results / "evaluation/train/mceam/report.html").read_text()
    # Base64 of the first bytes of a WebP file: a crop and its scene for each of the ten.
    assert report.count("UklGR") >= 10

    # Whatever else is lost, no image is fetched twice.
    assert len(asked) == 32
    shutil.rmtree(results)
    workspace.snakemake(option, "images")
    assert len(asked) == 32
