"""Base model `transformers-audio`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydantic

from tuneloop.api import BaseModel, Preprocessor, PreprocessorChoice, Task
from tuneloop_transformers.backbone import load_backbone, require
from tuneloop_transformers.checkpoint import find_checkpoint
from tuneloop_transformers.sounds import places_of, spectrogram_options

_PART = "base model 'transformers-audio'"


class TransformersAudioOptions(pydantic.BaseModel):
    """Options of base model `transformers-audio`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    checkpoint: str = pydantic.Field(
        min_length=1,
        description="A local folder (relative to the project folder) with a Whisper model: config.json, safetensors "
        "weights, tokenizer.json and processor_config.json; or the name of one on the Hugging Face hub.",
    )
    revision: str | None = pydantic.Field(
        None, description="Branch, tag or commit of a hub model; a commit makes runs repeatable."
    )
    seconds: float = pydantic.Field(
        30.0,
        ge=0.1,
        le=30,
        description="The longest sound: longer ones are refused, in data and in requests. Every sound costs as much "
        "as the longest, so choose it close; with some seconds of silence behind, as Whisper was trained, answers may "
        "be a little better.",
    )
    dropout: float = pydantic.Field(0.1, ge=0, lt=1, description="Dropout before the classification layer.")


class TransformersAudio(BaseModel):
    """The encoder of a Whisper model with mean pooling and a linear layer on top."""

    name = "transformers-audio"
    framework = "torch"
    tasks = frozenset({"audio-classification"})
    warm_start = True
    Options = TransformersAudioOptions

    options: TransformersAudioOptions

    def preprocessor(self, root: Path) -> PreprocessorChoice:
        """The `audio` preprocessor with the checkpoint's spectrogram."""
        require(_PART)
        checkpoint = find_checkpoint(root, self.options.checkpoint, self.options.revision)
        return PreprocessorChoice("audio", {"seconds": self.options.seconds, **spectrogram_options(checkpoint, _PART)})

    def files(self, root: Path) -> Sequence[Path]:
        """The files of a checkpoint in a folder; of a hub model the options name the revision."""
        return find_checkpoint(root, self.options.checkpoint, self.options.revision).files

    def build(self, root: Path, task: Task, preprocessor: Preprocessor) -> Any:
        """The checkpoint's encoder in float32 with a fresh head; equal on every call.

        Raises:
            PluginError: The checkpoint cannot be read, lacks weights, or is no Whisper model.
        """
        require(_PART)
        from tuneloop_transformers.audio_network import AudioClassifier, shorten, sound_encoder

        encoder = sound_encoder(load_backbone(find_checkpoint(root, self.options.checkpoint, self.options.revision)))
        shorten(encoder, places_of(preprocessor))
        return AudioClassifier(encoder, len(task.output_names), self.options.dropout).eval()

    def save(self, model: Any, task: Task, folder: Path) -> None:
        """Write config.json, model.safetensors and outputs.json."""
        from tuneloop_transformers.storage import save_network

        save_network(model, task.output_names, folder)

    def load(self, folder: Path, task: Task, preprocessor: Preprocessor) -> Any:  # noqa: ARG002
        """Rebuild a saved model without its checkpoint; rows of new outputs start fresh."""
        require(_PART)
        from tuneloop_transformers.audio_network import AudioClassifier, sound_encoder
        from tuneloop_transformers.storage import load_network

        def make(backbone: Any, outputs: int, _: Any) -> Any:
            return AudioClassifier(sound_encoder(backbone), outputs, self.options.dropout)

        return load_network(folder, task.output_names, make).eval()
