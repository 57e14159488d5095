"""`multi-label-classification`: one text in, any number of labels out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pydantic
from numpy.typing import NDArray

from tuneloop.api import Answer, Arrays, Columns, DataError, Judging, LossName, Predictions, RequestError, Task

if TYPE_CHECKING:
    from datasets import Dataset


class MultiLabelAnswer(pydantic.BaseModel):
    """The labels that apply, and the probability of every label."""

    labels: list[str] = pydantic.Field(description="The labels that apply, the most probable first; there may be none.")
    confidence: float = pydantic.Field(
        description="How sure the least sure decision is, to apply a label or not: 0.5 to 1."
    )
    scores: dict[str, float] = pydantic.Field(description="The probability of every label, each by itself.")


class MultiLabelClassification(Task):
    """Any number of labels for one text: each is decided by itself, and applies from a probability of one half.

    A row's answer is a list of labels; an empty one says that none applies.
    """

    name = "multi-label-classification"
    roles: ClassVar[Mapping[str, str]] = {"text": "The column that holds the text to classify."}
    loss: ClassVar[LossName] = "binary_cross_entropy"
    judged_as: ClassVar[Judging | None] = "multi-label"
    default_metrics = ("label_f1", "label_macro_f1", "subset_accuracy")
    AnswerModel = MultiLabelAnswer

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__()
        self.labels = tuple(labels)
        self._positions = {label: position for position, label in enumerate(self.labels)}

    @classmethod
    def fit(cls, columns: Columns, rows: Dataset, known: Sequence[str] = ()) -> Self:
        """Labels in sorted order, after those already known."""
        if columns.target is None:
            raise DataError(f"task {cls.name!r} needs a column of labels: add `label:` to data.columns")
        found = set(cls.units([value for value in rows[columns.target] if value is not None]))
        labels = [*known, *sorted(found - set(known))]
        if not labels:
            raise DataError(f"column {columns.target!r} holds no label; task {cls.name!r} needs at least one")
        return cls(labels)

    @classmethod
    def units(cls, values: Sequence[Any]) -> list[Any]:
        """All labels, one after the other.

        Raises:
            DataError: An answer is no list of texts.
        """
        labels: list[Any] = []
        for row, value in enumerate(values):
            if not _is_labels(value):
                raise DataError(f"row {row}: the labels are a list of texts (JSON lines, Parquet), not {value!r:.80}")
            labels += value
        return labels

    @classmethod
    def blank(cls, value: Any) -> bool:
        """Never: an empty list says that no label applies."""
        return not isinstance(value, list)

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
        """1 where a label applies, 0 elsewhere, `float32 [n, labels]`; a label not known from training is left out."""
        self.units(values)
        found = np.zeros((len(values), len(self.labels)), dtype=np.float32)
        for row, value in enumerate(values):
            found[row, [self._positions[label] for label in value if label in self._positions]] = 1.0
        return found

    def references(self, values: Sequence[Any]) -> NDArray[Any]:
        """The same as `int64 [n, labels]`."""
        return self.targets(values).astype(np.int64)

    def predictions(self, outputs: Arrays) -> Predictions:
        """0 and 1 `int64 [n, labels]`, and the probabilities `float32 [n, labels]`."""
        scores = sigmoid(outputs["logits"])
        return Predictions((scores >= 0.5).astype(np.int64), scores, self.labels)

    def answers(self, outputs: Arrays) -> list[Answer]:
        """Labels, confidence and all scores of each row."""
        found = []
        for row in sigmoid(outputs["logits"]).tolist():
            applied = sorted((-score, place) for place, score in enumerate(row) if score >= 0.5)
            found.append(
                {
                    "labels": [self.labels[place] for _, place in applied],
                    "confidence": min(max(score, 1.0 - score) for score in row),
                    "scores": dict(zip(self.labels, row, strict=True)),
                }
            )
        return found

    def error(self, answer: Answer, truth: Any) -> float:
        """0 where exactly the right labels were given, 1 elsewhere."""
        if not _is_labels(truth):
            raise RequestError(
                f"a label is a list of labels, empty where none applies, not {truth!r:.80}", field="label"
            )
        return 0.0 if set(answer["labels"]) == set(truth) else 1.0


def sigmoid(logits: NDArray[Any]) -> NDArray[np.float32]:
    """The logistic function in float32, which cannot overflow."""
    found: NDArray[np.float32] = (0.5 * (1.0 + np.tanh(0.5 * logits.astype(np.float32)))).astype(np.float32)
    return found


def _is_labels(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(label, str) and label for label in value)
