"""Gradient checkpointing: inner values are computed again in the backward pass. Imports torch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from torch import nn

from tuneloop.api import PluginError


@contextlib.contextmanager
def recomputed(model: nn.Module, *, on: bool) -> Iterator[None]:
    """Keep no inner values of layers meanwhile; gradients are the same.

    Raises:
        PluginError: No part of the model can do so.
    """
    if not on:
        yield
        return
    parts: list[Any] = [part for part in model.modules() if getattr(part, "supports_gradient_checkpointing", False)]
    if not parts:
        raise PluginError(
            f"tune.gradient_checkpointing: no part of {type(model).__name__} can compute its inner values again; "
            "leave it out, or lower tune.micro_batch_size to save memory"
        )
    part = parts[0]
    # The names since transformers 5.20; those before it are deprecated there.
    enable = getattr(part, "activation_checkpointing_enable", None) or part.gradient_checkpointing_enable
    disable = getattr(part, "activation_checkpointing_disable", None) or part.gradient_checkpointing_disable
    cache = getattr(part.config, "use_cache", None)
    if cache:
        part.config.use_cache = False
    # Without reentry, frozen layers and bfloat16 work too.
    enable({"use_reentrant": False})
    try:
        yield
    finally:
        disable()
        if cache:
            part.config.use_cache = cache
