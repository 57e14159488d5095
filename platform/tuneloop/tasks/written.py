"""What tasks whose answers are written token by token have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import ABSENT, Answer, Arrays, Columns, DataError, LossName, Predictions, RequestError, Row, Task

if TYPE_CHECKING:
    from datasets import Dataset

LIKELIHOOD = "likelihood"
"""The one output of a model that generates: how probable it finds a right token."""


class WrittenText(Task):
    """A text that is written token by token, by what serves.

    The model's `logits` are log-probabilities `[n, places, 1]` of the right tokens. `answers` tells of outputs alone
    how probable they are. The first field of `AnswerModel` is the text.
    """

    loss: ClassVar[LossName] = "likelihood"

    @classmethod
    def fit(cls, columns: Columns, rows: Dataset, known: Sequence[str] = ()) -> Self:  # noqa: ARG003
        """Nothing is learned from the rows."""
        if columns.target is None:
            raise DataError(f"task {cls.name!r} needs a column of the right texts: add `label:` to data.columns")
        return cls()

    @classmethod
    def units(cls, values: Sequence[Any]) -> list[Any]:  # noqa: ARG003
        """None: texts are no labels."""
        return []

    @classmethod
    def examine(cls, columns: Columns, rows: Dataset) -> None:
        """What is read and what is written are texts.

        Raises:
            DataError: One is something else; names the row.
        """
        for name in dict.fromkeys((*columns.inputs.values(), str(columns.target))):
            for row, value in enumerate(rows[name]):
                if value is not None and not isinstance(value, str):
                    raise DataError(f"row {row}: column {name!r} holds {value!r:.80}; task {cls.name!r} needs texts")

    def state(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:  # noqa: ARG003
        """The inverse of `state`."""
        return cls()

    @property
    def output_names(self) -> tuple[str, ...]:
        """One output."""
        return (LIKELIHOOD,)

    def targets(self, values: Sequence[Any]) -> NDArray[Any]:
        """Zeros `int64 [n]`: the model reads the right answer among its inputs."""
        return np.zeros(len(values), dtype=np.int64)

    def references(self, values: Sequence[Any]) -> NDArray[Any]:
        """The texts that are right, `object [n]` of tuples of one."""
        found = np.empty(len(values), dtype=object)
        found[:] = [(str(value),) for value in values]
        return found

    def predictions(self, outputs: Arrays) -> Predictions:
        """The log-probability of each right token, `float32 [n, places]`; `ABSENT` where there is none."""
        found = outputs["logits"][..., 0].astype(np.float32)
        # Rows of a part may all be shorter than the longest of all rows.
        last = np.flatnonzero((found > ABSENT / 2).any(axis=0))
        return Predictions(found[:, : last[-1] + 1 if len(last) else 0])

    def answers(self, outputs: Arrays) -> list[Answer]:
        """How sure the model was of each row, and no text."""
        text = next(iter(self.AnswerModel.model_fields))
        return [
            {
                text: "",
                "finish_reason": "length",
                "prompt_tokens": 0,
                "completion_tokens": int(count),
                "confidence": float(sure),
            }
            for count, sure in zip(*_confidence(outputs["logits"][..., 0]), strict=True)
        ]

    def answers_to(self, rows: Sequence[Row], outputs: Arrays) -> list[Answer]:  # noqa: ARG002
        """As `answers`."""
        return self.answers(outputs)

    def told(self, text: str) -> str:
        """A text that was written, as it is answered; by default as it was written."""
        return text

    def error(self, answer: Answer, truth: Any) -> float:
        """0 where the text is the right one but for white space at its ends, 1 where it is not."""
        if not isinstance(truth, str):
            raise RequestError(f"a label is a text, not {truth!r:.80}", field="label")
        return 0.0 if str(self.decision(answer)).strip() == truth.strip() else 1.0


def writes(task: Task | type[Task] | None) -> bool:
    """Whether answers are texts that are judged as such, and written token by token."""
    return task is not None and task.loss == "likelihood" and task.judged_as == "text"


def _confidence(logits: NDArray[Any]) -> tuple[list[int], list[float]]:
    """The number of tokens of each row, and the geometric mean of their probabilities; 0 where there is none."""
    held = logits > ABSENT / 2
    counts = held.sum(axis=1)
    means = np.where(held, logits, 0.0).sum(axis=1, dtype=np.float64) / np.maximum(counts, 1)
    return counts.tolist(), np.where(counts > 0, np.exp(np.minimum(means, 0.0)), 0.0).tolist()
