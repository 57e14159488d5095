"""What is recorded of labels beside their accuracy, computed by Prometheus over two servers, one of which restarts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from tests.unit.monitoring.rules.promtool import STEPS, Series, check, labels, needs_promtool

from tuneloop.monitoring.accuracy.confusion import macro
from tuneloop.monitoring.accuracy.intervals import Interval, mean, root, wilson

WINDOW = 40
"""Scrapes in the window of 600 s."""


def counter(name: str, step: float, **own: str) -> Series:
    """A counter that rises by `step` with each scrape, half of it on each server."""
    half = step / 2
    one = {"model": "desk", "version": "1"}
    return [
        {
            "series": f"{name}{labels(**one, instance='a', **own)}",
            "values": f"0+{half}x{STEPS}",
        },
        {
            "series": f"{name}{labels(**one, instance='b', **own)}",
            "values": f"0+{half}x50 {half}+{half}x{STEPS - 51}",
        },
    ]


def figure(record: str, found: float, /, **own: str) -> tuple[str, str, Mapping[str, float]]:
    chosen = ", ".join(f'{name}="{text}"' for name, text in own.items())
    extra = "{" + "".join(f'"{name}": "{text}", ' for name, text in own.items()) + '"window": "600s"}'
    return f"round({record}600s{{{chosen}}}, 0.0001)", extra, {"1": round(found, 4)}


def interval(
    record: str, found: Interval | None, kind: str, /, **own: str
) -> list[tuple[str, str, Mapping[str, float]]]:
    assert found is not None
    return [
        figure(f"{record}_lower:{kind}", found.low, **own),
        figure(f"{record}:{kind}", found.value, **own),
        figure(f"{record}_upper:{kind}", found.high, **own),
    ]


@needs_promtool
def test_scores_by_class(tmp_path: Path) -> None:
    table = np.array([[12, 2, 0], [4, 10, 0], [2, 0, 0]], dtype=np.float64)
    """By truth and answer; the third class is never answered, a fourth never occurs."""
    series: Series = []
    for place, name in enumerate(("x", "y", "z", "w")):
        known = place < 3
        counts = {
            "tp": table[place, place] if known else 0.0,
            "fp": table[:, place].sum() - table[place, place] if known else 0.0,
            "fn": table[place].sum() - table[place, place] if known else 0.0,
        }
        for kind, count in counts.items():
            # Every class has had labels that were taken back: as many as were counted for them.
            undone = {"counted": count + 2, "undone": 2.0}
            for change, step in undone.items():
                own = {"class": name, "kind": kind, "change": change}
                series += counter("tuneloop_label_class_total", step, **own)
    figures = [
        figure(f"model_version:tuneloop_macro_{score}:ratio", float(macro(table.ravel(), score)))
        for score in ("f1", "precision", "recall")
    ]
    figures.append(figure("model_version_class:tuneloop_class_f1:ratio", 24 / 32, **{"class": "x"}))
    check(tmp_path, series, {}, figures)


@needs_promtool
def test_a_window_of_nothing_but_corrections_holds_nothing(tmp_path: Path) -> None:
    series: Series = []
    for kind, change, step in (("tp", "undone", 4), ("fp", "counted", 4), ("tp", "counted", 0), ("fp", "undone", 0)):
        series += counter("tuneloop_label_class_total", step, **{"class": "x", "kind": kind, "change": change})
    for kind in ("fn",):
        for change in ("counted", "undone"):
            series += counter("tuneloop_label_class_total", 0, **{"class": "x", "kind": kind, "change": change})
    check(tmp_path, series, {}, [figure("model_version:tuneloop_macro_f1:ratio", 0.0)])


@needs_promtool
def test_errors_of_numbers(tmp_path: Path) -> None:
    values = np.array([0.5, 1.0, 1.5, 4.0])
    series = counter("tuneloop_labels_total", len(values), outcome="correct")
    for power in (1, 2, 4):
        total = float((values**power).sum())
        series += counter("tuneloop_label_error_power_total", total + 1, power=str(power), change="counted")
        series += counter("tuneloop_label_error_power_total", 1, power=str(power), change="undone")
    one, two, four = ((values**power).sum() * WINDOW for power in (1, 2, 4))
    size, square = mean(one, two, 4 * WINDOW), mean(two, four, 4 * WINDOW)
    assert square is not None
    figures = [
        *interval("model_version:tuneloop_mean_absolute_error", size, "mean"),
        *interval("model_version:tuneloop_root_mean_square_error", root(square), "mean"),
    ]
    assert root(square).value == pytest.approx(math.sqrt((values**2).mean()))
    check(tmp_path, series, {}, figures)


@needs_promtool
def test_slices_and_the_estimate(tmp_path: Path) -> None:
    series: Series = []
    counts = {"pilot": (6, 2, 1, 0), "nurse": (4, 4, 0, 2)}
    for value, outcomes in counts.items():
        for outcome, step in zip(("correct", "wrong", "to_correct", "to_wrong"), outcomes, strict=True):
            own = {"slice": "column:job", "value": value, "outcome": outcome}
            series += counter("tuneloop_slice_labels_total", step, **own)
    series += counter("tuneloop_estimated_correct_total", 6.5) + counter("tuneloop_estimated_rows_total", 8)
    record = "model_version_slice_value:tuneloop_slice_accuracy"
    figures = [
        *interval(record, wilson(7 * WINDOW, 8 * WINDOW), "ratio", slice="column:job", value="pilot"),
        *interval(record, wilson(2 * WINDOW, 8 * WINDOW), "ratio", slice="column:job", value="nurse"),
        figure("model_version:tuneloop_accuracy_estimate:ratio", 6.5 / 8),
    ]
    check(tmp_path, series, {}, figures)


@needs_promtool
@pytest.mark.parametrize(
    ("better", "worse", "expected"), [(0, 0, 0.8), (1, 0, 0.9), (0, 2, 0.6), (9, 0, 1.0), (0, 9, 0.0)]
)
def test_corrections_move_accuracy_within_its_bounds(tmp_path: Path, better: int, worse: int, expected: float) -> None:
    series = counter("tuneloop_labels_total", 8, outcome="correct")
    series += counter("tuneloop_labels_total", 2, outcome="wrong")
    series += counter("tuneloop_label_corrections_total", better, change="to_correct")
    series += counter("tuneloop_label_corrections_total", worse, change="to_wrong")
    right = wilson(expected * 10 * WINDOW, 10 * WINDOW)
    check(tmp_path, series, {}, interval("model_version:tuneloop_accuracy", right, "ratio"))
