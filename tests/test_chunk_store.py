"""Finished chunks come back as they were saved, and only under the same circumstances."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fathomflow.chunk_store import ChunkStore, code_fingerprint, run_fingerprint
from fathomflow.chunks import Chunk, ImageRegions
from fathomflow.image_results import ImageResult

ONE = ImageRegions(1, "a.png", (20, 10), (11, 12), ((0.0, 0.0, 5.0, 5.0), (1.5, 2.0, 3.0, 4.0)))
TWO = ImageRegions(2, "b.png", (30, 10), (21,), ((0.0, 0.0, 9.0, 9.0),))
CHUNK = Chunk((ONE, TWO))


def result(image: ImageRegions, sha256: str, seed: int = 0) -> ImageResult:
    random = np.random.default_rng(seed)
    boxes = len(image.boxes)
    return ImageResult(
        image.image_id,
        sha256,
        image.annotation_ids,
        ("clamped", "")[:boxes],
        random.normal(size=(boxes, 3)).astype(np.float32),
        random.normal(size=(boxes, 4)).astype(np.float16),
    )


def same(one: ImageResult, other: ImageResult) -> bool:
    return (
        (one.image_id, one.sha256, one.annotation_ids, one.flags)
        == (other.image_id, other.sha256, other.annotation_ids, other.flags)
        and np.array_equal(one.logits, other.logits)
        and np.array_equal(one.embeddings, other.embeddings)
        and one.logits.dtype == other.logits.dtype
        and one.embeddings.dtype == other.embeddings.dtype
    )


def test_round_trip(tmp_path: Path) -> None:
    store = ChunkStore(tmp_path, "run")
    assert store.load(CHUNK) == []
    saved = [result(ONE, "aa"), result(TWO, "bb", 1)]
    store.save(CHUNK, saved)
    assert all(same(a, b) for a, b in zip(store.load(CHUNK), saved, strict=True))
    # A part that is added later, here for an image that was replaced, stands beside.
    store.save(CHUNK, [result(TWO, "cc", 2)])
    assert [found.sha256 for found in ChunkStore(tmp_path, "run").load(CHUNK)] == ["aa", "bb", "cc"]
    store.save(CHUNK, [])
    assert len(list((tmp_path / "run").iterdir())) == 2


def test_other_circumstances_find_nothing(tmp_path: Path) -> None:
    ChunkStore(tmp_path, "run").save(CHUNK, [result(ONE, "aa")])
    assert ChunkStore(tmp_path, "other").load(CHUNK) == []
    moved = replace(ONE, boxes=((0.0, 0.0, 5.0, 5.0), (1.5, 2.0, 3.0, 4.25)))
    assert ChunkStore(tmp_path, "run").load(Chunk((moved, TWO))) == []
    assert ChunkStore(tmp_path, "run").load(Chunk((ONE,))) == []


def test_a_damaged_part_is_computed_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = ChunkStore(tmp_path, "run")
    store.save(CHUNK, [result(ONE, "aa")])
    store.save(CHUNK, [result(TWO, "bb")])
    first = sorted((tmp_path / "run").iterdir())[0]
    first.write_bytes(first.read_bytes()[:100])
    with caplog.at_level(logging.WARNING):
        assert [found.image_id for found in store.load(CHUNK)] == [2]
    assert "computed again" in caplog.text


def test_fingerprints_tell_runs_apart() -> None:
    base = {"weights_sha256": "aa", "precision": "fp32", "device": "cpu", "batch_size": "auto"}
    seen = {run_fingerprint(**base)}
    for key, value in {"weights_sha256": "bb", "precision": "bf16", "device": "cuda", "batch_size": "4"}.items():
        seen.add(run_fingerprint(**(base | {key: value})))
    assert len(seen) == 5
    assert run_fingerprint(**base) in seen


def test_comments_and_layout_are_no_reason_to_compute_again() -> None:
    code = code_fingerprint("def f(x):\n    return x + 1\n")
    assert code_fingerprint("def f( x ):\n    # why\n    return (x\n            + 1)\n") == code
    assert code_fingerprint("def f(x):\n    return x - 1\n") != code
