"""Strategy `sklearn-fit`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Arrays, FitResult, RunError, Strategy, TrainingData
from tuneloop_sklearn.model import TableModel

if TYPE_CHECKING:
    from datasets import Dataset

_SEED = "random_state"


class SklearnFit(Strategy):
    """One call of `fit` on all training rows; every random number comes from `tune.seed`."""

    name = "sklearn-fit"
    framework = "sklearn"

    def fit(
        self,
        model: TableModel,
        data: TrainingData,
        folder: Path,
        seed: int,
        progress: Callable[[Mapping[str, float]], None],
    ) -> FitResult:
        """Fit the estimator in place. There are no checkpoints: a killed call starts over, and ends the same.

        Raises:
            RunError: scikit-learn refuses the rows.
        """
        features, labels = _read(model, data.train)
        estimator = model.estimator
        unset = {name for name, value in estimator.get_params().items() if value is None}
        seeds = {name: seed % 2**32 for name in unset if name == _SEED or name.endswith(f"__{_SEED}")}
        try:
            estimator.set_params(**seeds).fit(features, labels)
        except ValueError as error:
            raise RunError(f"{type(estimator).__name__} cannot be fitted on {len(labels)} rows: {error}") from error
        held_out, expected = _read(model, data.validation)
        record = {
            "epoch": 1.0,
            "loss": _loss(model, model.logits(features), labels),
            **data.metric(model.logits(held_out), expected),
        }
        progress(record)
        return FitResult((record,), 1.0)

    def outputs(self, model: TableModel, inputs: Arrays) -> Arrays:
        """The fitted estimator's logits for one batch."""
        return {"logits": model.logits(model.features(inputs))}


def _read(model: TableModel, rows: Dataset) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Features `[n, columns]` and labels `[n]`."""
    columns = rows.with_format("numpy")
    names = [name for name in rows.column_names if name not in ("labels", "length")]
    return model.features({name: np.asarray(columns[name][:]) for name in names}), np.asarray(columns["labels"][:])


def _loss(model: TableModel, logits: NDArray[np.float32], labels: NDArray[Any]) -> float:
    """Mean cross entropy, or mean squared error."""
    if model.classifies:
        return float(-np.mean(logits[np.arange(len(labels)), labels]))
    return float(np.mean((logits[:, 0] - labels) ** 2))
