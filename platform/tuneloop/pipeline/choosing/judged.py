"""What a base model reaches on the validation rows, before it is tuned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tuneloop.pipeline.data.rows import write_rows
from tuneloop.pipeline.evaluating.scoring import Scorer
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.cache import fresh
from tuneloop.pipeline.runs.step import Scope, StepContext, StepResult
from tuneloop.pipeline.searching.variant import variant
from tuneloop.pipeline.tuning import baseline
from tuneloop.pipeline.tuning.training import Training

ROWS = 5000
"""Training rows that a comparison learns from, at most."""
EPOCHS = 3
"""Epochs of a short fit, at most."""
PROBED = f"a linear probe on the frozen model's features, learned from at most {ROWS:,} training rows"
FITTED = f"the strategy itself on at most {ROWS:,} training rows, for at most {EPOCHS} epochs; tables have no features"


def judging_split(context: StepContext) -> StepResult:
    """A split in which the validation rows stand where the test rows do: no comparison ever sees those.

    Args:
        context: Of a step after `split`; a sample of the training rows is written into its folder.
    """
    folder = fresh(context.folder / "split")
    train = parts.split_rows(context, "train")
    generator = np.random.default_rng(context.project.tune.seed)
    chosen = np.sort(generator.permutation(len(train))[:ROWS])
    write_rows(train.select(chosen.tolist()), folder / "train")
    validation = parts.split_rows(context, "validation")
    for name in ("validation", "test"):
        write_rows(validation, folder / name)
    return replace(context.done["split"], folder=folder)


def is_fitted(context: StepContext) -> bool:
    """Whether candidates are compared by a short fit: there is nothing frozen in models for tables."""
    return not parts.task_class(context).roles


def prepared(context: StepContext, scope: Scope, folder: Path, split: StepResult) -> StepContext:
    """Fit task and preprocessor for a candidate, encode, and probe it: its own `baseline`, on the judging split.

    Args:
        context: Of the step that compares.
        scope: With the candidate as base model.
        folder: Of the candidate.
        split: As `judging_split` gives it.
    """
    done: Mapping[str, StepResult] = {**context.done, "split": split}
    output = baseline.run(StepContext(scope, folder, done))
    result = StepResult("baseline", "", folder, output, 0.0, reused=False)
    return StepContext(scope, folder, {**done, "baseline": result})


def score(context: StepContext) -> dict[str, float]:
    """Every metric of a prepared candidate on the validation rows."""
    if not is_fitted(context):
        found: dict[str, float] = context.done["baseline"].output["probe"]
        return found
    training = Training(replace(context, scope=_short(context.scope)))
    model = training.base.build(context.project.root, training.task, training.preprocessor)
    result = training.fit(model, fresh(context.folder / "fit"), _unheard)
    best = next(record for record in result.history if record.get("epoch") == result.best_epoch)
    names = Scorer(context.project, context.plugins).metrics
    return {name: float(best[name]) for name in names if name in best}


def _short(scope: Scope) -> Scope:
    epochs: Any = getattr(scope.project.tune.options, "epochs", None)
    if isinstance(epochs, int | float) and epochs > EPOCHS:
        return variant(scope, {"tune.epochs": EPOCHS})
    return scope


def _unheard(record: object) -> None:
    """A comparison has no curve."""
