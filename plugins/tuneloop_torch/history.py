"""What the loop logged, as one record an epoch; and whether that history says to stop."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

PREFIX = "eval_"


def epoch_records(log: Sequence[Mapping[str, Any]], first_epoch: int = 0) -> tuple[dict[str, float], ...]:
    """One record an evaluated epoch: `epoch`, `loss`, `validation_loss`, and the validation metrics.

    Args:
        log: The trainer's `log_history`.
        first_epoch: Epochs of earlier stages.
    """
    losses = {entry["step"]: float(entry["loss"]) for entry in log if "loss" in entry}
    records = []
    for entry in log:
        if f"{PREFIX}loss" not in entry:
            continue
        record = {"epoch": first_epoch + float(entry["epoch"])}
        if entry["step"] in losses:
            record["loss"] = losses[entry["step"]]
        for name, value in entry.items():
            if name.startswith(PREFIX):
                plain = name.removeprefix(PREFIX)
                record["validation_loss" if plain == "loss" else plain] = float(value)
        records.append(record)
    return tuple(records)


def evaluated_steps(log: Sequence[Mapping[str, Any]]) -> list[int]:
    """The step at the end of each evaluated epoch."""
    return [int(entry["step"]) for entry in log if f"{PREFIX}loss" in entry]


def is_better(value: float, best: float | None, *, maximize: bool) -> bool:
    """Whether `value` beats the best so far; NaN never does."""
    if math.isnan(value):
        return False
    return best is None or (value > best if maximize else value < best)


def has_stalled(values: Sequence[float], patience: int, *, maximize: bool) -> bool:
    """Whether the last `patience` values brought no new best."""
    best, since = None, 0
    for value in values:
        if is_better(value, best, maximize=maximize):
            best, since = value, 0
        else:
            since += 1
    return since >= patience
