"""`evaluate`: the tuned model, before export, on validation and test."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import NO_PLACE, Predictions
from tuneloop.pipeline.data.encoded import check_rows
from tuneloop.pipeline.data.rows import model_rows, truths
from tuneloop.pipeline.evaluating.network import run_model
from tuneloop.pipeline.evaluating.scoring import Scorer, judge
from tuneloop.pipeline.evaluating.written import judge_model
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.step import Scope, Step, StepContext
from tuneloop.preprocessing.source import SourcePreprocessor
from tuneloop.tasks.written import writes

SPLITS = ("validation", "test")
OUTPUTS = "outputs-{}.npz"


def _inputs(scope: Scope) -> dict[str, Any]:
    return {"metrics": list(Scorer(scope.project, scope.plugins).metrics)}


def run(context: StepContext) -> dict[str, Any]:
    """Metrics on both splits; the outputs are kept, for `verify` to compare the exported model with."""
    task, preprocessor = parts.load_task(context), parts.load_preprocessor(context)
    strategy, model = parts.strategy(context, parts.base_model(context)), parts.tuned_model(context)
    scorer = Scorer(context.project, context.plugins)
    metrics: dict[str, dict[str, float]] = {}
    confusion: dict[str, Any] = {}
    for name in SPLITS:
        rows = parts.split_rows(context, name)
        columns = parts.columns_of(context, rows)
        checked = check_rows(preprocessor, model_rows(rows, columns))
        outputs = run_model(strategy, model, preprocessor.encode(checked), len(rows))
        np.savez(context.folder / OUTPUTS.format(name), allow_pickle=False, **outputs)
        if writes(task):
            assert isinstance(preprocessor, SourcePreprocessor)
            judged = judge_model(model, task, preprocessor, checked, truths(rows, columns))
        else:
            judged = judge(task, outputs, truths(rows, columns), checked)
        predictions, references = judged
        metrics[name] = scorer.score(predictions, references)
        confusion = _confusion(predictions, references)
    return {
        "metrics": metrics,
        "confusion": confusion,
        "summary": {f"{split} {scorer.deciding}": metrics[split][scorer.deciding] for split in SPLITS},
    }


def load_outputs(context: StepContext, split: str) -> dict[str, NDArray[Any]]:
    """The tuned model's outputs on a split, in row order."""
    with np.load(context.file("evaluate", OUTPUTS.format(split)), allow_pickle=False) as found:
        return {name: found[name] for name in found.files}


def _confusion(predictions: Predictions, references: NDArray[Any]) -> dict[str, Any]:
    """Counts by right label (rows) and answer (columns); empty for values, and where a row has any number of labels."""
    several = predictions.values.ndim == 2 and predictions.scores is not None and predictions.scores.ndim == 2
    if not predictions.labels or several:
        return {}
    size = len(predictions.labels)
    counts = np.zeros((size, size), dtype=np.int64)
    here = references != NO_PLACE
    np.add.at(counts, (references[here], predictions.values[here]), 1)
    return {"labels": list(predictions.labels), "counts": counts.tolist()}


STEP = Step("evaluate", 1, ("split", "baseline", "tune"), _inputs, run)
