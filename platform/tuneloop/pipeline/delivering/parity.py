"""How far the exported variants are from the tuned model: on real rows, output by output and answer by answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tuneloop.api import Arrays, Encoded, VerificationError, fill_up, scatter
from tuneloop.artifact import MODEL
from tuneloop.pipeline.data.encoded import check_rows
from tuneloop.pipeline.data.rows import model_rows
from tuneloop.pipeline.delivering.export import FLOAT
from tuneloop.pipeline.evaluating.evaluate import load_outputs, settled_task
from tuneloop.pipeline.evaluating.generating import check_texts
from tuneloop.pipeline.evaluating.scoring import same
from tuneloop.pipeline.evaluating.written import check_written
from tuneloop.pipeline.runs import parts
from tuneloop.pipeline.runs.step import StepContext
from tuneloop.serving.generating.predictor import open_predictor
from tuneloop.serving.predictor import Predictor
from tuneloop.tasks.written import writes

BATCH_SIZES = (1, 3, 16)
REQUEST = 1
"""Dynamic quantisation scales by batch, and a batch of one is what most requests are."""
_ROWS = 500


def compare_variants(context: StepContext, variants: Sequence[str]) -> dict[str, dict[str, Any]]:
    """`rows`, `max_difference` and `changed_answers` of each variant against the tuned model, on the same rows.

    `max_difference` is None where an output is not finite. A smaller variant is not refused for what is found here: it
    differs by intent, and is judged by what it loses.

    Raises:
        VerificationError: The float graph differs from the tuned model by more than the project allows.
    """
    allowed = context.project.export
    task, preprocessor = settled_task(context), parts.load_preprocessor(context)
    rows = parts.split_rows(context, "validation")
    rows = rows.select(range(min(len(rows), _ROWS)))
    checked = check_rows(preprocessor, model_rows(rows, parts.columns_of(context, rows)))
    encoded = preprocessor.encode(checked)
    tuned = {name: array[: len(rows)] for name, array in load_outputs(context, "validation").items()}
    answers = task.predictions_to(checked, tuned)
    differences: dict[str, dict[str, Any]] = {}
    for variant in variants:
        predictor = open_predictor(context.file("export", variant) / MODEL, task, preprocessor)
        largest, changed = 0.0, 0
        for size in BATCH_SIZES if variant == FLOAT else (REQUEST,):
            found = run_in_batches(predictor, encoded, len(rows), size)
            largest = max(largest, *(difference(tuned[name], found[name]) for name in tuned))
            equal = same(answers, task.predictions_to(checked, found), allowed.tolerance)
            changed = max(changed, int((~equal).sum()))
        if variant == FLOAT:
            _refuse(context, largest, changed, len(rows))
            if writes(task):
                check_written(parts.tuned_model(context), predictor, checked)
            elif task.loss == "likelihood":
                check_texts(parts.tuned_model(context), predictor, checked)
        differences[variant] = {
            "rows": len(rows),
            "max_difference": largest if np.isfinite(largest) else None,
            "changed_answers": changed,
        }
    return differences


def _refuse(context: StepContext, largest: float, changed: int, rows: int) -> None:
    allowed = context.project.export
    share = changed / rows
    if largest > allowed.tolerance or share > allowed.max_changed:
        raise VerificationError(
            f"the exported model does not answer as the tuned one: on {rows} validation rows the largest "
            f"difference is {largest:.3g} (export.tolerance allows {allowed.tolerance:g}), and {changed} answers "
            f"changed ({share:.2%}; allowed are {allowed.max_changed:.2%})"
        )


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
