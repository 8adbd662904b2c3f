"""The prediction program as it runs: shards, interruptions, bad images, and what it says."""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

import gather_predictions
from fathomflow.chunks import cut_chunks, read_regions
from fathomflow.predictions import read_vectors
from prediction_study import CATEGORIES, PredictionStudy, draw_image, make_study, run_program

#: Kills in the interruption test; the full number takes some minutes: FATHOMFLOW_KILLS=20.
KILLS = int(os.environ.get("FATHOMFLOW_KILLS", "3"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> PredictionStudy:
    """A study of 32 images with an undisturbed prediction; tests copy it."""
    study = make_study(tmp_path_factory.mktemp("small") / "study", images=32, boxes=60)
    study.predict("undisturbed", "--chunks", str(study.root / "undisturbed-chunks"))
    return study


@pytest.fixture
def study(small: PredictionStudy, tmp_path: Path) -> PredictionStudy:
    copied = PredictionStudy(tmp_path / "study")
    shutil.copytree(small.root, copied.root, ignore=shutil.ignore_patterns("undisturbed-chunks"))
    return copied


def computed(message: str) -> tuple[int, int]:
    """Return how many boxes were computed and taken over, from the last line."""
    found = re.findall(r"(\d+) boxes computed, (\d+) taken over", message)
    return int(found[-1][0]), int(found[-1][1])


def gather(study: PredictionStudy, shards: int, *more: str, status: int = 0) -> str:
    names = [f"{shard}-of-{shards}" for shard in range(shards)]
    lists = {"--tables": "csv", "--vectors": "parquet", "--failed": "failed.csv"}
    outputs = {"--table-output": "csv", "--vectors-output": "parquet", "--failed-output": "failed.csv"}
    outputs |= {"--submission": "submission.csv"}
    options = ["--regions", "regions.csv", "--model", "model.json"]
    options += [text for option, kind in lists.items() for text in (option, *(f"{name}.{kind}" for name in names))]
    options += [text for option, kind in outputs.items() for text in (option, f"gathered-{shards}.{kind}")]
    with contextlib.chdir(study.root):
        return run_program(gather_predictions, [*options, *more], status)


def test_every_number_of_shards_gives_the_same_bytes(study: PredictionStudy) -> None:
    for shards in (1, 4, 32):
        for shard in range(shards):
            own = str(study.root / f"chunks-{shards}")
            study.predict(f"{shard}-of-{shards}", "--shard", str(shard), "--of", str(shards), "--chunks", own)
    for shards in (1, 4, 32):
        gather(study, shards)
    for kind in ("csv", "parquet", "failed.csv", "submission.csv"):
        first, *others = [(study.root / f"gathered-{shards}.{kind}").read_bytes() for shards in (1, 4, 32)]
        assert others == [first, first], kind
    table = pd.read_csv(study.root / "gathered-4.csv")
    regions = pd.read_csv(study.root / "regions.csv")
    assert table["annotation_id"].tolist() == sorted(regions["annotation_id"])
    assert set(table["concept_name"]) <= set(CATEGORIES)
    submission = (study.root / "gathered-4.submission.csv").read_text().splitlines()
    assert submission[0] == "annotation_id,concept_name"
    assert len(submission) == 61
    (study.root / "0-of-4.csv").write_text("annotation_id,concept_name,score,runner_up,runner_up_score,flags\n")
    assert "is missing" in gather(study, 4, status=2)


def test_a_repeated_run_computes_nothing_and_a_changed_option_everything(study: PredictionStudy) -> None:
    assert computed(study.predict("first")) == (60, 0)
    assert computed(study.predict("second")) == (0, 60)
    assert study.outputs("first") == study.outputs("second")
    assert computed(study.predict("third", "--shard", "1", "--of", "2"))[0] == 0
    assert computed(study.predict("fourth", "--batch-size", "3")) == (60, 0)
    assert computed(study.predict("fifth", "--precision", "bf16")) == (60, 0)


def test_one_bad_image_among_many(study: PredictionStudy) -> None:
    good = (study.root / "images/7.png").read_bytes()
    boxes = (pd.read_csv(study.root / "regions.csv")["image_id"] == 7).sum()
    (study.root / "images/7.png").write_bytes(good[: len(good) // 2])
    said = study.predict("run", status=2)
    assert re.search(r"^error: .*run.failed.csv: 1 of 32 images could not be used", said.splitlines()[-1])
    failed = pd.read_csv(study.root / "run.failed.csv")
    assert failed[["image_id", "file_name", "boxes"]].to_numpy().tolist() == [[7, "7.png", boxes]]
    assert failed["reason"][0].startswith("the image cannot be decoded")
    assert len(pd.read_csv(study.root / "run.csv")) == 60 - boxes
    assert computed(said) == (60 - boxes, 0)

    # Replaced, that image alone is computed, and the result is what it would have been.
    (study.root / "images/7.png").write_bytes(good)
    assert computed(study.predict("run")) == (boxes, 60 - boxes)
    assert study.outputs("run") == study.outputs("undisturbed")

    # Another picture in its place is another input.
    draw_image(study.root / "images/7.png", 99, (150, 150))
    study.write_manifest()
    assert computed(study.predict("run", status=2)) == (0, 60 - boxes)
    assert "150x150 pixels, the annotations say" in (study.root / "run.failed.csv").read_text()


def test_images_that_the_manifest_calls_unusable(study: PredictionStudy) -> None:
    manifest = pd.read_csv(study.root / "manifest.csv", dtype=str, keep_default_na=False)
    manifest.loc[manifest["image_id"] == "3", ["status", "bytes", "sha256", "detail"]] = [
        "missing",
        "0",
        "",
        "404 Not Found",
    ]
    manifest.to_csv(study.root / "manifest.csv", index=False)
    study.predict("run", "--max-failed", "0.05")
    assert pd.read_csv(study.root / "run.failed.csv")["reason"].tolist() == ["missing: 404 Not Found"]
    manifest[manifest["image_id"] != "3"].to_csv(study.root / "manifest.csv", index=False)
    assert "image 3 (3.png) is absent; make the manifest again" in study.predict("run", status=2)


def test_a_replaced_image_is_noticed_through_the_manifest(study: PredictionStudy) -> None:
    study.predict("before")
    regions = pd.read_csv(study.root / "regions.csv")
    image = regions[regions["image_id"] == 5].iloc[0]
    draw_image(study.root / "images/5.png", 1234, (int(image["image_width"]), int(image["image_height"])))
    study.write_manifest()
    boxes = (regions["image_id"] == 5).sum()
    assert computed(study.predict("after")) == (boxes, 60 - boxes)
    before, after = (pd.read_csv(study.root / f"{name}.csv").set_index("annotation_id") for name in ("before", "after"))
    changed = before.index[before["score"] != after["score"]]
    assert set(changed) == set(regions.loc[regions["image_id"] == 5, "annotation_id"])


def test_categories_are_compared_before_anything_runs(study: PredictionStudy) -> None:
    (study.root / "lineages.csv").write_text(
        "category,category_id\nSebastes,1\nElpidea,2\nPeniagone,3\nCaridea,4\nIsididae,5\n"
    )
    said = study.predict("run", status=2)
    assert "category 'Elpidia' of the model is not among the study's" in said
    assert "did its spelling change from 'Elpidea'?" in said
    assert not (study.root / "chunks").exists()


@pytest.mark.parametrize("threads", ["2", "5"])
def test_every_number_of_threads_gives_the_same_bytes(study: PredictionStudy, threads: str) -> None:
    study.predict("run", "--threads", threads)
    assert study.outputs("run") == study.outputs("undisturbed")


def test_flags_and_vectors_stand_beside_each_other(small: PredictionStudy) -> None:
    table = pd.read_csv(small.root / "undisturbed.csv", keep_default_na=False)
    vectors = read_vectors(small.root / "undisturbed.parquet")
    assert vectors.annotation_ids.tolist() == table["annotation_id"].tolist()
    assert [CATEGORIES[best] for best in vectors.probabilities.argmax(1)] == table["concept_name"].tolist()
    assert table["flags"].str.contains("clamped").any()


def test_sigterm_finishes_the_batch_and_keeps_it(study: PredictionStudy) -> None:
    process = subprocess.Popen(
        study.arguments("run", "--batch-size", "1", "--threads", "2"), stderr=subprocess.PIPE, text=True
    )
    wait_for_chunks(study.root / "chunks", 1)
    process.send_signal(signal.SIGTERM)
    said = process.communicate()[1]
    assert process.returncode == 143, said
    assert "finishing the batch under way" in said
    stopped = int(re.search(r"stopped after (\d+) boxes", said)[1])
    assert 0 < stopped < 60
    assert not (study.root / "run.csv").exists()
    # Nothing that was computed is computed again.
    assert computed(study.predict("run", "--batch-size", "1")) == (60 - stopped, stopped)


def wait_for_chunks(folder: Path, number: int) -> None:
    deadline = time.monotonic() + 120
    while len(list(folder.rglob("[!.]*.parquet"))) < number:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_kills_lose_one_chunk_each(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study", images=200, boxes=500)
    study.predict("undisturbed", "--chunks", str(tmp_path / "undisturbed-chunks"))
    chunks = cut_chunks(read_regions(study.root / "regions.csv"))
    largest = max(chunk.boxes for chunk in chunks)
    assert len(chunks) >= 50
    draw = random.Random(1)
    folder, finished = study.root / "chunks", 0
    for _ in range(KILLS):
        process = subprocess.Popen(study.arguments("run", "--threads", "2"), stderr=subprocess.DEVNULL)
        # Let it finish a chunk or two, then kill it at a random moment of the next.
        kept = len(list(folder.rglob("[!.]*.parquet")))
        wait_for_chunks(folder, kept + draw.choice([1, 1, 2]))
        time.sleep(draw.uniform(0, 0.15))
        process.kill()
        process.wait()
        finished = len(list(folder.rglob("[!.]*.parquet")))
        assert kept < finished < len(chunks)
    said = study.predict("run")
    fresh, taken_over = computed(said)
    # Every finished chunk is taken over, so each kill cost the one chunk that was under way.
    assert fresh + taken_over == 500
    assert len(chunks) - finished <= fresh <= largest * (len(chunks) - finished)
    assert len(list(folder.rglob("[!.]*.parquet"))) == len(chunks)
    assert study.outputs("run") == study.outputs("undisturbed")
