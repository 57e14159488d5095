"""The gradient of L1, added to that of the loss. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Iterable

import torch


def add_l1(parameters: Iterable[torch.nn.Parameter], weight: float) -> None:
    """Add `weight * sign(w)`, the gradient of `weight * sum(|w|)`, for all parameters with two axes or more.

    Added to gradients and not to the loss, it costs no pass through the graph, and comes once a step whatever the
    number of parts or processes a batch is computed in.
    """
    with torch.no_grad():
        for parameter in parameters:
            if parameter.grad is not None and parameter.ndim >= 2:
                parameter.grad.add_(parameter.sign(), alpha=weight)
