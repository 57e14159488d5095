"""The contract of tasks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from tuneloop.api.errors import DataError, RequestError
from tuneloop.api.plugin import Plugin
from tuneloop.api.task import Task
from tuneloop.api.testing.checks import dataset, refuses
from tuneloop.api.testing.examples import ROWS, task_columns
from tuneloop.api.testing.plugin import PluginContract
from tuneloop.api.types import ABSENT, NO_PLACE, Columns, LossName, Row


class TaskContract(PluginContract):
    """Set `plugin`, and `columns` and `rows` where the default rows do not fit.

    Attributes:
        columns: The roles of the columns of `rows`; None: text roles and a label, or a table.
        rows: Training rows.
    """

    kind: ClassVar[type[Plugin]] = Task
    columns: ClassVar[Columns | None] = None
    rows: ClassVar[Sequence[Row]] = ROWS

    def create(self) -> Any:
        """The task, fitted on the rows."""
        return self.plugin.fit(self._columns(), dataset(self.rows))

    def checked(self) -> Sequence[Row]:
        """The rows as a preprocessor checks them; override it for a task whose answers are a part of the row."""
        return [{name: row[name] for name in self._columns().inputs.values()} for row in self.rows]

    def test_class_variables(self) -> None:
        """Loss, roles, default metrics and the model of an answer are usable."""
        assert self.plugin.loss in get_args(LossName), f"loss is {self.plugin.loss!r}"
        assert self.plugin.default_metrics, "default_metrics is empty: the first picks the best checkpoint"
        bare = [role for role, sentence in self.plugin.roles.items() if not sentence.strip()]
        assert not bare, f"roles without a sentence: {bare}"
        fields = self.plugin.AnswerModel.model_json_schema().get("properties", {})
        undescribed = [name for name, field in fields.items() if not field.get("description")]
        assert not undescribed, f"AnswerModel describes no {undescribed}: the server's OpenAPI page shows it"

    def test_output_names(self) -> None:
        """One name a column of the logits."""
        names = self.create().output_names
        assert isinstance(names, tuple)
        assert names, "output_names is empty"
        assert all(isinstance(name, str) and name for name in names), f"output_names is {names}; give texts"
        assert len(set(names)) == len(names), f"output_names has a name twice: {names}"

    def test_state_round_trip(self) -> None:
        """The state is plain JSON, and all that is needed to answer the same."""
        task = self.create()
        state = json.loads(json.dumps(task.state(), allow_nan=False))
        twin = self.plugin.from_state(state)
        assert twin.state() == task.state(), "from_state(state()) has another state"
        assert twin.output_names == task.output_names
        outputs = {"logits": self._logits(task, 6)}
        assert twin.answers(outputs) == task.answers(outputs), "from_state(state()) answers differently"

    def test_known_outputs_keep_their_places(self) -> None:
        """Labels of an earlier version stay where they were, also those no row has any more."""
        if self.plugin.loss not in ("cross_entropy", "binary_cross_entropy"):
            pytest.skip("for labels only")
        known = ("earlier", *reversed(self.create().output_names))
        task = self.plugin.fit(self._columns(), dataset(self.rows), known)
        assert task.output_names[: len(known)] == known, f"known were {known}, output_names is {task.output_names}"

    def test_rows_without_target_are_refused(self) -> None:
        """No target column is a DataError."""
        columns = replace(self._columns(), target=None)
        refuses(lambda: self.plugin.fit(columns, dataset(self.rows)), "fit without a target column", DataError)

    def test_targets_and_references(self) -> None:
        """Positions or values, one a row, in the types that loss and metrics read."""
        task = self.create()
        targets, references = task.targets_to(self.checked(), self._truth()), task.references(self._truth())
        if self.plugin.judged_as == "multi-label":
            assert targets.dtype == np.float32, f"targets is {targets.dtype}"
            assert references.dtype == np.int64, f"references is {references.dtype}"
            for array in (targets, references):
                assert array.shape == (len(self.rows), len(task.output_names)), f"the shape is {array.shape}"
                assert set(np.unique(array).tolist()) <= {0, 1}, "there is something else than 0 and 1"
            return
        if self.plugin.loss == "span":
            assert targets.dtype == np.int64, f"targets is {targets.dtype}"
            assert targets.shape == (len(self.rows), 2), f"targets has shape {targets.shape}"
            assert (targets[:, 0] <= targets[:, 1]).all(), "an answer ends before it begins"
            assert references.shape == (len(self.rows),), f"references has shape {references.shape}"
            return
        if self.plugin.loss == "likelihood":
            assert targets.tolist() == [0] * len(self.rows), "targets must be zeros: the model reads the right answer"
            assert references.shape == (len(self.rows),), f"references has shape {references.shape}"
            return
        if self.plugin.loss == "ctc":
            assert targets.dtype == np.int64, f"targets is {targets.dtype}"
            assert targets.ndim == 2, f"targets has shape {targets.shape}"
            assert ((targets > 0) | (targets == NO_PLACE)).all(), "targets are characters; output 0 is the blank"
            assert references.shape == (len(self.rows),), f"references has shape {references.shape}"
            return
        labels = self.plugin.loss == "cross_entropy"
        for name, array in (("targets", targets), ("references", references)):
            assert array.shape[:1] == (len(self.rows),), f"{name} has shape {array.shape}"
            assert array.ndim == (2 if self.plugin.judged_as == "tagging" else 1), f"{name} has shape {array.shape}"
            assert array.dtype == (np.int64 if labels else np.float32), f"{name} is {array.dtype}"
        if labels:
            known = targets[targets != NO_PLACE]
            assert ((known >= 0) & (known < len(task.output_names))).all(), "a known label has no position"
            unseen: list[Any] = ["\0 never seen"]
            unseen = [unseen] if self.plugin.judged_as == "tagging" else unseen
            assert task.targets(unseen).reshape(-1).tolist() == [-1], "an unknown label must be -1"
        else:
            assert np.isfinite(targets).all(), "targets holds a number that is not finite"

    def test_right_outputs_are_right_answers(self) -> None:
        """Outputs that say the target are predictions equal to the references, and answers without error."""
        if self.plugin.loss == "likelihood":
            pytest.skip("answers are made token by token, not from outputs")
        task = self.create()
        outputs = {"logits": self._right(task)}
        predictions, references = task.predictions_to(self.checked(), outputs), task.references(self._truth())
        if references.dtype == object:
            assert all(given in right for given, right in zip(predictions.values, references, strict=True))
        else:
            np.testing.assert_allclose(predictions.values, references, rtol=1e-4, atol=1e-5)
        quotes = self.plugin.loss == "span"
        answers = task.answers_to(self.checked(), outputs) if quotes else task.answers(outputs)
        for answer, truth in zip(answers, self._truth(), strict=True):
            error = task.error(answer, truth)
            assert isinstance(error, float), f"error gave a {type(error).__name__}"
            assert abs(error) < 1e-3, f"error gave {error} for the right answer {answer} of {truth!r}"

    def test_predictions(self) -> None:
        """Types and shapes are those that metrics read."""
        task = self.create()
        predictions = task.predictions({"logits": self._logits(task, 5)})
        if self.plugin.judged_as == "span" or self.plugin.loss == "ctc":
            assert predictions.values.shape == (5,)
            assert all(isinstance(value, str) for value in predictions.values)
            return
        if self.plugin.loss == "likelihood":
            assert predictions.values.shape == (5, 3)
            assert predictions.values.dtype == np.float32, f"values is {predictions.values.dtype}, not float32"
            return
        places = (3,) if self.plugin.judged_as == "tagging" else ()
        if self.plugin.judged_as == "multi-label":
            places = (len(task.output_names),)
        assert predictions.values.shape == (5, *places)
        if self.plugin.loss == "mse":
            assert predictions.values.dtype == np.float32, f"values is {predictions.values.dtype}, not float32"
            return
        assert predictions.values.dtype == np.int64, f"values is {predictions.values.dtype}, not int64"
        assert predictions.labels == task.output_names
        if predictions.scores is not None:
            several = self.plugin.judged_as == "multi-label"
            assert predictions.scores.shape == ((5, *places) if several else (5, *places, len(task.output_names)))
            assert predictions.scores.dtype == np.float32, f"scores is {predictions.scores.dtype}, not float32"
            assert ((predictions.scores >= 0) & (predictions.scores <= 1)).all(), "scores are not within 0 and 1"

    def test_answers(self) -> None:
        """JSON-ready, as `AnswerModel` says, equal alone and in a batch, for any outputs and any number of rows."""
        task = self.create()
        for scale in (1.0, 1e4):
            logits = self._logits(task, 4) * np.float32(scale)
            answers = task.answers({"logits": logits})
            assert len(answers) == 4
            for row, answer in enumerate(answers):
                json.dumps(answer, allow_nan=False)
                dumped = self.plugin.AnswerModel.model_validate(answer).model_dump()
                assert dumped == answer, f"the answer {answer} is not what AnswerModel says: {dumped}"
                assert task.answers({"logits": logits[row : row + 1]}) == [answer], "an answer depends on its batch"
        assert task.answers({"logits": self._logits(task, 0)}) == []

    def test_impossible_truth_is_refused(self) -> None:
        """A label that can be none of this task is a RequestError."""
        task = self.create()
        answer = task.answers({"logits": self._logits(task, 1)})[0]
        refuses(lambda: task.error(answer, {"no": "label"}), "error with an object as truth", RequestError)

    def _columns(self) -> Columns:
        return self.columns or task_columns(self.plugin)

    def _truth(self) -> list[Any]:
        target = self._columns().target
        assert target is not None, "the columns of a TaskContract need a target"
        return [row[target] for row in self.rows]

    def _logits(self, task: Task, rows: int) -> NDArray[np.float32]:
        several = self.plugin.judged_as in ("tagging", "span") or self.plugin.loss in ("ctc", "likelihood")
        places = (3,) if several else ()
        return np.random.default_rng(3).normal(size=(rows, *places, len(task.output_names))).astype(np.float32)

    def _right(self, task: Task) -> NDArray[np.float32]:
        targets = task.targets_to(self.checked(), self._truth())
        if self.plugin.loss == "mse":
            return targets[:, None].astype(np.float32)
        if self.plugin.loss == "binary_cross_entropy":
            sure: NDArray[np.float32] = (20 * targets - 10).astype(np.float32)
            return sure
        if self.plugin.loss == "span":
            edges = np.zeros((len(targets), int(targets.max()) + 1, 2), dtype=np.float32)
            for edge in range(2):
                edges[np.arange(len(targets)), targets[:, edge], edge] = 10
            return edges
        if self.plugin.loss == "ctc":
            # A blank between any two characters: repeated ones are told apart by it.
            framed = np.zeros((len(targets), 2 * targets.shape[1]), dtype=np.int64)
            framed[:, ::2] = np.maximum(targets, 0)
            return np.eye(len(task.output_names), dtype=np.float32)[framed] * np.float32(10)
        hot: NDArray[np.float32] = np.eye(len(task.output_names), dtype=np.float32)[targets] * np.float32(10)
        hot[targets == NO_PLACE] = ABSENT
        return hot
