"""What a base model reaches on the validation rows, before it is tuned, or after it was a little."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tuneloop.api import Task
from tuneloop.config.texts import PERPLEXITY
from tuneloop.pipeline.choosing.bits import BITS, bits_per_byte
from tuneloop.pipeline.data.encoded import check_rows
from tuneloop.pipeline.data.rows import model_rows, open_rows, truths, write_rows
from tuneloop.pipeline.evaluating.scoring import Scorer
from tuneloop.pipeline.evaluating.written import judge_model
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.cache import fresh
from tuneloop.pipeline.runs.step import Scope, StepContext, StepResult
from tuneloop.pipeline.searching.variant import variant
from tuneloop.pipeline.tuning import baseline
from tuneloop.pipeline.tuning.training import Training
from tuneloop.preprocessing.source import SourcePreprocessor
from tuneloop.preprocessing.writing import WritingPreprocessor
from tuneloop.tasks.written import writes

ROWS = 5000
"""Training rows that a comparison learns from, at most."""
EPOCHS = 3
"""Epochs of a short fit, at most."""
WRITING_ROWS = 1000
"""The same for models that write texts: they must be tuned a little, and a row costs them more."""
PROBED = f"a linear probe on the frozen model's features, learned from at most {ROWS:,} training rows"
FITTED = f"the strategy itself on at most {ROWS:,} training rows, for at most {EPOCHS} epochs; tables have no features"
WRITTEN = (
    f"the texts that they give after one epoch of the strategy on at most {WRITING_ROWS:,} training rows; of equal "
    "ones, the bits they need for a byte of the right texts"
)
UNTUNED = "how probable the untuned model finds the right texts; per byte, as tokens of two models are not alike"


@dataclass(frozen=True, slots=True)
class Judging:
    """How candidates are compared.

    Attributes:
        metric: The number that decides.
        maximize: Whether more of it is better.
        how: What it is measured on, in words.
        rows: Training rows of the comparison, at most.
        epochs: Those of a short fit, at most; 0: there is none.
    """

    metric: str
    maximize: bool
    how: str
    rows: int
    epochs: int


def judging(context: StepContext, models: Iterable[Mapping[str, Any]]) -> Judging:
    """How candidates for the project's task are compared, all of them alike.

    By a linear probe on frozen features, where there are some. Models for tables have none. Those whose answers are
    texts have no head that a probe could stand in for: they are fitted for a short time. A language model that is not
    tuned yet already says how probable texts are.

    Args:
        context: Of the step that compares.
        models: What would stand as `model` in the file.
    """
    scorer, plugins = Scorer(context.project, context.plugins), context.plugins
    metric, maximize = scorer.deciding, scorer.maximize(scorer.deciding)
    named: type[Task] = plugins.get("task", context.project.task)
    tasks = [named.trained_by(plugins.get("base model", model["base"]).loss) for model in models]
    if not named.roles:
        return Judging(metric, maximize, FITTED, ROWS, EPOCHS)
    if any(writes(task) or task.loss == "ctc" for task in tasks):
        return Judging(metric, maximize, WRITTEN, WRITING_ROWS, 1)
    if all(task.loss == "likelihood" for task in tasks):
        if metric == PERPLEXITY:
            metric, maximize = BITS, False
        return Judging(metric, maximize, UNTUNED, ROWS, 0)
    return Judging(metric, maximize, PROBED, ROWS, 0)


def judging_split(context: StepContext, most: int) -> StepResult:
    """A split in which the validation rows stand where the test rows do: no comparison ever sees those.

    Args:
        context: Of a step after `split`; a sample of the training rows is written into its folder.
        most: Rows of the sample.
    """
    folder = fresh(context.folder / "split")
    train = parts.split_rows(context, "train")
    generator = np.random.default_rng(context.project.tune.seed)
    chosen = np.sort(generator.permutation(len(train))[:most])
    write_rows(train.select(chosen.tolist()), folder / "train")
    validation = parts.split_rows(context, "validation")
    for name in ("validation", "test"):
        write_rows(validation, folder / name)
    return replace(context.done["split"], folder=folder)


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


def score(context: StepContext, how: Judging) -> dict[str, float]:
    """Every metric of a prepared candidate on the validation rows; of models that write texts, bits per byte too.

    Args:
        context: As `prepared` gives it.
        how: As `judging` gives it.
    """
    if how.epochs:
        return _fitted(context, how)
    found: dict[str, float] = dict(context.done["baseline"].output["probe"])
    if how.metric == BITS:
        found[BITS] = _bits(context, found[PERPLEXITY])
    return found


def _fitted(context: StepContext, how: Judging) -> dict[str, float]:
    training = Training(replace(context, scope=_short(context.scope, how.epochs)))
    model = training.base.build(context.project.root, training.task, training.preprocessor)
    result = training.fit(model, fresh(context.folder / "fit"), _unheard)
    best = next(record for record in result.history if record.get("epoch") == result.best_epoch)
    scorer = Scorer(context.project, context.plugins)
    if not writes(training.task):
        return {name: float(best[name]) for name in scorer.metrics if name in best}
    assert isinstance(training.preprocessor, SourcePreprocessor)
    rows = parts.split_rows(context, "validation")
    columns = parts.columns_of(context, rows)
    checked = check_rows(training.preprocessor, model_rows(rows, columns))
    judged = judge_model(model, training.task, training.preprocessor, checked, truths(rows, columns))
    return {**scorer.score(*judged), BITS: _bits(context, best[PERPLEXITY])}


def _bits(context: StepContext, perplexity: float) -> float:
    preprocessor = parts.load_preprocessor(context)
    assert isinstance(preprocessor, WritingPreprocessor)
    return bits_per_byte(perplexity, open_rows(context.file("baseline", "validation")), preprocessor.tokenizer)


def _short(scope: Scope, most: int) -> Scope:
    epochs: Any = getattr(scope.project.tune.options, "epochs", None)
    if isinstance(epochs, int | float) and epochs > most:
        return variant(scope, {"tune.epochs": most})
    return scope


def _unheard(record: object) -> None:
    """A comparison has no curve."""
