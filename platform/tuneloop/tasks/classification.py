"""What every single-label classification shares: labels, softmax, answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import pydantic
from numpy.typing import NDArray

from tuneloop.api import Answer, Arrays, Columns, DataError, Predictions, RequestError, Task

if TYPE_CHECKING:
    from datasets import Dataset


class ClassificationAnswer(pydantic.BaseModel):
    """The label with the highest score, its probability, and the probability of every label."""

    label: str = pydantic.Field(description="The predicted label.")
    confidence: float = pydantic.Field(description="Its probability, 0 to 1.")
    scores: dict[str, float] = pydantic.Field(description="The probability of every label; they sum to 1.")


class Classification(Task):
    """One label a row, out of those seen in training."""

    loss: ClassVar[Literal["cross_entropy", "mse"]] = "cross_entropy"
    default_metrics = ("macro_f1", "accuracy")
    AnswerModel = ClassificationAnswer

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__()
        self.labels = tuple(labels)
        self._positions = {label: position for position, label in enumerate(self.labels)}

    @classmethod
    def fit(cls, columns: Columns, rows: Dataset, known: Sequence[str] = ()) -> Self:
        """Labels in sorted order, after those already known."""
        if columns.target is None:
            raise DataError(f"task {cls.name!r} needs a label column: add `label:` to data.columns")
        values = {str(value) for value in rows[columns.target] if value is not None}
        labels = [*known, *sorted(values - set(known))]
        if len(labels) < 2:
            raise DataError(
                f"column {columns.target!r} holds {len(labels)} label(s) ({', '.join(labels) or 'none'}); "
                f"task {cls.name!r} needs at least two"
            )
        return cls(labels)

    def state(self) -> dict[str, Any]:
        """The labels, by position."""
        return {"labels": list(self.labels)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The inverse of `state`."""
        return cls(state["labels"])

    @property
    def output_names(self) -> tuple[str, ...]:
        """The labels."""
        return self.labels

    def targets(self, values: Sequence[Any]) -> NDArray[Any]:
        """Label positions `int64 [n]`; -1 for a label not known from training."""
        return np.array([self._positions.get(str(value), -1) for value in values], dtype=np.int64)

    def references(self, values: Sequence[Any]) -> NDArray[Any]:
        """The same positions: an unknown label is never answered right."""
        return self.targets(values)

    def predictions(self, outputs: Arrays) -> Predictions:
        """The most probable position, and the probabilities (softmax over `logits`)."""
        scores = softmax(outputs["logits"])
        return Predictions(scores.argmax(axis=1).astype(np.int64), scores, self.labels)

    def answers(self, outputs: Arrays) -> list[Answer]:
        """Label, confidence and all scores of each row."""
        return [
            {
                "label": self.labels[row.index(confidence := max(row))],
                "confidence": confidence,
                "scores": dict(zip(self.labels, row, strict=True)),
            }
            for row in softmax(outputs["logits"]).tolist()
        ]

    def error(self, answer: Answer, truth: Any) -> float:
        """0 where the label was right, 1 where it was not; a label unknown to the model is always 1."""
        if not isinstance(truth, str | int | float | bool) or truth == "":
            raise RequestError(f"a label is a text, not {truth!r}", field="label")
        return 0.0 if answer["label"] == str(truth) else 1.0


def softmax(logits: NDArray[Any]) -> NDArray[np.float32]:
    """Row-wise softmax in float32, shifted by the row's maximum so that it cannot overflow."""
    result = logits.astype(np.float32)
    # `reduce`, as `max` and `sum` go through Python: this runs for every request.
    result -= np.maximum.reduce(result, axis=1, keepdims=True)
    np.exp(result, out=result)
    result /= np.add.reduce(result, axis=1, keepdims=True)
    return result
