"""The report as JSON and as lines for a terminal."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from tuneloop.report.drift.model import DriftReport

WORDS = {"drift": "drift", "small": "small change", "stable": "no change found", "unclear": "too few rows to tell"}
"""Verdicts, for people."""


def as_json(report: DriftReport) -> dict[str, Any]:
    """Plain JSON values; a figure that is not finite is null."""
    study = asdict(report.study)
    document = {
        "format": 1,
        "outcome": study.pop("outcome"),
        "headline": report.headline,
        "reference": report.reference,
        "current": report.current,
        "made": report.made,
        **study,
        "left_out": dict(report.left_out),
        "dropped": dict(report.dropped),
        "telling_rows": [asdict(row) for row in report.rows],
    }
    finite: dict[str, Any] = _finite(document)
    return finite


def as_lines(report: DriftReport, most: int = 20) -> list[str]:
    """A table of the signals and the verdict, in plain text.

    Args:
        report: The report.
        most: Signals to list, the most surprising first.
    """
    study = report.study
    lines = [f"{report.reference} ({study.rows[0]} rows)  ->  {report.current} ({study.rows[1]} rows)", ""]
    width = max(len("signal"), *(len(test.label) for test in study.signals[:most]))
    lines.append(f"{'signal':<{width}}  {'PSI':>8}  {'z':>8}  {'p (Holm)':>9}  verdict")
    lines += [
        f"{test.label:<{width}}  {test.psi:8.4f}  {test.zscore:8.2f}  {test.adjusted:9.2g}  {WORDS[test.verdict]}"
        for test in study.signals[:most]
    ]
    if len(study.signals) > most:
        lines.append(f"... and {len(study.signals) - most} more")
    joint = study.joint
    lines.append("")
    if joint is None:
        lines.append(f"All together: not tested, {study.without_joint}.")
    else:
        explained = ", ".join(f"{label} {loss:.3f}" for label, loss in joint.importance[:5] if loss > 0)
        lines.append(
            f"All together: AUC {joint.auc:.3f} ({joint.low:.3f} to {joint.high:.3f}), p {joint.pvalue:.2g}"
            + (f"; by {explained}" if explained and study.joint_drift else "")
        )
    lines += [f"left out: {name}, {reason}" for name, reason in report.left_out.items()]
    lines += [f"dropped: {count} rows, {reason}" for reason, count in report.dropped.items()]
    return [*lines, "", report.headline]


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
