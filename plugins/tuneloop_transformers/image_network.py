"""The network of `transformers-image`: a vision backbone, pooling, and one linear layer. Imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tuneloop_transformers.headed import Headed
from tuneloop_transformers.network import layer_groups


class ImageClassifier(Headed):
    """Pixels to logits and a pooled embedding; see `tuneloop.api.TorchModel`.

    Args:
        backbone: Reads `pixel_values`.
        outputs: Rows of the head.
        dropout: Before it.
        mean: Of each colour, 0 to 1, as the backbone was trained.
        deviation: The same.
        side: Pixels of a side, to find out how wide the pooled vector is.
    """

    pooling = "image"
    mean: Tensor
    deviation: Tensor

    def __init__(
        self, backbone: Any, outputs: int, dropout: float, mean: Sequence[float], deviation: Sequence[float], side: int
    ) -> None:
        with torch.no_grad():
            width = pooled(backbone.eval(), torch.zeros(1, 3, side, side)).shape[1]
        super().__init__(backbone, width, outputs, dropout)
        self.register_buffer("mean", torch.tensor(list(mean)).reshape(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(list(deviation)).reshape(1, 3, 1, 1))

    def features(self, **inputs: Tensor) -> Tensor:
        """The pooled vector `float32 [batch, width]` of `pixels`, 0 to 255, `[batch, 3, height, width]`."""
        return pooled(self.backbone, (inputs["pixels"].float() / 255.0 - self.mean) / self.deviation)

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        """`logits [batch, outputs]` and `embedding [batch, width]`."""
        embedding = self.features(**inputs)
        return {"logits": self.head(embedding), "embedding": embedding}

    def layer_groups(self) -> list[list[str]]:
        """Parameter names: the head, then the blocks from the top, then what lies below the first block."""
        return layer_groups(self)


def pooled(backbone: Any, values: Tensor) -> Tensor:
    """The backbone's own pooled vector; where it has none the first token of a transformer, or the mean over places."""
    found = backbone(pixel_values=values, return_dict=True)
    own = getattr(found, "pooler_output", None)
    if own is not None:
        vector: Tensor = own.flatten(1)
        return vector.float()
    states: Tensor = found.last_hidden_state
    return (states.mean(dim=(2, 3)) if states.ndim == 4 else states[:, 0]).float()
