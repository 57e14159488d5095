"""`verify`: does the exported model answer as the tuned one, and is the smaller variant good enough to be served?"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np

from tuneloop.api import Arrays, Encoded, VerificationError, fill_up, scatter
from tuneloop.artifact import MODEL
from tuneloop.pipeline.data.encoded import check_rows
from tuneloop.pipeline.data.rows import model_rows, truths
from tuneloop.pipeline.delivering.export import FLOAT
from tuneloop.pipeline.evaluating.evaluate import SETTLING, load_outputs, settle, settled_task
from tuneloop.pipeline.evaluating.generating import check_texts
from tuneloop.pipeline.evaluating.scoring import Scorer, judge, same
from tuneloop.pipeline.evaluating.written import check_written, judge_served
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.cache import fresh
from tuneloop.pipeline.runs.step import Scope, Step, StepContext
from tuneloop.serving.generating.predictor import open_predictor
from tuneloop.serving.predictor import Predictor
from tuneloop.tasks.written import writes

BATCH_SIZES = (1, 3, 16)
SERVED = "served"
_ROWS = 500


def _inputs(scope: Scope) -> dict[str, Any]:
    export = scope.project.export
    return {
        "tolerance": export.tolerance,
        "max_changed": export.max_changed,
        "max_loss": export.quantize_max_loss,
        "deciding": Scorer(scope.project, scope.plugins).deciding,
    }


def run(context: StepContext) -> dict[str, Any]:
    """Compare on real validation rows at several batch sizes and every length, and choose what is served.

    Raises:
        VerificationError: The float graph differs from the tuned model by more than the project allows.
    """
    export = context.done["export"].output
    parity = _parity(context)
    metrics = {name: _metrics(context, name) for name in export["variants"]}
    scorer = Scorer(context.project, context.plugins)
    served, reasons = _choose(context, scorer, metrics)
    if export["failed"]:
        reasons[str(context.project.export.quantize_mode)] = export["failed"]
    target = fresh(context.folder / SERVED)
    shutil.copytree(context.done["export"].folder / served, target, dirs_exist_ok=True)
    variants = {
        name: {
            "bytes": export["bytes"].get(name, 0),
            "metrics": metrics.get(name, {}),
            "served": name == served,
            "reason": reason,
        }
        for name, reason in reasons.items()
    }
    return {
        "parity": parity,
        "variants": variants,
        "served": served,
        "summary": {"served": served, "largest difference": parity["max_difference"]},
    }


def _parity(context: StepContext) -> dict[str, Any]:
    """Largest difference and number of changed answers of the float graph against the tuned model."""
    allowed = context.project.export
    task, preprocessor = settled_task(context), parts.load_preprocessor(context)
    rows = parts.split_rows(context, "validation")
    rows = rows.select(range(min(len(rows), _ROWS)))
    checked = check_rows(preprocessor, model_rows(rows, parts.columns_of(context, rows)))
    encoded = preprocessor.encode(checked)
    predictor = open_predictor(context.file("export", FLOAT) / MODEL, task, preprocessor)
    tuned = {name: array[: len(rows)] for name, array in load_outputs(context, "validation").items()}
    largest, changed = 0.0, 0
    for size in BATCH_SIZES:
        found = run_in_batches(predictor, encoded, len(rows), size)
        largest = max(largest, *(difference(tuned[name], found[name]) for name in tuned))
        equal = same(task.predictions_to(checked, tuned), task.predictions_to(checked, found), allowed.tolerance)
        changed = max(changed, int((~equal).sum()))
    share = changed / len(rows)
    if largest > allowed.tolerance or share > allowed.max_changed:
        raise VerificationError(
            f"the exported model does not answer as the tuned one: on {len(rows)} validation rows the largest "
            f"difference is {largest:.3g} (export.tolerance allows {allowed.tolerance:g}), and {changed} answers "
            f"changed ({share:.2%}; allowed are {allowed.max_changed:.2%})"
        )
    if writes(task):
        check_written(parts.tuned_model(context), predictor, checked)
    elif task.loss == "likelihood":
        check_texts(parts.tuned_model(context), predictor, checked)
    return {"rows": len(rows), "max_difference": largest, "changed_answers": changed}


def run_in_batches(predictor: Predictor, encoded: Sequence[Encoded], rows: int, size: int) -> Arrays:
    """Outputs in row order, computed with at most `size` rows a call."""
    groups: list[tuple[Sequence[int], Arrays]] = []
    for group in encoded:
        for start in range(0, len(group.rows), size):
            part = {name: array[start : start + size] for name, array in group.inputs.items()}
            groups.append((group.rows[start : start + size], predictor.run(part)))
    return scatter(groups, rows)


def difference(expected: Any, found: Any) -> float:
    """The largest difference, relative where the expected number is above 1; infinite where one is not finite."""
    # Rows of a part may all have fewer places than the longest of all rows.
    sizes = tuple(max(pair) for pair in zip(expected.shape[1:], found.shape[1:], strict=True))
    expected, found = fill_up(expected, sizes), fill_up(found, sizes)
    gap = np.abs(expected.astype(np.float64) - found) / np.maximum(np.abs(expected), 1.0)
    return float(gap.max()) if np.isfinite(gap).all() else float("inf")


def _metrics(context: StepContext, variant: str) -> dict[str, float]:
    task, preprocessor = parts.load_task(context), parts.load_preprocessor(context)
    rows = parts.split_rows(context, "validation")
    columns = parts.columns_of(context, rows)
    checked = check_rows(preprocessor, model_rows(rows, columns))
    predictor = open_predictor(context.file("export", variant) / MODEL, task, preprocessor, threads=2)
    scorer = Scorer(context.project, context.plugins)
    if writes(task):
        return scorer.score(*judge_served(predictor, checked, truths(rows, columns)))
    encoded = preprocessor.encode(checked)
    # One row a call: dynamic quantisation scales by batch, and a batch of one is what most requests are.
    outputs = run_in_batches(predictor, encoded, len(rows), 1)
    # Each variant is judged as it would be served: with what these rows settle for it.
    settled = settle(task, checked, outputs, truths(rows, columns))
    return scorer.score(*judge(settled or task, outputs, truths(rows, columns), checked))


def _choose(context: StepContext, scorer: Scorer, metrics: dict[str, dict[str, float]]) -> tuple[str, dict[str, str]]:
    """The variant that is served, and a sentence for each."""
    name, allowed = scorer.deciding, context.project.export.quantize_max_loss
    small = next((variant for variant in metrics if variant != FLOAT), None)
    if small is None:
        return FLOAT, {FLOAT: "the only variant that was made"}
    sizes = context.done["export"].output["bytes"]
    if sizes[small] >= sizes[FLOAT]:
        said = f"not served: its {sizes[small]} bytes are no fewer than the {sizes[FLOAT]} of {FLOAT}"
        return FLOAT, {FLOAT: f"{small} is not smaller", small: said}
    if not all(name in metrics[one] for one in (FLOAT, small)):
        said = f"not served: {name} has no value on validation, so that nothing tells what is lost"
        return FLOAT, {FLOAT: f"nothing tells what {small} loses", small: said}
    before, after = metrics[FLOAT][name], metrics[small][name]
    lost = scorer.loss(name, before, after)
    rows = "validation" if context.done["evaluate"].output["settled"] is None else f"{SETTLING}, which settled both,"
    figures = f"{name} on {rows} {before:.4f} -> {after:.4f}, a loss of {lost:.4f}; allowed are {allowed:g}"
    if lost <= allowed:
        return small, {FLOAT: f"the smaller variant {small} is good enough", small: figures}
    return FLOAT, {FLOAT: f"{small} loses too much", small: f"not served: {figures}"}


STEP = Step("verify", 3, ("split", "baseline", "evaluate", "export"), _inputs, run)
