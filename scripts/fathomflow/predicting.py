"""A shard's boxes predicted: what is on disk is taken over, the rest is computed and kept chunk by chunk."""

from __future__ import annotations

import hashlib
import logging
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from types import FrameType

from fathomflow.batches import BatchRunner, ComputedChunk
from fathomflow.chunk_store import ChunkStore
from fathomflow.chunks import Chunk, ImageRegions
from fathomflow.errors import InputError
from fathomflow.image_records import ImageRecord
from fathomflow.image_results import ImageResult
from fathomflow.loading import LoadedChunk, load_chunks
from fathomflow.program import progress
from fathomflow.storage import ImageFolder


@dataclass
class Outcome:
    """What became of a shard.

    Attributes
    ----------
    results
        By image id.
    failures
        Reasons, by image id.
    computed, taken_over
        Boxes.
    seconds, waited_s
        Time of computing, and how much of it the device had nothing to do for want of crops.
    stopped
        A stop was asked for before everything was done.
    """

    results: dict[int, ImageResult] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)
    computed: int = 0
    taken_over: int = 0
    seconds: float = 0.0
    waited_s: float = 0.0
    stopped: bool = False


@contextmanager
def stop_on_sigterm() -> Iterator[Callable[[], bool]]:
    """Note SIGTERM, which a cluster sends before it takes a machine away, instead of dying of it."""
    asked: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        logging.warning("asked to stop: finishing the batch under way")
        asked.append(number)

    before = signal.signal(signal.SIGTERM, note)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGTERM, before)


def unusable_images(chunks: Sequence[Chunk], manifest: Mapping[int, ImageRecord], source: str) -> dict[int, str]:
    """Return the images that the manifest says are not whole, with its reasons.

    Raises
    ------
    InputError
        The manifest does not know an image, or knows it under another name.
    """
    problems, unusable = [], {}
    for image in (image for chunk in chunks for image in chunk.images):
        record = manifest.get(image.image_id)
        if record is None:
            problems.append(f"{source}: image {image.image_id} ({image.file_name}) is absent; make the manifest again")
        elif record.file_name != image.file_name:
            problems.append(
                f"{source}: image {image.image_id} is {record.file_name!r}, the boxes say {image.file_name!r}"
            )
        elif record.status != "ok":
            unusable[image.image_id] = f"{record.status}: {record.detail}" if record.detail else record.status
    if problems:
        raise InputError(*problems[:20])
    return unusable


def take_over(
    chunk: Chunk,
    store: ChunkStore,
    manifest: Mapping[int, ImageRecord],
    folder: ImageFolder,
    unusable: Mapping[int, str],
) -> dict[int, ImageResult]:
    """Return the stored results of a chunk that still hold: those of images whose file is still the same."""
    images = {image.image_id: image for image in chunk.images if image.image_id not in unusable}
    current = {image_id: manifest[image_id].sha256 for image_id in images}
    found: dict[int, ImageResult] = {}
    stored = [result for result in store.load(chunk) if result.image_id in images]
    for result in stored:
        if result.sha256 == current[result.image_id]:
            found[result.image_id] = result
    # An image that was replaced after its manifest was written: only its file can tell.
    for image_id in {result.image_id for result in stored} - set(found):
        path = folder / images[image_id].file_name
        actual = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found.update((image_id, old) for old in stored if old.image_id == image_id and old.sha256 == actual)
    return found


def predict_chunks(
    chunks: Sequence[Chunk],
    store: ChunkStore,
    manifest: Mapping[int, ImageRecord],
    folder: ImageFolder,
    unusable: Mapping[int, str],
    make_runner: Callable[[Callable[[], bool]], BatchRunner],
    *,
    threads: int,
) -> Outcome:
    """Predict every box of a shard's chunks.

    Parameters
    ----------
    chunks
        The shard's chunks.
    store
        Where finished chunks are kept.
    manifest
        The split's images by id.
    folder
        Where they lie.
    unusable
        Images to leave out, with reasons.
    make_runner
        Makes the device ready; called only when there is something to compute. Its argument tells when to stop.
    threads
        Threads that decode and cut.
    """
    outcome = Outcome(failures=dict(unusable))
    work = []
    for chunk in chunks:
        outcome.results |= (held := take_over(chunk, store, manifest, folder, unusable))
        wanted = frozenset(image.image_id for image in chunk.images) - set(held) - set(unusable)
        if wanted:
            work.append((chunk, wanted))
    outcome.taken_over = sum(len(result.annotation_ids) for result in outcome.results.values())
    if not work:
        return outcome
    boxes = outcome.taken_over + sum(_boxes(chunk.images, wanted) for chunk, wanted in work)
    with (
        stop_on_sigterm() as stop,
        progress(total=boxes, description="predicting", unit="boxes", initial=outcome.taken_over) as bar,
        closing(make_runner(stop)) as runner,
    ):
        started = time.monotonic()

        def keep(computed: ComputedChunk) -> None:
            results = computed.take()
            store.save(computed.loaded.chunk, results)
            outcome.results |= {result.image_id: result for result in results}
            fresh = sum(len(result.annotation_ids) for result in results)
            outcome.computed += fresh
            outcome.seconds = time.monotonic() - started
            bar.set_postfix_str(f"waited {outcome.waited_s:.0f} s for images", refresh=False)
            bar.update(fresh)

        loaded = load_chunks(work, folder, runner.model.architecture, threads=threads)
        under_way: ComputedChunk | None = None
        while not stop():
            asked = time.monotonic()
            chunk_loaded: LoadedChunk | None = next(loaded, None)
            if under_way is None or not under_way.busy():
                outcome.waited_s += time.monotonic() - asked
            if chunk_loaded is None:
                break
            outcome.failures |= chunk_loaded.failures
            computed = runner.launch(chunk_loaded)
            # The next chunk is launched before the last one is fetched, so that the device never idles.
            if under_way is not None:
                keep(under_way)
            under_way = computed
        if under_way is not None:
            keep(under_way)
        loaded.close()
        outcome.stopped = stop() and len(outcome.results) + len(outcome.failures) < sum(len(c.images) for c in chunks)
    return outcome


def _boxes(images: Sequence[ImageRegions], wanted: frozenset[int]) -> int:
    return sum(len(image.boxes) for image in images if image.image_id in wanted)
