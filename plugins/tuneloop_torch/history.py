"""What the loop logged, as one record an epoch; which of them is the best, and whether that history says to stop."""

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


def best_of(records: Sequence[Mapping[str, float]], metric: str, *, maximize: bool) -> int | None:
    """Position of the record whose epoch is kept; None where no record has a number for the metric.

    Of records with equal values it is the one with the lower validation loss: a metric that counts answers has few
    values, and the loss still tells models apart that give the same ones. Of those that are equal there too, the first.

    Args:
        records: As `epoch_records` gives them.
        metric: Picks the epoch.
        maximize: Whether more of it is better.
    """

    def worth(place: int) -> tuple[float, float, int]:
        value, loss = records[place][metric], records[place].get("validation_loss", math.inf)
        return -value if maximize else value, math.inf if math.isnan(loss) else loss, place

    return min((place for place, one in enumerate(records) if not math.isnan(one[metric])), key=worth, default=None)


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
