"""Loading and batching: every box once, in the same company, whatever else is computed or fails."""

import random
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch

from fathomflow import loading
from fathomflow.architecture import read_description
from fathomflow.batches import BatchRunner
from fathomflow.chunks import Chunk, ImageRegions, read_regions
from fathomflow.crops import crop_rectangles, cut
from fathomflow.folding import FoldedMceam
from fathomflow.loading import load_chunks, whole_rectangles
from fathomflow.pixels import read_image
from fathomflow.safe_weights import StoredWeights
from prediction_study import PredictionStudy, make_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> PredictionStudy:
    return make_study(tmp_path_factory.mktemp("study"), images=5, boxes=11)


@pytest.fixture(scope="module")
def model(study: PredictionStudy) -> FoldedMceam:
    torch.set_num_threads(1)
    description = read_description(study.root / "model.json")
    return FoldedMceam(
        description.architecture,
        len(description.categories),
        lambda prefix: StoredWeights(study.root / "model.safetensors", prefix),
        device=torch.device("cpu"),
        dtype=torch.float32,
    )


@pytest.fixture
def chunk(study: PredictionStudy) -> Chunk:
    return Chunk(tuple(read_regions(study.root / "regions.csv")))


def compute(model: FoldedMceam, study: PredictionStudy, chunk: Chunk, wanted: set[int], **options: object) -> dict:
    batch_size, stop = options.get("batch_size", 4), options.get("stop", lambda: False)
    (loaded,) = load_chunks([(chunk, frozenset(wanted))], study.root / "images", model.architecture, threads=2)
    with closing(BatchRunner(model, batch_size, stop, threads=options.get("threads", 1))) as runner:
        return {found.image_id: found for found in runner.launch(loaded).take()}


def test_company_does_not_matter(model: FoldedMceam, study: PredictionStudy, chunk: Chunk) -> None:
    """Bit for bit: whichever images are computed, each gets what it gets when all are."""
    everything = compute(model, study, chunk, {0, 1, 2, 3, 4})
    assert sorted(everything) == [0, 1, 2, 3, 4]
    for wanted in ({3}, {0, 4}, {1, 2, 3}):
        some = compute(model, study, chunk, wanted)
        assert set(some) == wanted
        for image_id, found in some.items():
            assert np.array_equal(found.logits, everything[image_id].logits)
            assert np.array_equal(found.embeddings, everything[image_id].embeddings)


@pytest.mark.parametrize("batch_size", [1, 3, 5, 64])
def test_batch_size_changes_only_the_last_bits(
    model: FoldedMceam, study: PredictionStudy, chunk: Chunk, batch_size: int
) -> None:
    expected = compute(model, study, chunk, {0, 1, 2, 3, 4})
    found = compute(model, study, chunk, {0, 1, 2, 3, 4}, batch_size=batch_size)
    for image_id, one in expected.items():
        np.testing.assert_allclose(found[image_id].logits, one.logits, atol=1e-5, rtol=0)


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_do_not_matter(model: FoldedMceam, study: PredictionStudy, chunk: Chunk, threads: int) -> None:
    """Bit for bit: a machine with more cores gives what one core gives."""
    expected = compute(model, study, chunk, {0, 1, 2, 3, 4}, batch_size=2)
    found = compute(model, study, chunk, {0, 1, 2, 3, 4}, batch_size=2, threads=threads)
    for image_id, one in expected.items():
        assert np.array_equal(found[image_id].logits, one.logits)
        assert np.array_equal(found[image_id].embeddings, one.embeddings)


def test_chunks_launched_together_stay_apart(model: FoldedMceam, study: PredictionStudy, chunk: Chunk) -> None:
    expected = compute(model, study, chunk, {0, 1, 2, 3, 4})
    work = [(chunk, frozenset({0, 1, 2, 3, 4}))] * 4
    loaded = list(load_chunks(work, study.root / "images", model.architecture, threads=2))
    with closing(BatchRunner(model, 4, lambda: False, threads=3)) as runner:
        for computed in [runner.launch(one) for one in loaded]:
            found = {one.image_id: one for one in computed.take()}
            assert not computed.busy()
            assert all(np.array_equal(found[key].logits, one.logits) for key, one in expected.items())


def test_a_batch_that_breaks_is_told_when_results_are_taken(
    model: FoldedMceam, study: PredictionStudy, chunk: Chunk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(model, "encode_images", broken)
    with pytest.raises(RuntimeError, match="no such luck"):
        compute(model, study, chunk, {0, 1, 2, 3, 4}, threads=2)


@pytest.mark.parametrize("seed", range(8))
def test_stopping_many_threads_keeps_only_what_is_right(
    model: FoldedMceam, study: PredictionStudy, chunk: Chunk, seed: int
) -> None:
    """Threads see the request in any order, so a box's whole image may be missing when its turn comes."""
    expected = compute(model, study, chunk, {0, 1, 2, 3, 4}, batch_size=1)
    draw = random.Random(seed)
    asked = iter([draw.random() < 0.15 for _ in range(100)])
    found = compute(model, study, chunk, {0, 1, 2, 3, 4}, batch_size=1, threads=4, stop=lambda: next(asked))
    for image_id, one in found.items():
        assert np.array_equal(one.logits, expected[image_id].logits)


def test_stopping_keeps_whole_images_only(model: FoldedMceam, study: PredictionStudy, chunk: Chunk) -> None:
    expected = compute(model, study, chunk, {0, 1, 2, 3, 4})
    for allowed in range(2, 7):
        asked = iter([False] * allowed + [True] * 20)
        found = compute(model, study, chunk, {0, 1, 2, 3, 4}, stop=lambda asked=asked: next(asked))
        # Two batches of whole images, then boxes: four at a time.
        boxes = max(0, 4 * (allowed - 2))
        ends = np.cumsum([len(image.boxes) for image in chunk.images])
        assert list(found) == [image.image_id for image, end in zip(chunk.images, ends, strict=True) if end <= boxes]
        for image_id, one in found.items():
            assert np.array_equal(one.logits, expected[image_id].logits)


def test_crops_are_those_of_each_box(model: FoldedMceam, study: PredictionStudy, chunk: Chunk) -> None:
    (loaded,) = load_chunks([(chunk, frozenset({2}))], study.root / "images", model.architecture, threads=1)
    image = chunk.images[2]
    pixels = read_image(study.root / "images/2.png", image.size)[1]
    distinct = whole_rectangles(image)[0]
    assert len(loaded.crops[2].whole) == len(distinct)
    for crop, rectangle in zip(loaded.crops[2].whole, distinct, strict=True):
        assert np.array_equal(crop, cut(pixels, rectangle, 256))
    for row, box in enumerate(image.boxes):
        for column, rectangle in enumerate(crop_rectangles(box, image.size, (3, 5))):
            assert np.array_equal(loaded.crops[2].boxed[row, column], cut(pixels, rectangle, 256))


def test_whole_image_crops_are_shared_unless_a_box_lies_far_outside() -> None:
    boxes = ((5.0, 5.0, 10.0, 10.0), (150.0, 5.0, 10.0, 10.0), (20.0, 8.0, 4.0, 4.0))
    rectangles, own = whole_rectangles(ImageRegions(1, "a.png", (100, 50), (1, 2, 3), boxes))
    # The second box's centre is at x = 155, and the crop reaches 100 to each side.
    assert rectangles == [(0, 0, 100, 50), (55, 0, 100, 50)]
    assert own == [0, 1, 0]


def test_failures_are_reported_and_the_rest_is_loaded(
    model: FoldedMceam, study: PredictionStudy, chunk: Chunk, tmp_path: Path
) -> None:
    for number in (0, 1, 3, 4):
        (tmp_path / f"{number}.png").write_bytes((study.root / f"images/{number}.png").read_bytes())
    (tmp_path / "1.png").write_bytes(b"no image")
    (loaded,) = load_chunks([(chunk, frozenset(range(5)))], tmp_path, model.architecture, threads=2)
    assert loaded.failures == {1: "not an image in a known format", 2: "the file is absent"}
    assert sorted(loaded.crops) == [0, 3, 4]


def test_no_more_than_a_few_chunks_are_ahead(
    model: FoldedMceam, study: PredictionStudy, chunk: Chunk, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    lock = threading.Lock()
    original = loading.cut_image

    def counted(image: ImageRegions, *arguments: object) -> object:
        with lock:
            started.append(image.image_id)
        return original(image, *arguments)

    monkeypatch.setattr(loading, "cut_image", counted)
    monkeypatch.setattr(loading, "BOXES_AHEAD", 4)
    work = [(Chunk((image,)), frozenset({image.image_id})) for _ in range(5) for image in chunk.images]
    chunks = load_chunks(work, study.root / "images", model.architecture, threads=2)
    order = []
    for taken in chunks:
        order.append(taken.chunk.images[0].image_id)
        assert len(started) <= len(order) + 5
    assert order == [0, 1, 2, 3, 4] * 5
