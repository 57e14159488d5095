"""A checkpoint's backbone in float32, whole, and equal on every call."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from tuneloop.api import MissingExtraError, PluginError
from tuneloop_transformers.checkpoint import Checkpoint, reading


def require(part: str) -> None:
    """Refuse to go on without the libraries of training.

    Raises:
        MissingExtraError: One is not installed; `part` says who needs it.
    """
    for module in ("torch", "transformers", "safetensors", "tokenizers"):
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise MissingExtraError(part, module, "train") from error


def load_backbone(checkpoint: Checkpoint) -> Any:
    """The model of a checkpoint without heads of its own.

    Raises:
        PluginError: The checkpoint cannot be read, or lacks weights.
    """
    import torch
    from transformers import AutoModel

    from tuneloop_transformers.network import drop_unused

    # Weights that a checkpoint lacks are drawn at random: that must not disturb the caller's random numbers.
    with reading(checkpoint), torch.random.fork_rng(devices=[]):
        backbone, report = AutoModel.from_pretrained(
            **checkpoint.arguments, dtype=torch.float32, use_safetensors=True, output_loading_info=True
        )
    drop_unused(backbone)
    check_whole(checkpoint, backbone, report["missing_keys"])
    return backbone


def check_whole(
    checkpoint: Checkpoint,
    model: Any,
    missing: Iterable[str],
    why: str = "the checkpoint does not fit its config.json",
) -> None:
    """Refuse a model whose checkpoint lacks weights; `why` ends the message.

    Raises:
        PluginError: It lacks some; says how many.
    """
    absent = sorted(set(missing) & {name for name, _ in model.named_parameters()})
    if absent:
        raise PluginError(
            f"model.checkpoint {checkpoint.name!r} lacks {len(absent)} weights of its {type(model).__name__}, "
            f"such as {absent[0]!r}: {why}"
        )
