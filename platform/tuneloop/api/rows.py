"""Where rows come from, and what changes them: data sources and transforms."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.api.plugin import Plugin

if TYPE_CHECKING:
    from datasets import Dataset


class DataSource(Plugin):
    """Where rows come from.

    ```python
    class Lines(DataSource):
        'A text file, one row a line.'

        name = "lines"

        class Options(pydantic.BaseModel, extra="forbid"):
            path: str = pydantic.Field(description="A text file, one message a line.")

        def load(self, root):
            from datasets import Dataset

            try:
                lines = (root / self.options.path).read_text().splitlines()
            except OSError as error:
                raise DataError(f"data.path {self.options.path!r} cannot be read: {error}") from error
            return Dataset.from_dict({"text": lines})
    ```
    """

    @abstractmethod
    def load(self, root: Path) -> Dataset:
        """All rows, as a Hugging Face data set. Relative paths are relative to `root`, the project folder.

        Raises:
            DataError: The source cannot be read; says where, and what would be valid.
        """


class Transform(Plugin):
    """What cleans, filters or changes rows before they are split.

    ```python
    class Lowercase(Transform):
        'Texts in lower case.'

        name = "lowercase"

        class Options(pydantic.BaseModel, extra="forbid"):
            column: str = pydantic.Field(description="The text column.")

        def apply(self, rows):
            column = self.options.column
            if column not in rows.column_names:
                raise DataError(f"lowercase: there is no column {column!r}")
            return rows.map(lambda row: {column: (row[column] or "").lower()})
    ```
    """

    @abstractmethod
    def apply(self, rows: Dataset) -> Dataset:
        """The changed rows. Deterministic: equal rows in, equal rows out."""
