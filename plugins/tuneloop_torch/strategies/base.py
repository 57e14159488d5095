"""What the strategies share: options, features, and a check that torch is there."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Arrays, MissingExtraError, Strategy, Tensor
from tuneloop_torch.options import TrainOptions

if TYPE_CHECKING:
    from datasets import Dataset


class TorchStrategy(Strategy):
    """A strategy on the loop of this folder."""

    framework = "torch"
    distributed = True
    Options = TrainOptions

    options: TrainOptions

    def teacher(self, root: Path) -> Path | None:
        """The artifact that `distill` names."""
        return root / self.options.distill.artifact if self.options.distill else None

    def outputs(self, model: Any, inputs: Arrays) -> Arrays:
        """The model's outputs for one batch, float32; the model is left in evaluation mode."""
        self.require()
        from tuneloop_torch.inference import run_batch

        return run_batch(model, inputs)

    def features(self, model: Any, data: Dataset, tensors: tuple[Tensor, ...]) -> NDArray[Any]:
        """The frozen backbone's pooled output `float32 [n, width]`, in row order."""
        self.require()
        from tuneloop_torch.features import compute_features
        from tuneloop_torch.rows import read_rows

        rows = read_rows(data, tensors)
        features: NDArray[np.float32] = compute_features(
            model, rows, tensors, self.options.eval_batch_size, self.options.precision
        )
        model.to("cpu")
        return features

    def require(self, *more: str) -> None:
        """Check that the libraries of the loop, and `more`, are installed.

        Raises:
            MissingExtraError: One is not.
        """
        for module in ("torch", "transformers", "accelerate", "safetensors", "pyarrow", *more):
            try:
                importlib.import_module(module)
            except ImportError as error:
                raise MissingExtraError(f"strategy {self.name!r}", module, "train") from error
