"""`verify`: does the exported model answer as the tuned one, and is the smaller variant good enough to be served?"""

from __future__ import annotations

import shutil
from typing import Any

from tuneloop.artifact import MODEL
from tuneloop.pipeline.data.encoded import check_rows
from tuneloop.pipeline.data.rows import model_rows, truths
from tuneloop.pipeline.delivering.export import FLOAT
from tuneloop.pipeline.delivering.parity import REQUEST, compare_variants, run_in_batches
from tuneloop.pipeline.evaluating.evaluate import SETTLING, settle
from tuneloop.pipeline.evaluating.scoring import Scorer, judge
from tuneloop.pipeline.evaluating.written import judge_served
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.cache import fresh
from tuneloop.pipeline.runs.step import Scope, Step, StepContext
from tuneloop.serving.generating.predictor import open_predictor
from tuneloop.tasks.written import writes

SERVED = "served"


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
    differences = compare_variants(context, export["variants"])
    parity = differences[FLOAT]
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
        "differences": differences,
        "variants": variants,
        "served": served,
        "summary": {"served": served, "largest difference": parity["max_difference"]},
    }


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
    outputs = run_in_batches(predictor, encoded, len(rows), REQUEST)
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


STEP = Step("verify", 4, ("split", "baseline", "evaluate", "export"), _inputs, run)
