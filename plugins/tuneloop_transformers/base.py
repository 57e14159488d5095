"""Base model `transformers`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuneloop.api import BaseModel, Preprocessor, PreprocessorChoice, Task
from tuneloop_transformers.backbone import load_backbone, require
from tuneloop_transformers.checkpoint import find_checkpoint
from tuneloop_transformers.options import TransformersOptions

_PART = "base model 'transformers'"


class Transformers(BaseModel):
    """A pre-trained transformer with pooling and a linear layer on top."""

    name = "transformers"
    framework = "torch"
    tasks = frozenset({"text-classification", "multi-label-classification", "text-regression"})
    warm_start = True
    Options = TransformersOptions

    options: TransformersOptions

    def preprocessor(self, root: Path) -> PreprocessorChoice:
        """The `text` preprocessor with the checkpoint's tokenizer."""
        require(_PART)
        from tuneloop_transformers.tokenizer import tokenizer_options

        checkpoint = find_checkpoint(root, self.options.checkpoint, self.options.revision)
        return PreprocessorChoice("text", tokenizer_options(checkpoint, self.options.max_length))

    def files(self, root: Path) -> Sequence[Path]:
        """The files of a checkpoint in a folder; of a hub model the options name the revision."""
        return find_checkpoint(root, self.options.checkpoint, self.options.revision).files

    def build(self, root: Path, task: Task, preprocessor: Preprocessor) -> Any:  # noqa: ARG002
        """The checkpoint's backbone in float32 with a fresh head; equal on every call.

        Raises:
            PluginError: The checkpoint cannot be read, or lacks weights.
        """
        require(_PART)
        from tuneloop_transformers.network import PooledClassifier

        backbone = load_backbone(find_checkpoint(root, self.options.checkpoint, self.options.revision))
        return PooledClassifier(backbone, len(task.output_names), self.options.pooling, self.options.dropout).eval()

    def save(self, model: Any, task: Task, folder: Path) -> None:
        """Write config.json, model.safetensors and outputs.json."""
        from tuneloop_transformers.storage import save_network

        save_network(model, task.output_names, folder)

    def load(self, folder: Path, task: Task, preprocessor: Preprocessor) -> Any:  # noqa: ARG002
        """Rebuild a saved model without its checkpoint; rows of new outputs start fresh."""
        require(_PART)
        from tuneloop_transformers.network import PooledClassifier
        from tuneloop_transformers.storage import load_network

        def make(backbone: Any, outputs: int, pooling: Any) -> Any:
            return PooledClassifier(backbone, outputs, pooling, self.options.dropout)

        return load_network(folder, task.output_names, make).eval()
