"""Strategy `lora`: low-rank adapters and the head learn, all else stays; the adapters are merged at the end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydantic

from tuneloop.api import FitResult, TrainingData
from tuneloop_torch.options import TrainOptions
from tuneloop_torch.strategies.base import TorchStrategy

if TYPE_CHECKING:
    from tuneloop_torch.train import Progress

_ROWS = 64
"""Validation rows on which the merged model is held against the unmerged one."""


class LoraOptions(TrainOptions):
    """Options of strategy `lora`."""

    learning_rate: float = pydantic.Field(1e-3, gt=0, le=1, description="Peak learning rate of the adapters.")
    rank: int = pydantic.Field(8, ge=1, le=1024, description="Inner width of each adapter: more can learn more.")
    alpha: float = pydantic.Field(16.0, gt=0, le=4096, description="Adapters are scaled by `alpha / rank`.")
    adapter_dropout: float = pydantic.Field(0.05, ge=0, lt=1, description="Dropout before adapters.")
    dora: bool = pydantic.Field(
        False, description="Learn length and direction of weights apart (DoRA): often better at a small rank, slower."
    )
    targets: tuple[str, ...] = pydantic.Field(
        ("*",),
        min_length=1,
        description="Patterns of the linear layers that get an adapter, such as `*.query`; by default all below the "
        "head.",
    )


class Lora(TorchStrategy):
    """Low-rank adapters beside linear layers, and a fresh head; what is exported has the shape it had before."""

    name = "lora"
    Options = LoraOptions

    options: LoraOptions

    def fit(self, model: Any, data: TrainingData, folder: Path, seed: int, progress: Progress) -> FitResult:
        """Train adapters and head, merge the adapters of the best epoch, and hold the result against the unmerged."""
        self.require("peft")
        from tuneloop_torch.adapters import add_adapters, check_merged, merge, target_names
        from tuneloop_torch.inference import logits_of
        from tuneloop_torch.naming import groups_of
        from tuneloop_torch.prepare import prepared
        from tuneloop_torch.rows import read_rows
        from tuneloop_torch.train import train

        options = self.options
        rows, validation = (read_rows(part, data.tensors) for part in (data.train, data.validation))
        some = validation.select(np.arange(min(_ROWS, len(validation))))
        names = list(model.state_dict())
        with prepared(model, options, seed) as trainable:
            below = {name for name, _ in model.named_parameters()} - trainable
            targets = target_names(model, options.targets, below)
            adapted = add_adapters(model, targets, options, seed)
            # A fresh head learns as a whole; one that is the embeddings under another name stays.
            for name in groups_of(model)[0]:
                model.get_parameter(name).requires_grad_(name in trainable)
            stage = train(
                model,
                rows,
                validation,
                data.tensors,
                data,
                options,
                folder / "lora",
                seed,
                progress,
                epochs=options.epochs,
                learning_rate=options.learning_rate,
                head_learning_rate=options.head_learning_rate or options.learning_rate,
            )
            unmerged = logits_of(model, some, data.tensors, options.eval_batch_size)
            merge(adapted)
        check_merged(unmerged, logits_of(model, some, data.tensors, options.eval_batch_size), names, model)
        return FitResult(stage.history, stage.best_epoch)
