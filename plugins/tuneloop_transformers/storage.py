"""A tuned network on disk: configuration, weights, and what each output means; nothing of where it came from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pydantic

from tuneloop.api import ArtifactError
from tuneloop_transformers.headed import match_rows
from tuneloop_transformers.options import Pooling

_CONFIG, _WEIGHTS, _OUTPUTS = "config.json", "model.safetensors", "outputs.json"


class Outputs(pydantic.BaseModel):
    """The names of the head's rows and how features are pooled."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    outputs: tuple[str, ...]
    pooling: Pooling | Literal["words", "spans", "frames", "characters", "image"]


def save_network(model: Any, outputs: tuple[str, ...], folder: Path) -> None:
    """Write configuration, weights and output names into the empty folder."""
    from safetensors.torch import save_file

    config = model.backbone.config.to_dict()
    for volatile in ("_name_or_path", "transformers_version"):
        config.pop(volatile, None)
    (folder / _CONFIG).write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    meaning = Outputs(outputs=outputs, pooling=model.pooling)
    (folder / _OUTPUTS).write_text(meaning.model_dump_json(indent=1) + "\n", encoding="utf-8")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / _WEIGHTS)


def load_network(folder: Path, outputs: tuple[str, ...], make: Callable[[Any, int, Any], Any]) -> Any:
    """Rebuild a network; rows of outputs that were not saved are fresh.

    Args:
        folder: What `save_network` wrote.
        outputs: The names of the outputs it shall have.
        make: Backbone, number of outputs and pooling to a network with `backbone` and `head`.

    Raises:
        ArtifactError: The folder is not what `save_network` writes.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        meaning = Outputs.model_validate_json((folder / _OUTPUTS).read_bytes())
        model = make(_backbone(folder / _CONFIG), len(outputs), meaning.pooling)
        tensors = load_file(folder / _WEIGHTS)
        weight, bias = tensors["head.1.weight"], tensors["head.1.bias"]
        tensors["head.1.weight"], tensors["head.1.bias"] = match_rows(meaning.outputs, outputs, weight, bias)
        model.load_state_dict(tensors)
    except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
        raise ArtifactError(f"{folder} holds no tuned transformers model: {error}") from error
    return model


def _backbone(path: Path) -> Any:
    import torch
    from transformers import AutoConfig, AutoModel

    settings = json.loads(path.read_text(encoding="utf-8"))
    config = AutoConfig.for_model(settings.pop("model_type"), **settings)
    with torch.random.fork_rng(devices=[]):
        return AutoModel.from_config(config, dtype=torch.float32, trust_remote_code=False)
