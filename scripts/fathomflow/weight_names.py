"""Names of the winner's weights: which ones inference needs, and how transformers 4 and 5 spell them."""

from __future__ import annotations

import re

#: Parts of the winner's state dict that its forward pass at inference uses.
USED = (
    "obj_vit_region_encoder.",
    "img_vit_region_encoders.",
    "intra_env_attn_module.",
    "concat_proj.",
    "classifier.",
)
#: Replaces patches in DINOv2's pre-training only.
_UNUSED = ".embeddings.mask_token"

# transformers 4 nests the projections one level deeper than transformers 5.
_V4_TO_V5 = (
    (
        re.compile(r"(\.encoder\.layer\.\d+\.attention)\.attention\.(query|key|value)\."),
        {"query": "q", "key": "k", "value": "v"},
    ),
    (re.compile(r"(\.encoder\.layer\.\d+\.attention)\.(output)\.dense\."), {"output": "o"}),
)
_V5 = re.compile(r"(\.encoder\.layer\.\d+\.attention)\.([qkvo])_proj\.")
_V4_NAMES = {"q": "attention.query", "k": "attention.key", "v": "attention.value", "o": "output.dense"}


def is_used(name: str) -> bool:
    """Tell whether inference needs a weight."""
    return name.startswith(USED) and not name.endswith(_UNUSED)


def to_v5(name: str) -> str:
    """Return a weight's name as transformers 5 spells it; names already so, and all others, stay."""
    for pattern, letters in _V4_TO_V5:
        name = pattern.sub(lambda match, letters=letters: f"{match[1]}.{letters[match[2]]}_proj.", name)  # type: ignore[misc]
    return name


def to_v4(name: str) -> str:
    """Return a weight's name as transformers 4 spells it, the inverse of `to_v5`."""
    return _V5.sub(lambda match: f"{match[1]}.{_V4_NAMES[match[2]]}.", name)
