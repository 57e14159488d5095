"""What is watched for drift."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from numpy.typing import NDArray

from tuneloop.api.plugin import Plugin
from tuneloop.api.types import Column, SignalBatch, Tensor


class Signal(Plugin):
    """A number or category read from each request row or its answer, watched for drift.

    ```python
    class CharacterCount(Signal):
        'The number of characters of a text.'

        name, kind = "characters", "number"

        @classmethod
        def create(cls, columns, tensors, output_names, embedding_size):
            return [cls(c.name) for c in columns if c.kind == "text"]

        def __init__(self, column):
            super().__init__()
            self.column, self.label = column, f"characters:{column}"

        def read(self, batch):
            return np.array([len(row[self.column] or "") for row in batch.rows], dtype=np.float64)
    ```

    One class may give several signals, for example one a column; each has its own `label`.
    """

    kind: ClassVar[Literal["number", "category"]]
    """What `read` gives: numbers, or texts."""
    label: str
    """The value of the `signal` label in metrics; unique within a model."""

    @classmethod
    @abstractmethod
    def create(
        cls,
        columns: Sequence[Column],
        tensors: Sequence[Tensor],
        output_names: Sequence[str],
        embedding_size: int,
    ) -> Sequence[Signal]:
        """The signals of this class that fit a model; none where it does not apply.

        Args:
            columns: Input columns of a request.
            tensors: Model inputs.
            output_names: The labels, or `("value",)`.
            embedding_size: Size of the `embedding` output; 0 where the model has none.
        """

    @abstractmethod
    def read(self, batch: SignalBatch) -> NDArray[Any]:
        """One value a row: `float64 [n]` (NaN: missing), or for categories `object [n]` of texts (None: missing)."""
