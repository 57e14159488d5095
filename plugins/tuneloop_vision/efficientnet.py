"""Base model `efficientnet-lite0`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydantic

from tuneloop.api import BaseModel, PluginError, Preprocessor, PreprocessorChoice, Task
from tuneloop_vision.weights import WEIGHTS, channels_of, load_weights, require_torch, save_weights

_PART = "base model 'efficientnet-lite0'"


class EfficientNetOptions(pydantic.BaseModel):
    """Options of base model `efficientnet-lite0`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    checkpoint: str = pydantic.Field(
        min_length=1,
        description="A local folder (relative to the project folder) with model.safetensors: weights under the names "
        "of timm's tf_efficientnet_lite0, with or without the prefix of transformers' TimmWrapper.",
    )
    size: int = pydantic.Field(224, ge=32, le=512, description="Pixels of a side; it was trained with 224.")
    dropout: float = pydantic.Field(0.2, ge=0, lt=1, description="Dropout before the classification layer.")


class EfficientNetLite0(BaseModel):
    """EfficientNet-lite0, pre-trained on ImageNet, with a fresh linear layer; needs neither timm nor torchvision."""

    name = "efficientnet-lite0"
    framework = "torch"
    tasks = frozenset({"image-classification"})
    warm_start = True
    Options = EfficientNetOptions

    options: EfficientNetOptions

    def preprocessor(self, root: Path) -> PreprocessorChoice:  # noqa: ARG002
        """The `image` preprocessor as it was trained: the middle 224 of 256 pixels, bicubic."""
        side = self.options.size
        settings = {"height": side, "width": side, "channels": 3, "margin": 0.875, "resample": "bicubic"}
        return PreprocessorChoice("image", settings)

    def files(self, root: Path) -> Sequence[Path]:
        """The file of weights."""
        return (self._file(root),)

    def _file(self, root: Path) -> Path:
        folder = (root / Path(self.options.checkpoint).expanduser()).resolve()
        if not (folder / WEIGHTS).is_file():
            raise PluginError(f"model.checkpoint {self.options.checkpoint!r}: there is no {folder / WEIGHTS}")
        return folder / WEIGHTS

    def build(self, root: Path, task: Task, preprocessor: Preprocessor) -> Any:
        """The checkpoint's network with a fresh head; equal on every call.

        Raises:
            PluginError: The weights cannot be read, or are those of another network.
        """
        require_torch(_PART)
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from tuneloop_vision.efficientnet_network import PREFIX, UNUSED

        network = self._network(task, preprocessor)
        try:
            tensors = {name.removeprefix(PREFIX): value for name, value in load_file(self._file(root)).items()}
            network.backbone.load_state_dict({n: t for n, t in tensors.items() if n not in UNUSED})
        except (OSError, RuntimeError, ValueError, SafetensorError) as error:
            reason = str(error).strip().splitlines()[0]
            raise PluginError(
                f"model.checkpoint {self.options.checkpoint!r} does not hold an EfficientNet-lite0: {reason}"
            ) from error
        return network.eval()

    def _network(self, task: Task, preprocessor: Preprocessor) -> Any:
        import torch

        from tuneloop_vision.efficientnet_network import EfficientNet

        channels_of(preprocessor, _PART)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return EfficientNet(len(task.output_names), self.options.dropout).eval()

    def save(self, model: Any, task: Task, folder: Path) -> None:
        """Write model.safetensors and outputs.json."""
        save_weights(model, task.output_names, folder)

    def load(self, folder: Path, task: Task, preprocessor: Preprocessor) -> Any:
        """Rebuild a saved model without its checkpoint; rows of new outputs start fresh."""
        require_torch(_PART)
        return load_weights(folder, task.output_names, lambda: self._network(task, preprocessor)).eval()
