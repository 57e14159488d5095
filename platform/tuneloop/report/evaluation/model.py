"""What the sections show, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Bins = Sequence[tuple[float, float, int]]
"""Mean confidence, share of right answers and number of rows, bin by bin."""


@dataclass(frozen=True, slots=True)
class CalibrationPart:
    """Confidence against accuracy.

    Attributes:
        temperature: By what logits are divided.
        reason: How it was found.
        error_before: Expected calibration error on test without it.
        error_after: With it.
        before: Bins without it.
        after: Bins with it.
    """

    temperature: float
    reason: str
    error_before: float
    error_after: float
    before: Bins
    after: Bins


@dataclass(frozen=True, slots=True)
class EvaluationPart:
    """The error analysis.

    Attributes:
        rows: How many rows were looked at.
        splits: Those they lie in.
        error: What the errors are, in words; empty where a task has none.
        weight: What mistakes are ordered by, in words.
        looked: How many slices were looked at.
        slices: The worst ones, as JSON values of the analysis.
        confusions: Pairs of classes.
        mistakes: Wrong answers.
        labels: Labels that are probably wrong.
        files: Where all of it stands.
    """

    rows: int
    splits: Sequence[str]
    error: str
    weight: str
    looked: int
    slices: Sequence[Mapping[str, Any]]
    confusions: Sequence[Mapping[str, Any]]
    mistakes: Sequence[Mapping[str, Any]]
    labels: Sequence[Mapping[str, Any]]
    files: str


@dataclass(frozen=True, slots=True)
class FoldsPart:
    """A cross-validation.

    Attributes:
        rows: That each part was tested on.
        metrics: Metric to its `mean`, standard deviation (`spread`) and `values` by part, None where it has none.
    """

    rows: Sequence[int]
    metrics: Mapping[str, Mapping[str, Any]]
