from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tuneloop.api import SignalBatch
from tuneloop.loop.web.curves import Asked
from tuneloop.loop.web.from_store import MOST_ROWS, is_right, read_store, wilson
from tuneloop.monitoring.formula import corrected, drift, wilson_upper
from tuneloop.monitoring.reference import REFERENCE_FILE, Reference, build_reference
from tuneloop.monitoring.signals import AnswerClass, ColumnCategory, ColumnNumber, Confidence
from tuneloop.monitoring.store import Prediction, PredictionStore

HOUR = 3600.0
START, END = 1000 * HOUR, 1010 * HOUR


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PredictionStore]:
    store = PredictionStore(f"sqlite:///{tmp_path}/predictions.db")
    yield store
    store.close()


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """A folder with the reference of ages from 0 to 99 and two jobs."""
    rows = [{"age": number % 100, "job": "ab"[number % 2]} for number in range(1000)]
    answers = [{"label": "yes", "confidence": 0.9}] * len(rows)
    signals = [AnswerClass(), ColumnNumber("age"), ColumnCategory("job"), Confidence()]
    build_reference(signals, [SignalBatch(rows, (), {}, answers)]).save(tmp_path / REFERENCE_FILE)
    return tmp_path


def asked(champion: str | None = "1") -> Asked:
    return Asked("desk", champion, START, END, HOUR, HOUR, 4.0)


def put(store: PredictionStore, hour: float, rows: list[dict[str, object]], version: str = "1") -> list[str]:
    ids = [f"{hour}-{version}-{number}" for number in range(len(rows))]
    answer = {"label": "yes", "confidence": 0.9}
    store.add_predictions(
        [Prediction(id_, "desk", version, START + hour * HOUR, row, answer) for id_, row in zip(ids, rows, strict=True)]
    )
    return ids


def test_drift_is_that_of_each_window_by_the_formula_of_the_alerts(store: PredictionStore, artifact: Path) -> None:
    same = [{"age": number, "job": "ab"[number % 2]} for number in range(100)]
    moved = [{"age": 60 + number % 40, "job": "ab"[number % 2]} for number in range(100)]
    put(store, 2.5, same)
    put(store, 5.5, moved)
    put(store, 5.5, moved, version="2")
    chart = read_store(store, asked(), artifact).drift
    assert chart is not None
    lines = {line.name: dict(line.points) for line in chart.lines}
    assert set(lines) == {"column:age", "column:job", "answer", "confidence"}
    assert chart.lines[0].name == "column:age"
    assert set(lines["column:age"]) == {START + 3 * HOUR, START + 6 * HOUR}
    bins = Reference.load(artifact / REFERENCE_FILE).by_label["column:age"]
    counts = np.bincount(bins.index(np.array([float(str(row["age"])) for row in moved])), minlength=len(bins.counts))
    expected = drift(counts, bins.ratios, 1000)
    assert expected is not None
    assert lines["column:age"][START + 6 * HOUR] == expected.zscore > 10
    assert lines["column:age"][START + 3 * HOUR] < 2
    assert chart.limit is not None
    assert chart.limit[0] == corrected(4.0, 4)


def test_accuracy_is_counted_by_version_and_window(store: PredictionStore, artifact: Path) -> None:
    ids = put(store, 0.5, [{"age": 1}] * 10) + put(store, 9.5, [{"age": 2}] * 20, version="2")
    put(store, 5.5, [{"age": 3}] * 5)
    store.add_labels([(id_, "yes" if number % 5 else "no") for number, id_ in enumerate(ids)])
    chart = read_store(store, asked(), artifact).accuracy
    assert chart is not None
    assert [line.name for line in chart.lines] == ["version 2", "version 1"]
    second, first = chart.lines
    assert first.points == ((START + HOUR, 0.8),)
    assert second.points == ((END, 0.8),)
    assert first.band == ((START + HOUR, *wilson(8, 10)),)
    assert first.band[0][2] - first.band[0][1] > second.band[0][2] - second.band[0][1]


def test_what_cannot_be_had_is_said(store: PredictionStore, tmp_path: Path, artifact: Path) -> None:
    found = read_store(store, asked(), artifact)
    assert (found.drift, found.accuracy) == (None, None)
    assert found.drift_why
    assert found.accuracy_why
    put(store, 1, [{"age": 1}] * 9)
    assert read_store(store, asked(), artifact).drift is None
    put(store, 1, [{"age": 1}] * 20, version="2")
    assert read_store(store, asked(None), artifact).drift is None
    assert read_store(store, asked("2"), tmp_path / "nowhere").drift is None
    assert read_store(store, asked("2"), None).drift is None


def test_columns_that_were_not_kept_are_not_drift(store: PredictionStore, artifact: Path) -> None:
    put(store, 1, [{}] * 50)
    chart = read_store(store, asked(), artifact).drift
    assert chart is not None
    assert {line.name for line in chart.lines} == {"answer", "confidence"}


def test_of_many_rows_the_newest_are_counted(store: PredictionStore, artifact: Path) -> None:
    put(store, 1, [{"age": 1}] * 100)
    put(store, 8, [{"age": 1}] * MOST_ROWS)
    chart = read_store(store, asked(), artifact).drift
    assert chart is not None
    assert [moment for moment, _ in chart.lines[0].points] == [START + 9 * HOUR]


@pytest.mark.parametrize(
    ("answer", "label", "right"),
    [
        ({"label": "1"}, 1, True),
        ({"label": "a"}, "b", False),
        ({"value": 1.0}, 1.4, True),
        ({"value": 1.0}, "2", False),
        ({"value": 1.0}, "x", None),
        ({"value": 1.0}, None, None),
        ({"text": "hello"}, "hello", None),
    ],
)
def test_answers_are_right_as_the_server_counts_them(answer: dict[str, object], label: object, right: object) -> None:
    assert is_right(answer, label, 0.5) is right


@pytest.mark.parametrize(("right", "rows"), [(0, 1), (1, 1), (8, 10), (999, 1000)])
def test_the_interval_is_wilsons(right: int, rows: int) -> None:
    low, high = wilson(right, rows)
    assert high == pytest.approx(wilson_upper(right, rows))
    assert low == pytest.approx(1 - wilson_upper(rows - right, rows))
