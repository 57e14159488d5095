"""Dropout as the project wants it. Imports torch: import it inside functions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch import nn

from tuneloop.api import PluginError

_NUMBERS = ("dropout", "attention_dropout", "activation_dropout", "hidden_dropout")
"""Attributes that models of `transformers` hand to functional dropout."""


@contextlib.contextmanager
def dropout(model: nn.Module, rate: float | None) -> Iterator[None]:
    """All dropout of the model at one rate, and as before afterwards; None: as it is.

    Raises:
        PluginError: The model has no dropout.
    """
    if rate is None:
        yield
        return
    before: list[tuple[nn.Module, str, float]] = []
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            before.append((module, "p", module.p))
            continue
        for name in _NUMBERS:
            value = getattr(module, name, None)
            if isinstance(value, float) or value == 0:
                before.append((module, name, value))
    if not before:
        raise PluginError(f"tune.dropout is {rate:g}, but {type(model).__name__} has no dropout layer")
    try:
        for module, name, _ in before:
            setattr(module, name, rate)
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
