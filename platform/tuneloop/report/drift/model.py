"""What a drift report shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuneloop.api import Row
from tuneloop.monitoring.offline.power import shift
from tuneloop.monitoring.offline.study import Study

_LONGEST = 160


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A current row that looks unlike the reference: its number in the input from 1, its score, and its values."""

    number: int
    score: float
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DriftReport:
    """Everything in the report.

    Attributes:
        reference: What the reference rows are, in words.
        current: What the current rows are.
        made: When, ISO 8601 in UTC.
        study: What was found.
        left_out: Columns or signals that were not compared, and why.
        dropped: Rows that were not compared, by reason.
        rows: The most telling current rows.
    """

    reference: str
    current: str
    made: str
    study: Study
    left_out: Mapping[str, str]
    dropped: Mapping[str, int]
    rows: tuple[ShownRow, ...]

    @property
    def headline(self) -> str:
        """The verdict in one sentence."""
        if self.study.outcome == "drift":
            return "; ".join(self._reasons()) + "."
        if self.study.outcome == "unclear":
            return f"Nothing was found, but these are too few rows to rule drift out: {self._blind()}"
        return f"No drift was found. {self._blind().capitalize()}"

    def _reasons(self) -> list[str]:
        drifted = [test.label for test in self.study.signals if test.verdict == "drift"]
        found = list(self.study.changes)
        if drifted:
            more = f" and {len(drifted) - 5} more" if len(drifted) > 5 else ""
            found.append(f"{len(drifted)} of {len(self.study.signals)} signals drifted: {', '.join(drifted[:5])}{more}")
        if self.study.joint is not None and self.study.joint_drift:
            alone = "" if drifted else ", though no signal alone shows it"
            found.append(
                f"a classifier tells current rows from the reference (AUC {self.study.joint.auc:.3f}, "
                f"p {self.study.joint.pvalue:.2g}){alone}"
            )
        return found

    def _blind(self) -> str:
        widest = max(test.detectable for test in self.study.signals)
        return (
            f"of a normal number, a shift by {shift(widest):.2g} standard deviations would have been seen four times "
            "in five, a smaller one less often."
        )


def show_rows(
    telling: Sequence[tuple[int, float]], rows: Sequence[Row], numbers: Sequence[int]
) -> tuple[ShownRow, ...]:
    """The most telling rows as texts.

    Args:
        telling: Positions in `rows`, with scores.
        rows: The current rows that were compared.
        numbers: Their numbers in the input, from 1.
    """
    return tuple(
        ShownRow(numbers[position], score, {name: _shown(value) for name, value in rows[position].items()})
        for position, score in telling
    )


def _shown(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
