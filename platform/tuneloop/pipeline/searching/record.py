"""Trials as a run keeps them and a report shows them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

NOTES = "tuneloop"
"""Name of what a study keeps of a trial beside its value."""
RESULT = ("epochs", "seconds", "reason", "folders")
"""What a trial answers beside its state and value."""


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial that ended.

    Attributes:
        number: Its number in the study, from 0.
        state: `complete`, `pruned`, `failed`, or `lost`: its process died, and it was begun again.
        value: The metric on the validation rows; None where it has none.
        values: The options it tried.
        epochs: Records of its training.
        seconds: How long it took.
        reason: Why it failed, or was lost.
        twin: The earlier trial with equal options whose result it has; None: it was done.
        folders: Step folders it made that nothing else needs.
        curve: The validation curve, by record from 1.
    """

    number: int
    state: str
    value: float | None
    values: dict[str, Any]
    epochs: int = 0
    seconds: float = 0.0
    reason: str = ""
    twin: int | None = None
    folders: tuple[str, ...] = ()
    curve: dict[int, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        found = asdict(self)
        found["curve"] = {str(step): value for step, value in self.curve.items()}
        return found


def row_of(trial: Any) -> TrialRow:
    """A trial of an Optuna study that ended, with what was noted of it."""
    notes = trial.user_attrs.get(NOTES, {})
    state = str(notes.get("state", "failed"))
    return TrialRow(
        number=trial.number,
        state=state,
        value=trial.value if state == "complete" else None,
        values=dict(notes.get("values", {})),
        epochs=int(notes.get("epochs", 0)),
        seconds=float(notes.get("seconds", 0.0)),
        reason=str(notes.get("reason", "")),
        twin=notes.get("twin"),
        folders=tuple(notes.get("folders", ())),
        curve={int(step): float(value) for step, value in sorted(trial.intermediate_values.items())},
    )


def best_of(rows: Sequence[TrialRow], *, maximize: bool) -> TrialRow | None:
    """The best complete trial, of equals the first; None where none is complete."""
    sign = -1 if maximize else 1
    done = [(sign * row.value, row.number, row) for row in rows if row.state == "complete" and row.value is not None]
    return min(done, default=(0, 0, None))[2]


def as_csv(rows: Sequence[TrialRow], metric: str) -> str:
    """One line a trial: number, state, metric, epochs, seconds, a column an option, reason."""
    paths = list(dict.fromkeys(path for row in rows for path in row.values))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["trial", "state", metric, "epochs", "seconds", *paths, "reason"])
    for row in rows:
        value = "" if row.value is None else row.value
        options = [row.values.get(path, "") for path in paths]
        writer.writerow([row.number, row.state, value, row.epochs, round(row.seconds, 3), *options, row.reason])
    return out.getvalue()
