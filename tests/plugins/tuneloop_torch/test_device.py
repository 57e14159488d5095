"""In which arithmetic a step is computed."""

from __future__ import annotations

import pytest
import torch

from tuneloop_torch.device import uses_bfloat16

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


@pytest.mark.parametrize(("avx", "amx"), [(False, False), (True, False), (False, True)])
def test_auto_takes_bfloat16_where_the_processor_has_it(monkeypatch, avx, amx):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert uses_bfloat16("auto", CPU) == (avx or amx)
    assert uses_bfloat16("bfloat16", CPU)
    assert not uses_bfloat16("float32", CPU)


@pytest.mark.parametrize("native", [False, True])
def test_auto_asks_a_gpu_for_bfloat16_of_its_own(monkeypatch, native):
    # Emulated, it would be slower than float32.
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or native)
    assert uses_bfloat16("auto", GPU) == native


def test_a_step_in_bfloat16_is_near_one_in_float32_and_rounded(first_step):
    exact, rounded = first_step(), first_step(precision="bfloat16")
    assert rounded["loss"] != exact["loss"]
    assert rounded["loss"] == pytest.approx(exact["loss"], rel=0.02)
    flat = [
        torch.cat([found["gradients"][name].flatten() for name in exact["gradients"]]) for found in (exact, rounded)
    ]
    assert {gradient.dtype for gradient in rounded["gradients"].values()} == {torch.float32}
    # A bfloat16 has 8 bits of mantissa: each rounding is off by up to 1/256, and float32 by a 65536th of that.
    assert 1e-4 < float((flat[1] - flat[0]).norm() / flat[0].norm()) < 0.05
