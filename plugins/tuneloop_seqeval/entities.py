"""Metrics of whole entities: one is right if its words and its class are.

Averaged over entities (micro), in the lenient mode of the CoNLL evaluation: an `I-` that continues nothing begins an
entity.
"""

from __future__ import annotations

import importlib
from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import NO_PLACE, DataError, Metric, MissingExtraError, Predictions

_UNKNOWN = "B-\0unknown"
"""A tag that the model does not know: an entity it cannot find."""


class EntityMetric(Metric):
    """A metric of entities, given by a function of seqeval."""

    maximize = True
    kinds = frozenset({"tagging"})
    function: ClassVar[str]

    def compute(self, predictions: Predictions, references: NDArray[Any]) -> float:
        """The value over all entities of all rows; 0 where there are none.

        Raises:
            DataError: There are no rows.
            MissingExtraError: seqeval is not installed.
        """
        try:
            metrics = importlib.import_module("seqeval.metrics")
        except ImportError as error:
            raise MissingExtraError(f"metric {self.name!r}", error.name or "seqeval", "train") from error
        if not len(references) or not (references != NO_PLACE).any():
            raise DataError(f"metric {self.name!r} cannot be computed on 0 words")
        found, truth = _tags(predictions, references)
        return float(getattr(metrics, self.function)(truth, found, zero_division=0))

    def parts(self, predictions: Predictions, references: NDArray[Any]) -> NDArray[np.float64] | None:
        """Entities of each row that were found and right, that were found, and that there are."""
        try:
            from seqeval.metrics.sequence_labeling import get_entities
        except ImportError:
            return None
        counts = []
        for answered, right in zip(*_tags(predictions, references), strict=True):
            found, there = set(get_entities(answered)), set(get_entities(right))
            counts.append((len(found & there), len(found), len(there)))
        return np.array(counts, np.float64).reshape(len(counts), 3)

    def joined(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Right ones by what `below` says; 0 where there is nothing to divide by."""
        below = self.below(sums)
        return np.divide(sums[..., 0], below, out=np.zeros(below.shape), where=below > 0)

    @classmethod
    @abstractmethod
    def below(cls, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the number of right entities is divided by."""


class EntityF1(EntityMetric):
    """The harmonic mean of entity precision and recall, 0 to 1."""

    name, function = "entity_f1", "f1_score"

    @classmethod
    def below(cls, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean of those found and those there are."""
        found: NDArray[np.float64] = (sums[..., 1] + sums[..., 2]) / 2
        return found


class EntityPrecision(EntityMetric):
    """The share of found entities that are right."""

    name, function = "entity_precision", "precision_score"

    @classmethod
    def below(cls, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Those found."""
        return sums[..., 1]


class EntityRecall(EntityMetric):
    """The share of entities that were found."""

    name, function = "entity_recall", "recall_score"

    @classmethod
    def below(cls, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Those there are."""
        return sums[..., 2]


def _tags(predictions: Predictions, references: NDArray[Any]) -> tuple[list[list[str]], list[list[str]]]:
    """The tags of each row's words, as answered and as they are."""
    names = [_spelt(label) for label in predictions.labels]
    found, truth = [], []
    for answered, right in zip(predictions.values.tolist(), references.tolist(), strict=True):
        words = [(a, r) for a, r in zip(answered, right, strict=True) if r != NO_PLACE]
        found.append([names[a] for a, _ in words])
        truth.append([names[r] if r >= 0 else _UNKNOWN for _, r in words])
    return found, truth


def _spelt(label: str) -> str:
    """A tag as seqeval reads it; one without a prefix marks single words."""
    return label if label == "O" or label[:2] in ("B-", "I-") else f"B-{label}"
