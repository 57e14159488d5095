"""Where rows come from, and what changes them: data sources and transforms."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tuneloop.api.plugin import Plugin
from tuneloop.api.types import Row

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

        What its `info` says as `license`, `citation` and `homepage` stands in the model card, where the project's
        `card` does not say otherwise.

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


class RowTransform(Transform):
    """A transform that changes each row by itself: requests pass through it too, before the model sees them.

    So a model that learned from clean texts is asked about clean texts. Its plugin is installed wherever the model is
    served; its module must not import training libraries.

    ```python
    class Shout(RowTransform):
        'Texts in upper case.'

        name = "shout"

        class Options(pydantic.BaseModel, extra="forbid"):
            column: str = pydantic.Field(description="The text column.")

        def change(self, row):
            value = row.get(self.options.column)
            return {**row, self.options.column: value.upper()} if isinstance(value, str) else row
    ```
    """

    extra: ClassVar[str | None] = None
    """The extra of tuneloop whose libraries `change` needs: a Bento installs it."""

    @abstractmethod
    def change(self, row: Row) -> Row:
        """The row with changed values; its columns and their types stay.

        A value of a type it does not know stays as it is. Changing twice is changing once: rows that were stored from
        requests pass through again when a model is trained on them.

        Raises:
            RequestError: The value cannot be changed; names the field.
        """

    def apply(self, rows: Dataset) -> Dataset:
        """Every row changed."""
        return rows.map(self._changed, features=rows.features, desc=self.name)

    def _changed(self, row: Row) -> Row:
        return self.change(row)


class Augmentation(Transform):
    """More training rows made from those there are; no other split sees them.

    ```python
    class Twice(Augmentation):
        'Each row a second time, its text in lower case.'

        name = "twice"

        class Options(pydantic.BaseModel, extra="forbid"):
            column: str = pydantic.Field(description="The text column.")

        def apply(self, rows):
            from datasets import concatenate_datasets

            column = self.options.column
            if column not in rows.column_names:
                raise DataError(f"twice: there is no column {column!r}")
            return concatenate_datasets([rows, rows.map(lambda row: {column: (row[column] or "").lower()})])
    ```
    """

    @abstractmethod
    def apply(self, rows: Dataset) -> Dataset:
        """The training rows as they are, then the new ones. Deterministic: randomness has a seed in `Options`."""
