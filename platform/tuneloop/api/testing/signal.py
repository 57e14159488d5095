"""The contract of signals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.api.plugin import Plugin
from tuneloop.api.signal import Signal
from tuneloop.api.testing.plugin import PluginContract
from tuneloop.api.testing.signal_models import MODELS, ServedModel
from tuneloop.api.types import Row


class SignalContract(PluginContract):
    """Set `plugin`.

    Attributes:
        models: What signals are made for: a text and a table classifier and a table regression by default.
    """

    kind: ClassVar[type[Plugin]] = Signal
    models: ClassVar[Sequence[ServedModel]] = MODELS

    def create(self) -> Any:
        """The first signal that fits one of the models."""
        for _, signals in self._all():
            if signals:
                return signals[0]
        raise AssertionError(f"{self.plugin.__qualname__}.create gave no signal for any of the models; set `models`")

    def test_kind(self) -> None:
        """A number or a category."""
        assert self.plugin.kind in ("number", "category"), f"kind is {self.plugin.kind!r}: 'number' or 'category'"

    def test_some_model_has_it(self) -> None:
        """`create` gives a signal for at least one model, and raises for none."""
        self.create()

    def test_labels(self) -> None:
        """Each signal of a model has a label of its own, the same every time: metrics are compared by it."""
        for model, signals in self._all():
            labels = [signal.label for signal in signals]
            assert all(isinstance(label, str) and label for label in labels), f"labels are {labels}; give texts"
            assert len(set(labels)) == len(labels), f"two signals of one model have one label: {labels}"
            again = [signal.label for signal in model.signals(self.plugin)]
            assert again == labels, f"create gave the labels {labels} and then {again}"

    def test_one_value_a_row(self) -> None:
        """`float64 [n]`, or texts and None in `object [n]`; also for one row and none."""
        for model, signals in self._all():
            for rows in (model.rows, model.rows[:1], ()):
                for signal in signals:
                    self._check(signal, model, rows)

    def test_equal_rows_have_equal_values(self) -> None:
        """Reading twice, and reading a row alone, gives what it gave in the batch."""
        for model, signals in self._all():
            for signal in signals:
                values = self._check(signal, model, model.rows)
                again = self._check(signal, model, model.rows)
                assert all(map(_same, values, again)), f"{signal.label!r} gave different values for equal rows"
                for position, row in enumerate(model.rows):
                    alone = signal.read(model.batch([row], [position]))[0]
                    assert _same(values[position], alone), f"{signal.label!r} depends on the other rows of a batch"

    def test_missing_values(self) -> None:
        """A missing value is NaN or None, or a value of its own; never an error."""
        for model, signals in self._all():
            rows = [dict.fromkeys(row) for row in model.rows]
            for signal in signals:
                self._check(signal, model, rows)

    def test_it_never_raises(self) -> None:
        """Whatever the request: an error here would cost an answer."""
        for model, signals in self._all():
            if signals:
                self._read_made_rows(model, signals)

    def _all(self) -> Iterator[tuple[ServedModel, Sequence[Any]]]:
        for model in self.models:
            yield model, model.signals(self.plugin)

    def _read_made_rows(self, model: ServedModel, signals: Sequence[Any]) -> None:
        row = st.fixed_dictionaries({column.name: _values(column.kind) for column in model.columns})

        @settings(max_examples=60, deadline=None, database=None, derandomize=True)
        @given(st.lists(row, max_size=4))
        def holds(rows: list[Row]) -> None:
            for signal in signals:
                self._check(signal, model, rows)

        holds()

    def _check(self, signal: Any, model: ServedModel, rows: Sequence[Row]) -> Any:
        try:
            values = signal.read(model.batch(rows))
        except Exception as error:
            raise AssertionError(
                f"{signal.label!r} raised {type(error).__name__}: {error}, on the rows {rows}"
            ) from error
        assert isinstance(values, np.ndarray), f"{signal.label!r} gave a {type(values).__name__}, not a NumPy array"
        assert values.shape == (len(rows),), f"{signal.label!r} gave shape {values.shape} for {len(rows)} rows"
        if signal.kind == "number":
            assert values.dtype == np.float64, f"{signal.label!r} gave {values.dtype}; give float64"
        else:
            assert values.dtype == object, f"{signal.label!r} gave {values.dtype}; give object"
            odd = [value for value in values if value is not None and not isinstance(value, str)]
            assert not odd, f"{signal.label!r} gave {odd[:3]}; a category is a text, or None where it is missing"
        return values


def _values(kind: str) -> st.SearchStrategy[Any]:
    if kind == "number":
        return st.none() | st.floats(allow_nan=False, allow_infinity=False, width=32)
    return st.none() | st.text()


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return (math.isnan(one) and math.isnan(other)) or math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    return bool(one == other)
