"""The objects that several steps need: what `baseline` fitted and `tune` trained, rebuilt from their folders."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.api import BaseModel, Columns, Preprocessor, RunError, Strategy, Task
from tuneloop.artifact import PREPROCESSOR, TRAINING, write_json
from tuneloop.pipeline.data.rows import open_rows, resolve_columns
from tuneloop.pipeline.runs.step import StepContext

if TYPE_CHECKING:
    from pathlib import Path

    from datasets import Dataset

TASK = "task.json"


def seed_everything(seed: int) -> None:
    """Start all random numbers from one seed, so that a fresh head is the same in every attempt."""
    import torch

    random.seed(seed)
    # The global state is what libraries that know no generator read.
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def split_rows(context: StepContext, name: str) -> Dataset:
    """The rows of a split."""
    return open_rows(context.file("split", name))


def has_split(context: StepContext, name: str) -> bool:
    """Whether the split has rows."""
    return name in context.done["split"].output["rows"]


def columns_of(context: StepContext, rows: Dataset) -> Columns:
    """The roles of the columns."""
    return resolve_columns(context.project, rows.column_names)


def task_class(context: StepContext) -> type[Task]:
    """The class of the project's task, in the form that its base model learns."""
    plugins, project = context.plugins, context.project
    task: type[Task] = plugins.get("task", project.task)
    base: type[BaseModel] = plugins.get("base model", project.model.base)
    return task.trained_by(base.loss)


def preprocessor_class(context: StepContext, name: str) -> type[Preprocessor]:
    """The class of a preprocessor."""
    return context.plugins.get("preprocessor", name)


def save_task(folder: Path, task: Task) -> None:
    """Write a fitted task."""
    write_json(folder / TASK, {"name": task.name, "state": task.state()})


def load_task(context: StepContext) -> Task:
    """The fitted task."""
    found = json.loads(context.file("baseline", TASK).read_bytes())
    return task_class(context).from_state(found["state"])


def load_preprocessor(context: StepContext) -> Preprocessor:
    """The fitted preprocessor."""
    name = context.done["baseline"].output["preprocessor"]
    return preprocessor_class(context, name).load(context.file("baseline", PREPROCESSOR))


def base_model(context: StepContext) -> BaseModel:
    """The base model of the project.

    Raises:
        RunError: It cannot be tuned for the project's task.
    """
    model = context.project.model
    base: BaseModel = context.plugins.create("base model", model.base, model.options)
    if context.project.task not in base.tasks:
        raise RunError(
            f"base model {model.base!r} cannot be tuned for {context.project.task!r}; it can for: "
            f"{', '.join(sorted(base.tasks))}"
        )
    return base


def strategy(context: StepContext, base: BaseModel) -> Strategy:
    """The strategy of the project.

    Raises:
        RunError: It is for models of another framework.
    """
    tune = context.project.tune
    found: Strategy = context.plugins.create("strategy", tune.strategy, tune.options)
    if found.framework != base.framework:
        raise RunError(
            f"strategy {found.name!r} tunes models of {found.framework!r}; base model {base.name!r} is one of "
            f"{base.framework!r}"
        )
    return found


def tuned_model(context: StepContext) -> Any:
    """The tuned model, from the weights `tune` saved."""
    return base_model(context).load(context.file("tune", TRAINING), load_task(context), load_preprocessor(context))
