"""What `auto` picks, on machines that are not here."""

from pathlib import Path

import pytest
import torch

from fathomflow.errors import InputError
from fathomflow.precision import choose_precision, cpu_has_bf16

CUDA = torch.device("cuda")


def test_cpu_follows_its_instructions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    for line, expected in (
        ("flags : fpu avx2 avx512f avx512_bf16 sse", True),
        ("flags : fpu avx2 avx512f", False),
        ("flags : amx_bf16 amx_tile", True),
        ("Features : fp asimd bf16", True),
    ):
        cpuinfo.write_text(f"processor : 0\n{line}\n")
        assert cpu_has_bf16(cpuinfo) is expected
        monkeypatch.setattr("fathomflow.precision.cpu_has_bf16", lambda expected=expected: expected)
        assert choose_precision("auto", torch.device("cpu")) == ("bf16" if expected else "fp32")
    assert not cpu_has_bf16(tmp_path / "absent")


def test_graphics_cards_follow_their_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    for capability, expected in (((9, 0), "fp16"), ((7, 5), "fp16"), ((6, 1), "fp32")):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device, capability=capability: capability)
        assert choose_precision("auto", CUDA) == expected


def test_what_is_asked_for_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_precision("fp16", torch.device("cpu")) == "fp16"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_options: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _device: "Quadro RTX 6000")
    with pytest.raises(InputError, match="Quadro RTX 6000 has no units for it"):
        choose_precision("bf16", CUDA)
    with pytest.raises(InputError, match="precision 'int8' is unknown"):
        choose_precision("int8", CUDA)
