"""The network of `image-cnn`. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ImageNetwork(nn.Module):
    """Pixels to logits and a pooled embedding; see `tuneloop.api.TorchModel`.

    Each stage is two convolutions of three by three with batch normalisation, and halves the picture; the last one's
    mean over all places is the embedding.
    """

    def __init__(self, channels: int, widths: Sequence[int], outputs: int, dropout: float) -> None:
        super().__init__()
        stages = []
        for width in widths:
            stages.append(nn.Sequential(*_block(channels, width), *_block(width, width), nn.MaxPool2d(2)))
            channels = width
        self.blocks = nn.ModuleList(stages)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels, outputs))

    def features(self, **inputs: Tensor) -> Tensor:
        """The mean over the places of the last stage, `float32 [batch, width]`.

        Args:
            inputs: `pixels`, 0 to 255, `[batch, channels, height, width]`.
        """
        found = scaled(inputs["pixels"])
        for block in self.blocks:
            found = block(found)
        return found.mean(dim=(2, 3))

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        """`logits [batch, outputs]` and `embedding [batch, width]`."""
        embedding = self.features(**inputs)
        return {"logits": self.head(embedding), "embedding": embedding}

    def layer_groups(self) -> list[list[str]]:
        """Parameter names: the head, then the stages from the top."""
        names = [name for name, _ in self.named_parameters()]
        prefixes = ("head.", *(f"blocks.{row}." for row in reversed(range(len(self.blocks)))))
        return [[name for name in names if name.startswith(prefix)] for prefix in prefixes]


def scaled(pixels: Tensor, mean: Sequence[float] = (0.5,), deviation: Sequence[float] = (0.25,)) -> Tensor:
    """Pixels of 0 to 255 with about mean 0 and deviation 1, by colour.

    Args:
        pixels: `[batch, channels, height, width]`, whole numbers or not.
        mean: Of each colour, or of all, 0 to 1.
        deviation: The same.
    """
    shape = (1, -1, 1, 1)
    middle, spread = (torch.tensor(values, device=pixels.device).reshape(shape) for values in (mean, deviation))
    return (pixels.float() / 255.0 - middle) / spread


def _block(channels: int, width: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
