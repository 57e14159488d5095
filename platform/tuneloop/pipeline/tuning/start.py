"""The model that training begins with."""

from __future__ import annotations

from typing import Any

from tuneloop.api import BaseModel, Preprocessor, Task
from tuneloop.artifact import TRAINING
from tuneloop.pipeline.runs.parent import parent_artifact
from tuneloop.pipeline.runs.step import StepContext


def start_model(context: StepContext, base: BaseModel, task: Task, preprocessor: Preprocessor) -> Any:
    """The champion's weights where the run has a parent, the pre-trained ones elsewhere."""
    parent = parent_artifact(context.scope)
    if parent is None:
        return base.build(context.project.root, task, preprocessor)
    return base.load(parent.folder / TRAINING, task, preprocessor)
