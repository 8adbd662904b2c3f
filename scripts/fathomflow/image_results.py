"""What a model computed for the boxes of one image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ImageResult:
    """What was computed for the boxes of one image.

    Attributes
    ----------
    image_id, sha256
        The image and the hash of its file.
    annotation_ids, flags
        One per box.
    logits, embeddings
        (boxes, classes) float32 and (boxes, features) float16.
    """

    image_id: int
    sha256: str
    annotation_ids: tuple[int, ...]
    flags: tuple[str, ...]
    logits: NDArray[np.float32]
    embeddings: NDArray[np.float16]
