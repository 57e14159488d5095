"""Metrics of generated texts against one or more right ones, 0 to 100 as sacrebleu counts."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import DataError, Metric, MissingExtraError, Predictions


class TranslationMetric(Metric):
    """A metric over a corpus, given by a class of sacrebleu."""

    maximize = True
    kinds = frozenset({"text"})
    kind: ClassVar[str]
    settings: ClassVar[dict[str, Any]] = {}

    def compute(self, predictions: Predictions, references: NDArray[Any]) -> float:
        """The score of all rows together.

        Raises:
            DataError: There are no rows.
            MissingExtraError: sacrebleu is not installed.
        """
        if not len(references):
            raise DataError(f"metric {self.name!r} cannot be computed on 0 rows")
        return float(self._library().corpus_score(*_corpus(predictions, references)).score)

    def parts(self, predictions: Predictions, references: NDArray[Any]) -> NDArray[np.float64] | None:
        """The statistics of each row, which the library itself adds up."""
        if not len(references):
            return None
        library = self._library()
        # The library's own bootstrap adds these up too, but tells only its result.
        found = library._extract_corpus_statistics(*_corpus(predictions, references))
        return np.array(found, dtype=np.float64)

    def joined(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The score of sums of statistics."""
        library = self._library()
        scores = [library._compute_score_from_stats(line.astype(int).tolist()).score for line in sums]
        return np.array(scores, dtype=np.float64)

    def _library(self) -> Any:
        try:
            metrics = importlib.import_module("sacrebleu.metrics")
        except ImportError as error:
            raise MissingExtraError(f"metric {self.name!r}", error.name or "sacrebleu", "train") from error
        return getattr(metrics, self.kind)(**self.settings)


class Bleu(TranslationMetric):
    """BLEU: n-grams of words shared with a right text, up to four, 0 to 100."""

    name, kind = "bleu", "BLEU"
    # Where all texts are shorter than four words, the orders that there are count.
    settings: ClassVar[dict[str, Any]] = {"effective_order": True}


class Chrf(TranslationMetric):
    """chrF: n-grams of characters shared with a right text, up to six, 0 to 100; for any language."""

    name, kind = "chrf", "CHRF"


def _corpus(predictions: Predictions, references: NDArray[Any]) -> tuple[list[str], list[Sequence[str | None]]]:
    """Texts, and one list for each right text a row can have; None where a row has fewer."""
    right = [tuple(one) or ("",) for one in references.tolist()]
    most = max(map(len, right))
    columns = [[one[place] if place < len(one) else None for one in right] for place in range(most)]
    return [str(value) for value in predictions.values.tolist()], list(columns)
