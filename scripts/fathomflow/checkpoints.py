"""Lightning checkpoints read without running any code of theirs.

A checkpoint is a pickle, and a pickle may call whatever it names. `torch.load(weights_only=True)` calls nothing but
tensor constructors and the globals that it is handed. Those are the inert classes below: they stand for what
Lightning and omegaconf leave in such files, keep their content as plain data, and do nothing. Any other global is
refused by name.
"""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fathomflow.errors import InputError


class _Inert:
    """Takes whatever state a pickle hands it, and keeps it as data."""

    content: Any = None

    def __new__(cls, *_arguments: Any) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *_arguments: Any) -> None: ...

    def __setstate__(self, state: Any) -> None:
        self.content = state


def _stand_in(name: str) -> type[_Inert]:
    return type(name.rpartition(".")[2], (_Inert,), {})


#: The globals of omegaconf's containers and of typing that Lightning checkpoints hold.
STAND_INS = {
    name: _stand_in(name)
    for name in (
        "builtins.dict",
        "builtins.int",
        "builtins.list",
        "collections.defaultdict",
        "omegaconf.base.ContainerMetadata",
        "omegaconf.base.Metadata",
        "omegaconf.dictconfig.DictConfig",
        "omegaconf.listconfig.ListConfig",
        "omegaconf.nodes.AnyNode",
        "typing.Any",
    )
}
_REFUSED = re.compile(r"(?:GLOBAL |unrecognized function |module )(?P<name>[\w.]+)")


@dataclass(frozen=True)
class Checkpoint:
    """Content of a Lightning checkpoint.

    `weights` are memory-mapped and stay valid while they are referenced; `hyper_parameters` are plain Python data;
    `others` names the remaining entries and the number of tensors in each.
    """

    weights: Mapping[str, Tensor]
    hyper_parameters: Mapping[str, Any]
    others: Mapping[str, int]


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a Lightning checkpoint; nothing in it is run and its tensors stay on disk until they are used.

    Raises
    ------
    InputError
        The file is missing, no torch checkpoint, names a global that is not known to be harmless, or is not a
        Lightning checkpoint.
    """
    content = _load(path)
    weights = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not weights:
        raise InputError(f"{path}: holds no 'state_dict'; expected a checkpoint that Lightning wrote")
    strange = [
        str(name) for name, value in weights.items() if not (isinstance(name, str) and isinstance(value, Tensor))
    ]
    if strange:
        raise InputError(f"{path}: state_dict entry {strange[0]!r} is no tensor; expected named weights")
    try:
        hyper_parameters = plain(content.get("hyper_parameters", {}))
    except RecursionError:
        raise InputError(f"{path}: hyper_parameters refer to themselves; expected plain values") from None
    if not isinstance(hyper_parameters, dict):
        raise InputError(
            f"{path}: hyper_parameters are no mapping; expected what Lightning's save_hyperparameters wrote"
        )
    others = {
        str(name): _tensors(value) for name, value in content.items() if name not in ("state_dict", "hyper_parameters")
    }
    return Checkpoint(weights=weights, hyper_parameters=hyper_parameters, others=others)


def _load(path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path}: not a torch checkpoint in zip format; was the download complete?")
    try:
        with (
            warnings.catch_warnings(),
            torch.serialization.safe_globals([(stand_in, name) for name, stand_in in STAND_INS.items()]),
        ):
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(f"{path}: refused, nothing in it was run: {_reason(str(error))}") from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        # What a damaged zip or pickle makes torch raise is not specified; all of it means the same to the reader.
        first_line = str(error).strip().split("\n")[0]
        raise InputError(f"{path}: not a readable torch checkpoint ({type(error).__name__}: {first_line})") from None


def _reason(message: str) -> str:
    match = _REFUSED.search(message)
    if match:
        return f"it names {match['name']!r}, which inference does not need and which may run code"
    return message.strip().split("\n")[-1]


def plain(value: Any) -> Any:
    """Turn omegaconf's containers and nodes, as stand-ins hold them, into dicts, lists and values."""
    if isinstance(value, _Inert):
        state = value.content
        if not isinstance(state, dict):
            return None
        return plain(state["_content"] if "_content" in state else state.get("_val"))
    if isinstance(value, Mapping):
        return {plain(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return value


def _tensors(value: Any) -> int:
    if isinstance(value, Tensor):
        return 1
    if isinstance(value, Mapping):
        return sum(_tensors(entry) for entry in value.values())
    if isinstance(value, list | tuple):
        return sum(_tensors(entry) for entry in value)
    return 0
