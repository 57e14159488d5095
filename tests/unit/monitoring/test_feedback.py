from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from tuneloop.api import Answer, RequestError
from tuneloop.monitoring.feedback import Feedback
from tuneloop.monitoring.metrics import metrics
from tuneloop.monitoring.store import Prediction, PredictionStore


class Judge:
    """The part of a task that feedback uses."""

    def error(self, answer: Answer, truth: Any) -> float:
        if "value" in answer:
            if not isinstance(truth, int | float):
                raise RequestError(f"a label is a number, not {truth!r}", field="label")
            return float(answer["value"] - truth)
        return float(answer["label"] != truth)


@pytest.fixture
def store() -> Iterator[PredictionStore]:
    store = PredictionStore("sqlite://", clock=lambda: 160.0)
    yield store
    store.close()


def outcome(model: str, which: str, version: str = "1") -> float:
    labels = {"model": model, "version": version, "outcome": which}
    return REGISTRY.get_sample_value("tuneloop_labels_total", labels) or 0.0


def feedback(store: PredictionStore, model: str, tolerance: float = 0.0) -> Feedback:
    return Feedback(store, metrics(), model, Judge(), tolerance)  # type: ignore[arg-type]


def predict(store: PredictionStore, model: str, ids: str, answer: Answer) -> None:
    store.add_predictions([Prediction(id_, model, "1", 100.0, {}, answer) for id_ in ids])


def test_each_label_counts_once_and_corrections_apart(store: PredictionStore) -> None:
    labels = feedback(store, "f1")
    predict(store, "f1", "abc", {"label": "x"})
    results = labels.add([("a", "x"), ("b", "y"), ("a", "x")])
    assert [result.status for result in results] == ["new", "new", "same"]
    assert [result.status for result in labels.add([("a", "x"), ("b", "x")])] == ["same", "changed"]
    assert (outcome("f1", "correct"), outcome("f1", "wrong"), outcome("f1", "corrected")) == (1, 1, 1)
    delay = REGISTRY.get_sample_value("tuneloop_label_delay_seconds_sum", {"model": "f1", "version": "1"})
    assert delay == 120
    assert [pair.label for pair in store.labelled_rows("f1")] == ["x", "x"]


def test_an_orphan_joins_when_its_prediction_arrives(store: PredictionStore) -> None:
    labels = feedback(store, "f2")
    assert [result.status for result in labels.add([("a", "x"), ("a", "y"), ("b", "x")])] == [
        "orphaned",
        "changed",
        "orphaned",
    ]
    assert REGISTRY.get_sample_value("tuneloop_labels_orphaned_total", {"model": "f2"}) == 2
    predict(store, "f2", "ab", {"label": "x"})
    assert labels.join(["a"]) == 1
    assert labels.join() == 1
    assert labels.join() == 0
    assert (outcome("f2", "correct"), outcome("f2", "wrong"), outcome("f2", "corrected")) == (1, 1, 0)


def test_values_are_judged_by_tolerance(store: PredictionStore) -> None:
    labels = feedback(store, "f3", tolerance=1.0)
    predict(store, "f3", "abc", {"value": 10.0})
    results = labels.add([("a", 9), ("b", 12.0), ("c", "ten")])
    assert [result.status for result in results] == ["new", "new", "refused"]
    assert "'ten'" in results[2].reason
    assert (outcome("f3", "correct"), outcome("f3", "wrong")) == (1, 1)
    squared = REGISTRY.get_sample_value("tuneloop_label_squared_error_total", {"model": "f3", "version": "1"})
    assert squared == 5


def test_a_bad_item_is_refused_and_its_neighbours_are_taken(store: PredictionStore) -> None:
    labels = feedback(store, "f4")
    predict(store, "f4", "a", {"label": "x"})
    predict(store, "else", "b", {"label": "x"})
    items: list[tuple[Any, Any]] = [
        ("", "x"),
        ("a\x00", "x"),
        (5, "x"),
        ("y" * 101, "x"),
        ("b", "x"),
        ("a", None),
        ("a", "x"),
    ]
    results = labels.add(items)
    assert [result.status for result in results] == ["refused"] * 6 + ["new"]
    assert all(result.reason for result in results[:6])
    assert outcome("f4", "correct") == 1


def test_a_waiting_label_that_cannot_be_judged_is_counted_as_invalid(store: PredictionStore) -> None:
    labels = feedback(store, "f5")
    labels.add([("a", "ten")])
    predict(store, "f5", "a", {"value": 10.0})
    assert labels.join(["a"]) == 1
    assert (outcome("f5", "invalid"), outcome("f5", "wrong")) == (1, 0)


def test_ten_thousand_labels_at_once(store: PredictionStore) -> None:
    labels = feedback(store, "f6")
    store.add_predictions([Prediction(f"p{n}", "f6", "1", 0.0, {}, {"label": "x"}) for n in range(10_000)])
    assert {result.status for result in labels.add([(f"p{n}", "x") for n in range(10_000)])} == {"new"}
    assert outcome("f6", "correct") == 10_000


def test_one_label_that_cannot_be_counted_takes_no_other_with_it(store: PredictionStore) -> None:
    labels = feedback(store, "f7", tolerance=1.0)
    # The first three wait for predictions: nothing can be said against them before.
    labels.add([("a", 1e100), ("b", 10**400), ("c", 10.0)])
    predict(store, "f7", "abcd", {"value": 10.0})
    assert labels.join() == 3
    (refused,) = labels.add([("d", -1e100)])
    assert (refused.status, "too far" in refused.reason) == ("refused", True)
    assert (outcome("f7", "invalid"), outcome("f7", "correct"), outcome("f7", "wrong")) == (2, 1, 0)
    squared = REGISTRY.get_sample_value("tuneloop_label_squared_error_total", {"model": "f7", "version": "1"})
    assert squared == 0
