"""Compare rows by the signals of a served model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tuneloop.api import DataError, Row, Signal
from tuneloop.monitoring.offline.marginal import compare_counts, judge
from tuneloop.monitoring.offline.samples import Sample
from tuneloop.monitoring.offline.study import Settings, Study, conclude, study
from tuneloop.monitoring.reference import REFERENCE_FILE, Reference
from tuneloop.report.drift.answered import Answered, answer_rows, signals_of
from tuneloop.report.drift.model import DriftReport, show_rows

if TYPE_CHECKING:
    from tuneloop.serving.loader import Loaded


def compare_answered(
    loaded: Loaded,
    reference: tuple[str, Sequence[Row]] | None,
    current: tuple[str, Sequence[Row]],
    settings: Settings,
    *,
    exclude: Collection[str] = (),
    told: Callable[[str], None] = lambda _: None,
) -> DriftReport:
    """A report on the signals of a model: its columns, and what it made of the rows.

    Args:
        loaded: The version that answers all rows.
        reference: Name and rows; None: the holdout counts in the artifact, which have no rows for the joint test.
        current: Name and rows.
        settings: How strict.
        exclude: Labels of signals to leave out.
        told: Hears what is being done.

    Raises:
        DataError: There is nothing to compare, or `exclude` names no signal.
        ArtifactError: The artifact has no reference, and none was given.
        MissingExtraError: scikit-learn or SciPy is not installed.
    """
    signals = _chosen(loaded, exclude)
    told(f"answering {len(current[1])} rows of {current[0]}")
    now = answer_rows(loaded, signals, current[1], current[0])
    if reference is None:
        name, before = "the model's holdout", None
        found = _against_holdout(loaded, signals, now, settings)
    else:
        name = reference[0]
        told(f"answering {len(reference[1])} rows of {name}")
        before = answer_rows(loaded, signals, reference[1], name)
        samples = [
            Sample(signal.label, signal.kind, before.values[signal.label], now.values[signal.label])
            for signal in signals
        ]
        found = study(samples, settings=settings, told=told)
    telling = found.joint.telling if found.joint is not None and found.joint_drift else ()
    return DriftReport(
        name,
        current[0],
        f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        found,
        dict.fromkeys(exclude, "excluded by name"),
        dict(Counter(before.refused if before else {}) + Counter(now.refused)),
        show_rows(telling, now.rows, now.numbers),
    )


def _chosen(loaded: Loaded, exclude: Collection[str]) -> tuple[Signal, ...]:
    known = {name for signal in signals_of(loaded) for name in (signal.label, signal.name)}
    if unknown := sorted(set(exclude) - known):
        raise DataError(f"there is no signal {', '.join(map(repr, unknown))}; there are: {', '.join(sorted(known))}")
    signals = signals_of(loaded, exclude)
    if not signals:
        raise DataError("every signal is excluded: there is nothing to compare")
    return signals


def _against_holdout(loaded: Loaded, signals: Sequence[Signal], now: Answered, settings: Settings) -> Study:
    reference = Reference.load(loaded.artifact.folder / REFERENCE_FILE)
    known = [signal.label for signal in signals if signal.label in reference.by_label]
    if not known:
        raise DataError("the artifact has a reference of none of these signals; name rows with --reference")
    tests = [compare_counts(reference.by_label[label], now.values[label]) for label in known]
    rows = (reference.rows, len(now.rows))
    reason = "the holdout's counts are known, not its rows; name rows with --reference"
    return conclude(rows, judge(tests, settings.alpha, settings.psi), None, reason, (), settings)
