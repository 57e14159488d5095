"""Metrics of predicted classes and their probabilities.

A reference of -1 is a label the model does not know: such a row is always answered wrong. Metrics of
probabilities leave such rows out. Where a row has any number of labels, each label of each row is a decision of its
own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import NO_PLACE, DataError, Metric, Predictions
from tuneloop_torchmetrics.counts import class_parts, mean_over_present, ratio, split
from tuneloop_torchmetrics.functional import call


def each(predictions: Predictions, references: NDArray[Any]) -> tuple[Predictions, NDArray[Any]]:
    """One row a word where rows have a label for each word; unchanged elsewhere."""
    if references.ndim == 1:
        return predictions, references
    here = references != NO_PLACE
    scores = None if predictions.scores is None else predictions.scores[here]
    return Predictions(predictions.values[here], scores, predictions.labels), references[here]


class ClassificationMetric(Metric):
    """A metric of class positions, given by a function of torchmetrics."""

    maximize = True
    kinds = frozenset({"classification", "tagging"})
    function: ClassVar[str]
    average: ClassVar[Literal["none", "micro", "weighted"] | None] = None
    """How classes are joined; `none`: the mean over the classes that the references hold."""

    def compute(self, predictions: Predictions, references: NDArray[Any]) -> float:
        """The value over all rows or words; unknown labels form a class of their own that is never predicted."""
        predictions, references = each(predictions, references)
        classes = max(
            len(predictions.labels), 1 + int(max(predictions.values.max(initial=0), references.max(initial=0)))
        )
        unknown = references < 0
        truth = np.where(unknown, classes, references)
        options: dict[str, Any] = {"num_classes": max(2, classes + bool(unknown.any()))}
        if self.average is not None:
            options["average"] = self.average
        # Not the library's own "macro", which also counts a class that no row has once one answer falls on it: a
        # model with new labels would be punished as if it had failed a whole class for a single slip.
        present = np.unique(truth).astype(np.int64) if self.average == "none" else None
        return call(self.name, "classification", self.function, predictions.values, truth, mean_of=present, **options)

    def parts(self, predictions: Predictions, references: NDArray[Any]) -> NDArray[np.float64] | None:
        """The counts of classes, where `joined` can make the metric from them."""
        if type(self).joined is Metric.joined:
            return None
        return class_parts(predictions, references)


class Accuracy(ClassificationMetric):
    """The share of right answers, 0 to 1."""

    name, function, average = "accuracy", "multiclass_accuracy", "micro"

    def joined(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Right answers by references."""
        hit, _, truth = split(sums)
        return ratio(hit.sum(axis=-1), truth.sum(axis=-1))


class MacroF1(ClassificationMetric):
    """The F1 of each class that the references hold, averaged: rare classes count as much as frequent ones."""

    name, function, average = "macro_f1", "multiclass_f1_score", "none"

    def joined(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean of each class's F1."""
        hit, answered, truth = split(sums)
        return mean_over_present(ratio(2 * hit, answered + truth), truth)


class WeightedF1(ClassificationMetric):
    """The F1 of each class, averaged by its share of the rows."""

    name, function, average = "weighted_f1", "multiclass_f1_score", "weighted"

    def joined(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Each class's F1 by its share of the references."""
        hit, answered, truth = split(sums)
        return ratio((ratio(2 * hit, answered + truth) * truth).sum(axis=-1), truth.sum(axis=-1))


class MacroPrecision(ClassificationMetric):
    """The precision of each class that the references hold, averaged."""

    name, function, average = "macro_precision", "multiclass_precision", "none"

    def joined(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean of right answers by answers."""
        hit, answered, truth = split(sums)
        return mean_over_present(ratio(hit, answered), truth)


class MacroRecall(ClassificationMetric):
    """The recall of each class that the references hold, averaged."""

    name, function, average = "macro_recall", "multiclass_recall", "none"

    def joined(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean of right answers by references."""
        hit, _, truth = split(sums)
        return mean_over_present(ratio(hit, truth), truth)


class MatthewsCorrelation(ClassificationMetric):
    """The correlation of answers and truth, -1 to 1; 0 for guessing."""

    name, function = "mcc", "multiclass_matthews_corrcoef"


class ProbabilityMetric(Metric):
    """A metric of the probabilities of classes, or of labels."""

    kinds = frozenset({"classification", "tagging", "multi-label"})

    def known(self, predictions: Predictions, references: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Probabilities `float32 [n, classes]` and positions `int64 [n]` of the rows with a known label.

        Where a row has any number of labels: as they are, with 0 and 1 `int64 [n, labels]`; see `several`.

        Raises:
            DataError: There are no probabilities.
        """
        if predictions.scores is None:
            raise DataError(f"metric {self.name!r} needs the probability of every class")
        if several(predictions.scores, references):
            return predictions.scores, np.clip(references, 0, 1)
        predictions, references = each(predictions, references)
        assert predictions.scores is not None
        rows = references >= 0
        return predictions.scores[rows], references[rows]


def several(scores: NDArray[Any], references: NDArray[Any]) -> bool:
    """Whether a row has any number of labels: then both sides are `[n, labels]`."""
    return scores.ndim == references.ndim == 2


class Auroc(ProbabilityMetric):
    """How well probabilities rank rows of a class, or label, above the others, averaged over those present."""

    name, maximize = "auroc", True

    def compute(self, predictions: Predictions, references: NDArray[Any]) -> float:
        """One against the rest for each class, or label, that some rows have and some have not."""
        scores, truth = self.known(predictions, references)
        if several(scores, truth):
            return self._of_labels(scores, truth)
        present = [label for label in np.unique(truth).tolist() if 0 < (truth == label).sum() < len(truth)]
        if not present:
            raise DataError(
                f"metric {self.name!r} needs rows of at least two classes, and {len(truth)} rows that it judges have "
                f"{_named(predictions, truth)} alone. Hold more rows back, spread the classes by "
                "data.split.stratify, or leave the metric out of evaluate.metrics"
            )
        return self._mean_area((scores[:, label], (truth == label).astype(np.int64)) for label in present)

    def _of_labels(self, scores: NDArray[Any], truth: NDArray[Any]) -> float:
        ranked = [label for label in range(truth.shape[1]) if 0 < truth[:, label].sum() < len(truth)]
        if not ranked:
            raise DataError(
                f"metric {self.name!r} needs a label that some rows have and some have not, and there is none in "
                f"{len(truth)} rows. Hold more rows back, or leave the metric out of evaluate.metrics"
            )
        return self._mean_area((scores[:, label], truth[:, label]) for label in ranked)

    def _mean_area(self, pairs: Iterable[tuple[NDArray[Any], NDArray[Any]]]) -> float:
        values = [call(self.name, "classification", "binary_auroc", scores, truth) for scores, truth in pairs]
        # Sums in float32 may end a hair above 1.
        return float(np.clip(np.mean(values), 0.0, 1.0))


def _named(predictions: Predictions, truth: NDArray[Any]) -> str:
    labels = predictions.labels
    return ", ".join(repr(labels[at] if at < len(labels) else at) for at in np.unique(truth).tolist()) or "none"


class CalibrationError(ProbabilityMetric):
    """How far confidence and accuracy lie apart, averaged over 15 bins of confidence (ECE); 0 is best."""

    name, maximize = "calibration_error", False

    def compute(self, predictions: Predictions, references: NDArray[Any]) -> float:
        """The expected calibration error; of labels, how far decisions are as often right as they are sure of it."""
        scores, truth = self.known(predictions, references)
        if several(scores, truth):
            # Two classes a decision, the one that one half falls to first: of equal ones, the first is the answer.
            scores = np.stack([scores.reshape(-1), 1 - scores.reshape(-1)], axis=1)
            truth = 1 - truth.reshape(-1)
        return call(
            self.name,
            "classification",
            "multiclass_calibration_error",
            scores,
            truth,
            num_classes=scores.shape[1],
            n_bins=15,
            norm="l1",
        )
