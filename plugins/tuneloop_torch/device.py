"""Which device trains, and in which arithmetic."""

from __future__ import annotations

import contextlib
from typing import Literal

import torch

from tuneloop_torch.processes import on_cpu

Precision = Literal["float32", "bfloat16", "auto"]


def training_device() -> torch.device:
    """This process's CUDA device where there is one, else the CPU; also where a group can exchange nothing else."""
    if not torch.cuda.is_available() or on_cpu():
        return torch.device("cpu")
    return torch.device("cuda", torch.cuda.current_device())


def uses_bfloat16(precision: Precision, device: torch.device) -> bool:
    """Whether forward passes run in bfloat16; `auto` asks the processor."""
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def autocast(precision: Precision, device: torch.device) -> contextlib.AbstractContextManager[object]:
    """The context of a forward pass in this precision."""
    if uses_bfloat16(precision, device):
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()
