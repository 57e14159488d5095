"""Strategy `feature-extraction`: the backbone stays as it is, the head learns from its features."""

from __future__ import annotations

from collections.abc import Mapping
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
    learning_rate: float = pydantic.Field(
        3e-4, gt=0, le=1, description="Not used, as no backbone is trained, unless `head_learning_rate` is null."
    )
    head_learning_rate: float | None = pydantic.Field(
        5e-3, gt=0, le=1, description="Peak learning rate of the last layer: of all that is trained."
    )
    group_by_length: bool = pydantic.Field(
        True, description="Not used: cached features are of one size, so nothing is padded in training."
    )

    @pydantic.model_validator(mode="after")
    def _fits_a_frozen_backbone(self) -> FeatureExtractionOptions:
        for name in ("freeze", "layer_decay", "gradient_checkpointing", "augment"):
            if getattr(self, name):
                raise ValueError(
                    f"{name} says how layers below the head are trained; strategy `feature-extraction` trains none"
                )
        if self.reinitialize is not None and self.reinitialize.layers:
            raise ValueError(
                "reinitialize.layers draws layers below the head anew; strategy `feature-extraction` never trains "
                "them, and the head would learn from their noise"
            )
        return self


class FeatureExtraction(TorchStrategy):
    """The head alone, on features that are computed once and kept in a file; it learns at `head_learning_rate`."""

    name = "feature-extraction"
    Options = FeatureExtractionOptions

    options: FeatureExtractionOptions

    def unused(self) -> Mapping[str, str]:
        """The backbone's rate, and length groups."""
        found = {"group_by_length": "cached features are not padded"}
        if self.options.head_learning_rate is not None:
            found["learning_rate"] = "no backbone is trained; search over tune.head_learning_rate"
        return found

    def fit(self, model: Any, data: TrainingData, folder: Path, seed: int, progress: Progress) -> FitResult:
        """Train the head; the best epoch's weights end up in the model.

        Raises:
            PluginError: Parameters below the head are to be drawn anew, or an option does not fit the data.
        """
        self.require()
        from tuneloop_torch.fresh import check_fresh_head
        from tuneloop_torch.head import train_head
        from tuneloop_torch.prepare import prepared
        from tuneloop_torch.rows import read_rows

        check_fresh_head(model, self.options.reinitialize)
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
