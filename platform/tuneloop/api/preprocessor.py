"""Raw rows to model inputs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.api.plugin import Plugin
from tuneloop.api.types import Column, Columns, Encoded, Row, Tensor

if TYPE_CHECKING:
    from datasets import Dataset


class Preprocessor(Plugin):
    """Raw rows to model inputs; the same code in training and serving. NumPy only, never torch.

    ```python
    from datasets import Dataset
    from tuneloop.preprocessing import TabularPreprocessor

    rows = Dataset.from_dict({"size": [1.0, 3.0], "price": [10.0, 30.0]})
    preprocessor = TabularPreprocessor.fit({}, Columns({"size": "size"}, target="price"), rows)
    groups = preprocessor.encode(preprocessor.check([{"size": 2}]))
    assert groups[0].inputs["numeric"].tolist() == [[0.0]]
    ```

    `tuneloop plugins new NAME --kind preprocessor` writes a whole class.
    """

    columns: tuple[Column, ...]
    """The input columns a request must have."""
    tensors: tuple[Tensor, ...]
    """The model inputs that `encode` makes."""
    longest: int = 4096
    """The largest symbolic axis of `tensors`, apart from the batch: longer raw tensors are refused by the server."""

    @classmethod
    @abstractmethod
    def fit(cls, options: Mapping[str, Any], columns: Columns, rows: Dataset) -> Preprocessor:
        """Build one from a base model's wish (`BaseModel.preprocessor`) and the training rows."""

    @abstractmethod
    def check(self, rows: Sequence[Row]) -> list[Row]:
        """Rows with plain, valid values; missing ones None.

        Raises:
            RequestError: A column is absent or unknown, has the wrong type, or is not finite. Names row and field.
        """

    @abstractmethod
    def encode(self, rows: Sequence[Row]) -> list[Encoded]:
        """Checked rows as model inputs, grouped by length; every row is in exactly one group."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write everything `load` needs into the empty folder: JSON and safetensors, never pickle."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Preprocessor:
        """The inverse of `save`."""


@dataclass(frozen=True, slots=True)
class PreprocessorChoice:
    """Which preprocessor a base model needs: its registered name, and the options for its `fit`."""

    name: str
    options: Mapping[str, Any]
