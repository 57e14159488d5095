"""What a report shows, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class VariantRow:
    """One exported variant: size, deciding metric on validation, median time of one row, and the verdict.

    `difference` is the largest from the tuned model, relative where the expected number is above 1, and `changed` the
    share of rows whose answer is another; both are None for a variant that was not made.
    """

    name: str
    megabytes: float
    metric: float | None
    milliseconds: float | None
    served: bool
    reason: str
    difference: float | None = None
    changed: float | None = None


@dataclass(frozen=True, slots=True)
class SliceRow:
    """A slice of the golden holdout: what both models reach there, and the gain with its 95 % interval."""

    name: str
    rows: int
    metric: str
    champion: float
    challenger: float
    gain: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class GainRow:
    """What the served model gains over another on one split, by one metric, with the 95 % interval of the gain."""

    over: str
    split: str
    metric: str
    before: float
    served: float
    gain: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ColumnRow:
    """A column of the data: what it is used as (empty: it is not), its type, and in how many rows it is missing.

    `missing` is None where that was not looked at.
    """

    name: str
    use: str
    type: str
    missing: int | None


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A label of rows that have any number of them: rows where it is right and given, and the three other cases."""

    name: str
    found: int
    missed: int
    wrongly: int
    absent: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything on the page.

    Attributes:
        project: The project's name.
        run: The run's id.
        started: When, ISO 8601 in UTC.
        task: The task's name.
        base_model: The base model's name.
        strategy: The strategy's name.
        sha256: Of the artifact.
        passed: Whether the gate accepted it.
        checks: Passed or not, and a sentence, for each check of the gate.
        metrics: Metric to column to value.
        metric_columns: All columns, in order.
        maximize: Whether more of a metric is better.
        history: One record an epoch.
        best_epoch: The epoch whose weights were kept.
        confusion_labels: Class names; empty for values, and where a row has any number of labels.
        confusion: Counts by right label (rows) and answer (columns), on test.
        parity: `rows`, `max_difference`, `changed_answers` of the export.
        variants: The exported variants.
        rows: Number of rows by split.
        left_out: Number of rows left out, by reason.
        findings: Name, sentence and some row numbers of each finding of the data check.
        columns: The columns of the data, as they stand in it.
        steps: Name, seconds and whether an earlier result was taken.
        parent: SHA-256 of the champion it was started from; None: from the base model.
        data: Content fingerprint of the rows.
        attempt: The how manyth attempt at the champion it is, from 1; None: there was none to compare with.
        slices: The slices that were compared with the champion.
        intervals: Metric to column to the ends of its 95 % interval.
        gains: What the served model gains over others.
        energy: What training used, in words; empty: not measured.
        warnings: What is to be known though the gate may have passed, a sentence each.
        sections: Whole sections as HTML, in order, such as those on the search and on errors; whoever makes one escapes
            what comes from data.
        label_counts: What became of each label on test, where a row has any number of them.
    """

    project: str
    run: str
    started: str
    task: str
    base_model: str
    strategy: str
    sha256: str
    passed: bool
    checks: tuple[tuple[bool, str], ...]
    metrics: Mapping[str, Mapping[str, float]]
    metric_columns: tuple[str, ...]
    maximize: Mapping[str, bool]
    history: tuple[Mapping[str, float], ...]
    best_epoch: float
    confusion_labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    parity: Mapping[str, float]
    variants: tuple[VariantRow, ...]
    rows: Mapping[str, int]
    left_out: Mapping[str, int]
    findings: tuple[tuple[str, str, tuple[int, ...]], ...]
    steps: tuple[tuple[str, float, bool], ...]
    parent: str | None
    data: str
    attempt: int | None = None
    slices: tuple[SliceRow, ...] = ()
    intervals: Mapping[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)
    gains: tuple[GainRow, ...] = ()
    energy: str = ""
    warnings: tuple[str, ...] = ()
    sections: Mapping[str, str] = field(default_factory=dict)
    label_counts: tuple[LabelRow, ...] = ()
    columns: tuple[ColumnRow, ...] = ()
