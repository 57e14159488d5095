"""`tune`: the strategy trains the model; a killed attempt goes on from its last whole checkpoint."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuneloop.api import BaseModel, Preprocessor, Task, TrainingData
from tuneloop.artifact import TRAINING, Artifact
from tuneloop.pipeline import parts
from tuneloop.pipeline.cache import fresh
from tuneloop.pipeline.model_files import model_files
from tuneloop.pipeline.progress import Progress
from tuneloop.pipeline.rows import open_rows
from tuneloop.pipeline.scoring import Scorer, decoded
from tuneloop.pipeline.step import Scope, Step, StepContext, options, used

CHECKPOINTS = "checkpoints"


def _inputs(scope: Scope) -> dict[str, Any]:
    tune = scope.project.tune
    return {
        "strategy": [used(scope, "strategy", tune.strategy), options(tune.options)],
        "seed": tune.seed,
        # The checkpoint is read again here, and may have been changed since `baseline` of a resumed run.
        "files": model_files(scope),
    }


def run(context: StepContext) -> dict[str, Any]:
    """Train, and keep the weights of the best epoch in `training/`."""
    base = parts.base_model(context)
    strategy = parts.strategy(context, base)
    task, preprocessor = parts.load_task(context), parts.load_preprocessor(context)
    scorer = Scorer(context.project, context.plugins)
    parts.seed_everything(context.project.tune.seed)
    model, warm = _start(context, base, task, preprocessor)

    def metric(logits: Any, labels: Any) -> dict[str, float]:
        return scorer.score(*decoded(task, logits, labels))

    data = TrainingData(
        train=open_rows(context.file("baseline", "train")),
        validation=open_rows(context.file("baseline", "validation")),
        tensors=preprocessor.tensors,
        loss=task.loss,
        metric=metric,
        best=scorer.stopping,
        maximize=scorer.maximize(scorer.stopping),
    )
    checkpoints = context.folder / CHECKPOINTS
    checkpoints.mkdir(exist_ok=True)

    def tell(record: Mapping[str, float]) -> None:
        context.scope.listen(Progress("record", "tune", data=record))

    result = strategy.fit(model, data, checkpoints, context.project.tune.seed, tell)
    base.save(model, task, fresh(context.folder / TRAINING))
    shutil.rmtree(checkpoints, ignore_errors=True)
    history = [{key: float(value) for key, value in record.items()} for record in result.history]
    return {
        "history": history,
        "best_epoch": result.best_epoch,
        "warm_start": warm,
        "summary": {"epochs": len(history), "best epoch": result.best_epoch, **({"warm start": True} if warm else {})},
    }


def _start(context: StepContext, base: BaseModel, task: Task, preprocessor: Preprocessor) -> tuple[Any, bool]:
    """The model to train: the champion's weights where the run has a parent, the pre-trained ones elsewhere."""
    parent = context.scope.request.parent
    if parent is None:
        return base.build(context.project.root, task, preprocessor), False
    folder = Artifact.open(Path(parent.folder)).folder / TRAINING
    return base.load(folder, task, preprocessor), True


STEP = Step("tune", 1, ("baseline",), _inputs, run)
