"""Which device computes, and in which number format."""

from __future__ import annotations

from pathlib import Path

import torch

from fathomflow.errors import InputError

#: Number formats of the encoders.
PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
#: Instructions that multiply bf16 numbers, as Linux names them: Intel and AMD, Intel's matrix unit, Arm.
_BF16_INSTRUCTIONS = {"avx512_bf16", "amx_bf16", "bf16"}
#: Tensor cores came with this compute capability. Those of Turing know fp16 only.
_TENSOR_CORES = (7, 0)


def choose_device() -> torch.device:
    """Return the CUDA device where there is one, else the CPU, set up to compute fp32 as fp32."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    return torch.device("cuda")


def choose_precision(requested: str, device: torch.device) -> str:
    """Resolve ``auto``: what the device does fastest.

    CUDA: fp16 on cards with tensor cores (all of them know it, and it is eight times finer than bf16), else fp32.
    CPU: bf16 where there are instructions for it, else fp32.

    Raises
    ------
    InputError
        The precision is unknown, or the card cannot do it.
    """
    if requested == "auto":
        if device.type == "cuda":
            return "fp16" if torch.cuda.get_device_capability(device) >= _TENSOR_CORES else "fp32"
        return "bf16" if cpu_has_bf16() else "fp32"
    if requested not in PRECISIONS:
        raise InputError(f"precision {requested!r} is unknown; known are auto, {', '.join(PRECISIONS)}")
    if requested == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise InputError(f"precision bf16: {torch.cuda.get_device_name(device)} has no units for it; use fp16 or auto")
    return requested


def cpu_has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Tell whether this machine's CPU has instructions for bf16."""
    try:
        words = set(cpuinfo.read_text(encoding="ascii", errors="replace").split())
    except OSError:
        return False
    return bool(words & _BF16_INSTRUCTIONS)
