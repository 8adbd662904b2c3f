"""Weights in the safetensors format, written one tensor at a time so that memory stays small."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from fathomflow.architecture import ModelDescription
from fathomflow.errors import InputError
from fathomflow.files import atomic_write

#: Names of the number formats that weights are stored in. bf16 is not among them: rounding DINOv2-large's weights to
#: bf16 moves logits by 2e-2, to fp16 by 2e-3.
STORED = {"fp32": torch.float32, "fp16": torch.float16}
_CODES = {torch.float32: "F32", torch.float16: "F16"}


def write_weights(
    path: Path,
    shapes: Mapping[str, Sequence[int]],
    weight: Callable[[str], Tensor],
    *,
    dtype: torch.dtype,
    metadata: Mapping[str, str],
) -> None:
    """Write a safetensors file atomically, holding one tensor in memory at a time.

    The library's own writer wants all tensors at once, which for a checkpoint that is converted to another number
    format means all of them in memory. The format is a length (8 bytes, little endian), a JSON header padded with
    spaces to a multiple of 8 bytes, and the tensors' bytes one after the other.

    Parameters
    ----------
    path
        The file.
    shapes
        Names and shapes, in any order; they are written sorted by name.
    weight
        Returns the tensor of a name.
    dtype
        float32 or float16.
    metadata
        Text to keep in the header.

    Raises
    ------
    InputError
        A weight is not finite, or does not fit into fp16.
    """
    names = sorted(shapes)
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    end = 0
    for name in names:
        start, end = end, end + dtype.itemsize * torch.Size(shapes[name]).numel()
        header[name] = {"dtype": _CODES[dtype], "shape": list(shapes[name]), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic_write(path) as temporary, temporary.open("wb") as handle:
        handle.write(struct.pack("<Q", len(text)) + text)
        for name in names:
            values = weight(name).to(dtype).contiguous()
            if not torch.isfinite(values).all():
                raise InputError(f"{path.name}: weight {name!r} holds values that are not finite as {dtype}; use fp32")
            handle.write(values.numpy().data)


def read_metadata(path: Path) -> dict[str, str]:
    """Read the text that a safetensors file keeps in its header.

    Raises
    ------
    InputError
        The file is missing or is not in the format.
    """
    try:
        with safe_open(path, framework="pt") as weights:
            return dict(weights.metadata() or {})
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; convert_checkpoint.py makes it") from None
    except Exception as error:
        if type(error).__name__ != "SafetensorError":
            raise
        raise InputError(f"{path}: not a safetensors file ({error}); convert the checkpoint again") from None


def check_weights(path: Path, description: ModelDescription) -> None:
    """Check that a weights file is the one that a description stands beside, without reading all of it.

    Raises
    ------
    InputError
        The file is missing, has another size, or was converted from another checkpoint.
    """
    metadata = read_metadata(path)
    expected = {"checkpoint_sha256": description.source["sha256"], "precision": description.precision}
    if path.stat().st_size != description.weights["bytes"] or metadata != expected:
        raise InputError(f"{path}: not the weights that its model.json describes; convert the checkpoint again")


class StoredWeights(Mapping[str, Tensor]):
    """The weights of a file whose names start with a prefix, under their names without it, each read when asked for.

    The file is mapped only while one tensor is copied, so that its pages do not pile up in the process's memory.
    """

    def __init__(self, path: Path, prefix: str = "") -> None:
        self.path, self.prefix = path, prefix
        with safe_open(path, framework="pt") as weights:
            names = list(weights.keys())
        self.names = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]

    def __getitem__(self, name: str) -> Tensor:
        with safe_open(self.path, framework="pt") as weights:
            result: Tensor = weights.get_tensor(self.prefix + name).clone()
        return result

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def read_weights(path: Path, prefix: str) -> dict[str, Tensor]:
    """Read the weights whose names start with `prefix`, all at once, under their names without it."""
    return dict(StoredWeights(path, prefix))
