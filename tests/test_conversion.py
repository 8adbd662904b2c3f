"""Checkpoints become safe weights and a description, whichever transformers wrote them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file

from conftest import shared_folder
from fathomflow.architecture import Encoder, ModelDescription, read_description, read_encoder
from fathomflow.conversion import convert_checkpoint, read_source
from fathomflow.errors import InputError
from fathomflow.files import sha256_of
from fathomflow.random_checkpoint import write_random_checkpoint
from fathomflow.safe_weights import check_weights
from fathomflow.weight_names import to_v5

SOURCE = {"uri": "https://example.org/model.ckpt", "sha256": "ab" * 32}


def convert(checkpoint: Path, folder: Path, encoders: tuple[Path, Path], precision: str = "fp32") -> ModelDescription:
    return convert_checkpoint(
        checkpoint,
        SOURCE,
        object_encoder=read_encoder(encoders[0]),
        context_encoder=read_encoder(encoders[1]),
        weights=folder / "model.safetensors",
        description=folder / "model.json",
        precision=precision,
    )


@pytest.fixture
def small(tmp_path: Path) -> tuple[Path, tuple[Path, Path]]:
    """Return a random checkpoint and its encoders' files."""
    path = tmp_path / "small.ckpt"
    return path, write_random_checkpoint(path, ["b", "a", "c"], seed=3, hidden=16, layers=1)


def change(path: Path, *, state: dict[str, Any] | None = None, hyper: dict[str, Any] | None = None) -> Path:
    """Write the checkpoint again with other entries; None removes one."""
    content = torch.load(path, weights_only=False)
    for entry, changes in (("state_dict", state), ("hyper_parameters", hyper)):
        values = dict(content[entry]) | (changes or {})
        values = {key: value for key, value in values.items() if value is not None}
        content[entry] = OmegaConf.create(values) if entry == "hyper_parameters" else values
    torch.save(content, path)
    return path


def test_golden(tmp_path: Path) -> None:
    golden = shared_folder("golden-a")
    encoders = golden / "encoder_obj/config.json", golden / "encoder_img/config.json"
    result = convert(golden / "model.ckpt", tmp_path / "4", encoders)
    assert result.categories[:2] == ("Abyssocucumis abyssorum", "Acanthascinae")
    assert len(result.categories) == 79
    assert result.architecture.scales == (3, 5, -1)
    assert (result.architecture.feature_dim, result.architecture.attention_layers) == (32, 4)
    assert result.dropped["mask_token"] == 4
    assert result.dropped["obj_proj_module"] == 18
    assert result.weights["sha256"] == sha256_of(tmp_path / "4/model.safetensors")
    assert read_description(tmp_path / "4/model.json") == result
    check_weights(tmp_path / "4/model.safetensors", result)

    # The library reads what was written, and finds the checkpoint's numbers.
    trusted = torch.load(golden / "model.ckpt", weights_only=False)["state_dict"]
    written = load_file(tmp_path / "4/model.safetensors")
    assert all(
        torch.equal(weight, written.pop(to_v5(name))) for name, weight in trusted.items() if to_v5(name) in written
    )
    assert not written

    # The same weights under the names of transformers 5 give the same bytes.
    content = torch.load(golden / "model.ckpt", weights_only=False)
    content["state_dict"] = {to_v5(name): weight for name, weight in content["state_dict"].items()}
    assert content["state_dict"].keys() != trusted.keys()
    torch.save(content, tmp_path / "renamed.ckpt")
    convert(tmp_path / "renamed.ckpt", tmp_path / "5", encoders)
    for name in ("model.safetensors", "model.json"):
        assert (tmp_path / "4" / name).read_bytes() == (tmp_path / "5" / name).read_bytes()


def test_number_formats(tmp_path: Path, small: tuple[Path, tuple[Path, Path]]) -> None:
    path, encoders = small
    name = "classifier.net.0.weight"
    exact = torch.load(path, weights_only=False)["state_dict"][name]
    convert(path, tmp_path / "half", encoders, "fp16")
    assert torch.equal(load_file(tmp_path / "half/model.safetensors")[name], exact.half())
    # What was trained in bf16 is stored in fp32, never in bf16.
    change(path, state={name: exact.bfloat16()})
    convert(path, tmp_path / "brain", encoders)
    stored = load_file(tmp_path / "brain/model.safetensors")
    assert {weight.dtype for weight in stored.values()} == {torch.float32}
    assert torch.equal(stored[name], exact.bfloat16().float())
    change(path, state={name: exact * 1e6})
    with pytest.raises(InputError, match=r"'classifier.net.0.weight' holds values that are not finite"):
        convert(path, tmp_path / "overflow", encoders, "fp16")
    assert not (tmp_path / "overflow/model.safetensors").exists()


@pytest.mark.parametrize(
    ("state", "hyper", "message"),
    [
        ({"classifier.net.0.bias": None}, {}, "weight 'classifier.net.0.bias' is missing"),
        (
            {"classifier.net.9.bias": torch.ones(1)},
            {},
            "weight 'classifier.net.9.bias' is not part of the architecture",
        ),
        ({"classifier.net.0.bias": torch.ones(2)}, {}, r"shape \[2\], the architecture \[16\]"),
        ({"classifier.net.0.bias": torch.ones(16, dtype=torch.int64)}, {}, "is torch.int64"),
        ({"concat_proj.net.4.weight": None}, {}, "expected a checkpoint of the winner's code"),
        ({}, {"object_crop": "box"}, "object_crop is 'box'; only 'square' is implemented"),
        ({}, {"env_img_crop_scale_list": [0]}, r"env_img_crop_scale_list is \[0\]"),
        ({}, {"env_img_crop_scale_list": None}, "env_img_crop_scale_list is None"),
        ({}, {"img_encoder_size": [[224, 224]]}, "expected one square size for both"),
        ({}, {"category_id2name": None}, "no category_id2name"),
        ({}, {"category_id2name": {0: "a", 1: "a", 2: "b"}}, "gives 'a' to two classes"),
        ({}, {"category_id2name": {0: "a", 2: "b", 3: "c"}}, "does not name the classes 0 to 2"),
        ({}, {"category_id2name": {0: "a", 1: "b"}}, r"'classifier.net.4.weight' has shape \[3, 16\]"),
    ],
)
def test_what_does_not_fit(
    tmp_path: Path,
    small: tuple[Path, tuple[Path, Path]],
    state: dict[str, Any],
    hyper: dict[str, Any],
    message: str,
) -> None:
    path, encoders = small
    with pytest.raises(InputError, match=message):
        convert(change(path, state=state, hyper=hyper), tmp_path, encoders)
    assert not (tmp_path / "model.json").exists()


def test_encoders(tmp_path: Path, small: tuple[Path, tuple[Path, Path]]) -> None:
    path, encoders = small
    assert read_encoder(None) == Encoder(1024, 24, 16, 4, 14, 518, 1e-6)
    with pytest.raises(InputError, match=r"do the encoders' config.json fit this checkpoint"):
        convert_checkpoint(
            path,
            SOURCE,
            object_encoder=read_encoder(None),
            context_encoder=read_encoder(encoders[1]),
            weights=tmp_path / "w",
            description=tmp_path / "d",
            precision="fp32",
        )
    config = json.loads(encoders[0].read_text())
    for changes, message in (
        ({"use_swiglu_ffn": True}, "use_swiglu_ffn is True; only False is supported"),
        ({"model_type": "vit"}, "model_type is 'vit'"),
        ({"num_attention_heads": None}, "no number 'num_attention_heads'"),
    ):
        encoders[0].write_text(json.dumps(config | changes))
        with pytest.raises(InputError, match=message):
            read_encoder(encoders[0])


def test_records_and_descriptions(tmp_path: Path, small: tuple[Path, tuple[Path, Path]]) -> None:
    record = tmp_path / "checkpoint.json"
    with pytest.raises(InputError, match=r"fetch_checkpoint.py makes it"):
        read_source(record)
    record.write_text('{"uri": "x"}')
    with pytest.raises(InputError, match=r"not a checkpoint's record"):
        read_source(record)
    record.write_text(json.dumps(SOURCE | {"bytes": 3}))
    assert read_source(record) == SOURCE

    description = convert(small[0], tmp_path, small[1])
    convert(small[0], tmp_path / "half", small[1], "fp16")
    shutil.copy(tmp_path / "half/model.safetensors", tmp_path)
    with pytest.raises(InputError, match=r"not the weights that its model.json describes"):
        check_weights(tmp_path / "model.safetensors", description)
    (tmp_path / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(InputError, match=r"not a safetensors file"):
        check_weights(tmp_path / "model.safetensors", description)
    (tmp_path / "model.json").write_text('{"format": 0}')
    with pytest.raises(InputError, match=r"convert the checkpoint again"):
        read_description(tmp_path / "model.json")


def test_random_checkpoints_are_the_same_every_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_random_checkpoint(tmp_path / name / "m.ckpt", ["a", "b"], seed=1, hidden=16, layers=1)
    for file in ("m.ckpt", "m.object.json", "m.context.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    write_random_checkpoint(tmp_path / "three/m.ckpt", ["a", "b"], seed=2, hidden=16, layers=1)
    assert (tmp_path / "one/m.ckpt").read_bytes() != (tmp_path / "three/m.ckpt").read_bytes()
