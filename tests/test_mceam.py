"""The architecture, plain and folded, against what the winner's code computes."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from conftest import shared_folder
from fathomflow.architecture import Architecture, Encoder, read_encoder
from fathomflow.conversion import convert_checkpoint
from fathomflow.crops import crop_rectangles, cut
from fathomflow.folding import FoldedAttention, FoldedMceam, resize_positions
from fathomflow.mceam import AttentionLayer, Mceam, build_encoder, normalise
from fathomflow.pixels import read_image
from fathomflow.random_checkpoint import random_state
from fathomflow.safe_weights import StoredWeights, read_weights
from golden import golden_boxes

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def golden_crops() -> torch.Tensor:
    """Return uint8 crops (26, 4, 256, 256, 3): object, 3, 5, whole."""
    return torch.from_numpy(
        np.stack(
            [
                [
                    cut(read_image(box.image, box.size)[1], rectangle, 256)
                    for rectangle in crop_rectangles(box.box, box.size, (3, 5, -1))
                ]
                for box in golden_boxes()
            ]
        )
    )


@pytest.fixture
def golden_weights(tmp_path: Path) -> tuple[Architecture, Path]:
    golden = shared_folder("golden-a")
    result = convert_checkpoint(
        golden / "model.ckpt",
        {"uri": "", "sha256": ""},
        object_encoder=read_encoder(golden / "encoder_obj/config.json"),
        context_encoder=read_encoder(golden / "encoder_img/config.json"),
        weights=tmp_path / "w",
        description=tmp_path / "d",
        precision="fp32",
    )
    return result.architecture, tmp_path / "w"


def fold(architecture: Architecture, weights: Path, classes: int, dtype: torch.dtype) -> FoldedMceam:
    return FoldedMceam(architecture, classes, lambda prefix: StoredWeights(weights, prefix), device=CPU, dtype=dtype)


def folded_logits(model: FoldedMceam, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.inference_mode():
        return model.classify(crops[:, :3], {-1: lambda: model.encode_images(crops[:, 3], -1)})


def test_normalisation() -> None:
    """golden-a gives the hash of each crop's tensor as float32 arithmetic in numpy makes it."""
    box = golden_boxes()[0]
    crop = cut(read_image(box.image, box.size)[1], crop_rectangles(box.box, box.size, ())[0], 256)
    mean, std = (np.array(values, np.float32) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    scaled = (crop * (1 / 255)).astype(np.float32)
    exact = ((scaled - mean) / std).transpose(2, 0, 1)
    assert hashlib.sha256(np.ascontiguousarray(exact).tobytes()).hexdigest() == box.expected["tensor_sha256"]["object"]
    # torch rounds once more or less; golden-a's own second processor differs by 2.4e-7.
    np.testing.assert_allclose(normalise(torch.from_numpy(crop.copy())), exact, atol=3e-7, rtol=0)


def test_golden_logits(golden_weights: tuple[Architecture, Path]) -> None:
    architecture, path = golden_weights
    crops = golden_crops()
    expected = torch.tensor([box.expected["logits"] for box in golden_boxes()])
    classes = torch.tensor([box.expected["class_index"] for box in golden_boxes()])
    plain = Mceam(architecture, 79).eval()
    plain.load_state_dict(read_weights(path, ""))
    with torch.inference_mode():
        logits, _ = plain(normalise(crops))
    assert (logits - expected).abs().max() <= 2e-5
    assert torch.equal(logits.argmax(1), classes)

    folded, embeddings = folded_logits(fold(architecture, path, 79, torch.float32), crops)
    assert (folded - expected).abs().max() <= 2e-5
    assert torch.equal(folded.argmax(1), classes)
    expected_embeddings = torch.tensor([box.expected["embedding"] for box in golden_boxes()])
    assert (embeddings - expected_embeddings).abs().max() <= 2e-5


@pytest.mark.parametrize(("dtype", "most"), [(torch.float16, 0.02), (torch.bfloat16, 0.2)])
def test_golden_in_other_precisions(golden_weights: tuple[Architecture, Path], dtype: torch.dtype, most: float) -> None:
    architecture, path = golden_weights
    expected = torch.tensor([box.expected["logits"] for box in golden_boxes()])
    logits, _ = folded_logits(fold(architecture, path, 79, dtype), golden_crops())
    assert (logits - expected).abs().max() <= most
    top = expected.topk(2).values
    clear = top[:, 0] - top[:, 1] > 2 * most
    assert torch.equal(logits.argmax(1)[clear], expected.argmax(1)[clear])


@pytest.mark.parametrize("scales", [(3, 5, -1), (-1, 2), (4,)])
def test_folding_changes_nothing(scales: tuple[int, ...]) -> None:
    """Encoders and features of different widths, contexts in another order, none or one for the whole image."""
    architecture = Architecture(
        object_encoder=Encoder(hidden_size=48, layers=3, heads=4),
        context_encoder=Encoder(hidden_size=32, layers=2, heads=2),
        scales=scales,
        feature_dim=64,
        attention_layers=2,
    )
    state = random_state(architecture, 5, seed=2)
    plain = Mceam(architecture, 5).eval()
    plain.load_state_dict(state)
    folded = FoldedMceam(
        architecture,
        5,
        lambda prefix: {n.removeprefix(prefix): w for n, w in state.items() if n.startswith(prefix)},
        device=CPU,
        dtype=torch.float32,
    )
    crops = torch.randint(0, 256, (3, 1 + len(scales), 256, 256, 3), dtype=torch.uint8)
    boxed = [0, *(index for index, scale in enumerate(scales, start=1) if scale != -1)]
    with torch.inference_mode():
        shared = {-1: lambda: folded.encode_images(crops[:, scales.index(-1) + 1], -1)} if -1 in scales else {}
        expected, _ = plain(normalise(crops))
        found, _ = folded.classify(crops[:, boxed], shared)
    assert (found - expected).abs().max() <= 5e-6


def test_absorbed_attention_is_torch_attention() -> None:
    torch.manual_seed(1)
    layer = AttentionLayer(query_dim=24, token_dim=40, dim=32, heads=8).eval()
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.3)
    folded = FoldedAttention(dict(layer.state_dict()), heads=8, device=CPU)
    query, tokens = torch.randn(5, 1, 24), torch.randn(5, 50, 40)
    with torch.inference_mode():
        assert (folded(query[:, 0], tokens) - layer(query, tokens)[:, 0]).abs().max() <= 1e-5


def test_positions_are_resized_as_transformers_does() -> None:
    torch.manual_seed(1)
    model = build_encoder(Encoder(hidden_size=16, layers=1, heads=2))
    nn.init.normal_(model.embeddings.position_embeddings)
    dummy = torch.zeros(1, 1 + 18 * 18, 16)
    expected = model.embeddings.interpolate_pos_encoding(dummy, 256, 256)
    assert torch.equal(resize_positions(model.embeddings.position_embeddings, 18), expected)
    assert resize_positions(expected, 18) is expected


def test_eager_attention_is_what_it_says() -> None:
    """The benchmark's plain path relies on it."""
    assert (
        build_encoder(Encoder(hidden_size=16, layers=1, heads=2), attention="eager").config._attn_implementation
        == "eager"
    )
