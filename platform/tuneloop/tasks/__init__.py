"""The built-in tasks, registered like a stranger's."""

from __future__ import annotations

from tuneloop.api import Task, hookimpl
from tuneloop.tasks.tabular_classification import TabularClassification
from tuneloop.tasks.tabular_regression import TabularRegression
from tuneloop.tasks.text_classification import TextClassification

TUNELOOP_API = ">=1,<2"


@hookimpl
def tuneloop_tasks() -> list[type[Task]]:
    """The tasks of this folder."""
    return [TextClassification, TabularClassification, TabularRegression]
