"""Base model `ctc`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydantic

from tuneloop.api import BaseModel, Preprocessor, PreprocessorChoice, Task
from tuneloop_transformers.backbone import load_backbone, require
from tuneloop_transformers.checkpoint import Checkpoint, find_checkpoint, reading
from tuneloop_transformers.sounds import extractor, places_of, spectrogram_options

_PART = "base model 'ctc'"
_NEEDED = ("config.json",)


class CtcOptions(pydantic.BaseModel):
    """Options of base model `ctc`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    checkpoint: str = pydantic.Field(
        min_length=1,
        description="A local folder (relative to the project folder) with config.json, safetensors weights and "
        "preprocessor_config.json or processor_config.json: wav2vec2, HuBERT or WavLM, or a Whisper model, of which "
        "the encoder is taken; or the name of one on the Hugging Face hub.",
    )
    revision: str | None = pydantic.Field(
        None, description="Branch, tag or commit of a hub model; a commit makes runs repeatable."
    )
    seconds: float = pydantic.Field(
        15.0,
        ge=0.1,
        le=30,
        description="The longest sound: longer ones are refused, in data and in requests. Every sound costs as much "
        "as the longest, so choose it close.",
    )
    dropout: float = pydantic.Field(0.1, ge=0, lt=1, description="Dropout before the last layer.")
    beams: int = pydantic.Field(
        1,
        ge=1,
        le=64,
        description="How many texts are followed at once to find the most probable one, here and in the server; 1: "
        "each frame says its most probable character, which is fastest.",
    )


class Ctc(BaseModel):
    """An encoder of sounds with a linear layer that gives each frame a character (CTC).

    A checkpoint that has such a layer keeps its rows for the characters it knows.
    """

    name = "ctc"
    framework = "torch"
    tasks = frozenset({"automatic-speech-recognition"})
    warm_start = True
    Options = CtcOptions

    options: CtcOptions

    def preprocessor(self, root: Path) -> PreprocessorChoice:
        """`audio` for the encoder of a Whisper model, `waveform` for others."""
        require(_PART)
        checkpoint, seconds = self._checkpoint(root), {"seconds": self.options.seconds}
        if _config(checkpoint).model_type == "whisper":
            return PreprocessorChoice("audio", {**seconds, **spectrogram_options(checkpoint, _PART)})
        found = extractor(checkpoint)
        said = {"rate": int(found["sampling_rate"]), "normalize": bool(found.get("do_normalize", True))}
        return PreprocessorChoice("waveform", {**seconds, **said})

    def answering(self, task: Task) -> Task:
        """Followed by as many beams as the options say."""
        return type(task).from_state({**task.state(), "beams": self.options.beams})

    def files(self, root: Path) -> Sequence[Path]:
        """The files of a checkpoint in a folder; of a hub model the options name the revision."""
        return self._checkpoint(root).files

    def build(self, root: Path, task: Task, preprocessor: Preprocessor) -> Any:
        """The checkpoint's encoder in float32, and its last layer as far as it knows the characters.

        Raises:
            PluginError: The checkpoint cannot be read, lacks weights, or is of another kind.
        """
        require(_PART)
        import torch

        from tuneloop_transformers.audio_network import shorten, sound_encoder
        from tuneloop_transformers.ctc_network import CtcNetwork, check_waves, checkpoint_head

        checkpoint = self._checkpoint(root)
        if _config(checkpoint).model_type == "whisper":
            encoder = sound_encoder(load_backbone(checkpoint))
            shorten(encoder, places_of(preprocessor))
            return CtcNetwork(encoder, len(task.output_names), self.options.dropout).eval()
        check_waves(_config(checkpoint))
        backbone, layer = load_ctc(checkpoint)
        model = CtcNetwork(backbone, len(task.output_names), self.options.dropout)
        if layer is not None:
            weight, bias = checkpoint_head(layer, _characters(checkpoint, layer.out_features), task.output_names)
            with torch.no_grad():
                model.linear.weight.copy_(weight)
                model.linear.bias.copy_(bias)
        return model.eval()

    def save(self, model: Any, task: Task, folder: Path) -> None:
        """Write config.json, model.safetensors and outputs.json."""
        from tuneloop_transformers.storage import save_network

        save_network(model, task.output_names, folder)

    def load(self, folder: Path, task: Task, preprocessor: Preprocessor) -> Any:  # noqa: ARG002
        """Rebuild a saved model without its checkpoint; rows of new characters start fresh."""
        require(_PART)
        from tuneloop_transformers.audio_network import sound_encoder
        from tuneloop_transformers.ctc_network import CtcNetwork
        from tuneloop_transformers.storage import load_network

        def make(backbone: Any, outputs: int, _: Any) -> Any:
            encoder = sound_encoder(backbone) if backbone.config.model_type == "whisper" else backbone
            return CtcNetwork(encoder, outputs, self.options.dropout)

        return load_network(folder, task.output_names, make).eval()

    def _checkpoint(self, root: Path) -> Checkpoint:
        return find_checkpoint(root, self.options.checkpoint, self.options.revision, needed=_NEEDED)


def load_ctc(checkpoint: Checkpoint) -> tuple[Any, Any]:
    """The encoder of a checkpoint in float32, and its last layer over characters; None where it has none.

    Raises:
        PluginError: The checkpoint cannot be read, or lacks weights.
    """
    import torch
    from transformers import AutoModelForCTC

    from tuneloop_transformers.backbone import check_whole

    with reading(checkpoint), torch.random.fork_rng(devices=[]):
        model, report = AutoModelForCTC.from_pretrained(
            **checkpoint.arguments, dtype=torch.float32, use_safetensors=True, output_loading_info=True
        )
    missing = set(report["missing_keys"])
    fresh = {name for name in missing if name.startswith("lm_head.")}
    # Only random masks in training read it, and there are none.
    check_whole(checkpoint, model, {name for name in missing - fresh if not name.endswith("masked_spec_embed")})
    return getattr(model, model.base_model_prefix), None if fresh else model.lm_head


def _config(checkpoint: Checkpoint) -> Any:
    from transformers import AutoConfig

    with reading(checkpoint):
        return AutoConfig.from_pretrained(**checkpoint.arguments)


def _characters(checkpoint: Checkpoint, outputs: int) -> list[str]:
    """What each output of a checkpoint's last layer means, in the words of the task."""
    from transformers import AutoTokenizer

    from tuneloop_transformers.ctc_network import BLANK

    with reading(checkpoint):
        tokenizer = AutoTokenizer.from_pretrained(**checkpoint.arguments)
    named = {place: token for token, place in tokenizer.get_vocab().items()}
    named[tokenizer.pad_token_id] = BLANK
    space = getattr(tokenizer, "word_delimiter_token", None)
    return [" " if (name := named.get(place, "")) == space else name for place in range(outputs)]
