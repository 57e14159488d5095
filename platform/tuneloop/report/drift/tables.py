"""Compare two tables by their columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tuneloop.monitoring.offline.columns import compare_columns
from tuneloop.monitoring.offline.study import Settings, study
from tuneloop.report.drift.model import DriftReport, show_rows


def compare_tables(
    reference: tuple[str, Mapping[str, Sequence[Any]]],
    current: tuple[str, Mapping[str, Sequence[Any]]],
    settings: Settings,
    *,
    exclude: Collection[str] = (),
    include: Collection[str] = (),
    told: Callable[[str], None] = lambda _: None,
) -> DriftReport:
    """A report on two tables that no model has seen.

    Args:
        reference: Name and columns; all columns of one length.
        current: The same.
        settings: How strict.
        exclude: Columns to leave out.
        include: Columns to compare although they look like a time or an identifier.
        told: Hears what is being done.

    Raises:
        DataError: There is nothing to compare.
        MissingExtraError: scikit-learn or SciPy is not installed.
    """
    columns = compare_columns(reference[1], current[1], exclude=exclude, include=include)
    found = study(columns.samples, settings=settings, changes=columns.changes, told=told)
    telling = found.joint.telling if found.joint is not None and found.joint_drift else ()
    compared = [sample.label for sample in columns.samples]
    rows = {position: {name: current[1][name][position] for name in compared} for position, _ in telling}
    places = {position: place for place, position in enumerate(rows)}
    return DriftReport(
        reference[0],
        current[0],
        f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        found,
        columns.left_out,
        {},
        show_rows(
            [(places[position], score) for position, score in telling],
            list(rows.values()),
            [position + 1 for position in rows],
        ),
    )
