"""Base model `speech-seq2seq`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pydantic

from tuneloop.api import BaseModel, LossName, PluginError, Preprocessor, PreprocessorChoice, Task
from tuneloop_transformers.backbone import require
from tuneloop_transformers.checkpoint import Checkpoint, find_checkpoint
from tuneloop_transformers.sounds import spectrogram_options
from tuneloop_transformers.whole import load_whole, read_whole, save_whole

_PART = "base model 'speech-seq2seq'"


class SpeechSeq2SeqOptions(pydantic.BaseModel):
    """Options of base model `speech-seq2seq`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    checkpoint: str = pydantic.Field(
        min_length=1,
        description="A local folder (relative to the project folder) with a whole Whisper model: config.json, "
        "generation_config.json, safetensors weights, tokenizer.json and processor_config.json; or the name of one on "
        "the Hugging Face hub.",
    )
    revision: str | None = pydantic.Field(
        None, description="Branch, tag or commit of a hub model; a commit makes runs repeatable."
    )
    language: str | None = pydantic.Field(
        None, description="Which language is spoken, such as `en`; a model of many languages needs it."
    )
    seconds: float = pydantic.Field(
        30.0,
        ge=1,
        le=30,
        description="The longest sound: longer ones are refused, in data and in requests. Whisper was trained with "
        "30; a smaller number costs less, and needs tuning.",
    )
    max_tokens: int = pydantic.Field(
        224,
        ge=1,
        description="Tokens generated where a request does not say how many; longer texts are cut in training.",
    )


class SpeechSeq2Seq(BaseModel):
    """A Whisper model: an encoder of sounds, and a decoder that writes what is said token by token."""

    name = "speech-seq2seq"
    framework = "torch"
    tasks = frozenset({"automatic-speech-recognition"})
    loss: ClassVar[LossName | None] = "likelihood"
    warm_start = True
    Options = SpeechSeq2SeqOptions

    options: SpeechSeq2SeqOptions

    def preprocessor(self, root: Path) -> PreprocessorChoice:
        """`speech-to-text` with the checkpoint's spectrogram, tokenizer, first tokens and forbidden ones."""
        require(_PART)
        from tuneloop_transformers.spoken import target_options

        checkpoint = self._checkpoint(root)
        source = {"seconds": self.options.seconds, **spectrogram_options(checkpoint, _PART)}
        target = target_options(checkpoint, self.options.language, self.options.max_tokens)
        return PreprocessorChoice("speech-to-text", {"source": source, "target": target})

    def files(self, root: Path) -> Sequence[Path]:
        """The files of a checkpoint in a folder; of a hub model the options name the revision."""
        return self._checkpoint(root).files

    def build(self, root: Path, task: Task, preprocessor: Preprocessor) -> Any:  # noqa: ARG002
        """The checkpoint's model in float32; equal on every call.

        Raises:
            PluginError: The checkpoint cannot be read, lacks weights, or is no Whisper model.
        """
        require(_PART)
        from transformers import AutoModelForSpeechSeq2Seq

        from tuneloop_transformers.audio_network import shorten, sound_encoder
        from tuneloop_transformers.seq2seq_network import Seq2SeqNetwork

        model = read_whole(self._checkpoint(root), AutoModelForSpeechSeq2Seq)
        encoder = sound_encoder(model.model if model.config.model_type == "whisper" else model)
        frames = next(int(tensor.shape[2]) for tensor in preprocessor.tensors if tensor.name == "input_features")
        shorten(encoder, frames // 2)
        model.config.apply_spec_augment = False
        return Seq2SeqNetwork(model).eval()

    def save(self, model: Any, task: Task, folder: Path) -> None:  # noqa: ARG002
        """Write config.json and model.safetensors."""
        save_whole(model, folder)

    def load(self, folder: Path, task: Task, preprocessor: Preprocessor) -> Any:  # noqa: ARG002
        """Rebuild a saved model without its checkpoint.

        Raises:
            ArtifactError: The folder is not what `save` writes.
        """
        require(_PART)
        from transformers import AutoModelForSpeechSeq2Seq

        from tuneloop_transformers.seq2seq_network import Seq2SeqNetwork

        return load_whole(folder, AutoModelForSpeechSeq2Seq, Seq2SeqNetwork)

    def _checkpoint(self, root: Path) -> Checkpoint:
        found = find_checkpoint(root, self.options.checkpoint, self.options.revision)
        if found.folder is not None and not (found.folder / "generation_config.json").is_file():
            raise PluginError(
                f"model.checkpoint {found.name!r}: the folder {found.folder} lacks generation_config.json, which says "
                "what texts begin with"
            )
        return found
