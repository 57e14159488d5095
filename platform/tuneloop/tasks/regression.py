"""What every regression shares: the target's scale, values, answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pydantic
from numpy.typing import NDArray

from tuneloop.api import Answer, Arrays, Columns, DataError, LossName, Predictions, RequestError, Task

if TYPE_CHECKING:
    from datasets import Dataset


class RegressionAnswer(pydantic.BaseModel):
    """The predicted number, in the unit of the target column."""

    value: float = pydantic.Field(description="The predicted value.")


class Regression(Task):
    """One number a row. The model learns the target scaled to mean 0 and deviation 1."""

    loss: ClassVar[LossName] = "mse"
    default_metrics = ("rmse", "mae", "r2")
    AnswerModel = RegressionAnswer

    def __init__(self, mean: float, scale: float) -> None:
        super().__init__()
        self.mean, self.scale = mean, scale

    @classmethod
    def fit(cls, columns: Columns, rows: Dataset, known: Sequence[str] = ()) -> Self:  # noqa: ARG003
        """Mean and standard deviation of the target; 1 where it is constant."""
        if columns.target is None:
            raise DataError(f"task {cls.name!r} needs a target column: add `target:` to data.columns")
        values = np.array([_number(value, columns.target) for value in rows[columns.target]], dtype=np.float64)
        if not len(values):
            raise DataError(f"column {columns.target!r} holds no value")
        return cls(float(values.mean()), float(values.std()) or 1.0)

    def state(self) -> dict[str, Any]:
        """Mean and scale of the target."""
        return {"mean": self.mean, "scale": self.scale}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The inverse of `state`."""
        return cls(float(state["mean"]), float(state["scale"]))

    @property
    def output_names(self) -> tuple[str, ...]:
        """One output: the value."""
        return ("value",)

    def targets(self, values: Sequence[Any]) -> NDArray[Any]:
        """Scaled values `float32 [n]`."""
        scaled = (self._numbers(values) - self.mean) / self.scale
        return scaled.astype(np.float32)

    def references(self, values: Sequence[Any]) -> NDArray[Any]:
        """Values in the target's own unit, `float32 [n]`."""
        return self._numbers(values).astype(np.float32)

    def predictions(self, outputs: Arrays) -> Predictions:
        """Values in the target's own unit, `float32 [n]`."""
        values = outputs["logits"][:, 0].astype(np.float64) * self.scale + self.mean
        return Predictions(values.astype(np.float32))

    def answers(self, outputs: Arrays) -> list[Answer]:
        """The value of each row."""
        return [{"value": value} for value in self.predictions(outputs).values.tolist()]

    def error(self, answer: Answer, truth: Any) -> float:
        """Answer minus truth, in the target's own unit."""
        try:
            return float(answer["value"]) - _number(truth, "label")
        except DataError as error:
            raise RequestError(f"a label is a finite number, not {truth!r}", field="label") from error

    def _numbers(self, values: Sequence[Any]) -> NDArray[np.float64]:
        return np.array([_number(value, "target") for value in values], dtype=np.float64)


def _number(value: Any, column: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"column {column!r} holds {value!r}, which is no number") from error
    if not math.isfinite(number):
        raise DataError(f"column {column!r} holds {value!r}, which is not finite")
    return number
