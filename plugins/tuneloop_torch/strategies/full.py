"""Strategy `full`: every parameter that is not frozen is trained from the first step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.api import FitResult, TrainingData
from tuneloop_torch.strategies.base import TorchStrategy

if TYPE_CHECKING:
    from tuneloop_torch.train import Progress


class Full(TorchStrategy):
    """All parameters that are not frozen, from the first step to the last."""

    name = "full"

    def fit(self, model: Any, data: TrainingData, folder: Path, seed: int, progress: Progress) -> FitResult:
        """Train everything; the best epoch's weights end up in the model."""
        self.require()
        from tuneloop_torch.prepare import prepared
        from tuneloop_torch.rows import read_rows
        from tuneloop_torch.train import train

        options = self.options
        with prepared(model, options, seed):
            stage = train(
                model,
                read_rows(data.train, data.tensors),
                read_rows(data.validation, data.tensors),
                data.tensors,
                data,
                options,
                folder / "full",
                seed,
                progress,
                epochs=options.epochs,
                learning_rate=options.learning_rate,
                head_learning_rate=options.head_learning_rate or options.learning_rate,
            )
        return FitResult(stage.history, stage.best_epoch)
