"""When which layers are thawed."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tuneloop.api import PluginError
from tuneloop_torch.fresh import drawn_names
from tuneloop_torch.sections import Reinitialize
from tuneloop_torch.train import set_trainable


def thawed(
    groups: Sequence[Sequence[str]],
    epoch: int,
    epochs: int,
    layers_per_epoch: int | None,
    max_layers: int | None,
    *,
    embeddings: bool,
) -> set[str]:
    """Names of the parameters that are trained in an epoch.

    Args:
        groups: From the head down; the last is the embeddings where there are more than two.
        epoch: Counted from 0.
        epochs: Epochs in all.
        layers_per_epoch: Layers that each epoch adds; None: just enough that the last epoch trains all of them.
        max_layers: Layers below this many from the top stay frozen; None: none does.
        embeddings: Whether the embeddings follow once all layers are thawed.
    """
    layers, below = (groups[1:-1], groups[-1]) if len(groups) > 2 else (groups[1:], [])
    most = len(layers) if max_layers is None else min(max_layers, len(layers))
    step = layers_per_epoch or math.ceil(most / epochs)
    count = min(most, step * (epoch + 1))
    names = {name for group in (groups[0], *layers[:count]) for name in group}
    if embeddings and count == len(layers):
        names |= set(below)
    return names


def check_thawing(groups: Sequence[Sequence[str]], asked: Reinitialize | None, learning: Collection[str]) -> None:
    """Refuse to draw anew what is never trained afterwards.

    Args:
        groups: From the head down.
        asked: What is drawn; None: nothing.
        learning: Names of all that is trained in some epoch.

    Raises:
        PluginError: Something drawn stays frozen to the end.
    """
    drawn = set() if asked is None else drawn_names(groups, asked)
    if wasted := drawn - set(learning):
        raise PluginError(
            f"tune.reinitialize draws {min(wasted)!r} anew, which never thaws, so that it would stay as drawn: raise "
            "tune.max_layers or tune.layers_per_epoch, set tune.embeddings, or leave it out of tune.reinitialize"
        )


class Thaw(TrainerCallback):  # type: ignore[misc]
    """Lets gradients reach more layers with each epoch.

    The optimizer must be built while every parameter is trainable: one that is not then is never updated later.
    """

    def __init__(self, schedule: Sequence[set[str]]) -> None:
        self._schedule = schedule

    def on_epoch_begin(
        self,
        _args: TrainingArguments,
        state: TrainerState,
        _control: TrainerControl,
        model: Any = None,
        **_: Any,
    ) -> None:
        """Thaw what this epoch trains; no gradient is computed below it."""
        epoch = state.global_step // (state.max_steps // len(self._schedule))
        set_trainable(model, self._schedule[min(epoch, len(self._schedule) - 1)])
