"""The network of `ctc`: an encoder of sounds and a linear layer a frame. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tuneloop.api import ABSENT, PluginError
from tuneloop_transformers.headed import Headed, match_rows
from tuneloop_transformers.network import layer_groups

BLANK = "<blank>"
"""What task `automatic-speech-recognition` calls the output of a frame in which no character begins."""

WAVES = ("wav2vec2", "wav2vec2-conformer", "hubert", "wavlm", "unispeech", "unispeech-sat", "data2vec-audio")
"""Types of models that read samples; a Whisper model reads spectrograms."""


class CtcNetwork(Headed):
    """Sounds to the characters of each frame and a pooled embedding; see `tuneloop.api.FrameModel`.

    Frames behind the sound are `ABSENT`.
    """

    pooling = "characters"
    frame_inputs = ("heard",)

    def __init__(self, backbone: Any, outputs: int, dropout: float) -> None:
        super().__init__(backbone, width(backbone.config), outputs, dropout)
        self.waves = backbone.config.model_type != "whisper"
        # Its random masks would be drawn anew in a run that goes on.
        backbone.config.apply_spec_augment = False

    def features(self, **inputs: Tensor) -> Tensor:
        """Vectors `float32 [batch, frames, hidden]`; `ABSENT` where no sound is."""
        states, heard = self._states(inputs)
        return states.masked_fill(~heard.unsqueeze(-1), ABSENT)

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        """`logits [batch, frames, characters]` and `embedding [batch, hidden]`, the mean over what was heard."""
        states, heard = self._states(inputs)
        held = heard.unsqueeze(-1)
        logits = self.head(states).masked_fill(~held, ABSENT)
        embedding = (states * held).sum(dim=1) / held.sum(dim=1).clamp(min=1)
        return {"logits": logits, "embedding": embedding}

    def _states(self, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Vectors of all frames, and which of them are of the sound."""
        if not self.waves:
            states = self.backbone(inputs["input_features"], return_dict=True).last_hidden_state
            return states.float(), inputs["heard"] > 0
        values, heard = inputs["input_values"], inputs["heard"]
        mask = torch.arange(values.shape[1], device=values.device) < heard
        # Models that were trained without a mask read silence as sound (transformers, `Wav2Vec2FeatureExtractor`).
        masked = {"attention_mask": mask.to(torch.int64)} if _masked(self.backbone.config) else {}
        states = self.backbone(values, **masked, return_dict=True).last_hidden_state
        return states.float(), torch.arange(states.shape[1], device=states.device) < self._lengths(heard)

    def frames(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.int64]:
        """How many frames each sound has, `int64 [n]`, of `heard` as the preprocessor makes it."""
        heard = torch.from_numpy(inputs["heard"])
        counts = self._lengths(heard).squeeze(1) if self.waves else (heard > 0).sum(dim=1)
        found: NDArray[np.int64] = counts.to(torch.int64).numpy()
        return found

    def _lengths(self, heard: Tensor) -> Tensor:
        """Frames of sounds of so many samples."""
        frames: Tensor = self.backbone._get_feat_extract_output_lengths(heard).clamp(min=1)
        return frames

    def layer_groups(self) -> list[list[str]]:
        """Parameter names: the head, then the blocks from the top, then what lies below the first block."""
        return layer_groups(self)


def width(config: Any) -> int:
    """Numbers of a vector of a frame."""
    return int(config.d_model if config.model_type == "whisper" else config.hidden_size)


def _masked(config: Any) -> bool:
    return bool(getattr(config, "feat_extract_norm", "layer") == "layer")


def checkpoint_head(layer: nn.Linear, saved: Sequence[str], wanted: Sequence[str]) -> tuple[Tensor, Tensor]:
    """The rows of a checkpoint's own last layer for the characters of a task; those it does not know are fresh.

    Args:
        layer: Of the checkpoint.
        saved: Its characters, by position.
        wanted: Those of the task: taken in another case where the checkpoint has only that.
    """
    known = set(saved)
    named = [next((one for one in (name, name.upper(), name.lower()) if one in known), name) for name in wanted]
    with torch.no_grad():
        return match_rows(saved, named, layer.weight, layer.bias)


def check_waves(config: Any) -> None:
    """Refuse what is no encoder of samples.

    Raises:
        PluginError: It is another kind of model.
    """
    if config.model_type not in WAVES:
        raise PluginError(
            f"base model 'ctc' reads the encoders of Whisper, wav2vec2, HuBERT and WavLM models; the checkpoint is of "
            f"type {config.model_type!r}"
        )
