"""The contract of transforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from tuneloop.api.plugin import Plugin
from tuneloop.api.rows import Augmentation, RowTransform, Transform
from tuneloop.api.testing.checks import dataset, need, works_or_refuses
from tuneloop.api.testing.examples import ROWS
from tuneloop.api.testing.plugin import PluginContract
from tuneloop.api.types import Row


class TransformContract(PluginContract):
    """Set `plugin` and `options`.

    Attributes:
        rows: What is changed; by default rows with the columns text, size, color, label and value.
        expected: What must come out of `rows`; None: anything.
    """

    kind: ClassVar[type[Plugin]] = Transform
    rows: ClassVar[Sequence[Row]] = ROWS
    expected: ClassVar[Sequence[Row] | None] = None

    def test_apply(self) -> None:
        """A data set comes out, and the rows handed in are as before."""
        rows = dataset(self.rows)
        before = rows.to_list()
        changed = self.create().apply(rows)
        assert isinstance(changed, need("datasets").Dataset), f"apply gave a {type(changed).__name__}"
        assert rows.to_list() == before, "apply changed the data set it was given; give a new one"

    def test_expected_rows(self) -> None:
        """The rows come out as stated."""
        if self.expected is None:
            pytest.skip("this contract sets no `expected`")
        assert self.create().apply(dataset(self.rows)).to_list() == [dict(row) for row in self.expected]

    def test_equal_rows_in_equal_rows_out(self) -> None:
        """Nothing is random."""
        first, second = (self.create().apply(dataset(self.rows)) for _ in range(2))
        assert first.features == second.features
        assert first.to_list() == second.to_list(), "apply gave different rows for equal rows"

    def test_missing_values(self) -> None:
        """A row of missing values is kept, left out, or refused in words."""
        rows = dataset([*self.rows, dict.fromkeys(self.rows[0])])
        works_or_refuses(lambda: self.create().apply(rows).to_list(), "apply on a row of missing values")

    def test_no_rows(self) -> None:
        """No rows in, no rows out, or a refusal in words."""
        rows = dataset(self.rows).select([])
        works_or_refuses(lambda: self.create().apply(rows).to_list(), "apply on no rows")

    def test_absent_columns(self) -> None:
        """Rows of other columns pass through, or are refused in words."""
        rows = dataset([{"no_such_column_": 1}])
        works_or_refuses(lambda: self.create().apply(rows).to_list(), "apply on rows without its columns")

    def test_a_request_is_changed_like_a_row(self) -> None:
        """A row transform makes of a request what it makes of the same row in the data; twice is once."""
        transform = self.create()
        if not isinstance(transform, RowTransform):
            pytest.skip(f"{transform.name} is no row transform")
        for row in self.rows:
            given = dict(row)
            changed = transform.change(given)
            assert given == dict(row), "change changed the row it was given; give a new one"
            assert set(changed) == set(row), f"change gave the columns {sorted(changed)}"
            assert transform.change(changed) == changed, f"changed twice, {row!r} is something else than changed once"
            in_data = transform.apply(dataset([row])).to_list()
            assert in_data in ([], [changed]), f"{row!r} becomes {in_data} in the data, and {changed!r} in a request"

    def test_a_request_of_any_types_is_taken(self) -> None:
        """A row transform leaves alone what it does not know, or refuses it in words."""
        transform = self.create()
        if not isinstance(transform, RowTransform):
            pytest.skip(f"{transform.name} is no row transform")
        values: tuple[Any, ...] = (None, 1, 1.5, True, "", [], {}, "x")
        for value in values:
            row = dict.fromkeys(self.rows[0], value)
            works_or_refuses(lambda row=row: transform.change(row), f"change on {row!r}")  # type: ignore[misc]

    def test_training_rows_stay(self) -> None:
        """An augmentation adds rows behind those there are."""
        transform = self.create()
        if not isinstance(transform, Augmentation):
            pytest.skip(f"{transform.name} is no augmentation")
        rows = dataset(self.rows)
        made = transform.apply(rows)
        assert made.features == rows.features
        assert made.to_list()[: len(rows)] == rows.to_list(), "the training rows as they were must come first"
