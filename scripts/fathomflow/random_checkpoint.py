"""Small random checkpoints in the winner's format, for the demo and for tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from fathomflow.architecture import Architecture, Encoder
from fathomflow.files import atomic_write, write_text
from fathomflow.mceam import weight_shapes
from fathomflow.weight_names import to_v4


def random_state(
    architecture: Architecture, classes: int, seed: int, dtype: torch.dtype = torch.float32
) -> dict[str, torch.Tensor]:
    """Draw every weight of an architecture, under transformers 5's names.

    Matrices have the variance 1 / inputs, so that signals keep their size from layer to layer; norms and layer
    scales lie near 1, biases and embeddings near 0.
    """
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in weight_shapes(architecture, classes).items():
        values = torch.randn(shape, generator=generator)
        if len(shape) >= 2 and "embeddings.cls_token" not in name and "position_embeddings" not in name:
            values /= values[0].numel() ** 0.5
        elif ("norm" in name and name.endswith("weight")) or "lambda1" in name or name in _NORMS:
            values = 1 + values / 20
        else:
            values /= 10
        state[name] = values.to(dtype)
    return state


_NORMS = ("concat_proj.net.2.weight", "concat_proj.net.6.weight", "classifier.net.3.weight")


def write_random_checkpoint(
    path: Path,
    categories: Sequence[str],
    seed: int,
    *,
    hidden: int = 32,
    layers: int = 2,
    heads: int = 2,
    scales: Sequence[int] = (3, 5, -1),
) -> tuple[Path, Path]:
    """Write a Lightning-like checkpoint with random weights and the encoders' config.json files beside it.

    Same arguments, same bytes.

    Parameters
    ----------
    path
        The checkpoint to write. The encoders' files become ``<stem>.object.json`` and ``<stem>.context.json`` beside.
    categories
        Category names in class order.
    seed
        Seed of the weights.
    hidden, layers, heads
        Size of all encoders and of the features; `hidden` must be a multiple of 8 and of `heads`.
    scales
        Context scales.

    Returns
    -------
    tuple of Path
        The object encoder's and the context encoders' config.json.
    """
    encoder = Encoder(hidden_size=hidden, layers=layers, heads=heads)
    architecture = Architecture(
        object_encoder=encoder, context_encoder=encoder, scales=tuple(scales), feature_dim=hidden
    )
    configs = path.with_name(f"{path.stem}.object.json"), path.with_name(f"{path.stem}.context.json")
    for config in configs:
        write_text(config, json.dumps(encoder_config(encoder), indent=2, sort_keys=True) + "\n")
    state = random_state(architecture, len(categories), seed)
    with atomic_write(path) as temporary, temporary.open("wb") as handle:
        torch.save(lightning_content(state, architecture, categories), handle)
    return configs


def encoder_config(encoder: Encoder) -> dict[str, Any]:
    """Return an encoder's numbers as a Dinov2 config.json has them."""
    return {
        "model_type": "dinov2",
        "architectures": ["Dinov2Model"],
        "hidden_act": "gelu",
        "hidden_size": encoder.hidden_size,
        "num_hidden_layers": encoder.layers,
        "num_attention_heads": encoder.heads,
        "mlp_ratio": encoder.mlp_ratio,
        "patch_size": encoder.patch_size,
        "image_size": encoder.image_size,
        "layer_norm_eps": encoder.layer_norm_eps,
        "num_channels": 3,
        "qkv_bias": True,
        "use_mask_token": True,
        "use_swiglu_ffn": False,
    }


def lightning_content(
    state: dict[str, torch.Tensor], architecture: Architecture, categories: Sequence[str]
) -> dict[str, Any]:
    """Arrange weights as the winner's Lightning trainer saves them, with names as transformers 4 spells them."""
    names = list(categories)
    encoders = [
        "obj_vit_region_encoder",
        *(f"img_vit_region_encoders.{architecture.context_key(s)}" for s in architecture.scales),
    ]
    weights = {to_v4(name): weight for name, weight in state.items()}
    for encoder in encoders:
        hidden = weights[f"{encoder}.embeddings.cls_token"].shape[-1]
        weights[f"{encoder}.embeddings.mask_token"] = torch.zeros(1, hidden)
    side = architecture.input_size
    hyper_parameters = OmegaConf.create(
        {
            "phase": "train",
            "feature_dim": architecture.feature_dim,
            "nclass": len(names),
            "obj_encoder_size": [side, side],
            "img_encoder_size": [[side, side]],
            "object_crop": "square",
            "img_downsampling": True,
            "env_img_crop": True,
            "env_img_crop_scale_list": list(architecture.scales),
            "intra_env_attn": True,
            "category_name2id": {name: index for index, name in enumerate(names)},
            "category_id2name": dict(enumerate(names)),
        }
    )
    return {
        "epoch": 0,
        "global_step": 0,
        "pytorch-lightning_version": "2.5.1.post0",
        "state_dict": weights,
        "hparams_name": "args",
        "hyper_parameters": hyper_parameters,
    }
