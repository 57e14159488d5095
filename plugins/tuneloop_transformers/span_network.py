"""The network of `transformers-spans`: a backbone, and two numbers a token of the context. Imports torch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tuneloop_transformers.token_network import TokenClassifier


class SpanFinder(TokenClassifier):
    """Question and context in windows to how likely the answer begins and ends at each token of the context.

    `logits [batch, places, 2]`, `ABSENT` at places that are no token of the context, or that another window reads.
    """

    pooling = "spans"

    def __init__(self, backbone: Any, outputs: int, dropout: float, *, none: bool = False) -> None:
        super().__init__(backbone, outputs, dropout, mark="context")
        self.none = none
        """Whether the first place of a row, before its question, stands for no answer, and is never `ABSENT`."""

    def _absent(self, inputs: dict[str, Tensor]) -> Tensor:
        absent = super()._absent(inputs)
        if not self.none:
            return absent
        return torch.cat([torch.zeros_like(absent[:, :1]), absent[:, 1:]], dim=1)
