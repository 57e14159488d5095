"""`evaluate`: the tuned model, before export, on validation and test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuneloop.api import Arrays, Row, Task
from tuneloop.pipeline.data.encoded import check_rows
from tuneloop.pipeline.data.rows import model_rows, truths
from tuneloop.pipeline.evaluating.confusion import counted
from tuneloop.pipeline.evaluating.network import run_model
from tuneloop.pipeline.evaluating.scoring import Scorer, judge
from tuneloop.pipeline.evaluating.written import judge_model
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.step import Scope, Step, StepContext
from tuneloop.preprocessing.source import SourcePreprocessor
from tuneloop.tasks.written import writes

SETTLING = "validation"
SPLITS = (SETTLING, "test")
"""In order: what the first one settles holds for the next."""
OUTPUTS = "outputs-{}.npz"


def _inputs(scope: Scope) -> dict[str, Any]:
    return {"metrics": list(Scorer(scope.project, scope.plugins).metrics)}


def run(context: StepContext) -> dict[str, Any]:
    """Metrics on both splits; the outputs are kept, for `verify` to compare the exported model with.

    Where the validation rows settle something of the task, such as a threshold, they flatter the model: the test rows
    judge it.
    """
    task, preprocessor = parts.load_task(context), parts.load_preprocessor(context)
    strategy, model = parts.strategy(context, parts.base_model(context)), parts.tuned_model(context)
    scorer = Scorer(context.project, context.plugins)
    metrics: dict[str, dict[str, float]] = {}
    confusion: dict[str, Any] = {}
    settled = None
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
            if name == SETTLING:
                settled = settle(task, checked, outputs, truths(rows, columns))
            judged = judge(settled or task, outputs, truths(rows, columns), checked)
        predictions, references = judged
        metrics[name] = scorer.score(predictions, references, scorer.needed if name == "test" else ())
        confusion = counted(predictions, references)
    return {
        "metrics": metrics,
        "confusion": confusion,
        "settled": None if settled is None else settled.state(),
        "summary": scorer.told(metrics) | ({} if settled is None else {"settled on": SETTLING}),
    }


def settle(task: Task, rows: Sequence[Row], outputs: Arrays, values: Sequence[Any]) -> Task | None:
    """The task as rows settle it (`Task.settle`); None where there is nothing to settle."""
    found = task.settle(rows, outputs, values)
    return None if found is task else found


def settled_task(context: StepContext) -> Task:
    """The task as the tuned model's own outputs on the validation rows settled it."""
    state = context.done["evaluate"].output["settled"]
    return parts.load_task(context) if state is None else parts.task_class(context).from_state(state)


def load_outputs(context: StepContext, split: str) -> dict[str, NDArray[Any]]:
    """The tuned model's outputs on a split, in row order."""
    with np.load(context.file("evaluate", OUTPUTS.format(split)), allow_pickle=False) as found:
        return {name: found[name] for name in found.files}


STEP = Step("evaluate", 3, ("split", "baseline", "tune"), _inputs, run)
