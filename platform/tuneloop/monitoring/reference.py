"""The reference of a version: the bins of every signal and its score on the holdout; `reference.json`."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pydantic
from numpy.typing import NDArray

from tuneloop.api import ArtifactError, DataError, PluginError, Signal, SignalBatch
from tuneloop.artifact import write_atomic
from tuneloop.monitoring.accuracy.calibration import Calibration
from tuneloop.monitoring.bins import Bins, CategoryBins, NumberBins

REFERENCE_FILE = "reference.json"
TOLERANCE_SHARE = 0.9
"""Share of holdout rows whose error counts as right in regression."""


class Reference(pydantic.BaseModel):
    """What a version is watched against.

    Attributes:
        format: Of the file.
        rows: Holdout rows behind the bins.
        score: Share of right answers on the holdout; None where it had no labels.
        tolerance: An answer is right if its absolute error is at most this. 0 for labels; for values the 0.9 quantile
            of the absolute errors on the holdout, so that one rule and one alert serve both.
        squared_error: Mean squared error on the holdout; None where it had no labels.
        signals: The bins of each signal, sorted by label.
        slices: Signals by whose bins accuracy is counted, sorted.
        calibration: What the scores of a classification are worth; None where that is not known.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    format: Literal[1] = 1
    rows: int = pydantic.Field(ge=1)
    score: float | None = pydantic.Field(default=None, ge=0, le=1)
    tolerance: float = pydantic.Field(default=0.0, ge=0)
    squared_error: float | None = pydantic.Field(default=None, ge=0)
    signals: tuple[Bins, ...]
    slices: tuple[str, ...] = ()
    calibration: Calibration | None = None

    @pydantic.model_validator(mode="after")
    def _check_signals(self) -> Self:
        labels = [bins.label for bins in self.signals]
        if labels != sorted(set(labels)):
            raise ValueError(f"signals are not sorted or not unique: {labels}")
        if wrong := [bins.label for bins in self.signals if sum(bins.counts) != self.rows]:
            raise ValueError(f"counts of {wrong} do not add up to {self.rows} rows")
        return self

    @functools.cached_property
    def by_label(self) -> dict[str, NumberBins | CategoryBins]:
        """The bins of each signal."""
        return {bins.label: bins for bins in self.signals}

    def bin(self, signal: str, values: NDArray[Any]) -> NDArray[np.intp]:
        """The position of each value's bin, `intp [n]`. `signal` is its label."""
        return self.by_label[signal].index(values)

    def to_json(self) -> bytes:
        """The file's bytes; equal references give equal bytes."""
        return (json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True) + "\n").encode()

    def save(self, path: Path) -> None:
        """Write the file."""
        write_atomic(path, self.to_json())

    @classmethod
    def load(cls, path: Path) -> Reference:
        """Read the file.

        Raises:
            ArtifactError: It is absent or does not hold a reference.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, pydantic.ValidationError) as error:
            raise ArtifactError(f"{path} holds no reference that can be read: {error}") from error


def build_reference(
    signals: Sequence[Signal],
    batches: Iterable[SignalBatch],
    *,
    errors: Sequence[float] | NDArray[Any] | None = None,
    regression: bool = False,
) -> Reference:
    """The reference of a version, from the holdout with the model's own answers.

    Args:
        signals: As `create_signals` made them.
        batches: Every holdout row exactly once.
        errors: `Task.error` of each holdout row, where labels are known: 0 or 1, or signed differences.
        regression: Whether `errors` are differences.

    Raises:
        DataError: There are no rows.
        PluginError: A signal failed, or gave another number of values than there are rows.
    """
    rows = 0
    values: dict[str, list[NDArray[Any]]] = {signal.label: [] for signal in signals}
    for batch in batches:
        rows += len(batch.rows)
        for signal in signals:
            values[signal.label].append(read_signal(signal, batch))
    if not rows:
        raise DataError("there are no holdout rows to take the reference from; enlarge `data.split`")
    kinds = {signal.label: signal.kind for signal in signals}
    bins = [
        (NumberBins if kinds[label] == "number" else CategoryBins).build(label, np.concatenate(values[label]))
        for label in sorted(values)
    ]
    if errors is None or not len(errors):
        return Reference(rows=rows, signals=tuple(bins))
    sizes = np.abs(np.asarray(errors, dtype=np.float64))
    tolerance = float(np.quantile(sizes, TOLERANCE_SHARE, method="higher")) if regression else 0.0
    return Reference(
        rows=rows,
        score=float((sizes <= tolerance).mean()),
        tolerance=tolerance,
        squared_error=float((sizes**2).mean()),
        signals=tuple(bins),
    )


def read_signal(signal: Signal, batch: SignalBatch) -> NDArray[Any]:
    """The signal's values of a batch, one a row.

    Raises:
        PluginError: It raised, or gave another number of values than there are rows.
    """
    try:
        values = np.asarray(signal.read(batch), dtype=np.float64 if signal.kind == "number" else object)
    except Exception as error:
        raise PluginError(f"signal {signal.label!r} failed: {error!r}") from error
    if values.shape != (len(batch.rows),):
        raise PluginError(f"signal {signal.label!r} gave shape {values.shape} for {len(batch.rows)} rows")
    return values
