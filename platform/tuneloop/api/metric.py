"""A number on predictions."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Literal

from numpy.typing import NDArray

from tuneloop.api.plugin import Plugin
from tuneloop.api.types import Predictions


class Metric(Plugin):
    """A number on predictions and references, with a direction.

    ```python
    class ExactShare(Metric):
        'The share of right answers.'

        name, maximize, kinds = "exact_share", True, frozenset({"classification"})

        def compute(self, predictions, references):
            if not len(references):
                raise DataError("exact_share needs at least one row")
            return float((predictions.values == references).mean())
    ```
    """

    maximize: ClassVar[bool]
    """Whether more is better."""
    kinds: ClassVar[frozenset[Literal["classification", "regression", "tagging"]]]
    """What it can be computed on; `tagging`: a class for each word of a row."""

    @abstractmethod
    def compute(self, predictions: Predictions, references: NDArray[Any]) -> float:
        """One finite number. `references` is `int64 [n]` positions or `float32 [n]` values.

        For `tagging` they are `int64 [n, words]` positions, with `NO_PLACE` behind a row's last word.
        """
