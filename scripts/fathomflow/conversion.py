"""From a Lightning checkpoint of the winner's code to safe weights and a description of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from fathomflow.architecture import Architecture, Encoder, ModelDescription, write_description
from fathomflow.checkpoints import Checkpoint, read_checkpoint
from fathomflow.errors import InputError
from fathomflow.files import sha256_of
from fathomflow.mceam import weight_shapes
from fathomflow.safe_weights import STORED, write_weights
from fathomflow.weight_names import is_used, to_v5

#: Hyper-parameters that change what the model computes, with the one value that is implemented.
_IMPLEMENTED = {"object_crop": "square", "img_downsampling": True, "env_img_crop": True, "intra_env_attn": True}
#: Problems of one kind that are shown in full.
_SHOWN = 5


def convert_checkpoint(
    checkpoint: Path,
    source: Mapping[str, str],
    *,
    object_encoder: Encoder,
    context_encoder: Encoder,
    weights: Path,
    description: Path,
    precision: str,
) -> ModelDescription:
    """Write what inference needs of a checkpoint.

    Parameters
    ----------
    checkpoint
        The Lightning checkpoint.
    source
        Where it came from: ``uri`` and ``sha256``.
    object_encoder, context_encoder
        The encoders' numbers.
    weights, description
        Files to write: model.safetensors and model.json.
    precision
        ``fp32`` or ``fp16``: how the weights are stored.

    Raises
    ------
    InputError
        The checkpoint is refused, incomplete, or of another architecture; all differences are named.
    """
    if not checkpoint.is_file():
        raise InputError(
            f"{checkpoint}: no such file, though it was once fetched; remove its checkpoint.json and run again"
        )
    content = read_checkpoint(checkpoint)
    categories = category_names(content.hyper_parameters, checkpoint)
    architecture = read_architecture(content, checkpoint, object_encoder, context_encoder)
    state = select_weights(content.weights, weight_shapes(architecture, len(categories)), checkpoint)
    shapes = {name: tuple(weight.shape) for name, weight in state.items()}
    write_weights(
        weights,
        shapes,
        state.__getitem__,
        dtype=STORED[precision],
        metadata={"checkpoint_sha256": source["sha256"], "precision": precision},
    )
    dropped = Counter(
        "mask_token" if name.endswith("mask_token") else name.split(".")[0]
        for name in content.weights
        if not is_used(name)
    )
    result = ModelDescription(
        architecture=architecture,
        categories=tuple(categories),
        precision=precision,
        source={"uri": source["uri"], "sha256": source["sha256"]},
        weights={
            "sha256": sha256_of(weights),
            "bytes": weights.stat().st_size,
            "tensors": len(state),
            "parameters": sum(weight.numel() for weight in state.values()),
        },
        dropped=dict(sorted((dropped + Counter({k: n for k, n in content.others.items() if n})).items())),
        trained_on=content.hyper_parameters.get("trained_on"),
    )
    write_description(description, result)
    return result


def read_source(record: Path) -> dict[str, str]:
    """Read the uri and sha256 that fetch_checkpoint.py recorded."""
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        return {"uri": str(content["uri"]), "sha256": str(content["sha256"])}
    except FileNotFoundError:
        raise InputError(f"{record}: no such file; fetch_checkpoint.py makes it") from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{record}: not a checkpoint's record with uri and sha256 ({error!r})") from None


def category_names(hyper_parameters: Mapping[str, Any], path: Path) -> list[str]:
    """Return the category names in class order, from the hyper-parameter ``category_id2name``."""
    names = hyper_parameters.get("category_id2name")
    if not isinstance(names, dict) or not names:
        raise InputError(f"{path}: hyper_parameters hold no category_id2name; the classes' names are unknown")
    if set(names) != set(range(len(names))) or not all(isinstance(name, str) for name in names.values()):
        raise InputError(
            f"{path}: category_id2name does not name the classes 0 to {len(names) - 1}, each with one text"
        )
    twice = [name for name, count in Counter(names.values()).items() if count > 1]
    if twice:
        raise InputError(f"{path}: category_id2name gives {twice[0]!r} to two classes")
    return [names[index] for index in range(len(names))]


def read_architecture(
    content: Checkpoint, path: Path, object_encoder: Encoder, context_encoder: Encoder
) -> Architecture:
    """Read the architecture's numbers off the hyper-parameters and the names of the weights."""
    given = content.hyper_parameters
    problems = [
        f"{path}: hyper-parameter {key} is {given[key]!r}; only {value!r} is implemented"
        for key, value in _IMPLEMENTED.items()
        if given.get(key, value) != value
    ]
    scales = given.get("env_img_crop_scale_list")
    if not isinstance(scales, list) or not scales or not all(isinstance(s, int) and (s > 0 or s == -1) for s in scales):
        problems.append(
            f"{path}: hyper-parameter env_img_crop_scale_list is {scales!r}; expected scales such as [3, 5, -1]"
        )
    size = given.get("obj_encoder_size")
    square = isinstance(size, list) and len(size) == 2 and size[0] == size[1] and isinstance(size[0], int)
    if not square or given.get("img_encoder_size") != [size]:
        problems.append(
            f"{path}: obj_encoder_size {size!r} and img_encoder_size {given.get('img_encoder_size')!r}; "
            "expected one square size for both, such as [256, 256] and [[256, 256]]"
        )
    head = content.weights.get("concat_proj.net.4.weight")
    if head is None or head.dim() != 2:
        problems.append(f"{path}: no weight 'concat_proj.net.4.weight'; expected a checkpoint of the winner's code")
    if problems or head is None or not isinstance(scales, list) or not isinstance(size, list):
        raise InputError(*problems)
    prefix = f"intra_env_attn_module.{size[0]}_{scales[0]}.layers."
    layers = {name.removeprefix(prefix).split(".")[0] for name in content.weights if name.startswith(prefix)}
    return Architecture(
        object_encoder=object_encoder,
        context_encoder=context_encoder,
        scales=tuple(scales),
        feature_dim=head.shape[0],
        input_size=size[0],
        attention_layers=len(layers),
    )


def select_weights(weights: Mapping[str, Tensor], shapes: Mapping[str, Sequence[int]], path: Path) -> dict[str, Tensor]:
    """Pick the weights that inference needs, under transformers 5's names, and check them against the architecture.

    Raises
    ------
    InputError
        Weights are missing, unknown, or have another shape than the architecture's.
    """
    state = {to_v5(name): weight for name, weight in weights.items() if is_used(name)}
    problems = _some([f"{path}: weight {name!r} is missing" for name in shapes if name not in state])
    problems += _some(
        [f"{path}: weight {name!r} is not part of the architecture" for name in state if name not in shapes]
    )
    problems += _some(
        [
            f"{path}: weight {name!r} has shape {list(state[name].shape)}, the architecture {list(shape)}; "
            "do the encoders' config.json fit this checkpoint?"
            for name, shape in shapes.items()
            if name in state and tuple(state[name].shape) != tuple(shape)
        ]
    )
    problems += _some(
        [
            f"{path}: weight {name!r} is {weight.dtype}"
            for name, weight in state.items()
            if not weight.is_floating_point()
        ]
    )
    if problems:
        raise InputError(*problems)
    return state


def _some(problems: list[str]) -> list[str]:
    rest = len(problems) - _SHOWN
    return [*problems[:_SHOWN], f"… and {rest} more of this kind"] if rest > 0 else problems
