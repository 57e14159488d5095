"""The values of one signal in the reference and in the current rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tuneloop.monitoring.bins import CategoryBins, NumberBins

Kind = Literal["number", "category", "text"]


@dataclass(frozen=True, eq=False, slots=True)
class Sample:
    """One signal, twice.

    Attributes:
        label: Its name.
        kind: How its values are compared. A text is compared by its length in characters, and by its words where all
            signals are looked at together.
        reference: `float64 [n]` with NaN for missing, or `object [n]` of texts with None for missing.
        current: The same, `[m]`.
    """

    label: str
    kind: Kind
    reference: NDArray[Any]
    current: NDArray[Any]

    def measured(self) -> Sample:
        """What is tested alone: the sample itself, or the lengths of its texts."""
        if self.kind != "text":
            return self
        return Sample(f"{self.label} (length)", "number", _lengths(self.reference), _lengths(self.current))


def make_bins(label: str, kind: Kind, values: NDArray[Any]) -> NumberBins | CategoryBins:
    """Bins as those of a served model, from these values; `kind` is number or category."""
    if kind == "number":
        return NumberBins.build(label, values)
    return CategoryBins.build(label, values)


def count(bins: NumberBins | CategoryBins, values: NDArray[Any]) -> NDArray[np.int64]:
    """How many values are in each bin, `int64 [bins]`."""
    return np.bincount(bins.index(values), minlength=len(bins.names)).astype(np.int64)


def as_objects(values: Sequence[str | None]) -> NDArray[Any]:
    """Texts as an array that never becomes two-dimensional or a fixed-width string."""
    array = np.empty(len(values), dtype=object)
    array[:] = list(values)
    return array


def _lengths(texts: NDArray[Any]) -> NDArray[np.float64]:
    return np.array([np.nan if text is None else len(text) for text in texts], dtype=np.float64)
