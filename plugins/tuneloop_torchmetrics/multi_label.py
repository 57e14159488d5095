"""Metrics of rows that have any number of labels: `int64 [n, labels]` of 0 and 1 on both sides."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import DataError, Metric, Predictions
from tuneloop_torchmetrics.functional import call


class MultiLabelMetric(Metric):
    """A metric of labels, given by a function of torchmetrics."""

    maximize = True
    kinds = frozenset({"multi-label"})
    function: ClassVar[str]
    average: ClassVar[Literal["none", "micro"] | None] = None
    """How labels are joined; `none`: the mean over those that some row has; None: the function is of whole rows."""

    def compute(self, predictions: Predictions, references: NDArray[Any]) -> float:
        """The value over all rows; 0 where nothing was right."""
        values, truth = np.clip(predictions.values, 0, 1), np.clip(references, 0, 1)
        if not truth.size:
            raise DataError(f"metric {self.name!r} cannot be computed on 0 rows")
        if truth.shape[1] == 1:
            # torchmetrics wants two labels at least; one that nobody has changes neither sums nor present labels.
            values, truth = (np.pad(array, ((0, 0), (0, 1))) for array in (values, truth))
        present = np.flatnonzero(truth.any(axis=0)) if self.average == "none" else None
        if present is not None and not len(present):
            raise DataError(f"metric {self.name!r} cannot be computed on rows without any label")
        options: dict[str, Any] = {"num_labels": truth.shape[1]}
        if self.average is not None:
            options["average"] = self.average
        return call(self.name, "classification", self.function, values, truth, mean_of=present, **options)


class LabelF1(MultiLabelMetric):
    """The F1 of all decisions, to apply a label to a row, counted together."""

    name, function, average = "label_f1", "multilabel_f1_score", "micro"


class LabelMacroF1(MultiLabelMetric):
    """The F1 of each label that some row has, averaged: rare labels count as much as frequent ones."""

    name, function, average = "label_macro_f1", "multilabel_f1_score", "none"


class LabelPrecision(MultiLabelMetric):
    """The share of the labels given that were right."""

    name, function, average = "label_precision", "multilabel_precision", "micro"


class LabelRecall(MultiLabelMetric):
    """The share of the right labels that were given."""

    name, function, average = "label_recall", "multilabel_recall", "micro"


class SubsetAccuracy(MultiLabelMetric):
    """The share of rows that got exactly the right labels."""

    name, function = "subset_accuracy", "multilabel_exact_match"

    def parts(self, predictions: Predictions, references: NDArray[Any]) -> NDArray[np.float64]:
        """Whether a row's labels are exactly right, and 1."""
        right = (np.clip(predictions.values, 0, 1) == np.clip(references, 0, 1)).all(axis=1)
        return np.stack([right, np.ones(len(right))], axis=1).astype(np.float64)

    def joined(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rows that are right by all rows."""
        found: NDArray[np.float64] = sums[..., 0] / sums[..., 1]
        return found
