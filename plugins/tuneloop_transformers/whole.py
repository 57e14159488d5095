"""A whole transformer with the head it came with: read from a checkpoint, and once tuned kept without it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tuneloop.api import ArtifactError
from tuneloop_transformers.backbone import check_whole
from tuneloop_transformers.checkpoint import Checkpoint, reading

_CONFIG, _WEIGHTS = "config.json", "model.safetensors"


def read_whole(checkpoint: Checkpoint, kind: Any, *why: str) -> Any:
    """A checkpoint's model in float32; equal on every call.

    Args:
        checkpoint: Where it is.
        kind: The class of transformers that reads it, such as `AutoModelForCausalLM`.
        why: The end of the message where weights are missing, in place of that of `check_whole`.

    Raises:
        PluginError: The checkpoint cannot be read, or lacks weights.
    """
    import torch

    with reading(checkpoint), torch.random.fork_rng(devices=[]):
        model, report = kind.from_pretrained(
            **checkpoint.arguments, dtype=torch.float32, use_safetensors=True, output_loading_info=True
        )
    check_whole(checkpoint, model, report["missing_keys"], *why)
    return model


def save_whole(model: Any, folder: Path) -> None:
    """Write configuration and weights of a network with a `backbone` into the empty folder."""
    from safetensors.torch import save_file

    config = model.backbone.config.to_dict()
    for volatile in ("_name_or_path", "transformers_version"):
        config.pop(volatile, None)
    (folder / _CONFIG).write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / _WEIGHTS)


def load_whole(folder: Path, kind: Any, make: Callable[[Any], Any]) -> Any:
    """Rebuild a network.

    Args:
        folder: What `save_whole` wrote.
        kind: The class of transformers that makes a backbone of a configuration, such as `AutoModelForCausalLM`.
        make: A backbone to the network.

    Raises:
        ArtifactError: The folder is not what `save_whole` writes.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers import AutoConfig

    try:
        settings = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
        config = AutoConfig.for_model(settings.pop("model_type"), **settings)
        with torch.random.fork_rng(devices=[]):
            network = make(kind.from_config(config, dtype=torch.float32, trust_remote_code=False))
        network.load_state_dict(load_file(folder / _WEIGHTS))
    except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
        raise ArtifactError(f"{folder} holds no tuned model: {error}") from error
    return network.eval()
