"""The network of `transformers-audio`: an encoder, the mean over what was heard, and one linear layer.

Imports torch: import it inside functions.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tuneloop.api import PluginError
from tuneloop_transformers.headed import Headed
from tuneloop_transformers.network import layer_groups


class AudioClassifier(Headed):
    """Log-mel spectrograms to logits and a pooled embedding; see `tuneloop.api.TorchModel`."""

    pooling = "frames"

    def __init__(self, backbone: Any, outputs: int, dropout: float) -> None:
        super().__init__(backbone, backbone.config.d_model, outputs, dropout)

    def features(self, **inputs: Tensor) -> Tensor:
        """The mean over the places where there is sound, `float32 [batch, hidden]`; silence behind it never counts."""
        states: Tensor = self.backbone(inputs["input_features"], return_dict=True).last_hidden_state
        weights = inputs["heard"].unsqueeze(-1).to(torch.float32)
        return (states.float() * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1.0)

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        """`logits [batch, outputs]` and `embedding [batch, hidden]`."""
        embedding = self.features(**inputs)
        return {"logits": self.head(embedding), "embedding": embedding}

    def layer_groups(self) -> list[list[str]]:
        """Parameter names: the head, then the blocks from the top, then what lies below the first block."""
        return layer_groups(self)


def sound_encoder(backbone: Any) -> Any:
    """The encoder of a Whisper model.

    Raises:
        PluginError: It is another kind of model.
    """
    encoder = getattr(backbone, "encoder", backbone)
    if backbone.config.model_type != "whisper" or not hasattr(encoder, "embed_positions"):
        raise PluginError(
            f"base model 'transformers-audio' reads the encoders of Whisper models; the checkpoint is of type "
            f"{backbone.config.model_type!r}"
        )
    return encoder


def shorten(encoder: Any, places: int) -> None:
    """Let the encoder read sounds of so many places: it keeps the first of its position vectors.

    Raises:
        PluginError: It has fewer.
    """
    known = encoder.embed_positions.weight.shape[0]
    if places > known:
        raise PluginError(f"model.seconds asks for {places} places; the checkpoint has {known}")
    kept = nn.Embedding(places, encoder.embed_positions.weight.shape[1])
    with torch.no_grad():
        kept.weight.copy_(encoder.embed_positions.weight[:places])
    kept.weight.requires_grad_(False)
    encoder.embed_positions = kept
    encoder.config.max_source_positions = places
    encoder.max_source_positions = places
