"""The weights of a network with a linear head on disk; rows of the head are matched by the names of the outputs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tuneloop.api import ArtifactError, MissingExtraError, PluginError, Preprocessor

WEIGHTS = "model.safetensors"
_OUTPUTS = "outputs.json"
_HEAD = ("head.1.weight", "head.1.bias")


def require_torch(part: str) -> None:
    """Refuse to go on without torch.

    Raises:
        MissingExtraError: It is not installed; `part` says who needs it.
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(part, "torch", "train") from error


def channels_of(preprocessor: Preprocessor, part: str) -> int:
    """The colours of the pictures that a preprocessor makes.

    Raises:
        PluginError: It makes none.
    """
    for tensor in preprocessor.tensors:
        if tensor.name == "pixels" and len(tensor.shape) == 4:
            return int(tensor.shape[1])
    raise PluginError(f"{part} reads the tensor 'pixels' of preprocessor 'image', not {preprocessor.name!r}")


def save_weights(model: Any, outputs: Sequence[str], folder: Path) -> None:
    """Write weights and the names of the outputs into the empty folder."""
    from safetensors.torch import save_file

    (folder / _OUTPUTS).write_text(json.dumps(list(outputs)) + "\n", encoding="utf-8")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / WEIGHTS)


def load_weights(folder: Path, outputs: Sequence[str], make: Callable[[], Any]) -> Any:
    """A network with the weights of a folder; rows of outputs that were not saved are as `make` made them.

    Raises:
        ArtifactError: The folder is not what `save_weights` writes, or belongs to another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    model = make()
    try:
        saved = json.loads((folder / _OUTPUTS).read_bytes())
        tensors = load_file(folder / WEIGHTS)
        for name in _HEAD:
            rows = model.state_dict()[name].clone()
            for row, output in enumerate(outputs):
                if output in saved:
                    rows[row] = tensors[name][saved.index(output)]
            tensors[name] = rows
        model.load_state_dict(tensors)
    except (OSError, KeyError, ValueError, IndexError, RuntimeError, SafetensorError) as error:
        raise ArtifactError(f"{folder} holds no network of this shape: {error}") from error
    return model
