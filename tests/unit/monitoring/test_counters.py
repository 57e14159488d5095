from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from prometheus_client import REGISTRY

from tuneloop.api import Column, SignalBatch, Tensor
from tuneloop.monitoring.counters import SignalCounters, merge
from tuneloop.monitoring.metrics import metrics
from tuneloop.monitoring.reference import build_reference
from tuneloop.monitoring.signals import ColumnNumber, create_signals, tuneloop_signals

SIGNALS = create_signals(
    tuneloop_signals(),
    (Column("age", "number"), Column("city", "category")),
    (Tensor("ids", "int64", ("batch", "length")),),
    ("a", "b", "c"),
    8,
)
ROWS = [{"age": float(i), "city": "Rome" if i % 3 else "Oslo"} for i in range(100)]


def sample(name: str, model: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"model": model, "version": "1", **labels})


def total(model: str, signal: str) -> float:
    return sum(
        one.value
        for family in REGISTRY.collect()
        for one in family.samples
        if one.name == "tuneloop_signal_observations_total"
        and (one.labels["model"], one.labels["signal"]) == (model, signal)
    )


def test_every_value_is_counted_once_by_many_threads(make_batch: Any) -> None:
    reference = build_reference(SIGNALS, [make_batch(ROWS)], errors=[0, 1])
    counters = SignalCounters(reference, SIGNALS, metrics(), "by-threads", "1", most_rows=64)
    assert sample("tuneloop_signal_observations_total", "by-threads", signal="column:age", bin="high") == 0
    batches = [make_batch([{"age": 1000.0, "city": None}] * size) for size in range(1, 8)]

    def work() -> None:
        for _ in range(20):
            for batch in batches:
                counters.observe(batch)
            counters.flush()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = 4 * 20 * sum(range(1, 8))
    assert {total("by-threads", signal.label) for signal in SIGNALS} == {expected}
    assert sample("tuneloop_signal_observations_total", "by-threads", signal="column:age", bin="high") == expected
    assert sample("tuneloop_signal_observations_total", "by-threads", signal="column:city", bin="missing") == expected


def test_merging_changes_no_value(make_batch: Any) -> None:
    batches = [make_batch(ROWS[i : i + 7], generator=np.random.default_rng(i)) for i in range(0, 70, 7)]
    merged = merge(batches)
    for signal in SIGNALS:
        parts = np.concatenate([signal.read(batch) for batch in batches])
        if signal.kind == "number":
            np.testing.assert_allclose(signal.read(merged), parts, rtol=1e-12)
        else:
            assert signal.read(merged).tolist() == parts.tolist()


def test_gauges_are_published_and_retired(make_batch: Any) -> None:
    reference = build_reference(SIGNALS, [make_batch(ROWS)], errors=[0, 0, 0, 1])
    counters = SignalCounters(reference, SIGNALS, metrics(), "gauges", "1")
    counters.publish_reference()
    ratio = {"signal": "column:city", "bin": "Oslo"}
    assert sample("tuneloop_signal_reference_ratio", "gauges", **ratio) == pytest.approx(34.5 / 102)
    assert sample("tuneloop_signal_reference_rows", "gauges") == 100
    assert sample("tuneloop_reference_score_ratio", "gauges") == 0.75
    assert sample("tuneloop_labels_total", "gauges", outcome="wrong") == 0
    counters.observe(make_batch(ROWS[:1]))
    counters.retire()
    counters.retire()
    assert sample("tuneloop_signal_reference_ratio", "gauges", **ratio) == 0
    assert sample("tuneloop_signal_reference_rows", "gauges") == 0
    assert sample("tuneloop_signal_observations_total", "gauges", **ratio) == 1


def test_a_signal_that_raises_is_switched_off_and_the_others_count(make_batch: Any, caplog: Any) -> None:
    class Broken(ColumnNumber):
        def read(self, batch: SignalBatch) -> Any:
            if any(row["age"] == 13 for row in batch.rows):
                raise RuntimeError("thirteen")
            return super().read(batch)

    signals = [Broken("age"), *[signal for signal in SIGNALS if signal.label != "column:age"]]
    reference = build_reference(signals, [make_batch(ROWS[:10])])
    counters = SignalCounters(reference, signals, metrics(), "broken", "1")
    counters.publish_reference()
    for row in ROWS[10:20]:
        counters.observe(make_batch([row]))
        counters.flush()
    assert total("broken", "column:age") == 3
    assert total("broken", "answer") == 10
    assert sample("tuneloop_signal_failures_total", "broken", signal="column:age") == 1
    assert sample("tuneloop_signal_reference_ratio", "broken", signal="column:age", bin="low") == 0
    assert len([record for record in caplog.records if "switched off" in record.message]) == 1


def test_outputs_that_do_not_merge_are_counted_one_by_one(make_batch: Any) -> None:
    reference = build_reference([ColumnNumber("age")], [make_batch(ROWS)])
    counters = SignalCounters(reference, [ColumnNumber("age")], metrics(), "shapes", "1")
    for width in (2, 3):
        batch = make_batch(ROWS[:5])
        outputs = {"frames": np.zeros((5, width), np.float32)}
        counters.observe(SignalBatch(batch.rows, batch.encoded, outputs, batch.answers))
    counters.flush()
    assert total("shapes", "column:age") == 10


def test_signals_without_reference_are_left_out(make_batch: Any, caplog: Any) -> None:
    reference = build_reference([ColumnNumber("age")], [make_batch(ROWS)])
    SignalCounters(reference, [ColumnNumber("weight")], metrics(), "unknown", "1").flush()
    assert ["column:age" in r.message or "column:weight" in r.message for r in caplog.records] == [True, True]
