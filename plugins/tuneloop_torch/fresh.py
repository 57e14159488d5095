"""Layers that start from fresh numbers. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from tuneloop.api import PluginError
from tuneloop_torch.naming import fresh_names, groups_of
from tuneloop_torch.sections import Reinitialize

_DEVIATION = 0.02


def reinitialize(model: nn.Module, groups: Sequence[Sequence[str]], asked: Reinitialize, seed: int) -> None:
    """Draw parameters anew, in place; equal on every call, and without using up the caller's random numbers.

    Xavier is uniform in +-sqrt(6 / (inputs + outputs)): Glorot and Bengio, 2010.

    Args:
        model: Its head is the module `head`.
        groups: Parameter names from the head down.
        asked: What is drawn, and how.
        seed: Of the random numbers.

    Raises:
        PluginError: A pattern fits nothing, there are not so many layers, or the head is no layer of its own.
    """
    fresh, head = fresh_names(groups, asked), set(groups[0])
    if asked.head is not None and not head:
        raise PluginError(
            f"tune.reinitialize.head: the head of {type(model).__name__} is no layer of its own; use `names`"
        )
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, parameter in model.named_parameters():
            if asked.head is not None and name in head:
                _draw(name, parameter, asked.head)
            elif name in fresh:
                _draw(name, parameter, asked.method)


def drawn_names(groups: Sequence[Sequence[str]], asked: Reinitialize) -> set[str]:
    """Names of all parameters that `reinitialize` draws."""
    return fresh_names(groups, asked) | (set() if asked.head is None else set(groups[0]))


def check_fresh_head(model: Any, asked: Reinitialize | None) -> None:
    """Refuse to draw what a strategy that trains the head alone would leave as drawn.

    Raises:
        PluginError: A parameter below the head is among what is drawn; or a pattern fits nothing.
    """
    if asked is None:
        return
    # By what they are: a head may be the embeddings under another name.
    head = {id(parameter) for parameter in model.head.parameters()}
    drawn = drawn_names(groups_of(model), asked)
    if wasted := [name for name, p in model.named_parameters() if name in drawn and id(p) not in head]:
        raise PluginError(
            f"tune.reinitialize draws {wasted[0]!r} anew, which lies below the head: a strategy that trains the head "
            "alone would leave it as drawn"
        )


def _draw(name: str, parameter: nn.Parameter, method: str) -> None:
    if method == "zero":
        parameter.zero_()
    elif parameter.ndim < 2:
        # What is a vector and no bias scales a norm: it is neutral at 1.
        parameter.fill_(0.0 if name.endswith("bias") else 1.0)
    elif method == "xavier":
        nn.init.xavier_uniform_(parameter)
    else:
        nn.init.normal_(parameter, std=_DEVIATION)
