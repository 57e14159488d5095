"""Base model `seq2seq`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydantic

from tuneloop.api import BaseModel, Preprocessor, PreprocessorChoice, Task
from tuneloop_transformers.backbone import require
from tuneloop_transformers.checkpoint import Checkpoint, find_checkpoint
from tuneloop_transformers.whole import load_whole, read_whole, save_whole

_PART = "base model 'seq2seq'"


class Seq2SeqOptions(pydantic.BaseModel):
    """Options of base model `seq2seq`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    checkpoint: str = pydantic.Field(
        min_length=1,
        description="A local folder (relative to the project folder) with config.json, safetensors weights and "
        "tokenizer.json, or the name of a model on the Hugging Face hub, such as `google-t5/t5-small`.",
    )
    revision: str | None = pydantic.Field(
        None, description="Branch, tag or commit of a hub model; a commit makes runs repeatable."
    )
    max_length: int = pydantic.Field(256, ge=8, le=8192, description="Longer texts are cut to this many tokens.")
    max_target_length: int = pydantic.Field(
        128, ge=4, le=8192, description="Tokens of an answer, at most; longer right answers are cut."
    )
    max_tokens: int = pydantic.Field(64, ge=1, description="Tokens generated where a request does not say how many.")
    prefix: str = pydantic.Field(
        "", description="Put before each text, where the checkpoint knows tasks by it, such as `summarize: `."
    )


class Seq2Seq(BaseModel):
    """A pre-trained encoder and decoder, such as T5, Marian or BART, that reads a text and writes another."""

    name = "seq2seq"
    framework = "torch"
    tasks = frozenset({"translation", "summarization"})
    warm_start = True
    Options = Seq2SeqOptions

    options: Seq2SeqOptions

    def preprocessor(self, root: Path) -> PreprocessorChoice:
        """The `text-to-text` preprocessor with the checkpoint's tokenizer, and what its texts begin and end with."""
        require(_PART)
        from tuneloop_transformers.pairs import pair_options

        options = self.options
        found = pair_options(self._checkpoint(root), options.max_length, options.max_target_length, options.max_tokens)
        return PreprocessorChoice("text-to-text", {**found, "prefix": options.prefix})

    def files(self, root: Path) -> Sequence[Path]:
        """The files of a checkpoint in a folder; of a hub model the options name the revision."""
        return self._checkpoint(root).files

    def build(self, root: Path, task: Task, preprocessor: Preprocessor) -> Any:  # noqa: ARG002
        """The checkpoint's model in float32; equal on every call.

        Raises:
            PluginError: The checkpoint cannot be read, or lacks weights.
        """
        require(_PART)
        from transformers import AutoModelForSeq2SeqLM

        from tuneloop_transformers.seq2seq_network import Seq2SeqNetwork

        model = read_whole(self._checkpoint(root), AutoModelForSeq2SeqLM)
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
        from transformers import AutoModelForSeq2SeqLM

        from tuneloop_transformers.seq2seq_network import Seq2SeqNetwork

        return load_whole(folder, AutoModelForSeq2SeqLM, Seq2SeqNetwork)

    def _checkpoint(self, root: Path) -> Checkpoint:
        return find_checkpoint(root, self.options.checkpoint, self.options.revision)
