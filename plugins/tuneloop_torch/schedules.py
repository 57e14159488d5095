"""How learning rates rise and fall, where the library of the loop has no fitting schedule."""

from __future__ import annotations

import functools
from typing import Any


def polynomial_factor(step: int, *, warmup: int, steps: int, power: float) -> float:
    """Share of the peak rate at a step: up in a line, then down as `(1 - progress) ** power`, to zero.

    Args:
        step: Counted from 0.
        warmup: Steps in which the rate rises.
        steps: All steps.
        power: 1 is a line; more falls sooner.
    """
    if step < warmup:
        return step / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return float(max(0.0, 1.0 - progress) ** power)


def polynomial(optimizer: Any, *, warmup: int, steps: int, power: float) -> Any:
    """A `LambdaLR` of `polynomial_factor`; each group keeps its own peak."""
    from torch.optim.lr_scheduler import LambdaLR

    return LambdaLR(optimizer, functools.partial(polynomial_factor, warmup=warmup, steps=steps, power=power))
