"""Base model `image-cnn`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from tuneloop.api import BaseModel, Preprocessor, PreprocessorChoice, Task
from tuneloop_vision.weights import channels_of, load_weights, require_torch, save_weights

_PART = "base model 'image-cnn'"


class ImageCnnOptions(pydantic.BaseModel):
    """Options of base model `image-cnn`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    size: int = pydantic.Field(
        64, ge=8, le=512, description="Pixels of a side: pictures are made as large, and cut out in the middle."
    )
    channels: Literal[1, 3] = pydantic.Field(3, description="3 for colours, 1 for grey.")
    fit: Literal["crop", "pad", "stretch"] = pydantic.Field(
        "crop", description="How a picture that is no square is made one: cut, with black around it, or stretched."
    )
    widths: tuple[Annotated[int, pydantic.Field(ge=4, le=1024)], ...] = pydantic.Field(
        (32, 64, 128), min_length=1, max_length=6, description="Channels of each stage; each halves the picture."
    )
    dropout: float = pydantic.Field(0.2, ge=0, lt=1, description="Dropout before the last layer.")


class ImageCnn(BaseModel):
    """A small convolutional network that is trained from scratch."""

    name = "image-cnn"
    framework = "torch"
    tasks = frozenset({"image-classification"})
    warm_start = True
    Options = ImageCnnOptions

    options: ImageCnnOptions

    def preprocessor(self, root: Path) -> PreprocessorChoice:  # noqa: ARG002
        """The `image` preprocessor at the size of the options."""
        options = self.options
        size = {"height": options.size, "width": options.size}
        return PreprocessorChoice("image", {**size, "channels": options.channels, "fit": options.fit})

    def build(self, root: Path, task: Task, preprocessor: Preprocessor) -> Any:  # noqa: ARG002
        """A network with fresh weights, equal on every call.

        Raises:
            PluginError: The preprocessor makes no pictures.
        """
        require_torch(_PART)
        import torch

        from tuneloop_vision.network import ImageNetwork

        channels = channels_of(preprocessor, _PART)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = ImageNetwork(channels, self.options.widths, len(task.output_names), self.options.dropout)
        return network.eval()

    def save(self, model: Any, task: Task, folder: Path) -> None:
        """Write model.safetensors and outputs.json; the sizes follow from options and preprocessor."""
        save_weights(model, task.output_names, folder)

    def load(self, folder: Path, task: Task, preprocessor: Preprocessor) -> Any:
        """The inverse of `save`; rows of new outputs start fresh."""
        return load_weights(folder, task.output_names, lambda: self.build(folder, task, preprocessor)).eval()
