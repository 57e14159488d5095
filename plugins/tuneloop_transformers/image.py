"""Base model `transformers-image`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydantic

from tuneloop.api import BaseModel, PluginError, Preprocessor, PreprocessorChoice, Task
from tuneloop_transformers.backbone import load_backbone, require
from tuneloop_transformers.checkpoint import Checkpoint, find_checkpoint, reading

_PART = "base model 'transformers-image'"
_NEEDED = ("config.json",)
_RESAMPLE = ("nearest", "lanczos", "bilinear", "bicubic")
"""By the numbers of Pillow."""
_HALF = (0.5, 0.5, 0.5)


class TransformersImageOptions(pydantic.BaseModel):
    """Options of base model `transformers-image`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    checkpoint: str = pydantic.Field(
        min_length=1,
        description="A local folder (relative to the project folder) with config.json, preprocessor_config.json and "
        "safetensors weights of an image model (ViT, ConvNeXT, ResNet, DINOv2 ...), or the name of one on the Hugging "
        "Face hub.",
    )
    revision: str | None = pydantic.Field(
        None, description="Branch, tag or commit of a hub model; a commit makes runs repeatable."
    )
    size: int | None = pydantic.Field(
        None, ge=8, le=1024, description="Pixels of a side; by default what the checkpoint was trained with."
    )
    dropout: float = pydantic.Field(0.1, ge=0, lt=1, description="Dropout before the classification layer.")


class TransformersImage(BaseModel):
    """A pre-trained image model with a linear layer on top."""

    name = "transformers-image"
    framework = "torch"
    tasks = frozenset({"image-classification"})
    warm_start = True
    Options = TransformersImageOptions

    options: TransformersImageOptions

    def preprocessor(self, root: Path) -> PreprocessorChoice:
        """The `image` preprocessor with the checkpoint's size."""
        require(_PART)
        found = self._settings(self._checkpoint(root))
        names = ("height", "width", "fit", "margin", "resample")
        return PreprocessorChoice("image", {"channels": 3, **{name: found[name] for name in names}})

    def files(self, root: Path) -> Sequence[Path]:
        """The files of a checkpoint in a folder; of a hub model the options name the revision."""
        return self._checkpoint(root).files

    def build(self, root: Path, task: Task, preprocessor: Preprocessor) -> Any:
        """The checkpoint's backbone in float32 with a fresh head; equal on every call.

        Raises:
            PluginError: The checkpoint cannot be read, lacks weights, or is no image model.
        """
        require(_PART)
        from tuneloop_transformers.image_network import ImageClassifier

        checkpoint = self._checkpoint(root)
        backbone = load_backbone(checkpoint)
        if getattr(backbone, "main_input_name", "") != "pixel_values":
            raise PluginError(
                f"{_PART} reads image models; the checkpoint {checkpoint.name!r} is of type "
                f"{backbone.config.model_type!r}"
            )
        found = self._settings(checkpoint)
        outputs, side = len(task.output_names), _side(preprocessor)
        network = ImageClassifier(backbone, outputs, self.options.dropout, found["mean"], found["deviation"], side)
        return network.eval()

    def save(self, model: Any, task: Task, folder: Path) -> None:
        """Write config.json, model.safetensors and outputs.json."""
        from tuneloop_transformers.storage import save_network

        save_network(model, task.output_names, folder)

    def load(self, folder: Path, task: Task, preprocessor: Preprocessor) -> Any:
        """Rebuild a saved model without its checkpoint; rows of new outputs start fresh."""
        require(_PART)
        from tuneloop_transformers.image_network import ImageClassifier
        from tuneloop_transformers.network import drop_unused
        from tuneloop_transformers.storage import load_network

        def make(backbone: Any, outputs: int, _: Any) -> Any:
            drop_unused(backbone)
            # The numbers by which pixels are scaled stand among the weights.
            return ImageClassifier(backbone, outputs, self.options.dropout, _HALF, _HALF, _side(preprocessor))

        return load_network(folder, task.output_names, make).eval()

    def _checkpoint(self, root: Path) -> Checkpoint:
        return find_checkpoint(root, self.options.checkpoint, self.options.revision, needed=_NEEDED)

    def _settings(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """Size and scale from `preprocessor_config.json`; without one, those of the configuration and one half."""
        found = _processor(checkpoint)
        size, crop = found.get("size"), found.get("crop_size")
        edge = size.get("shortest_edge") if isinstance(size, dict) else size if isinstance(size, int) else None
        side = _number(crop) if found.get("do_center_crop") else None
        side = self.options.size or side or edge or _number(size) or 224
        cuts = bool(edge) or bool(found.get("do_center_crop"))
        margin = float(found.get("crop_pct") or (side / edge if edge and found.get("do_center_crop") else 1.0))
        number = found.get("resample", 2)
        return {
            "height": side,
            "width": side,
            "fit": "crop" if cuts else "stretch",
            "margin": min(1.0, max(0.5, margin)) if cuts else 1.0,
            "resample": _RESAMPLE[number] if isinstance(number, int) and number < len(_RESAMPLE) else "bilinear",
            "mean": found.get("image_mean") or _HALF,
            "deviation": found.get("image_std") or _HALF,
        }


def _processor(checkpoint: Checkpoint) -> dict[str, Any]:
    if checkpoint.folder is not None:
        path = checkpoint.folder / "preprocessor_config.json"
        if not path.is_file():
            return {}
        try:
            found = json.loads(path.read_bytes())
        except ValueError as error:
            raise PluginError(f"model.checkpoint {checkpoint.name!r}: {path} is not JSON: {error}") from error
        return dict(found)
    from transformers import AutoImageProcessor

    with reading(checkpoint):
        return dict(AutoImageProcessor.from_pretrained(**checkpoint.arguments).to_dict())


def _number(size: Any) -> int | None:
    if isinstance(size, dict):
        size = size.get("height") or size.get("shortest_edge")
    return size if isinstance(size, int) else None


def _side(preprocessor: Preprocessor) -> int:
    return next(int(tensor.shape[2]) for tensor in preprocessor.tensors if tensor.name == "pixels")
