"""Base model `transformers-spans`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydantic

from tuneloop.api import BaseModel, Preprocessor, PreprocessorChoice, Task
from tuneloop_transformers.backbone import load_backbone, require
from tuneloop_transformers.checkpoint import find_checkpoint

_PART = "base model 'transformers-spans'"


class TransformersSpansOptions(pydantic.BaseModel):
    """Options of base model `transformers-spans`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    checkpoint: str = pydantic.Field(
        min_length=1,
        description="A local folder (relative to the project folder) with config.json, safetensors weights and "
        "tokenizer.json, or the name of a model on the Hugging Face hub.",
    )
    revision: str | None = pydantic.Field(
        None, description="Branch, tag or commit of a hub model; a commit makes runs repeatable."
    )
    max_length: int = pydantic.Field(
        384,
        ge=16,
        le=8192,
        description="Tokens of a window, with the question: longer contexts are read in several, nothing is cut. "
        "Questions that take more than half of it are refused.",
    )
    overlap: int = pydantic.Field(
        128, ge=0, description="Tokens of the context that two windows share, so that each has its neighbours."
    )
    dropout: float = pydantic.Field(0.1, ge=0, lt=1, description="Dropout before the last layer.")


class TransformersSpans(BaseModel):
    """A pre-trained transformer that finds where an answer begins and ends in a context."""

    name = "transformers-spans"
    framework = "torch"
    tasks = frozenset({"question-answering"})
    warm_start = True
    Options = TransformersSpansOptions

    options: TransformersSpansOptions

    def preprocessor(self, root: Path) -> PreprocessorChoice:
        """The `passages` preprocessor with the checkpoint's tokenizer."""
        require(_PART)
        from tuneloop_transformers.tokenizer import tokenizer_options

        checkpoint = find_checkpoint(root, self.options.checkpoint, self.options.revision)
        options = tokenizer_options(checkpoint, self.options.max_length)
        return PreprocessorChoice("passages", {**options, "overlap": self.options.overlap})

    def files(self, root: Path) -> Sequence[Path]:
        """The files of a checkpoint in a folder; of a hub model the options name the revision."""
        return find_checkpoint(root, self.options.checkpoint, self.options.revision).files

    def build(self, root: Path, task: Task, preprocessor: Preprocessor) -> Any:  # noqa: ARG002
        """The checkpoint's backbone in float32 with a fresh head; equal on every call.

        Raises:
            PluginError: The checkpoint cannot be read, or lacks weights.
        """
        require(_PART)
        from tuneloop_transformers.span_network import SpanFinder

        backbone = load_backbone(find_checkpoint(root, self.options.checkpoint, self.options.revision))
        return SpanFinder(backbone, len(task.output_names), self.options.dropout).eval()

    def save(self, model: Any, task: Task, folder: Path) -> None:
        """Write config.json, model.safetensors and outputs.json."""
        from tuneloop_transformers.storage import save_network

        save_network(model, task.output_names, folder)

    def load(self, folder: Path, task: Task, preprocessor: Preprocessor) -> Any:  # noqa: ARG002
        """Rebuild a saved model without its checkpoint."""
        require(_PART)
        from tuneloop_transformers.span_network import SpanFinder
        from tuneloop_transformers.storage import load_network

        def make(backbone: Any, outputs: int, _: Any) -> Any:
            return SpanFinder(backbone, outputs, self.options.dropout)

        return load_network(folder, task.output_names, make).eval()
