"""A chunk's crops through the model, in batches."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fathomflow.architecture import WHOLE_IMAGE
from fathomflow.chunks import MOST_BOXES, ImageRegions
from fathomflow.crops import Pixels
from fathomflow.errors import InputError
from fathomflow.folding import FoldedMceam
from fathomflow.image_results import ImageResult
from fathomflow.loading import ImageCrops, LoadedChunk, whole_rectangles

T = TypeVar("T")

#: Boxes per batch where nothing else is asked for: a graphics card is halved down from a whole chunk; a processor's
#: thread gains nothing beyond a few boxes, and a stop request waits for one batch.
AUTO_BATCH = {"cuda": MOST_BOXES, "cpu": 4}


class StoppedError(Exception):
    """What a batch needs has not been computed, because a stop was asked for."""


@dataclass
class WholeImages:
    """The whole images of a chunk's boxes.

    Attributes
    ----------
    tokens
        Patch tokens (patches, hidden) by number of the distinct crop; complete once `work` is done, unless a stop was
        asked for.
    own
        For each box, the number of its crop.
    work
        What computes the tokens.
    """

    tokens: dict[int, Tensor]
    own: list[int]
    work: list[Future[list[None]]]


@dataclass
class Part:
    """Logits and embeddings of the rows `start` to `stop` of a chunk; on a graphics card whole once `done` is past."""

    start: int
    stop: int
    logits: Tensor
    embeddings: Tensor
    done: Any


@dataclass
class ComputedChunk:
    """Results of a chunk, possibly still being computed; `take` waits for them and raises what went wrong."""

    loaded: LoadedChunk
    rows: list[tuple[ImageRegions, int]]
    parts: list[Future[list[Part]]]

    def busy(self) -> bool:
        """Tell whether the device still works on it."""
        return any(
            not future.done() or any(part.done is not None and not part.done.query() for part in future.result())
            for future in self.parts
        )

    def take(self) -> list[ImageResult]:
        """Return the results of every image whose boxes were all computed."""
        logits: dict[int, NDArray[np.float32]] = {}
        embeddings: dict[int, NDArray[np.float16]] = {}
        for part in (part for future in self.parts for part in future.result()):
            if part.done is not None:
                part.done.synchronize()
            for row in range(part.start, part.stop):
                logits[row] = part.logits[row - part.start].numpy()
                embeddings[row] = part.embeddings[row - part.start].numpy()
        members: dict[int, list[int]] = {}
        for row, (image, _) in enumerate(self.rows):
            members.setdefault(image.image_id, []).append(row)
        return [
            ImageResult(
                image_id=image.image_id,
                sha256=crops.sha256,
                annotation_ids=image.annotation_ids,
                flags=crops.flags,
                logits=np.stack([logits[row] for row in members[image.image_id]]),
                embeddings=np.stack([embeddings[row] for row in members[image.image_id]]),
            )
            for image in self.loaded.chunk.images
            if (crops := self.loaded.crops.get(image.image_id))
            and all(row in logits for row in members[image.image_id])
        ]


class BatchRunner:
    """Runs chunks on the device, in threads of its own: a chunk can be launched while the one before is computed.

    On a graphics card one thread feeds it and never waits for it: crops are copied from pinned memory on a stream of
    their own, and results come back when they are taken. On a processor every thread computes batches by itself, which
    is faster than all of them sharing one, and gives the same bits however many they are.

    Parameters
    ----------
    model
        The model on its device.
    batch_size
        Boxes (or images) per batch, or None to find what fits.
    stop
        Asked before every batch; once it says yes no further batch is started.
    threads
        How many threads compute on a processor.
    """

    def __init__(
        self, model: FoldedMceam, batch_size: int | None, stop: Callable[[], bool], *, threads: int = 1
    ) -> None:
        self.model, self.stop = model, stop
        self.device = model.device
        self.cuda = self.device.type == "cuda"
        self.batch_size = batch_size or AUTO_BATCH[self.device.type]
        self.copying: Any = torch.cuda.Stream() if self.cuda else None  # type: ignore[no-untyped-call]
        self.pool = ThreadPoolExecutor(
            1 if self.cuda else threads,
            thread_name_prefix="batches",
            initializer=torch.set_num_threads,
            initargs=(1,),
        )

    def close(self) -> None:
        """Start no further batch."""
        self.pool.shutdown(wait=False, cancel_futures=True)

    def launch(self, loaded: LoadedChunk) -> ComputedChunk:
        """Start to compute a chunk.

        A batch always has the shape that the whole chunk gives it: rows of images that are not to be computed, or
        that failed, stay black, and only a batch of nothing else is left out. So an image's results do not depend
        on which others are computed with it.
        """
        images = loaded.chunk.images
        whole = self._encode_whole_images(images, loaded)
        rows = [(image, index) for image in images for index in range(len(image.boxes))]
        live = [image.image_id in loaded.crops for image, _ in rows]

        def classify(start: int, stop: int) -> Part:
            crops = self._upload(
                [_box_crops(loaded.crops.get(image.image_id), index) for image, index in rows[start:stop]]
            )
            shared = {} if whole is None else {WHOLE_IMAGE: partial(self._whole_tokens, whole, live, start, stop)}
            logits, embeddings = self.model.classify(crops, shared)
            part = Part(start, stop, self._download(logits), self._download(embeddings.half()), None)
            if self.cuda:
                part.done = torch.cuda.Event()  # type: ignore[no-untyped-call]
                part.done.record()
            return part

        return ComputedChunk(loaded, rows, self._in_batches(live, classify))

    def _encode_whole_images(self, images: Sequence[ImageRegions], loaded: LoadedChunk) -> WholeImages | None:
        """Start to encode every distinct whole-image crop once."""
        if WHOLE_IMAGE not in self.model.architecture.scales:
            return None
        slots: list[tuple[int, int]] = []
        numbers: list[int] = []
        for image in images:
            distinct, own = whole_rectangles(image)
            numbers += [len(slots) + index for index in own]
            slots += [(image.image_id, index) for index in range(len(distinct))]
        live = [image_id in loaded.crops for image_id, _ in slots]
        tokens: dict[int, Tensor] = {}

        def encode(start: int, stop: int) -> None:
            pixels = self._upload(
                [_whole_crop(loaded.crops.get(image_id), index) for image_id, index in slots[start:stop]]
            )
            tokens.update(zip(range(start, stop), self.model.encode_images(pixels, WHOLE_IMAGE), strict=True))

        return WholeImages(tokens, numbers, self._in_batches(live, encode))

    def _whole_tokens(self, whole: WholeImages, live: Sequence[bool], start: int, stop: int) -> Tensor:
        """Wait for the whole images of some boxes, and return their tokens (boxes, patches, hidden).

        Raises
        ------
        StoppedError
            One of them was left out.
        """
        for future in whole.work:
            future.result()
        # Another thread may have seen the stop request before this batch was begun.
        if any(live[row] and whole.own[row] not in whole.tokens for row in range(start, stop)):
            raise StoppedError
        black = torch.zeros_like(next(iter(whole.tokens.values())))
        return torch.stack([whole.tokens.get(number, black) for number in whole.own[start:stop]])

    def _in_batches(self, live: Sequence[bool], run: Callable[[int, int], T]) -> list[Future[list[T]]]:
        """Have `run` called for the rows of every batch that holds a live one, in the pool.

        The pool takes work up in the order in which it was given, so a batch that waits for an earlier one's future
        waits for what is done or under way.
        """
        # A graphics card's thread goes through all of them, because what fits is only found on the way.
        step = max(1, len(live)) if self.cuda else self.batch_size
        return [
            self.pool.submit(self._run_rows, live, run, start, min(start + step, len(live)))
            for start in range(0, len(live), step)
        ]

    @torch.inference_mode()
    def _run_rows(self, live: Sequence[bool], run: Callable[[int, int], T], start: int, end: int) -> list[T]:
        results = []
        while start < end and not self.stop():
            stop = min(start + self.batch_size, end)
            if any(live[start:stop]):
                try:
                    results.append(run(start, stop))
                except StoppedError:
                    break
                except torch.cuda.OutOfMemoryError:
                    if self.batch_size == 1:
                        raise InputError("a single box does not fit into the graphics card's memory") from None
                    self.batch_size //= 2
                    logging.info(
                        "out of memory on the graphics card; going on with %d boxes per batch", self.batch_size
                    )
                    torch.cuda.empty_cache()
                    continue
            start = stop
        return results

    def _upload(self, crops: Sequence[Pixels | None]) -> Tensor:
        shape = next(crop.shape for crop in crops if crop is not None)
        batch = torch.empty((len(crops), *shape), dtype=torch.uint8, pin_memory=self.cuda)
        pixels = batch.numpy()
        for row, crop in enumerate(crops):
            pixels[row] = 0 if crop is None else crop
        if self.copying is None:
            return batch
        with torch.cuda.stream(self.copying):
            result = batch.to(self.device, non_blocking=True)
        torch.cuda.current_stream().wait_stream(self.copying)
        result.record_stream(torch.cuda.current_stream())
        return result

    def _download(self, values: Tensor) -> Tensor:
        if not self.cuda:
            return values
        target = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
        return target.copy_(values, non_blocking=True)


def _box_crops(crops: ImageCrops | None, index: int) -> Pixels | None:
    return None if crops is None else crops.boxed[index]


def _whole_crop(crops: ImageCrops | None, index: int) -> Pixels | None:
    return None if crops is None else crops.whole[index]
