"""The winner's architecture as it is trained: dropout, one more classifier per rank, and where weights start from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import Dinov2Model

from fathomflow.architecture import Architecture
from fathomflow.errors import InputError
from fathomflow.mceam import Mceam, Net


class _RankClassifiers(nn.Module):
    """One classifier per rank, of the same make as the one that predicts."""

    def __init__(self, dim: int, classes: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.h_modules = nn.ModuleList(
            Net(nn.Linear(dim, dim), nn.GELU(), nn.Dropout(dropout), nn.LayerNorm(dim), nn.Linear(dim, count))
            for count in classes
        )

    def forward(self, embedding: Tensor) -> list[Tensor]:
        return [module(embedding) for module in self.h_modules]


class TrainableMceam(Mceam):
    """The model with what only training uses.

    Parameters
    ----------
    architecture
        Its numbers.
    classes
        Number of categories.
    rank_classes
        Number of names at each rank that has an auxiliary classifier.
    dropout
        Share of features that are dropped in the heads.
    """

    def __init__(self, architecture: Architecture, classes: int, rank_classes: Sequence[int], dropout: float) -> None:
        super().__init__(architecture, classes)
        dim, query_dim = architecture.feature_dim, architecture.object_encoder.hidden_size
        self.concat_proj.net[3] = nn.Dropout(dropout)
        self.classifier.net[2] = nn.Dropout(dropout)
        self.hierarchical_classifier = _RankClassifiers(dim, rank_classes, dropout)
        # The winner's code makes these and, with attention switched on, never uses them; checkpoints hold them.
        self.obj_proj_module = nn.ModuleDict(
            {
                key: Net(
                    nn.LayerNorm(query_dim), nn.Linear(query_dim, dim), nn.GELU(), nn.Identity(), nn.Linear(dim, dim)
                )
                for key in self.keys
            }
        ).requires_grad_(False)

    def forward_all(self, crops: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Compute the logits (boxes, classes) and those of every rank (boxes, names); `crops` as in `Mceam`."""
        logits, embedding = self(crops)
        return logits, self.hierarchical_classifier(embedding)


@torch.no_grad()
def initialise(model: TrainableMceam, seed: int) -> None:
    """Draw every weight, so that a small model learns within minutes.

    Matrices have the variance 2 / (inputs + outputs) (Glorot and Bengio 2010). Patch positions start as sines and
    cosines of row and column (Vaswani et al. 2017), so that a model that has seen few images knows neighbours.
    """
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            inputs, outputs = module.weight[0].numel(), module.weight.shape[0]
            _draw(module.weight, (2 / (inputs + outputs)) ** 0.5, generator)
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, nn.LayerNorm):
            module.reset_parameters()
        elif isinstance(module, nn.MultiheadAttention):
            _draw(module.in_proj_weight, module.embed_dim**-0.5, generator)
            module.in_proj_bias.zero_()
    for name, weight in model.named_parameters():
        if name.endswith("cls_token"):
            _draw(weight, 0.02, generator)
        elif name.endswith("position_embeddings"):
            weight.zero_()
            weight[0, 1:] = _positions(math.isqrt(weight.shape[1] - 1), weight.shape[2])
        elif name.endswith("lambda1"):
            weight.fill_(1)


def _draw(weight: Tensor, deviation: float, generator: torch.Generator) -> None:
    weight.copy_(torch.randn(weight.shape, generator=generator) * deviation)


def _positions(side: int, dim: int) -> Tensor:
    """Return sines and cosines of each patch's row and column, (side², dim)."""
    quarter = dim // 4
    frequencies = 10000 ** (-torch.arange(quarter) / max(quarter, 1))
    angles = torch.arange(side)[:, None] * frequencies
    waves = torch.cat([angles.sin(), angles.cos()], dim=1)
    rows, columns = waves.repeat_interleave(side, dim=0), waves.repeat(side, 1)
    result = torch.zeros(side * side, dim)
    result[:, : 4 * quarter] = torch.cat([rows, columns], dim=1)
    return result


def load_pretrained(model: TrainableMceam, folder: Path) -> None:
    """Start every encoder from a Dinov2 as transformers saves it: config.json and model.safetensors in a folder.

    Raises
    ------
    InputError
        The folder holds no such model, or one of another size.
    """
    try:
        source = Dinov2Model.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: not a Dinov2 as transformers saves it ({str(error).splitlines()[0]})") from None
    weights = {name: weight for name, weight in source.state_dict().items() if not name.endswith("mask_token")}
    for encoder in (model.obj_vit_region_encoder, *model.img_vit_region_encoders.values()):
        encoder.load_state_dict(weights)
