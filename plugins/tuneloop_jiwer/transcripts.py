"""Metrics of transcripts: how many words, or characters, must be changed to get the right text."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import DataError, Metric, MissingExtraError, Predictions


class ErrorRate(Metric):
    """Edits by the length of the right text, over all rows together; of several right texts the nearest counts."""

    maximize = False
    kinds = frozenset({"text"})
    function: ClassVar[str]

    def compute(self, predictions: Predictions, references: NDArray[Any]) -> float:
        """The share of edits; above 1 where more is wrong than there is.

        Raises:
            DataError: The right texts are empty.
            MissingExtraError: jiwer is not installed.
        """
        value = float(self.joined(self.parts(predictions, references).sum(axis=0)[None])[0])
        if not np.isfinite(value):
            raise DataError(f"metric {self.name!r} needs right texts that are not empty")
        return value

    def parts(self, predictions: Predictions, references: NDArray[Any]) -> NDArray[np.float64]:
        """Edits and length of each row."""
        try:
            process = getattr(importlib.import_module("jiwer"), self.function)
        except ImportError as error:
            raise MissingExtraError(f"metric {self.name!r}", error.name or "jiwer", "train") from error
        found = [
            min(self._edits(process, right, str(said)) for right in (tuple(rights) or ("",)))
            for said, rights in zip(predictions.values.tolist(), references.tolist(), strict=True)
        ]
        return np.array(found, dtype=np.float64).reshape(len(found), 2)

    def joined(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Edits by length; not a number where there is no length."""
        edits, length = sums[..., 0], sums[..., 1]
        found: NDArray[np.float64] = np.divide(edits, length, out=np.full(edits.shape, np.nan), where=length > 0)
        return found

    @classmethod
    def _edits(cls, process: Any, right: str, said: str) -> tuple[int, int]:
        """Edits and the length of the right text."""
        if not right.strip():
            # Nothing was right to say; the library takes no empty text.
            return len(cls.units(said)), 0
        found = process(right, said)
        return (
            found.substitutions + found.deletions + found.insertions,
            found.hits + found.substitutions + found.deletions,
        )

    @classmethod
    def units(cls, text: str) -> Any:
        """What is counted in a text."""
        return text.split()


class WordErrorRate(ErrorRate):
    """WER: words to change, to add and to leave out, by the words of the right text; 0 is best."""

    name, function = "wer", "process_words"


class CharacterErrorRate(ErrorRate):
    """CER: the same in characters."""

    name, function = "cer", "process_characters"

    @classmethod
    def units(cls, text: str) -> Any:
        """Characters, without white space around."""
        return text.strip()
