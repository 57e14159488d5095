"""A backbone with one linear layer: what the networks of this folder are. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Headed(nn.Module):
    """A backbone, and a head of dropout and a linear layer with fresh rows.

    Args:
        backbone: Gives states of `width` numbers.
        width: Of a state.
        outputs: Rows of the linear layer.
        dropout: Before it.
    """

    def __init__(self, backbone: Any, width: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, outputs))
        weight, bias = fresh_rows(outputs, width)
        with torch.no_grad():
            self.linear.weight.copy_(weight)
            self.linear.bias.copy_(bias)

    @property
    def linear(self) -> nn.Linear:
        """The layer whose rows belong to the outputs."""
        layer = self.head[1]
        assert isinstance(layer, nn.Linear)
        return layer


def fresh_rows(count: int, width: int) -> tuple[Tensor, Tensor]:
    """Small weights `[count, width]` and zero biases `[count]` for new outputs; equal on every call."""
    generator = torch.Generator().manual_seed(count * 1_000_003 + width)
    return torch.randn(count, width, generator=generator) * 0.02, torch.zeros(count)


def match_rows(saved: Sequence[str], wanted: Sequence[str], weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Rows for `wanted` outputs: those of `saved` ones kept by name, the others fresh."""
    new_weight, new_bias = fresh_rows(len(wanted), weight.shape[1])
    positions = {name: row for row, name in enumerate(saved)}
    for row, name in enumerate(wanted):
        if name in positions:
            new_weight[row], new_bias[row] = weight[positions[name]], bias[positions[name]]
    return new_weight, new_bias
