"""What the signals of this package share: one signal a text column."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Column, Signal, SignalBatch, Tensor


class TextSignal(Signal):
    """A signal that is read from one text column of a request."""

    def __init__(self, column: str) -> None:
        super().__init__()
        self.column, self.label = column, f"{self.name}:{column}"

    @classmethod
    def create(
        cls,
        columns: Sequence[Column],
        tensors: Sequence[Tensor],
        output_names: Sequence[str],
        embedding_size: int,
    ) -> Sequence[Self]:
        """One signal a text column; none for models without texts."""
        return [cls(column.name) for column in columns if column.kind == "text"]

    @abstractmethod
    def value(self, text: str) -> float | str | None:
        """The value of one text."""

    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """One value a row; a row without the text has none."""
        values: NDArray[Any] = np.empty(len(batch.rows), dtype=object)
        for position, row in enumerate(batch.rows):
            text = row.get(self.column)
            values[position] = self.value(text) if isinstance(text, str) else None
        # `float64` turns None into NaN, which is how a missing number is written.
        return values.astype(np.float64) if self.kind == "number" else values
