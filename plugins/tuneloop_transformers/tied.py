"""Weights that a model has under several names: written once. Imports torch: import it inside functions."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


def write_tied_once(network: nn.Module, backbone: nn.Module) -> None:
    """Let a network's state hold each tensor of its `backbone` under its first name alone; safetensors takes no others.

    A state like that can be loaded into a network of the same kind.
    """
    network._tied = _tied(backbone)  # type: ignore[assignment]
    network.register_state_dict_post_hook(_drop_tied)  # type: ignore[no-untyped-call]
    network.register_load_state_dict_pre_hook(_add_tied)  # type: ignore[no-untyped-call]


def _tied(model: nn.Module) -> dict[str, str]:
    """Names of tensors that are others under a second name, such as a head that is the embedding."""
    first: dict[int, str] = {}
    tied: dict[str, str] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        known = first.setdefault(id(parameter), name)
        if known != name:
            tied[f"backbone.{name}"] = f"backbone.{known}"
    return tied


def _drop_tied(module: Any, state: dict[str, Tensor], prefix: str, _: Any) -> None:
    """Shared tensors are written once: safetensors refuses a second name."""
    for name in module._tied:
        state.pop(prefix + name, None)


def _add_tied(module: Any, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    for name, known in module._tied.items():
        if prefix + known in state:
            state.setdefault(prefix + name, state[prefix + known])
