"""The network of `transformers-tokens`: a backbone and a linear layer a word. Imports torch: import it in functions."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from tuneloop.api import ABSENT
from tuneloop_transformers.headed import Headed
from tuneloop_transformers.network import drop_unused, last_states, layer_groups

FIRST, LAST = "first", "last"
"""The input of preprocessor `words` that is 1 at one token of each word."""


class TokenClassifier(Headed):
    """Token ids in windows to logits a word and a pooled embedding; see `tuneloop.api.TorchModel`."""

    pooling = "words"

    def __init__(self, backbone: Any, outputs: int, dropout: float, mark: str = FIRST) -> None:
        drop_unused(backbone)
        super().__init__(backbone, backbone.config.hidden_size, outputs, dropout)
        self.mark = mark
        """The input that is 1 at the places that are answered."""

    def features(self, **inputs: Tensor) -> Tensor:
        """Vectors `float32 [batch, places, hidden]`; those at no mark are `ABSENT`."""
        return self._states(inputs).masked_fill(self._absent(inputs), ABSENT)

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        """`logits [batch, places, outputs]`, `ABSENT` where there is no mark, and `embedding [batch, hidden]`.

        Each input is `[batch, windows, length]`; places are windows times length. The embedding is the mean over marks.
        """
        states, absent = self._states(inputs), self._absent(inputs)
        logits = self.head(states).masked_fill(absent, ABSENT)
        words = (~absent).to(states.dtype)
        embedding = (states * words).sum(dim=1) / words.sum(dim=1).clamp(min=1.0)
        return {"logits": logits, "embedding": embedding}

    def _states(self, inputs: dict[str, Tensor]) -> Tensor:
        batch, windows, length = inputs[self.mark].shape
        flat = {name: tensor.reshape(batch * windows, length) for name, tensor in inputs.items() if name != self.mark}
        states = last_states(self.backbone, flat)
        return states.float().reshape(batch, windows * length, states.shape[-1])

    def _absent(self, inputs: dict[str, Tensor]) -> Tensor:
        return (inputs[self.mark] == 0).flatten(1).unsqueeze(-1)

    def layer_groups(self) -> list[list[str]]:
        """Parameter names: the head, then the blocks from the top, then what lies below the first block."""
        return layer_groups(self)
