"""Base model `seq2seq-small`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydantic

from tuneloop.api import BaseModel, PluginError, Preprocessor, PreprocessorChoice, Task
from tuneloop_transformers.backbone import require
from tuneloop_transformers.whole import load_whole, save_whole

_PART = "base model 'seq2seq-small'"
_PAD, _START, _STOP, _UNKNOWN = range(4)
"""The first tokens of a vocabulary that the `text-to-text` preprocessor learns."""


class SmallSeq2SeqOptions(pydantic.BaseModel):
    """Options of base model `seq2seq-small`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    vocabulary: int = pydantic.Field(
        8000, ge=32, le=200_000, description="Subwords, at most, learned from the training rows, for both sides."
    )
    width: int = pydantic.Field(256, ge=8, le=4096, description="Numbers of a state.")
    layers: int = pydantic.Field(3, ge=1, le=48, description="Layers of the encoder, and of the decoder.")
    heads: int = pydantic.Field(4, ge=1, le=64, description="Attention heads of a layer; they divide the width.")
    dropout: float = pydantic.Field(0.1, ge=0, lt=1, description="The share of numbers left out in training.")
    max_length: int = pydantic.Field(128, ge=8, le=8192, description="Longer texts are cut to this many tokens.")
    max_target_length: int = pydantic.Field(
        128, ge=4, le=8192, description="Tokens of an answer, at most; longer right answers are cut."
    )
    max_tokens: int = pydantic.Field(64, ge=1, description="Tokens generated where a request does not say how many.")

    @pydantic.model_validator(mode="after")
    def _heads_divide(self) -> SmallSeq2SeqOptions:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not divided by {self.heads} heads")
        return self


class SmallSeq2Seq(BaseModel):
    """A small transformer without pre-trained weights (T5's architecture), with a vocabulary of its own data."""

    name = "seq2seq-small"
    framework = "torch"
    tasks = frozenset({"translation", "summarization"})
    # Each run learns a vocabulary: weights of an earlier one mean other subwords.
    warm_start = False
    Options = SmallSeq2SeqOptions

    options: SmallSeq2SeqOptions

    def preprocessor(self, root: Path) -> PreprocessorChoice:  # noqa: ARG002
        """The `text-to-text` preprocessor, which learns the vocabulary."""
        options = self.options
        return PreprocessorChoice(
            "text-to-text",
            {
                "vocabulary": options.vocabulary,
                "source": {"max_length": options.max_length, "pad_id": _PAD, "unknown_id": _UNKNOWN},
                "target": {
                    "start_ids": [_START],
                    "stop_ids": [_STOP],
                    "pad_id": _PAD,
                    "max_length": options.max_target_length,
                    "max_tokens": min(options.max_tokens, options.max_target_length - 1),
                    "forbidden_ids": [_PAD, _START, _UNKNOWN],
                },
            },
        )

    def build(self, root: Path, task: Task, preprocessor: Preprocessor) -> Any:  # noqa: ARG002
        """Fresh weights; equal on every call.

        Raises:
            PluginError: The preprocessor has no vocabulary.
        """
        require(_PART)
        import torch
        from transformers import AutoModelForSeq2SeqLM, T5Config

        from tuneloop_transformers.seq2seq_network import Seq2SeqNetwork

        tokenizer, options = getattr(preprocessor, "tokenizer", None), self.options
        if tokenizer is None:
            raise PluginError(f"{_PART} needs preprocessor 'text-to-text', not {preprocessor.name!r}")
        config = T5Config(
            vocab_size=tokenizer.get_vocab_size(),
            d_model=options.width,
            d_kv=options.width // options.heads,
            d_ff=4 * options.width,
            num_layers=options.layers,
            num_heads=options.heads,
            dropout_rate=options.dropout,
            pad_token_id=_PAD,
            decoder_start_token_id=_START,
            eos_token_id=_STOP,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = AutoModelForSeq2SeqLM.from_config(config, dtype=torch.float32)
        return Seq2SeqNetwork(model).eval()

    def save(self, model: Any, task: Task, folder: Path) -> None:  # noqa: ARG002
        """Write config.json and model.safetensors."""
        save_whole(model, folder)

    def load(self, folder: Path, task: Task, preprocessor: Preprocessor) -> Any:  # noqa: ARG002
        """Rebuild a saved model.

        Raises:
            ArtifactError: The folder is not what `save` writes.
        """
        require(_PART)
        from transformers import AutoModelForSeq2SeqLM

        from tuneloop_transformers.seq2seq_network import Seq2SeqNetwork

        return load_whole(folder, AutoModelForSeq2SeqLM, Seq2SeqNetwork)
