"""Run a tuned model on encoded rows, as serving runs its graph: groups of one length, no padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tuneloop.api import Arrays, Encoded, RunError, Strategy, row_count, scatter

_BATCH = 64


def run_model(strategy: Strategy, model: Any, encoded: Sequence[Encoded], rows: int) -> Arrays:
    """Outputs in row order, float32.

    Args:
        strategy: Knows how models of its framework are run.
        model: As `BaseModel.load` gives it.
        encoded: Groups of encoded rows.
        rows: The number of rows in all.

    Raises:
        RunError: The strategy gave no `logits`, or not one row of outputs a row of inputs.
    """
    groups: list[tuple[Sequence[int], Arrays]] = []
    for group in encoded:
        for start in range(0, row_count(group.inputs), _BATCH):
            part = {name: array[start : start + _BATCH] for name, array in group.inputs.items()}
            outputs = strategy.outputs(model, part)
            _check(strategy, outputs, row_count(part))
            groups.append((group.rows[start : start + _BATCH], outputs))
    return scatter(groups, rows)


def _check(strategy: Strategy, outputs: Arrays, rows: int) -> None:
    shapes = {name: tuple(array.shape) for name, array in outputs.items()}
    sound = all(len(shape) in (2, 3) and shape[0] == rows for shape in shapes.values())
    if "logits" not in shapes or not sound:
        raise RunError(
            f"strategy {strategy.name!r} gave the outputs {shapes or 'none'} for {rows} rows; "
            f"`outputs` gives `logits` of shape ({rows}, number of labels or 1), or ({rows}, places, number of labels)"
        )
