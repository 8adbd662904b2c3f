"""A chunk's crops through the model, in batches."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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

#: Boxes per batch where nothing else is asked for: a graphics card is halved down from a whole chunk; a processor
#: gains nothing beyond a few boxes, and a stop request waits for one batch.
AUTO_BATCH = {"cuda": MOST_BOXES, "cpu": 4}


@dataclass
class ComputedChunk:
    """Results of a chunk, possibly still being computed on the device; `take` waits for them."""

    loaded: LoadedChunk
    rows: list[tuple[ImageRegions, int]]
    parts: list[tuple[int, int, Tensor, Tensor]]
    done: Any

    def busy(self) -> bool:
        """Tell whether the device still works on it."""
        return self.done is not None and not self.done.query()

    def take(self) -> list[ImageResult]:
        """Return the results of every image whose boxes were all computed."""
        if self.done is not None:
            self.done.synchronize()
        logits: dict[int, NDArray[np.float32]] = {}
        embeddings: dict[int, NDArray[np.float16]] = {}
        for start, stop, some_logits, some_embeddings in self.parts:
            for row in range(start, stop):
                logits[row] = some_logits[row - start].numpy()
                embeddings[row] = some_embeddings[row - start].numpy()
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
    """Runs chunks on the device.

    On a graphics card nothing here waits for it: crops are copied from pinned memory on a stream of their own, and
    results come back when they are taken.

    Parameters
    ----------
    model
        The model on its device.
    batch_size
        Boxes (or images) per batch, or None to find what fits.
    stop
        Asked before every batch; once it says yes no further batch is started.
    """

    def __init__(self, model: FoldedMceam, batch_size: int | None, stop: Callable[[], bool]) -> None:
        self.model, self.stop = model, stop
        self.device = model.device
        self.cuda = self.device.type == "cuda"
        self.batch_size = batch_size or AUTO_BATCH[self.device.type]
        self.copying: Any = torch.cuda.Stream() if self.cuda else None  # type: ignore[no-untyped-call]

    @torch.inference_mode()
    def launch(self, loaded: LoadedChunk) -> ComputedChunk:
        """Compute a chunk.

        A batch always has the shape that the whole chunk gives it: rows of images that are not to be computed, or
        that failed, stay black, and only a batch of nothing else is left out. So an image's results do not depend
        on which others are computed with it.
        """
        images = loaded.chunk.images
        shared, tokens_of = self._encode_whole_images(images, loaded)
        rows = [(image, index) for image in images for index in range(len(image.boxes))]
        live = [image.image_id in loaded.crops for image, _ in rows]
        parts = []

        def classify(start: int, stop: int) -> tuple[Tensor, Tensor]:
            crops = self._upload(
                [_box_crops(loaded.crops.get(image.image_id), index) for image, index in rows[start:stop]]
            )
            tokens = {}
            if shared is not None:
                index = torch.tensor(tokens_of[start:stop])
                tokens[WHOLE_IMAGE] = shared[
                    index.pin_memory().to(self.device, non_blocking=True) if self.cuda else index
                ]
            return self.model.classify(crops, tokens)

        for start, stop, (logits, embeddings) in self._in_batches(live, classify):
            parts.append((start, stop, self._download(logits), self._download(embeddings.half())))
        done: Any = None
        if self.cuda:
            done = torch.cuda.Event()  # type: ignore[no-untyped-call]
            done.record()
        return ComputedChunk(loaded, rows, parts, done)

    def _encode_whole_images(
        self, images: Sequence[ImageRegions], loaded: LoadedChunk
    ) -> tuple[Tensor | None, list[int]]:
        """Encode every distinct whole-image crop once; also return, for each box, which one is its own."""
        if WHOLE_IMAGE not in self.model.architecture.scales:
            return None, []
        slots: list[tuple[int, int]] = []
        tokens_of: list[int] = []
        for image in images:
            distinct, own = whole_rectangles(image)
            tokens_of += [len(slots) + index for index in own]
            slots += [(image.image_id, index) for index in range(len(distinct))]
        live = [image_id in loaded.crops for image_id, _ in slots]
        encoded: Tensor | None = None

        def encode(start: int, stop: int) -> Tensor:
            pixels = self._upload(
                [_whole_crop(loaded.crops.get(image_id), index) for image_id, index in slots[start:stop]]
            )
            return self.model.encode_images(pixels, WHOLE_IMAGE)

        for start, stop, tokens in self._in_batches(live, encode):
            if encoded is None:
                encoded = tokens.new_zeros((len(slots), *tokens.shape[1:]))
            encoded[start:stop] = tokens
        return encoded, tokens_of

    def _in_batches(self, live: Sequence[bool], run: Callable[[int, int], T]) -> Iterator[tuple[int, int, T]]:
        start = 0
        while start < len(live) and not self.stop():
            stop = min(start + self.batch_size, len(live))
            if any(live[start:stop]):
                try:
                    result = run(start, stop)
                except torch.cuda.OutOfMemoryError:
                    if self.batch_size == 1:
                        raise InputError("a single box does not fit into the graphics card's memory") from None
                    self.batch_size //= 2
                    logging.info(
                        "out of memory on the graphics card; going on with %d boxes per batch", self.batch_size
                    )
                    torch.cuda.empty_cache()
                    continue
                yield start, stop, result
            start = stop

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
