"""`tabular`: numbers and categories to two tensors; missing and unseen values have places of their own."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
import pydantic
from numpy.typing import NDArray

from tuneloop.api import Column, Columns, DataError, Encoded, Preprocessor, Row, Tensor
from tuneloop.preprocessing.components import Components
from tuneloop.preprocessing.knots import fit_knots, place
from tuneloop.preprocessing.rows import category_text, check_columns, check_value

if TYPE_CHECKING:
    from datasets import Dataset

_SETTINGS = "tabular.json"
MISSING, UNSEEN, FIRST = 0, 1, 2
"""Positions in a category's embedding: missing value, value not seen in training, first known value."""
_MOST_CATEGORIES = 1000
_LARGEST = 1e6


class TabularChoices(pydantic.BaseModel):
    """What a base model says about the numbers it reads.

    Attributes:
        scale: By mean and standard deviation, by median and interquartile range, to 0 and 1, by the place among
            quantiles, or not at all.
        impute: What a missing number becomes.
        components: How many principal components the numbers become, or the share of their variance these hold.
        pieces: Into how many pieces quantiles divide a column, at most.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    scale: Literal["standard", "robust", "minmax", "quantile", "none"] = "standard"
    impute: Literal["mean", "median", "zero"] = "mean"
    components: Annotated[int, pydantic.Field(ge=1)] | Annotated[float, pydantic.Field(gt=0, lt=1)] | None = None
    pieces: int = pydantic.Field(64, ge=1)


class NumberColumn(pydantic.BaseModel):
    """A numeric column: `(value - mean) / scale`; a missing value becomes `fill`, and a second input says that it was.

    `mean` is what is subtracted, whatever the scaling; `fill` is a scaled value. Where there are `knots` the value
    becomes its place among them instead, from 0 to 1.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    name: str
    mean: float
    scale: float
    fill: float = 0.0
    missing: bool = pydantic.Field(description="Whether values were missing in training: then the second input exists.")
    knots: tuple[float, ...] = ()


class CategoryColumn(pydantic.BaseModel):
    """A categorical column and the values known from training, most frequent first."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    name: str
    values: tuple[str, ...]


class TabularSettings(pydantic.BaseModel):
    """Everything learned from the training rows."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    order: tuple[str, ...]
    numbers: tuple[NumberColumn, ...]
    categories: tuple[CategoryColumn, ...]
    components: Components | None = None


class TabularPreprocessor(Preprocessor):
    """Scales numbers, numbers categories.

    `numeric float32 [batch, n]` holds the scaled numbers, or their principal components, then one 0/1 input for each
    column that had missing values in training; `categorical int64 [batch, k]` holds positions (0 missing, 1 unseen).
    """

    name = "tabular"

    def __init__(self, settings: TabularSettings) -> None:
        super().__init__()
        self.settings = settings
        kinds = {c.name: Column(c.name, "number") for c in settings.numbers}
        kinds |= {c.name: Column(c.name, "category", c.values) for c in settings.categories}
        self.columns = tuple(kinds[name] for name in settings.order)
        self.cardinalities = tuple(len(c.values) + FIRST for c in settings.categories)
        self.pieces = tuple(max(len(c.knots) - 1, 1) for c in settings.numbers if c.knots)
        """Into how many pieces the knots divide each number; empty where numbers are scaled otherwise."""
        self._flagged = [c.name for c in settings.numbers if c.missing]
        self._positions = [{value: i + FIRST for i, value in enumerate(c.values)} for c in settings.categories]
        kept = len(settings.numbers) if settings.components is None else len(settings.components.directions)
        width = kept + len(self._flagged)
        tensors = []
        if width:
            tensors.append(Tensor("numeric", "float32", ("batch", width)))
        if settings.categories:
            tensors.append(Tensor("categorical", "int64", ("batch", len(settings.categories))))
        self.tensors = tuple(tensors)

    @classmethod
    def fit(cls, options: Mapping[str, Any], columns: Columns, rows: Dataset) -> Self:
        """Numbers where the rows hold numbers, categories elsewhere; scale and values from the rows.

        Raises:
            DataError: There is no input column, a number is not finite, or there are too few for the components.
        """
        choices = TabularChoices.model_validate(options)
        used = list(columns.inputs.values()) or [
            name for name in rows.column_names if name not in (columns.target, columns.key)
        ]
        if not used:
            raise DataError("the table has no input column besides the target and the key")
        numbers, categories = [], []
        for name in used:
            values = rows[name][:] if name in rows.column_names else None
            if values is None:
                raise DataError(f"the table has no column {name!r}; it has: {', '.join(rows.column_names)}")
            present = [value for value in values if value is not None and value == value]
            if present and all(isinstance(v, int | float) and not isinstance(v, bool) for v in present):
                _check_finite(name, values, rows[columns.key][:] if columns.key in rows.column_names else None)
                numbers.append(_fit_number(name, present, choices, missing=len(present) < len(values)))
            else:
                counts = Counter(category_text(value) for value in present)
                ranked = sorted(counts, key=lambda value: (-counts[value], value))[:_MOST_CATEGORIES]
                categories.append(CategoryColumn(name=name, values=tuple(ranked)))
        settings = TabularSettings(order=tuple(used), numbers=tuple(numbers), categories=tuple(categories))
        if choices.components is not None:
            settings = settings.model_copy(update={"components": _components(numbers, rows, choices.components)})
        return cls(settings)

    def check(self, rows: Sequence[Row]) -> list[Row]:
        """Every column is there, numbers are finite, categories are texts; None is a missing value."""
        checked: list[Row] = []
        for position, row in enumerate(rows):
            check_columns(row, self.columns, position)
            checked.append({c.name: check_value(row[c.name], c, position) for c in self.columns})
        return checked

    def encode(self, rows: Sequence[Row]) -> list[Encoded]:
        """One group: all rows have the same size."""
        inputs: dict[str, NDArray[Any]] = {}
        if self.settings.numbers:
            inputs["numeric"] = self._numeric(rows)
        if self.settings.categories:
            inputs["categorical"] = np.array(
                [
                    [
                        MISSING if row[c.name] is None else positions.get(row[c.name], UNSEEN)
                        for c, positions in zip(self.settings.categories, self._positions, strict=True)
                    ]
                    for row in rows
                ],
                dtype=np.int64,
            ).reshape(len(rows), len(self.settings.categories))
        return [Encoded(tuple(range(len(rows))), inputs)]

    def _numeric(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        # Plain Python: for the single row of a request a dozen NumPy calls cost several times as much.
        values = [
            [_scaled(row[c.name], c) for c in self.settings.numbers]
            + [float(_is_missing(row[name])) for name in self._flagged]
            for row in rows
        ]
        count = len(self.settings.numbers)
        if self.settings.components is None:
            return np.array(values, dtype=np.float32).reshape(len(rows), count + len(self._flagged))
        array = np.array(values, dtype=np.float64).reshape(len(rows), count + len(self._flagged))
        found = self.settings.components.of(array[:, :count])
        return np.concatenate([found, array[:, count:]], axis=1).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write the settings."""
        (folder / _SETTINGS).write_text(self.settings.model_dump_json(indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The inverse of `save`."""
        return cls(TabularSettings.model_validate_json((folder / _SETTINGS).read_bytes()))


def _is_missing(value: float | None) -> bool:
    return value is None or value != value


def _scaled(value: float | None, column: NumberColumn) -> float:
    """`fill` where missing. Values far outside the training range would overflow float32 inside the network."""
    if value is None or value != value:
        return column.fill
    if column.knots:
        return place(value, column.knots)
    return min(max((value - column.mean) / column.scale, -_LARGEST), _LARGEST)


def _components(numbers: Sequence[NumberColumn], rows: Dataset, wanted: int | float) -> Components:
    if not numbers:
        raise DataError("the table has no numeric column to make components of")
    scaled = [[_scaled(value, column) for value in rows[column.name]] for column in numbers]
    return Components.fit(np.array(scaled, dtype=np.float64).T, wanted)


def _check_finite(name: str, values: Sequence[float | None], keys: Sequence[Any] | None) -> None:
    for row, value in enumerate(values):
        if value is not None and math.isinf(value):
            where = f"row {row} of those to train on" if keys is None else f"the row with the key {keys[row]!r}"
            raise DataError(
                f"column {name!r} holds a number that is not finite: {value} in {where}. Where a number is not known, "
                "leave it empty"
            )


def _fit_number(name: str, values: Sequence[float], choices: TabularChoices, *, missing: bool) -> NumberColumn:
    array = np.array(values, dtype=np.float64)
    fill = {"mean": array.mean(), "median": np.median(array), "zero": 0.0}[choices.impute]
    if choices.scale == "quantile":
        knots = fit_knots(array, choices.pieces)
        return NumberColumn(
            name=name, mean=0.0, scale=1.0, fill=place(float(fill), knots), missing=missing, knots=knots
        )
    center, scale = _center_and_scale(array, choices)
    return NumberColumn(name=name, mean=center, scale=scale, fill=(float(fill) - center) / scale, missing=missing)


def _center_and_scale(array: NDArray[np.float64], choices: TabularChoices) -> tuple[float, float]:
    if choices.scale == "standard":
        return float(array.mean()), float(array.std()) or 1.0
    if choices.scale == "minmax":
        return float(array.min()), float(np.ptp(array)) or 1.0
    if choices.scale == "robust":
        low, middle, high = np.percentile(array, [25, 50, 75])
        # Where half of the values are equal, their range says nothing.
        return float(middle), float(high - low) or float(array.std()) or 1.0
    return 0.0, 1.0
