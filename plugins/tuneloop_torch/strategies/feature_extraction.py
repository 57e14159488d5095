"""Strategy `feature-extraction`: the backbone stays as it is, the head learns from its features."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic

from tuneloop.api import FitResult, TrainingData
from tuneloop_torch.options import TrainOptions
from tuneloop_torch.strategies.base import TorchStrategy

if TYPE_CHECKING:
    from tuneloop_torch.train import Progress


class FeatureExtractionOptions(TrainOptions):
    """Options of strategy `feature-extraction`."""

    epochs: int = pydantic.Field(20, ge=1, le=10_000, description="Passes over the cached features, at most.")
    head_learning_rate: float | None = pydantic.Field(
        5e-3, gt=0, le=1, description="Peak learning rate of the last layer."
    )

    @pydantic.model_validator(mode="after")
    def _fits_a_frozen_backbone(self) -> FeatureExtractionOptions:
        for name in ("freeze", "layer_decay", "gradient_checkpointing", "augment"):
            if getattr(self, name):
                raise ValueError(
                    f"{name} says how layers below the head are trained; strategy `feature-extraction` trains none"
                )
        return self


class FeatureExtraction(TorchStrategy):
    """The head alone, on features that are computed once and kept in a file."""

    name = "feature-extraction"
    Options = FeatureExtractionOptions

    def fit(self, model: Any, data: TrainingData, folder: Path, seed: int, progress: Progress) -> FitResult:
        """Train the head; the best epoch's weights end up in the model."""
        self.require()
        from tuneloop_torch.head import train_head
        from tuneloop_torch.prepare import prepared
        from tuneloop_torch.rows import read_rows

        with prepared(model, self.options, seed):
            stage = train_head(
                model,
                read_rows(data.train, data.tensors),
                read_rows(data.validation, data.tensors),
                data,
                self.options,
                folder / "features",
                seed,
                progress,
                epochs=self.options.epochs,
            )
        return FitResult(stage.history, stage.best_epoch)
