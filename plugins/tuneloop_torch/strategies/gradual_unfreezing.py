"""Strategy `gradual-unfreezing`: first the head on cached features, then layer after layer from the top."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic

from tuneloop.api import FitResult, TrainingData
from tuneloop_torch.options import TrainOptions
from tuneloop_torch.strategies.base import TorchStrategy

if TYPE_CHECKING:
    from tuneloop_torch.train import Progress


class GradualUnfreezingOptions(TrainOptions):
    """Options of strategy `gradual-unfreezing`."""

    epochs: int = pydantic.Field(
        3, ge=1, le=10_000, description="Epochs in which layers thaw, after the head's own; at most."
    )
    head_epochs: int = pydantic.Field(
        20, ge=0, le=10_000, description="Epochs of the head alone, on cached features: these are nearly free."
    )
    head_learning_rate: float | None = pydantic.Field(
        5e-3, gt=0, le=1, description="Peak learning rate of the last layer while all else is frozen."
    )
    layers_per_epoch: int | None = pydantic.Field(
        None,
        ge=1,
        description="Layers each epoch adds, from the top; by default just enough that the last one trains all.",
    )
    max_layers: int | None = pydantic.Field(
        None, ge=0, description="Thaw at most this many layers from the top; by default all."
    )
    embeddings: bool = pydantic.Field(False, description="Thaw the embeddings too, once all layers are thawed.")


class GradualUnfreezing(TorchStrategy):
    """The head on cached features, then thawing layers; frozen layers cost no backward pass."""

    name = "gradual-unfreezing"
    Options = GradualUnfreezingOptions

    options: GradualUnfreezingOptions

    def fit(self, model: Any, data: TrainingData, folder: Path, seed: int, progress: Progress) -> FitResult:
        """Train in two stages; the best epoch of either ends up in the model."""
        self.require()
        from tuneloop_torch.prepare import prepared

        with prepared(model, self.options, seed) as trainable:
            return self._fit(model, data, folder, seed, progress, trainable)

    def _fit(
        self, model: Any, data: TrainingData, folder: Path, seed: int, progress: Progress, trainable: set[str]
    ) -> FitResult:
        from tuneloop_torch.head import train_head
        from tuneloop_torch.history import best_of
        from tuneloop_torch.naming import groups_of
        from tuneloop_torch.rows import read_rows
        from tuneloop_torch.thaw import Thaw, check_thawing, thawed
        from tuneloop_torch.train import set_trainable, train

        options = self.options
        schedule = [
            thawed(
                groups_of(model),
                epoch,
                options.epochs,
                options.layers_per_epoch,
                options.max_layers,
                embeddings=options.embeddings,
            )
            & trainable
            for epoch in range(options.epochs)
        ]
        check_thawing(groups_of(model), options.reinitialize, set().union(*schedule))
        rows, validation = (read_rows(part, data.tensors) for part in (data.train, data.validation))
        head = None
        if options.head_epochs:
            head = train_head(
                model,
                rows,
                validation,
                data,
                options,
                folder / "features",
                seed,
                progress,
                epochs=options.head_epochs,
            )
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        # All that will ever be trained, before the optimizer is built: it never learns of what thaws later.
        set_trainable(model, trainable)
        tail = train(
            model,
            rows,
            validation,
            data.tensors,
            data,
            options,
            folder / "thaw",
            seed + 1,
            progress,
            epochs=options.epochs,
            learning_rate=options.learning_rate,
            head_learning_rate=options.learning_rate,
            first_epoch=len(head.history) if head else 0,
            callbacks=[Thaw(schedule)],
        )
        if head is None:
            return FitResult(tail.history, tail.best_epoch)
        history = (*head.history, *tail.history)
        best = best_of(history, data.best, maximize=data.maximize)
        if best is None or best >= len(head.history):
            return FitResult(history, tail.best_epoch)
        model.load_state_dict(before)
        return FitResult(history, head.best_epoch)
