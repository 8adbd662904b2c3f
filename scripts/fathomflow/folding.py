"""The model as it predicts: everything constant computed once, nothing computed twice.

Against the plain form (`fathomflow.mceam`) this folds, each exactly up to rounding:

- position embeddings are resized once, not at every pass;
- layer scale goes into the projection before it: λ · (W x + b) = (λ W) x + λ b;
- the last layer of the object's encoder computes its CLS token alone, the only one that is used;
- in the cross-attention two successive projections become one, W₂ (W₁ t + b₁) + b₂ = (W₂ W₁) t + …, and as there is
  one query a box, keys and values are never formed: q · (K t) = (Kᵀ q) · t, and Σ aᵢ (V tᵢ) = V Σ aᵢ tᵢ. The keys'
  bias adds the same to every score, which softmax ignores; the weights a sum to 1, so the values' bias is added once.

The encoders run in the precision asked for, the attention over contexts and the classifier always in fp32: they are
a hundredth of the work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface

from fathomflow.architecture import Architecture, Encoder
from fathomflow.mceam import Mceam, build_encoder, normalise

_POSITIONS = "embeddings.position_embeddings"
#: Projections with the layer scale that follows them.
_SCALED = {"attention.o_proj.": "layer_scale1.lambda1", "mlp.fc2.": "layer_scale2.lambda1"}

#: Returns the weights whose names start with a prefix, under their names without it.
Weights = Callable[[str], Mapping[str, Tensor]]


def attend_image_by_image(
    _module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _attention_mask: Tensor | None,
    scaling: float,
    **_options: Any,
) -> tuple[Tensor, None]:
    """Attend with plain matrix products, one image at a time, whose scores stay in the cache.

    In bf16 on a CPU this takes two thirds of the time of torch's fused attention, which computes in fp32 there.

    Parameters
    ----------
    query, key, value
        (images, heads, tokens, head_dim).
    scaling
        Factor of the scores.

    Returns
    -------
    tuple
        (images, tokens, heads, head_dim) as transformers expects it, and no weights.
    """
    result = query.new_empty(query.shape[0], query.shape[2], query.shape[1], query.shape[3])
    for image in range(len(query)):
        scores = torch.bmm(query[image] * scaling, key[image].transpose(1, 2))
        result[image] = torch.bmm(torch.softmax(scores, dim=-1), value[image]).transpose(0, 1)
    return result, None


AttentionInterface.register("image_by_image", attend_image_by_image)


def resize_positions(positions: Tensor, patches: int) -> Tensor:
    """Resize position embeddings (1, 1 + n², hidden) to (1, 1 + patches², hidden), as transformers does."""
    side, hidden = round((positions.shape[1] - 1) ** 0.5), positions.shape[-1]
    if side == patches:
        return positions
    grid = positions[:, 1:].reshape(1, side, side, hidden).permute(0, 3, 1, 2).float()
    resized = functional.interpolate(grid, size=(patches, patches), mode="bicubic", align_corners=False)
    return torch.cat([positions[:, :1].float(), resized.permute(0, 2, 3, 1).reshape(1, patches**2, hidden)], dim=1)


def _folded(name: str, weights: Mapping[str, Tensor], patches: int) -> Tensor:
    """Return a weight with what is constant folded into it, in fp32 where there is anything to fold."""
    if name == _POSITIONS:
        return resize_positions(weights[name], patches)
    for projection, scale in _SCALED.items():
        if projection in name:
            factor = weights[f"{name.split(projection)[0]}{scale}"].float()
            return weights[name].float() * (factor[:, None] if name.endswith("weight") else factor)
    return weights[name]


class FoldedEncoder:
    """A Dinov2 encoder with its constants folded.

    Parameters
    ----------
    encoder
        Its numbers.
    weights
        Its weights, named as in transformers 5.
    side
        Side of the crops in pixels.
    device, dtype
        Where and in which precision it runs.
    """

    def __init__(
        self, encoder: Encoder, weights: Mapping[str, Tensor], *, side: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        patches = side // encoder.patch_size
        with torch.device("meta"):
            by_image = device.type == "cpu" and dtype == torch.bfloat16
            model: Any = build_encoder(encoder, attention="image_by_image" if by_image else "sdpa")
            for layer in model.encoder.layer:
                layer.layer_scale1 = layer.layer_scale2 = nn.Identity()
            positions = torch.empty(1, 1 + patches**2, encoder.hidden_size)
            model.embeddings.position_embeddings = nn.Parameter(positions)
        # Room first, then one weight at a time into it: memory holds no second copy, and no holes where one was.
        state = model.to(dtype).to_empty(device=device).state_dict()
        if set(state) != {name for name in weights if not name.endswith(".lambda1")}:
            raise ValueError("the weights are not those of this encoder")
        for name, room in state.items():
            room.copy_(_folded(name, weights, patches))
        self.model = model.train(False).requires_grad_(False)
        self.device, self.dtype = device, dtype
        self.side = patches * encoder.patch_size
        self.heads = encoder.heads

    def _embed(self, pixels: Tensor) -> Tensor:
        # Pixels beyond the last whole patch are never seen.
        seen = pixels[:, : self.side, : self.side]
        result: Tensor = self.model.embeddings(normalise(seen, self.dtype))
        return result

    def patch_tokens(self, pixels: Tensor) -> Tensor:
        """Return the patch tokens (images, patches, hidden) of uint8 pixels (images, side, side, 3)."""
        hidden = self._embed(pixels)
        for layer in self.model.encoder.layer:
            hidden = layer(hidden)
        result: Tensor = self.model.layernorm(hidden[:, 1:])
        return result

    def cls_token(self, pixels: Tensor) -> Tensor:
        """Return the CLS token (images, hidden) of uint8 pixels (images, side, side, 3)."""
        hidden = self._embed(pixels)
        *layers, last = self.model.encoder.layer
        for layer in layers:
            hidden = layer(hidden)
        cls = hidden[:, :1]
        normed = last.norm1(hidden)
        attention = last.attention
        query, key, value = (
            projection(values).view(*values.shape[:2], self.heads, -1).transpose(1, 2)
            for projection, values in (
                (attention.q_proj, normed[:, :1]),
                (attention.k_proj, normed),
                (attention.v_proj, normed),
            )
        )
        attended = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        cls = cls + attention.o_proj(attended)
        cls = cls + last.mlp(last.norm2(cls))
        result: Tensor = self.model.layernorm(cls)[:, 0]
        return result


class FoldedAttention:
    """One layer of cross-attention with its projections absorbed into the single query; see the module's docstring."""

    def __init__(self, weights: Mapping[str, Tensor], *, heads: int, device: torch.device) -> None:
        exact = {name: weight.to(device, torch.float64) for name, weight in weights.items()}
        query, key, value = exact["attn.in_proj_weight"].chunk(3)
        query_bias, _, value_bias = exact["attn.in_proj_bias"].chunk(3)
        dim = query.shape[0]
        folded = {
            "project": exact["query_proj.weight"],
            "project_bias": exact["query_proj.bias"],
            "query": query / (dim // heads) ** 0.5,
            "query_bias": query_bias / (dim // heads) ** 0.5,
            "key": (key @ exact["key_proj.weight"]).reshape(heads, dim // heads, -1),
            "value": (value @ exact["value_proj.weight"]).reshape(heads, dim // heads, -1),
            "value_bias": value @ exact["value_proj.bias"] + value_bias,
            "out": exact["attn.out_proj.weight"],
            "out_bias": exact["attn.out_proj.bias"],
        }
        self.folded = {name: tensor.float().contiguous() for name, tensor in folded.items()}
        self.rest = {
            name: weights[name].to(device, torch.float32) for name in weights if name.startswith(("norm", "mlp"))
        }
        self.heads = heads

    def __call__(self, query: Tensor, tokens: Tensor) -> Tensor:
        """Attend: query (boxes, query_dim), tokens (boxes, patches, token_dim), both fp32 → (boxes, dim)."""
        folded, rest = self.folded, self.rest
        projected = functional.linear(query, folded["project"], folded["project_bias"])
        heads = functional.linear(projected, folded["query"], folded["query_bias"])
        # (heads, boxes, head_dim) @ (heads, head_dim, token_dim) → the query as the tokens see it.
        split = heads.reshape(len(heads), self.heads, -1).transpose(0, 1)
        absorbed = torch.bmm(split, folded["key"]).transpose(0, 1)
        attention = torch.softmax(torch.bmm(absorbed, tokens.transpose(1, 2)), dim=-1)
        mixed = torch.bmm(attention, tokens)
        values = torch.bmm(mixed.transpose(0, 1), folded["value"].transpose(1, 2)).transpose(0, 1).flatten(1)
        attended = functional.linear(values + folded["value_bias"], folded["out"], folded["out_bias"])
        hidden = _norm(attended + projected, rest, "norm1")
        inner = functional.relu(functional.linear(hidden, rest["mlp.0.weight"], rest["mlp.0.bias"]))
        return _norm(hidden + functional.linear(inner, rest["mlp.2.weight"], rest["mlp.2.bias"]), rest, "norm2")


def _norm(values: Tensor, weights: Mapping[str, Tensor], name: str) -> Tensor:
    return functional.layer_norm(values, values.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"])


class FoldedMceam:
    """The whole model, folded.

    Parameters
    ----------
    architecture
        Its numbers.
    classes
        Number of categories.
    weights
        Gives the weights by prefix; they are asked for one encoder at a time, so that memory stays small.
    device, dtype
        Where the encoders run and in which precision.
    """

    def __init__(
        self, architecture: Architecture, classes: int, weights: Weights, *, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.architecture, self.device = architecture, device
        side = architecture.input_size
        self.object_encoder = FoldedEncoder(
            architecture.object_encoder, weights("obj_vit_region_encoder."), side=side, device=device, dtype=dtype
        )
        self.context_encoders: dict[int, FoldedEncoder] = {}
        self.attention: dict[int, list[FoldedAttention]] = {}
        for scale in architecture.scales:
            key = architecture.context_key(scale)
            self.context_encoders[scale] = FoldedEncoder(
                architecture.context_encoder,
                weights(f"img_vit_region_encoders.{key}."),
                side=side,
                device=device,
                dtype=dtype,
            )
            self.attention[scale] = [
                FoldedAttention(
                    weights(f"intra_env_attn_module.{key}.layers.{layer}."),
                    heads=architecture.attention_heads,
                    device=device,
                )
                for layer in range(architecture.attention_layers)
            ]
        with torch.device("meta"):
            head: Any = Mceam(architecture, classes)
        self.concat_proj = _load(head.concat_proj, weights("concat_proj."), device)
        self.classifier = _load(head.classifier, weights("classifier."), device)

    def encode_images(self, pixels: Tensor, scale: int) -> Tensor:
        """Return a context's patch tokens (images, patches, hidden) of uint8 pixels (images, side, side, 3)."""
        return self.context_encoders[scale].patch_tokens(pixels)

    def classify(self, crops: Tensor, shared: Mapping[int, Callable[[], Tensor]]) -> tuple[Tensor, Tensor]:
        """Compute logits and embeddings of boxes.

        Parameters
        ----------
        crops
            uint8, (boxes, 1 + boxed contexts, side, side, 3): the object, then `Architecture.boxed_scales`.
        shared
            For every other scale what returns the patch tokens (boxes, patches, hidden), from `encode_images`; it may
            wait for them, and is asked when they are needed.

        Returns
        -------
        tuple of torch.Tensor
            Logits (boxes, classes) and embeddings (boxes, feature_dim), fp32.
        """
        boxed = {scale: crops[:, index] for index, scale in enumerate(self.architecture.boxed_scales, start=1)}
        objects = self.object_encoder.cls_token(crops[:, 0]).float()
        vectors = [objects]
        for scale in self.architecture.scales:
            tokens = shared[scale]() if scale in shared else self.encode_images(boxed[scale], scale)
            tokens, vector = tokens.float(), objects
            for layer in self.attention[scale]:
                vector = layer(vector, tokens)
            vectors.append(vector)
        embedding = self.concat_proj(torch.cat(vectors, dim=-1))
        return self.classifier(embedding), embedding


def _load(module: nn.Module, weights: Mapping[str, Tensor], device: torch.device) -> nn.Module:
    module.load_state_dict({name: weight.to(device, torch.float32) for name, weight in weights.items()}, assign=True)
    return module.train(False).requires_grad_(False)
