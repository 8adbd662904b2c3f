"""Checkpoints are read as data: what would run code is refused, and nothing runs."""

import builtins
import io
import os
import pickle
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from conftest import shared_folder
from fathomflow.checkpoints import STAND_INS, plain, read_checkpoint
from fathomflow.errors import InputError


class Calls:
    """Calls a function with arguments when it is unpickled."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.function, self.arguments


@pytest.mark.parametrize("place", ["state_dict", "hyper_parameters", "callbacks"])
@pytest.mark.parametrize(
    ("function", "name"),
    [
        (os.system, "posix.system"),
        (eval, "eval"),
        (builtins.exec, "exec"),
        (Path, "pathlib.Path"),
        (getattr, "getattr"),
    ],
)
def test_a_checkpoint_that_runs_code_is_refused(tmp_path: Path, place: str, function: object, name: str) -> None:
    canary = tmp_path / "canary"
    argument = f"touch {canary}" if function is os.system else f"open({str(canary)!r}, 'w')"
    content = {"state_dict": {"weight": torch.zeros(1)}, place: {"x": Calls(function, argument)}}
    torch.save(content, tmp_path / "evil.ckpt")
    with pytest.raises(InputError, match=rf"evil.ckpt: refused, nothing in it was run: it names '{name}'"):
        read_checkpoint(tmp_path / "evil.ckpt")
    assert not canary.exists()
    # The same file does run code where it is trusted, so the canary is a real one.
    if function is os.system:
        torch.load(tmp_path / "evil.ckpt", weights_only=False)
        assert canary.exists()


def test_a_stand_in_cannot_be_made_to_call_anything(tmp_path: Path) -> None:
    """A defaultdict's factory, and a state with methods' names, stay data."""
    canary = tmp_path / "canary"
    config = OmegaConf.create({"_call": f"touch {canary}", "phase": "train"})
    torch.save({"state_dict": {"w": torch.ones(2)}, "hyper_parameters": config}, tmp_path / "model.ckpt")
    assert read_checkpoint(tmp_path / "model.ckpt").hyper_parameters["phase"] == "train"
    assert not canary.exists()


def test_hyper_parameters_are_what_omegaconf_holds() -> None:
    path = shared_folder("golden-a") / "model.ckpt"
    trusted = torch.load(path, weights_only=False)
    checkpoint = read_checkpoint(path)
    assert isinstance(trusted["hyper_parameters"], DictConfig)
    assert checkpoint.hyper_parameters == OmegaConf.to_container(trusted["hyper_parameters"])
    assert checkpoint.weights.keys() == trusted["state_dict"].keys()
    assert all(torch.equal(checkpoint.weights[name], weight) for name, weight in trusted["state_dict"].items())
    assert checkpoint.others["optimizer_states"] > 1000
    assert checkpoint.others["epoch"] == 0


def test_golden_names_only_the_known_globals() -> None:
    with zipfile.ZipFile(shared_folder("golden-a") / "model.ckpt") as archive:
        data = archive.read("model/data.pkl")
    python_2 = {
        "__builtin__.long": "builtins.int",
        "__builtin__.list": "builtins.list",
        "__builtin__.dict": "builtins.dict",
    }
    named = {python_2.get(name, name) for name in _globals(data)}
    torch_own = {name for name in named if name.startswith("torch.")}
    assert named - torch_own - {"collections.OrderedDict"} == set(STAND_INS)


def _globals(data: bytes) -> set[str]:
    found: set[str] = set()

    class Recorder(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> object:
            found.add(f"{module}.{name}")
            return {"OrderedDict": OrderedDict, "defaultdict": defaultdict}.get(name, _Anything)

        def persistent_load(self, pid: object) -> object:
            return None

    Recorder(io.BytesIO(data)).load()
    return found


class _Anything:
    def __new__(cls, *_arguments: object) -> "_Anything":
        return super().__new__(cls)

    def __init__(self, *_arguments: object) -> None: ...

    def __setstate__(self, _state: object) -> None: ...

    def __hash__(self) -> int:
        return id(self)


def test_weights_stay_on_disk(tmp_path: Path) -> None:
    torch.save({"state_dict": {"w": torch.ones(1_000_000)}}, tmp_path / "model.ckpt")
    weight = read_checkpoint(tmp_path / "model.ckpt").weights["w"]
    mapped = Path("/proc/self/maps").read_text()
    assert str(tmp_path / "model.ckpt") in mapped
    assert weight.sum() == 1_000_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"weights": {}}, "holds no 'state_dict'"),
        ([1, 2], "holds no 'state_dict'"),
        ({"state_dict": {"w": 1}}, "state_dict entry 'w' is no tensor"),
        ({"state_dict": {"w": torch.ones(1)}, "hyper_parameters": [1]}, "hyper_parameters are no mapping"),
    ],
)
def test_what_is_no_lightning_checkpoint(tmp_path: Path, content: object, message: str) -> None:
    torch.save(content, tmp_path / "model.ckpt")
    with pytest.raises(InputError, match=message):
        read_checkpoint(tmp_path / "model.ckpt")


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    with pytest.raises(InputError, match="no such file"):
        read_checkpoint(path)
    path.write_text("<html>sign in</html>")
    with pytest.raises(InputError, match="was the download complete"):
        read_checkpoint(path)
    torch.save({"state_dict": {"w": torch.ones(10_000)}}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="was the download complete"):
        read_checkpoint(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "a zip, but no checkpoint")
    with pytest.raises(InputError, match="not a readable torch checkpoint"):
        read_checkpoint(path)


def test_hyper_parameters_that_hold_themselves(tmp_path: Path) -> None:
    loop: dict[str, object] = {}
    loop["self"] = loop
    torch.save({"state_dict": {"w": torch.ones(1)}, "hyper_parameters": loop}, tmp_path / "model.ckpt")
    with pytest.raises(InputError, match="refer to themselves"):
        read_checkpoint(tmp_path / "model.ckpt")


def test_plain_leaves_values_alone() -> None:
    assert plain({"a": (1, 2.5), "b": {"c": None, 3: "x"}}) == {"a": [1, 2.5], "b": {"c": None, 3: "x"}}
