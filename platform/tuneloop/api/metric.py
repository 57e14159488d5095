"""A number on predictions."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tuneloop.api.plugin import Plugin
from tuneloop.api.types import Judging, Predictions


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
    kinds: ClassVar[frozenset[Judging]]
    """What it can be computed on; `tagging`: a class for each word of a row; `multi-label`: any number of classes for a
    row; `span`: a text out of the row; `text`: a text of its own."""

    @abstractmethod
    def compute(self, predictions: Predictions, references: NDArray[Any]) -> float:
        """One finite number. `references` is `int64 [n]` positions or `float32 [n]` values.

        For `tagging` they are `int64 [n, words]` positions, with `NO_PLACE` behind a row's last word; for `multi-label`
        `int64 [n, classes]` of 0 and 1; for `span` and `text` `object [n]`, the tuple of texts that are right.
        """

    def parts(self, predictions: Predictions, references: NDArray[Any]) -> NDArray[np.float64] | None:  # noqa: ARG002
        """What each row adds to the sums that the metric is made of, `float64 [n, m]`; None: it is not made of sums.

        With it an interval costs no more than a few matrix products, whatever a row is: draws of rows are draws of
        their sums. How many sums there are must depend on `predictions.labels` alone.
        """
        return None

    def joined(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The metric of sums over rows, `float64 [draws, m]`, one value a line; not finite where it has none.

        Of the sums of all rows it is what `compute` gives.
        """
        raise NotImplementedError(f"metric {self.name!r} has parts, but does not say how they are joined")
