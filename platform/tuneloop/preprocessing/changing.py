"""A preprocessor whose rows pass through the project's row transforms first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

from tuneloop.api import Columns, Encoded, Preprocessor, RequestError, Row, RowTransform

if TYPE_CHECKING:
    from datasets import Dataset


class ChangingPreprocessor(Preprocessor):
    """What a served model reads with where its training rows were changed row by row: requests are changed alike.

    Args:
        inner: Checks and encodes.
        transforms: In the project's order.
    """

    def __init__(self, inner: Preprocessor, transforms: Sequence[RowTransform]) -> None:
        super().__init__()
        self._inner, self._transforms = inner, tuple(transforms)
        self.columns, self.tensors, self.longest = inner.columns, inner.tensors, inner.longest

    @property
    def inner(self) -> Preprocessor:
        """The preprocessor inside."""
        return self._inner

    @property
    def name(self) -> str:  # type: ignore[override]
        """That of the preprocessor inside."""
        return self._inner.name

    @classmethod
    def fit(cls, options: Mapping[str, Any], columns: Columns, rows: Dataset) -> Never:  # noqa: ARG003
        """Nothing is fitted: the preprocessor inside was.

        Raises:
            TypeError: Always.
        """
        raise TypeError(f"{cls.__name__} is made around a fitted preprocessor")

    @classmethod
    def load(cls, folder: Path) -> Never:  # noqa: ARG003
        """Nothing is loaded: the preprocessor inside was.

        Raises:
            TypeError: Always.
        """
        raise TypeError(f"{cls.__name__} is made around a loaded preprocessor")

    def save(self, folder: Path) -> None:
        """Write the preprocessor inside."""
        self._inner.save(folder)

    def check(self, rows: Sequence[Row]) -> list[Row]:
        """Valid rows, changed, and still valid.

        Raises:
            RequestError: A row is refused before it is changed or after; names row and field.
        """
        changed = []
        for position, row in enumerate(self._inner.check(rows)):
            try:
                for transform in self._transforms:
                    row = transform.change(row)
            except RequestError as error:
                raise RequestError(error.reason, field=error.field, row=position) from error
            changed.append(row)
        return self._inner.check(changed)

    def encode(self, rows: Sequence[Row]) -> list[Encoded]:
        """Checked rows as model inputs."""
        return self._inner.encode(rows)
