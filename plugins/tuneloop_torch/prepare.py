"""A model as the options want it trained. Imports torch: import it inside functions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from tuneloop.api import PluginError
from tuneloop_torch.dropout import dropout
from tuneloop_torch.fresh import drawn_names, reinitialize
from tuneloop_torch.naming import frozen_names, groups_of
from tuneloop_torch.options import TrainOptions
from tuneloop_torch.recompute import recomputed
from tuneloop_torch.train import set_trainable


@contextlib.contextmanager
def prepared(model: Any, options: TrainOptions, seed: int) -> Iterator[set[str]]:
    """Fresh layers, dropout and gradient checkpointing, and only what is not frozen trainable; gives those names.

    Afterwards all but the weights is as before. A resumed run draws the same fresh layers, and then finds its
    checkpoint.

    Raises:
        PluginError: An option does not fit the model.
    """
    groups = groups_of(model)
    frozen = frozen_names(groups, options.freeze)
    if options.reinitialize is not None:
        if wasted := frozen & drawn_names(groups, options.reinitialize):
            raise PluginError(f"tune.freeze and tune.reinitialize both name {min(wasted)!r}: it would stay as drawn")
        reinitialize(model, groups, options.reinitialize, seed)
    before = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    trainable = {name for name, own in before.items() if own and name not in frozen}
    with dropout(model, options.dropout), recomputed(model, on=options.gradient_checkpointing):
        try:
            set_trainable(model, trainable)
            yield trainable
        finally:
            for name, parameter in model.named_parameters():
                parameter.requires_grad_(before.get(name, True))
