"""Multi-context environmental attention (MCEAM), FathomNet 2025's winning architecture, in its plain form.

Module names are those of the winner's state dict, in transformers 5's spelling, so weights load by name. The folded
form that predicts (`fathomflow.folding`) is checked against this one.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Dinov2Config, Dinov2Model

from fathomflow.architecture import Architecture, Encoder

#: Mean and standard deviation of ImageNet's channels, for pixels scaled to 0-1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def build_encoder(encoder: Encoder, *, attention: str = "sdpa") -> Dinov2Model:
    """Build a Dinov2 encoder without mask token; its weights are uninitialised."""
    numbers: dict[str, Any] = asdict(encoder)
    config = Dinov2Config(
        num_hidden_layers=numbers.pop("layers"),
        num_attention_heads=numbers.pop("heads"),
        use_mask_token=False,
        **numbers,
    )
    config._attn_implementation = attention
    return Dinov2Model(config)


def normalise(pixels: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Scale and normalise pixels.

    Parameters
    ----------
    pixels
        uint8, (..., height, width, 3).

    Returns
    -------
    torch.Tensor
        `dtype`, (..., 3, height, width).
    """
    scaled = pixels.movedim(-1, -3).to(torch.float32) * (1 / 255)
    mean = torch.tensor(IMAGENET_MEAN, device=pixels.device).view(3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=pixels.device).view(3, 1, 1)
    return ((scaled - mean) / std).to(dtype)


class AttentionLayer(nn.Module):
    """Cross-attention of one query over a context's patch tokens, and an MLP."""

    def __init__(self, query_dim: int, token_dim: int, dim: int, heads: int) -> None:
        super().__init__()
        self.query_proj = nn.Linear(query_dim, dim)
        self.key_proj = nn.Linear(token_dim, dim)
        self.value_proj = nn.Linear(token_dim, dim)
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))

    def forward(self, query: Tensor, tokens: Tensor) -> Tensor:
        """Attend: query (boxes, 1, query_dim), tokens (boxes, patches, token_dim) → (boxes, 1, dim)."""
        projected = self.query_proj(query)
        attended, _ = self.attn(projected, self.key_proj(tokens), self.value_proj(tokens), need_weights=False)
        hidden = self.norm1(attended + projected)
        result: Tensor = self.norm2(hidden + self.mlp(hidden))
        return result


class AttentionStack(nn.Module):
    """Attention layers of one context: the object's CLS token asks the first, each layer's result the next."""

    def __init__(self, query_dim: int, token_dim: int, dim: int, heads: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            AttentionLayer(query_dim if index == 0 else dim, token_dim, dim, heads) for index in range(layers)
        )

    def forward(self, query: Tensor, tokens: Tensor) -> Tensor:
        """Attend with every layer in turn: shapes as in `AttentionLayer`."""
        for layer in self.layers:
            query = layer(query, tokens)
        return query


class Net(nn.Module):
    """A sequence under the name that the winner's state dict gives it; its dropouts are left as identities."""

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__()
        self.net = nn.Sequential(*modules)

    def forward(self, value: Tensor) -> Tensor:
        """Apply the modules in turn."""
        result: Tensor = self.net(value)
        return result


class Mceam(nn.Module):
    """The whole model.

    Parameters
    ----------
    architecture
        Its numbers.
    classes
        Number of categories.
    attention
        transformers' attention implementation of the encoders: ``sdpa`` or ``eager``.
    """

    def __init__(self, architecture: Architecture, classes: int, *, attention: str = "sdpa") -> None:
        super().__init__()
        dim = architecture.feature_dim
        query_dim, token_dim = architecture.object_encoder.hidden_size, architecture.context_encoder.hidden_size
        keys = [architecture.context_key(scale) for scale in architecture.scales]
        self.keys = keys
        self.obj_vit_region_encoder = build_encoder(architecture.object_encoder, attention=attention)
        self.img_vit_region_encoders = nn.ModuleDict(
            {key: build_encoder(architecture.context_encoder, attention=attention) for key in keys}
        )
        self.intra_env_attn_module = nn.ModuleDict(
            {
                key: AttentionStack(
                    query_dim, token_dim, dim, architecture.attention_heads, architecture.attention_layers
                )
                for key in keys
            }
        )
        self.concat_proj = Net(
            nn.Linear(query_dim + dim * len(keys), dim),
            nn.GELU(),
            nn.LayerNorm(dim),
            nn.Identity(),
            nn.Linear(dim, dim),
            nn.GELU(),
            nn.LayerNorm(dim),
        )
        self.classifier = Net(nn.Linear(dim, dim), nn.GELU(), nn.Identity(), nn.LayerNorm(dim), nn.Linear(dim, classes))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Compute logits and embeddings.

        Parameters
        ----------
        crops
            Normalised pixels, (boxes, 1 + contexts, 3, side, side): the object, then the contexts in the order of
            the architecture's scales.

        Returns
        -------
        tuple of torch.Tensor
            Logits (boxes, classes) and embeddings (boxes, feature_dim).
        """
        objects = self.obj_vit_region_encoder(crops[:, 0]).last_hidden_state[:, :1]
        vectors = [objects]
        for index, key in enumerate(self.keys, start=1):
            tokens = self.img_vit_region_encoders[key](crops[:, index]).last_hidden_state[:, 1:]
            vectors.append(self.intra_env_attn_module[key](objects, tokens))
        embedding = self.concat_proj(torch.cat(vectors, dim=-1)[:, 0])
        return self.classifier(embedding), embedding


def weight_shapes(architecture: Architecture, classes: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight that the architecture has, by name."""
    with torch.device("meta"):
        model: Any = Mceam(architecture, classes)
    return {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
