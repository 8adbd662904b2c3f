"""Finished chunks on disk, so that an interrupted run loses little and a repeated one computes nothing.

The folder of a run is named by a fingerprint of all that decides its results: weights, precision, device, batch size,
versions, and the code that computes. A chunk's files are named by a fingerprint of its boxes. Every result carries
the SHA-256 of the image file that it was computed from. So whatever is found here by its name still holds where the
image is still the same; everything else is left alone.
"""

from __future__ import annotations

import ast
import hashlib
import json
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import transformers

from fathomflow.chunks import Chunk
from fathomflow.files import atomic_write
from fathomflow.image_results import ImageResult

#: Library modules whose code decides the results' bits.
_COMPUTING = ("crops.py", "pixels.py", "chunks.py", "mceam.py", "folding.py", "loading.py", "batches.py")

_SCHEMA = pa.schema(
    [
        ("image_id", pa.int64()),
        ("sha256", pa.string()),
        ("annotation_id", pa.int64()),
        ("flags", pa.string()),
        ("logits", pa.list_(pa.float32())),
        ("embedding", pa.list_(pa.float16())),
    ]
)


def fingerprint(content: Mapping[str, Any]) -> str:
    """Return 32 hexadecimal digits that stand for JSON-like content."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def run_fingerprint(*, weights_sha256: str, precision: str, device: str, batch_size: str) -> str:
    """Return the fingerprint of all that decides the results beside boxes and images."""
    folder = Path(__file__).parent
    return fingerprint(
        {
            "weights": weights_sha256,
            "precision": precision,
            "device": device,
            "batch_size": batch_size,
            "versions": [torch.__version__, transformers.__version__, PIL.__version__],
            "code": [code_fingerprint((folder / name).read_text(encoding="utf-8")) for name in _COMPUTING],
        }
    )


def code_fingerprint(source: str) -> str:
    """Return the SHA-256 of what Python source does: a comment or another line break is no reason to compute again."""
    return hashlib.sha256(ast.dump(ast.parse(source)).encode()).hexdigest()


class ChunkStore:
    """The finished chunks of one run.

    Parameters
    ----------
    folder
        Where the chunks of all runs are kept.
    run
        The run's fingerprint.
    """

    def __init__(self, folder: Path, run: str) -> None:
        self.folder = folder / run

    def _files(self, chunk: Chunk) -> tuple[str, list[Path]]:
        key = fingerprint({"images": [asdict(image) for image in chunk.images]})
        return key, sorted(self.folder.glob(f"{key}.*.parquet"))

    def load(self, chunk: Chunk) -> list[ImageResult]:
        """Return every stored result of a chunk; an image may have several, from different versions of its file."""
        found = []
        for path in self._files(chunk)[1]:
            try:
                found += _to_results(pq.read_table(path, schema=_SCHEMA))
            except (pa.ArrowException, OSError) as error:
                logging.warning("%s: unreadable, its boxes are computed again (%s)", path, error)
        return found

    def save(self, chunk: Chunk, results: Iterable[ImageResult]) -> None:
        """Keep results of a chunk: all of its images or some, beside what is there already."""
        rows = [row for result in results for row in _to_rows(result)]
        if not rows:
            return
        key, files = self._files(chunk)
        numbers = [int(match[1]) for path in files if (match := re.search(r"\.(\d+)\.parquet$", path.name))]
        with atomic_write(self.folder / f"{key}.{max(numbers, default=0) + 1}.parquet") as temporary:
            pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), temporary)


def _to_rows(result: ImageResult) -> list[dict[str, Any]]:
    return [
        {
            "image_id": result.image_id,
            "sha256": result.sha256,
            "annotation_id": annotation_id,
            "flags": result.flags[index],
            "logits": result.logits[index],
            "embedding": result.embeddings[index],
        }
        for index, annotation_id in enumerate(result.annotation_ids)
    ]


def _to_results(table: pa.Table) -> list[ImageResult]:
    rows = len(table)
    if not rows:
        return []
    numbers = {
        name: np.asarray(table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)).reshape(rows, -1)
        for name in ("logits", "embedding")
    }
    keys = list(zip(table["image_id"].to_pylist(), table["sha256"].to_pylist(), strict=True))
    ids, flags = table["annotation_id"].to_pylist(), table["flags"].to_pylist()
    return [
        ImageResult(
            image_id=key[0],
            sha256=key[1],
            annotation_ids=tuple(ids[row] for row in members),
            flags=tuple(flags[row] for row in members),
            logits=numbers["logits"][members],
            embeddings=numbers["embedding"][members],
        )
        for key in dict.fromkeys(keys)
        for members in [[row for row, other in enumerate(keys) if other == key]]
    ]
