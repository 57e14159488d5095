"""What base models that read a text in windows have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydantic

from tuneloop.api import BaseModel, Preprocessor, Task
from tuneloop_transformers.backbone import load_backbone, require
from tuneloop_transformers.checkpoint import Checkpoint, find_checkpoint
from tuneloop_transformers.options import CheckpointOptions


class WindowedOptions(CheckpointOptions):
    """Options that all of them have; each has its own `max_length` and `overlap`."""

    dropout: float = pydantic.Field(0.1, ge=0, lt=1, description="Dropout before the last layer.")


class Windowed(BaseModel):
    """A pre-trained transformer with a linear layer on some of its places."""

    framework = "torch"
    warm_start = True

    options: WindowedOptions

    @abstractmethod
    def network(self, backbone: Any, task: Task, preprocessor: Preprocessor) -> Any:
        """The backbone with a fresh head for the task."""

    def checkpoint(self, root: Path) -> Checkpoint:
        """The checkpoint that the options name.

        Raises:
            MissingExtraError: A library of training is not installed.
            PluginError: There is none.
        """
        require(f"base model {self.name!r}")
        return find_checkpoint(root, self.options.checkpoint, self.options.revision)

    def files(self, root: Path) -> Sequence[Path]:
        """The files of a checkpoint in a folder; of a hub model the options name the revision."""
        return find_checkpoint(root, self.options.checkpoint, self.options.revision).files

    def build(self, root: Path, task: Task, preprocessor: Preprocessor) -> Any:
        """The checkpoint's backbone in float32 with a fresh head; equal on every call.

        Raises:
            PluginError: The checkpoint cannot be read, or lacks weights.
        """
        backbone = load_backbone(self.checkpoint(root))
        return self.network(backbone, task, preprocessor).eval()

    def save(self, model: Any, task: Task, folder: Path) -> None:
        """Write config.json, model.safetensors and outputs.json."""
        from tuneloop_transformers.storage import save_network

        save_network(model, task.output_names, folder)

    def load(self, folder: Path, task: Task, preprocessor: Preprocessor) -> Any:
        """Rebuild a saved model without its checkpoint; rows of new outputs start fresh."""
        require(f"base model {self.name!r}")
        from tuneloop_transformers.storage import load_network

        def make(backbone: Any, *_: Any) -> Any:
            return self.network(backbone, task, preprocessor)

        return load_network(folder, task.output_names, make).eval()
