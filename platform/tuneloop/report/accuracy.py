"""A study of answers as JSON and as lines for a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tuneloop.monitoring.accuracy.figures import Comparison, Figures
from tuneloop.monitoring.accuracy.intervals import Interval
from tuneloop.monitoring.accuracy.study import Study

SHOWN = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "macro_precision": "precision",
    "macro_recall": "recall",
    "mae": "MAE",
    "rmse": "RMSE",
}
"""Scores by name, and how a table calls them."""
_COLUMNS = ("accuracy", "macro_f1", "mae", "rmse")
_SHARES = frozenset(SHOWN) - {"mae", "rmse"}


def as_json(study: Study) -> dict[str, Any]:
    """Plain JSON values; a figure that is not known is null."""
    return {
        "format": 1,
        "model": study.model,
        "figures": [_figures_json(one) for one in study.figures],
        "comparisons": [
            {
                "champion": one.champion,
                "challenger": one.challenger,
                "paired": one.paired,
                "rows": list(one.rows),
                "gains": _scores_json(one.gains),
                "notes": list(one.notes),
            }
            for one in study.comparisons
        ],
    }


def as_lines(study: Study) -> list[str]:
    """Tables in plain text: versions, then windows, then slices, then comparisons."""
    if not study.figures:
        return [f"The prediction store holds no answer of {study.model} here."]
    lines: list[str] = []
    groups = {
        "by version": [one for one in study.figures if one.window is None and one.slice is None],
        "by time of the answer (UTC)": [one for one in study.figures if one.window is not None],
        "by slice": [one for one in study.figures if one.slice is not None],
    }
    for title, figures in groups.items():
        if figures:
            lines += [*([""] if lines else []), f"{study.model}, {title}", *_table(figures)]
    for one in study.comparisons:
        lines += ["", *_comparison(one)]
    lines += ["", "Intervals are 95 %: Wilson for accuracy, bootstrap (BCa) for the others."]
    if any(one.estimate for one in study.figures):
        lines.append(
            "Estimates (CBPE) take scores for what they were worth on the holdout: changed right answers escape them."
        )
    return lines


def _table(figures: Sequence[Figures]) -> list[str]:
    scores = [name for name in _COLUMNS if any(name in one.scores for one in figures)]
    estimated = any(one.estimate for one in figures)
    head = ["version", *_place_head(figures[0]), "rows", "labelled", "coverage", "delay p50/p95"]
    head += [SHOWN[name] for name in scores]
    head += ["estimate: accuracy", "macro F1", "AUC"] if estimated else []
    rows = [head]
    for one in figures:
        row = [one.version, *_place(one), str(one.rows), str(one.labelled), f"{one.coverage:.1%}", _delay(one.delay)]
        row += [_interval(one.scores.get(name), share=name in _SHARES) for name in scores]
        if estimated:
            made = one.estimate
            known = [] if made is None else [made.accuracy, made.macro_f1, made.macro_roc_auc]
            row += [f"{value:.4f}" if not math.isnan(value) else "-" for value in known] or ["-"] * 3
        rows.append(row)
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [
        line + (f"  ({'; '.join(one.notes)})" if one is not None and one.notes else "")
        for line, one in zip(lines, [None, *figures], strict=True)
    ]


def _comparison(one: Comparison) -> list[str]:
    how = "on the same rows" if one.paired else "on rows of their own"
    rows = str(one.rows[0]) if one.paired else f"{one.rows[0]} and {one.rows[1]}"
    lines = [f"version {one.challenger} against {one.champion}, {how} ({rows} labelled)"]
    for name, gain in one.gains.items():
        lines.append(f"  {SHOWN[name]:<10}  {_signed(gain)}  {_verdict(name, gain)}")
    return [*lines, *(f"  note: {note}" for note in one.notes)]


def _verdict(name: str, gain: Interval) -> str:
    if gain.low <= 0 <= gain.high:
        return "no difference shown"
    return "better" if (gain.low > 0) == (name in _SHARES) else "worse"


def _place_head(one: Figures) -> list[str]:
    return ["from"] if one.window is not None else ["slice", "value"] if one.slice is not None else []


def _place(one: Figures) -> list[str]:
    if one.window is not None:
        return [datetime.fromtimestamp(one.window, UTC).strftime("%Y-%m-%d %H:%M")]
    return list(one.slice) if one.slice is not None else []


def _delay(delay: tuple[float, float] | None) -> str:
    return "-" if delay is None else "/".join(_time(seconds) for seconds in delay)


def _time(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.3g}{unit}"
    return f"{seconds:.3g}s"


def _interval(found: Interval | None, *, share: bool) -> str:
    if found is None:
        return "-"
    shape = ".4f" if share else ".4g"
    return f"{found.value:{shape}} ({found.low:{shape}}-{found.high:{shape}})"


def _signed(gain: Interval) -> str:
    return f"{gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"


def _figures_json(one: Figures) -> dict[str, Any]:
    made = one.estimate
    return {
        "version": one.version,
        "window": None if one.window is None else datetime.fromtimestamp(one.window, UTC).isoformat(),
        "slice": None if one.slice is None else {"name": one.slice[0], "value": one.slice[1]},
        "rows": one.rows,
        "labelled": one.labelled,
        "invalid": one.invalid,
        "coverage": one.coverage,
        "delay_seconds": None if one.delay is None else {"p50": one.delay[0], "p95": one.delay[1]},
        "scores": _scores_json(one.scores),
        "estimate": None
        if made is None
        else {
            "rows": made.rows,
            "accuracy": made.accuracy,
            "macro_f1": made.macro_f1,
            "macro_roc_auc": None if math.isnan(made.macro_roc_auc) else made.macro_roc_auc,
        },
        "notes": list(one.notes),
    }


def _scores_json(scores: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: {"value": one.value, "low": one.low, "high": one.high} for name, one in scores.items()}
