"""The contract of preprocessors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.api.errors import RequestError
from tuneloop.api.plugin import Plugin
from tuneloop.api.preprocessor import Preprocessor
from tuneloop.api.testing.checks import check_equal, check_saved, check_tensors, dataset, refuses, works_or_refuses
from tuneloop.api.testing.examples import ROWS
from tuneloop.api.testing.plugin import PluginContract
from tuneloop.api.types import Arrays, Columns, Encoded, Row

VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)


class PreprocessorContract(PluginContract):
    """Set `plugin`, and `columns` where it does not read one text.

    Attributes:
        options: What a base model hands to `fit` (`PreprocessorChoice.options`).
        columns: The roles of the columns of `rows`.
        rows: Training rows, by default with the columns text, size, color, label and value.
    """

    kind: ClassVar[type[Plugin]] = Preprocessor
    columns: ClassVar[Columns] = Columns({"text": "text"}, target="label")
    rows: ClassVar[Sequence[Row]] = ROWS

    def create(self) -> Any:
        """The preprocessor, fitted on the rows."""
        return self.plugin.fit(dict(self.options), self.columns, dataset(self.rows))

    def test_options_refuse_unknown_keys(self) -> None:
        """Its options come from a base model, not from a project: `fit` checks them."""

    def test_columns_and_tensors(self) -> None:
        """It says which columns a request has, and which model inputs come out."""
        made = self.create()
        assert made.columns, "columns is empty"
        assert made.tensors, "tensors is empty"
        for tensor in made.tensors:
            assert tensor.shape[0] == "batch", f"the first axis of {tensor.name!r} is {tensor.shape[0]!r}, not 'batch'"
        assert self.columns.target not in [c.name for c in made.columns], "the target is no input of a request"

    def test_training_rows_pass_the_check(self) -> None:
        """Checking gives rows of the same columns; checking them again changes nothing."""
        made = self.create()
        checked = made.check(self._inputs(made))
        assert len(checked) == len(self.rows)
        assert made.check(checked) == checked, "check changes rows that it has checked"

    def test_encode(self) -> None:
        """Every row is in one group, and arrays have the declared names, types and shapes."""
        made = self.create()
        groups = made.encode(made.check(self._inputs(made)))
        check_groups(groups, made, len(self.rows))

    def test_a_row_is_encoded_the_same_alone_and_among_others(self) -> None:
        """Serving joins rows of different requests."""
        made = self.create()
        rows = made.check(self._inputs(made))
        together = by_row(made.encode(rows))
        for position, row in enumerate(rows):
            check_equal(together[position], by_row(made.encode([row]))[0], f"row {position} alone")

    def test_save_and_load(self, tmp_path: Path) -> None:
        """What was saved encodes the same; a deployed model has nothing else."""
        made = self.create()
        made.save(tmp_path)
        check_saved(tmp_path)
        again = self.plugin.load(tmp_path)
        assert again.columns == made.columns, "load gave other columns"
        assert again.tensors == made.tensors, "load gave other tensors"
        rows = made.check(self._inputs(made))
        first, second = by_row(made.encode(rows)), by_row(again.encode(again.check(rows)))
        for position in first:
            check_equal(first[position], second[position], f"row {position} after load")

    def test_wrong_columns_are_refused(self) -> None:
        """An absent column, a column too many, and a row that is no object."""
        made = self.create()
        row = self._inputs(made)[0]
        first = made.columns[0].name
        absent = {name: value for name, value in row.items() if name != first}
        refuses(lambda: made.check([absent]), f"check of a row without {first!r}", RequestError)
        refuses(lambda: made.check([{**row, "no_such_column_": 1}]), "check of an unknown column", RequestError)
        refuses(lambda: made.check(["a text"]), "check of a row that is a text", RequestError)

    def test_any_row_is_encoded_or_refused(self) -> None:
        """Requests come from strangers: whatever the values, a RequestError or arrays without NaN."""
        made = self.create()
        row = st.fixed_dictionaries({column.name: VALUES for column in made.columns})

        @settings(max_examples=60, deadline=None, database=None, derandomize=True)
        @given(st.lists(row, min_size=1, max_size=3))
        def holds(rows: list[Row]) -> None:
            checked = works_or_refuses(lambda: made.check(rows), f"check of {rows}", RequestError)
            if checked is not None:
                groups = works_or_refuses(lambda: made.encode(checked), f"encode of {checked}", RequestError)
                check_groups(groups or [], made, len(rows) if groups else 0)

        holds()

    def _inputs(self, made: Any) -> list[Row]:
        return [{column.name: row[column.name] for column in made.columns} for row in self.rows]


def check_groups(groups: list[Encoded], made: Any, rows: int) -> None:
    """Every row is in exactly one group, and each group has the declared tensors."""
    positions = sorted(position for group in groups for position in group.rows)
    assert positions == list(range(rows)), f"encode of {rows} rows gave groups with the rows {positions}"
    for group in groups:
        check_tensors(group.inputs, made.tensors, len(group.rows), "encode")
        lengths = {
            group.inputs[tensor.name].shape[axis]
            for tensor in made.tensors
            for axis, size in enumerate(tensor.shape)
            if size == "length"
        }
        assert lengths <= {group.length}, f"a group says length {group.length}, its arrays have {lengths}"


def by_row(groups: Sequence[Encoded]) -> dict[int, Arrays]:
    """The arrays of each row, by its position."""
    return {
        position: {name: np.asarray(array[place]) for name, array in group.inputs.items()}
        for group in groups
        for place, position in enumerate(group.rows)
    }
