"""What a model that is being trained writes for validation rows, judged by the project's metrics after each epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tuneloop.api import BaseModel, Preprocessor, Task
from tuneloop.config.texts import written_rows
from tuneloop.pipeline.data.encoded import check_rows
from tuneloop.pipeline.data.rows import model_rows, truths
from tuneloop.pipeline.evaluating.scoring import Scorer, searched_metric, stopping_metric
from tuneloop.pipeline.evaluating.written import judge_model
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.step import Scope, StepContext
from tuneloop.preprocessing.source import SourcePreprocessor
from tuneloop.tasks.written import writes

TextJudge = Callable[[Any], dict[str, float]]
"""A model to its metrics; see `TrainingData.judge`."""


def rows_to_write(scope: Scope) -> int:
    """For how many validation rows texts are written after each epoch; 0 where the task writes none."""
    project, plugins = scope.project, scope.plugins
    task: type[Task] = plugins.get("task", project.task)
    base: type[BaseModel] = plugins.get("base model", project.model.base)
    if not writes(task.trained_by(base.loss)):
        return 0
    return written_rows(project.tune.options, (stopping_metric(project), searched_metric(project)))


def text_judge(context: StepContext, task: Task, preprocessor: Preprocessor) -> TextJudge | None:
    """Every metric of what a model writes for the first validation rows; None where nothing is to be written."""
    most = rows_to_write(context.scope)
    if not most:
        return None
    assert isinstance(preprocessor, SourcePreprocessor)
    rows = parts.split_rows(context, "validation")
    rows = rows.select(range(min(most, len(rows))))
    columns, scorer = parts.columns_of(context, rows), Scorer(context.project, context.plugins)
    needed = (stopping_metric(context.project), searched_metric(context.project))

    def judged(model: Any) -> dict[str, float]:
        # Read anew each time: a hundred sounds would take much room between the epochs.
        checked = check_rows(preprocessor, model_rows(rows, columns))
        found = judge_model(model, task, preprocessor, checked, truths(rows, columns), most)
        return scorer.score(*found, [name for name in needed if name in scorer.metrics])

    return judged
