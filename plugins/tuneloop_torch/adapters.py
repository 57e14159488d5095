"""Low-rank adapters by peft: put into a model, and merged into its weights again. Imports torch and peft."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from tuneloop.api import PluginError, RunError
from tuneloop_torch.naming import matching

if TYPE_CHECKING:
    from tuneloop_torch.strategies.lora import LoraOptions

TOLERANCE = 1e-4
"""How far the merged model's outputs may be from the unmerged one's, relative where they are above 1."""


def target_names(model: Any, patterns: Sequence[str], frozen: Collection[str]) -> list[str]:
    """Names of the linear modules below the head that get an adapter.

    Args:
        model: Its head gets none.
        patterns: Of module names.
        frozen: Names of parameters that are never trained: the module of a frozen `weight` gets no adapter.

    Raises:
        PluginError: There is none, or a pattern fits none.
    """
    head = {id(module) for module in model.head.modules()}
    linear = [name for name, module in model.named_modules() if _is_linear(module) and id(module) not in head]
    if not linear:
        raise PluginError(
            f"strategy 'lora': {type(model).__name__} has no linear layer below its head; take strategy 'full'"
        )
    wanted = matching(patterns, linear, "tune.targets")
    found = [name for name in linear if name in wanted and f"{name}.weight" not in frozen]
    if not found:
        raise PluginError("strategy 'lora': tune.freeze names every layer that tune.targets gives an adapter")
    return found


def _is_linear(module: nn.Module) -> bool:
    from transformers.pytorch_utils import Conv1D

    # torch's own attention hands the weight of its last layer to a fused kernel, past any adapter.
    passed_by = nn.modules.linear.NonDynamicallyQuantizableLinear
    return isinstance(module, nn.Linear | Conv1D) and not isinstance(module, passed_by)


def add_adapters(model: nn.Module, targets: Sequence[str], asked: LoraOptions, seed: int) -> Any:
    """Put a fresh adapter beside each of these modules, in place; only adapters can be trained then.

    Returns:
        What `merge` needs.
    """
    from peft import LoraConfig, LoraModel

    config = LoraConfig(
        r=asked.rank,
        lora_alpha=asked.alpha,
        lora_dropout=asked.adapter_dropout,
        # As one expression: names in a list also fit modules whose names only end alike.
        target_modules="|".join(map(re.escape, targets)),
        use_dora=asked.dora,
    )
    # peft warns where it turns weights that are stored the other way round, as those of GPT-2.
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set to", category=UserWarning)
        torch.manual_seed(seed)
        return LoraModel(model, config, "default")


def merge(adapted: Any) -> None:
    """Add adapters to the weights they stand beside, in place; modules and parameter names are as before.

    Raises:
        RunError: A weight became not finite.
    """
    try:
        adapted.merge_and_unload(progressbar=False, safe_merge=True)
    except ValueError as error:
        raise RunError(f"the adapters cannot be merged: {error}; lower tune.learning_rate") from error
    for parameter in adapted.model.parameters():
        parameter.grad = None


def check_merged(before: Any, after: Any, names: Sequence[str], model: nn.Module) -> None:
    """The merged model answers as the unmerged one, and is as the base model makes it.

    Args:
        before: The unmerged model's logits on real rows, `[n, ...]`.
        after: The merged model's on the same.
        names: Of the state before adapters were added.
        model: The merged model.

    Raises:
        RunError: It is not so.
    """
    gap = float((abs(before - after) / abs(before).clip(1.0)).max(initial=0.0))
    if not gap < TOLERANCE:
        raise RunError(
            f"the merged model does not answer as the tuned one: its logits are up to {gap:.3g} off, "
            f"{TOLERANCE:g} is allowed; nothing was exported"
        )
    if list(model.state_dict()) != list(names):
        raise RunError("the merged model has other parameters than before; the version of peft does not fit")
