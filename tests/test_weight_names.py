"""Both spellings of the weights' names."""

import pytest
import torch
from transformers import Dinov2Config, Dinov2Model

from conftest import shared_folder
from fathomflow.checkpoints import read_checkpoint
from fathomflow.weight_names import is_used, to_v4, to_v5


def test_transformers_5_names_are_those_of_the_installed_transformers() -> None:
    golden = read_checkpoint(shared_folder("golden-a") / "model.ckpt").weights
    prefix = "obj_vit_region_encoder."
    found = {to_v5(name).removeprefix(prefix) for name in golden if name.startswith(prefix)}
    with torch.device("meta"):
        model = Dinov2Model(Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=2))
    assert found == set(model.state_dict())


@pytest.mark.parametrize(
    ("v4", "v5"),
    [
        ("a.encoder.layer.0.attention.attention.query.weight", "a.encoder.layer.0.attention.q_proj.weight"),
        ("a.encoder.layer.11.attention.attention.key.bias", "a.encoder.layer.11.attention.k_proj.bias"),
        ("a.encoder.layer.3.attention.attention.value.bias", "a.encoder.layer.3.attention.v_proj.bias"),
        ("a.encoder.layer.3.attention.output.dense.weight", "a.encoder.layer.3.attention.o_proj.weight"),
        ("a.encoder.layer.3.mlp.fc1.weight", "a.encoder.layer.3.mlp.fc1.weight"),
        (
            "intra_env_attn_module.256_3.layers.0.query_proj.weight",
            "intra_env_attn_module.256_3.layers.0.query_proj.weight",
        ),
    ],
)
def test_names(v4: str, v5: str) -> None:
    assert to_v5(v4) == v5
    assert to_v5(v5) == v5
    assert to_v4(v5) == v4
    assert to_v4(v4) == v4


def test_what_inference_needs() -> None:
    assert is_used("classifier.net.0.weight")
    assert not is_used("hierarchical_classifier.h_modules.0.net.0.weight")
    assert not is_used("obj_proj_module.256_3.net.0.weight")
    assert not is_used("obj_vit_region_encoder.embeddings.mask_token")
