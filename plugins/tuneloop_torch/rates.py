"""Which parameter learns at which rate. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from tuneloop_torch.naming import depth_of, groups_of


def parameter_groups(
    model: Any, learning_rate: float, head_learning_rate: float, weight_decay: float, layer_decay: float | None
) -> list[dict[str, Any]]:
    """What can be trained, in groups for an optimizer: the head first, then from the top down; no decay on vectors.

    The rate of the n-th layer below the head is `learning_rate * layer_decay ** (n - 1)`: discriminative fine-tuning
    as of Howard and Ruder, 2018 (ULMFiT), in the form of Clark et al., 2020 (ELECTRA).

    Args:
        model: `head` is its last part; `layer_groups()` is asked where layers learn at rates of their own.
        learning_rate: Of the layer below the head.
        head_learning_rate: Of the head.
        weight_decay: Of all parameters with two axes or more.
        layer_decay: None: all below the head learn at one rate.
    """
    head = {id(parameter) for parameter in model.head.parameters()}
    layers: Sequence[Sequence[str]] = []
    if layer_decay is not None and hasattr(model, "layer_groups"):
        layers = groups_of(model)
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        depth = 0 if id(parameter) in head else max(1, depth_of(name, layers)) if layers else 1
        groups.setdefault((depth, parameter.ndim < 2), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": learning_rate * (layer_decay or 1.0) ** (depth - 1) if depth else head_learning_rate,
            "weight_decay": 0.0 if vector else weight_decay,
        }
        for (depth, vector), parameters in sorted(groups.items(), key=lambda item: item[0])
    ]
