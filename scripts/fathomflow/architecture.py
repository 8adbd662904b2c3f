"""What a converted model is made of: the numbers of its architecture and the description beside its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fathomflow.errors import InputError
from fathomflow.files import write_text

#: Version of the layout of model.json.
FORMAT = 1
#: A context scale that stands for the whole image.
WHOLE_IMAGE = -1


@dataclass(frozen=True)
class Encoder:
    """Numbers of a Dinov2 encoder; the defaults are DINOv2-large.

    Head counts, the norm's epsilon and the activation leave no trace in a checkpoint, so they come from here or
    from a ``config.json``.
    """

    hidden_size: int = 1024
    layers: int = 24
    heads: int = 16
    mlp_ratio: float = 4
    patch_size: int = 14
    image_size: int = 518
    layer_norm_eps: float = 1e-6


@dataclass(frozen=True)
class Architecture:
    """Numbers of a multi-context environmental attention model (MCEAM).

    `scales` are the contexts in the order in which their vectors are concatenated: a positive number multiplies the
    box's half side, `WHOLE_IMAGE` stands for the image. `input_size` is the side of a resized crop in pixels.
    """

    object_encoder: Encoder
    context_encoder: Encoder
    scales: tuple[int, ...]
    feature_dim: int
    input_size: int = 256
    attention_layers: int = 4
    attention_heads: int = 8
    name: str = "mceam"

    @property
    def boxed_scales(self) -> tuple[int, ...]:
        """Scales whose crop differs from box to box."""
        return tuple(scale for scale in self.scales if scale != WHOLE_IMAGE)

    def context_key(self, scale: int) -> str:
        """Return the name under which the winner's code keeps the modules of a context."""
        return f"{self.input_size}_{scale}"


@dataclass(frozen=True)
class ModelDescription:
    """Content of model.json.

    `categories` are in class order. `source` says where the checkpoint came from, `weights` identifies the file beside
    (sha256, bytes, tensors, parameters), `dropped` counts what the checkpoint held that inference does not need.
    `trained_on` says of a model that was trained here what it has seen: split, labels (published or corrected), boxes,
    and held_out_fold, the fold that it has not seen (null: it has seen the whole split). Of others it is None.
    """

    architecture: Architecture
    categories: tuple[str, ...]
    precision: str
    source: Mapping[str, str]
    weights: Mapping[str, Any]
    dropped: Mapping[str, int] = field(default_factory=dict)
    trained_on: Mapping[str, Any] | None = None


def write_description(path: Path, description: ModelDescription) -> None:
    """Write model.json atomically."""
    write_text(path, json.dumps({"format": FORMAT} | asdict(description), indent=2, ensure_ascii=False) + "\n")


def read_description(path: Path) -> ModelDescription:
    """Read model.json.

    Raises
    ------
    InputError
        It is missing, not JSON, or not in the layout that this version writes.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; convert_checkpoint.py makes it") from None
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error})") from None
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise InputError(f"{path}: not a model description in format {FORMAT}; convert the checkpoint again")
    try:
        numbers = dict(content.pop("architecture"))
        architecture = Architecture(
            object_encoder=Encoder(**numbers.pop("object_encoder")),
            context_encoder=Encoder(**numbers.pop("context_encoder")),
            scales=tuple(numbers.pop("scales")),
            **numbers,
        )
        return ModelDescription(architecture=architecture, categories=tuple(content.pop("categories")), **content)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a model description ({error}); convert the checkpoint again") from None


def read_encoder(path: Path | None) -> Encoder:
    """Read an encoder's numbers from a Dinov2 ``config.json``; None stands for DINOv2-large.

    Raises
    ------
    InputError
        The file is missing, describes another kind of model, or asks for what is not supported.
    """
    if path is None:
        return Encoder()
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected a Dinov2 config.json") from None
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error})") from None
    supported = {
        "model_type": "dinov2",
        "hidden_act": "gelu",
        "use_swiglu_ffn": False,
        "qkv_bias": True,
        "num_channels": 3,
    }
    problems = [
        f"{path}: {key} is {config[key]!r}; only {value!r} is supported"
        for key, value in supported.items()
        if config.get(key, value) != value
    ]
    if problems:
        raise InputError(*problems)
    names = {
        "hidden_size": "hidden_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "mlp_ratio": "mlp_ratio",
        "patch_size": "patch_size",
        "image_size": "image_size",
        "layer_norm_eps": "layer_norm_eps",
    }
    missing = [key for key in names.values() if not isinstance(config.get(key), int | float)]
    if missing:
        raise InputError(f"{path}: no number {', '.join(map(repr, missing))}; expected a Dinov2 config.json")
    return Encoder(**{name: config[key] for name, key in names.items()})
