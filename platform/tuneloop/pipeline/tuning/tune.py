"""`tune`: the strategy trains the model; a killed attempt goes on from its last whole checkpoint."""

from __future__ import annotations

import shutil
from typing import Any

from tuneloop.artifact import TRAINING
from tuneloop.pipeline.evaluating.energy import measured
from tuneloop.pipeline.runs.model_files import model_files
from tuneloop.pipeline.runs.step import Scope, Step, StepContext, options, used
from tuneloop.pipeline.tuning.launching import CHECKPOINTS, launch
from tuneloop.pipeline.tuning.teaching import teacher_inputs, teacher_used
from tuneloop.pipeline.tuning.texts import rows_to_write


def _inputs(scope: Scope) -> dict[str, Any]:
    tune = scope.project.tune
    return {
        "strategy": [used(scope, "strategy", tune.strategy), options(tune.options)],
        "seed": tune.seed,
        # The checkpoint is read again here, and may have been changed since `baseline` of a resumed run.
        "files": model_files(scope),
        "teacher": teacher_inputs(scope),
        **({"written rows": rows} if (rows := rows_to_write(scope)) else {}),
    }


def run(context: StepContext) -> dict[str, Any]:
    """Train, and keep the weights of the best epoch in `training/`."""
    result = launch(context)
    shutil.rmtree(context.folder / CHECKPOINTS, ignore_errors=True)
    epochs, warm = len(result["history"]), context.scope.request.parent is not None
    return {
        "history": result["history"],
        "best_epoch": result["best_epoch"],
        "warm_start": warm,
        "teacher": teacher_used(context.scope),
        "summary": {"epochs": epochs, "best epoch": result["best_epoch"], **({"warm start": True} if warm else {})},
    }


STEP = Step("tune", 3, ("baseline",), _inputs, measured(run), shared=(TRAINING,))
