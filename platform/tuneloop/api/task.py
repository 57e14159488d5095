"""The contract of a problem."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import pydantic
from numpy.typing import NDArray

from tuneloop.api.plugin import Plugin
from tuneloop.api.types import Answer, Arrays, Columns, Judging, LossName, Predictions, Row

if TYPE_CHECKING:
    from datasets import Dataset


class Task(Plugin):
    """The contract of a problem: columns in, and how raw outputs become answers. NumPy only: serving uses it.

    ```python
    from datasets import Dataset
    from tuneloop.tasks import TextClassification

    rows = Dataset.from_dict({"message": ["good day", "buongiorno"], "language": ["en", "it"]})
    task = TextClassification.fit(Columns({"text": "message"}, target="language"), rows)
    assert task.output_names == ("en", "it")
    assert task.answers({"logits": np.array([[2.0, 0.0]])})[0]["label"] == "en"
    ```

    `tuneloop plugins new NAME --kind task` writes a whole class.

    An instance holds what was learned from the training rows; `state()` is all of it, as JSON.
    """

    roles: ClassVar[Mapping[str, str]]
    """Role of an input column to one sentence about it; empty: any columns (tables)."""
    loss: ClassVar[LossName]
    """What training minimises over the `logits` output."""
    judged_as: ClassVar[Judging | None] = None
    """Which metrics fit (`Metric.kinds`); None: `regression` where the loss is `mse`, else `classification`."""
    default_metrics: ClassVar[tuple[str, ...]]
    """Metrics reported where the project names none; the first is the one that picks the best checkpoint."""
    AnswerModel: ClassVar[type[pydantic.BaseModel]]
    """The pydantic model of one answer: the typed door's OpenAPI page shows it."""

    @classmethod
    @abstractmethod
    def fit(cls, columns: Columns, rows: Dataset, known: Sequence[str] = ()) -> Task:
        """Learn labels or the target's scale from training rows.

        Args:
            columns: The roles of the columns.
            rows: Training rows; the target column is present.
            known: Labels of an earlier version; they keep their positions, new ones follow sorted.

        Raises:
            DataError: The target column does not fit the task.
        """

    @classmethod
    def trained_by(cls, loss: LossName | None) -> type[Task]:  # noqa: ARG003
        """The form of this task for models that learn it by a loss (`BaseModel.loss`); most tasks have one form.

        All forms have one name, and `from_state` of the first gives an instance of the right one.
        """
        return cls

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Everything needed to rebuild this instance, as plain JSON values."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: Mapping[str, Any]) -> Task:
        """The inverse of `state`."""

    @property
    @abstractmethod
    def output_names(self) -> tuple[str, ...]:
        """One name a column of `logits`: the labels, or `("value",)`."""

    @abstractmethod
    def targets(self, values: Sequence[Any]) -> NDArray[Any]:
        """Reference answers as the loss reads them: `int64 [n]` positions (unknown label: -1) or `float32 [n]`.

        Where each word of a row has an answer: `int64 [n, words]`, with `NO_PLACE` behind a row's last word.
        For `binary_cross_entropy`: `float32 [n, len(output_names)]` of 0 and 1. For `span`: `int64 [n, 2]`, the first
        and the last place of the answer among those that are not `ABSENT`; -1 where it has none.
        For `ctc`: `int64 [n, characters]`, positions of the characters of the text, `NO_PLACE` behind the last one.
        For `likelihood`: zeros `int64 [n]`, as the model reads the right answer among its inputs: its `logits` are the
        log-probabilities `float32 [n, places, 1]` of the right tokens, `ABSENT` at places that hold none.
        """

    def targets_to(self, rows: Sequence[Row], values: Sequence[Any]) -> NDArray[Any]:  # noqa: ARG002
        """The targets of checked rows; a task whose answers are a part of the row reads it here."""
        return self.targets(values)

    @abstractmethod
    def predictions(self, outputs: Arrays) -> Predictions:
        """Model outputs as metrics read them.

        `outputs["logits"]` is `float32 [n, len(output_names)]`, or `float32 [n, places, len(output_names)]` where each
        word of a row has an answer: the places that hold none are filled with `ABSENT`.
        """

    def predictions_to(self, rows: Sequence[Row], outputs: Arrays) -> Predictions:  # noqa: ARG002
        """The predictions for checked rows; a task whose answers quote the row reads it here."""
        return self.predictions(outputs)

    @abstractmethod
    def references(self, values: Sequence[Any]) -> NDArray[Any]:
        """Reference answers as metrics read them, in the same unit as `predictions(...).values`."""

    @abstractmethod
    def answers(self, outputs: Arrays) -> list[Answer]:
        """One JSON-ready answer a row; fields as in `AnswerModel`."""

    def answers_to(self, rows: Sequence[Row], outputs: Arrays) -> list[Answer]:  # noqa: ARG002
        """The answers to checked rows; a task whose answers quote the row reads it here, for others see `answers`."""
        return self.answers(outputs)

    def settle(self, rows: Sequence[Row], outputs: Arrays, values: Sequence[Any]) -> Task:  # noqa: ARG002
        """The task with what only a tuned model's outputs can tell, such as a threshold; by default itself.

        Args:
            rows: Checked rows of the validation split.
            outputs: What the model that will be served says of them.
            values: Their right answers.
        """
        return self

    @classmethod
    def units(cls, values: Sequence[Any]) -> list[Any]:
        """The labels in reference answers, one after the other; the answers themselves where each is one label."""
        return list(values)

    @classmethod
    def blank(cls, value: Any) -> bool:
        """Whether a row with this reference answer is one without: such rows are left out. None is always blank."""
        return value == [] or (isinstance(value, str) and not value.strip())

    @classmethod
    def like(cls, label: Any, known: Any) -> Any:  # noqa: ARG003
        """A label that came back from traffic, written as `known`, a reference answer of the project's data, is."""
        return label

    @classmethod
    def examine(cls, columns: Columns, rows: Dataset) -> None:
        """Look at all rows of a project before anything is made from them.

        Raises:
            DataError: A row's answer does not fit its inputs; names the row.
        """

    def decision(self, answer: Answer) -> Any:
        """The part of an answer that a label is held against; by default the first field of `AnswerModel`."""
        return answer[next(iter(self.AnswerModel.model_fields))]

    def said(self, answer: Answer) -> str:
        """The text of an answer as metrics read it, in the form of `references`; for tasks judged as `text`."""
        return str(self.decision(answer))

    @abstractmethod
    def error(self, answer: Answer, truth: Any) -> float:
        """How wrong an answer was, once its label is known: 0 or 1 for labels, the signed difference for values.

        Raises:
            RequestError: `truth` cannot be an answer of this task.
        """
