"""Base model `transformers`."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuneloop.api import BaseModel, MissingExtraError, PluginError, Preprocessor, PreprocessorChoice, Task
from tuneloop_transformers.checkpoint import find_checkpoint, reading
from tuneloop_transformers.options import TransformersOptions


class Transformers(BaseModel):
    """A pre-trained transformer with pooling and a linear layer on top."""

    name = "transformers"
    framework = "torch"
    tasks = frozenset({"text-classification"})
    warm_start = True
    Options = TransformersOptions

    options: TransformersOptions

    def preprocessor(self, root: Path) -> PreprocessorChoice:
        """The `text` preprocessor with the checkpoint's tokenizer."""
        _require()
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
        _require()
        import torch
        from transformers import AutoModel

        from tuneloop_transformers.network import PooledClassifier, drop_unused

        checkpoint = find_checkpoint(root, self.options.checkpoint, self.options.revision)
        # Weights that a checkpoint lacks are drawn at random: that must not disturb the caller's random numbers.
        with reading(checkpoint), torch.random.fork_rng(devices=[]):
            backbone, report = AutoModel.from_pretrained(
                **checkpoint.arguments, dtype=torch.float32, use_safetensors=True, output_loading_info=True
            )
        drop_unused(backbone)
        absent = sorted(set(report["missing_keys"]) & {name for name, _ in backbone.named_parameters()})
        if absent:
            raise PluginError(
                f"model.checkpoint {checkpoint.name!r} lacks {len(absent)} weights of its {type(backbone).__name__}, "
                f"such as {absent[0]!r}: the checkpoint does not fit its config.json"
            )
        return PooledClassifier(backbone, len(task.output_names), self.options.pooling, self.options.dropout).eval()

    def save(self, model: Any, task: Task, folder: Path) -> None:
        """Write config.json, model.safetensors and outputs.json."""
        from tuneloop_transformers.storage import save_network

        save_network(model, task.output_names, folder)

    def load(self, folder: Path, task: Task, preprocessor: Preprocessor) -> Any:  # noqa: ARG002
        """Rebuild a saved model without its checkpoint; rows of new outputs start fresh."""
        _require()
        from tuneloop_transformers.storage import load_network

        return load_network(folder, task.output_names, self.options.dropout).eval()


def _require() -> None:
    for module in ("torch", "transformers", "safetensors", "tokenizers"):
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise MissingExtraError("base model 'transformers'", module, "train") from error
