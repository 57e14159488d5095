from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from typing import Any

import pytest
from prometheus_client import REGISTRY

from tuneloop.api import Answer
from tuneloop.monitoring.feedback import Feedback
from tuneloop.monitoring.metrics import metrics
from tuneloop.monitoring.retention import expire
from tuneloop.monitoring.shadows import ShadowStore
from tuneloop.monitoring.store import Prediction, PredictionStore, Shadow


class Judge:
    """The part of a task that feedback uses."""

    def error(self, answer: Answer, truth: Any) -> float:
        return float(answer["value"] - truth)


@pytest.fixture
def store(database_url: str) -> Iterator[PredictionStore]:
    store = PredictionStore(database_url)
    yield store
    store.close()


def prediction(id_: str, value: float, model: str = "desk") -> Prediction:
    return Prediction(id_, model, "1", 10.0, {"x": 1}, {"value": value})


def shadow(id_: str, value: float) -> Shadow:
    return Shadow(id_, "2", 11.0, {"value": value})


@pytest.mark.parametrize("order", list(permutations(("prediction", "shadow", "label"))))
def test_whatever_comes_last_finds_the_others_once(store: PredictionStore, order: tuple[str, ...]) -> None:
    shadows = ShadowStore(store)
    steps = {
        "prediction": lambda: store.add_predictions([prediction("a", 1.0)]),
        "shadow": lambda: shadows.add_predictions([shadow("a", 2.0), shadow("a", 3.0)]),
        "label": lambda: store.add_labels([("a", 2.0)]),
    }
    for step in order[:2]:
        steps[step]()
        assert shadows.claim("desk") == []
    steps[order[2]]()
    assert shadows.claim("another") == []
    assert shadows.claim("desk", ["b"]) == []
    (found,) = shadows.claim("desk", ["a", "b"])
    assert (found.pair.prediction, found.pair.label) == (prediction("a", 1.0), 2.0)
    assert found.shadow == shadow("a", 2.0)
    assert shadows.claim("desk") == []


def test_many_workers_count_each_row_once(store: PredictionStore) -> None:
    ids = [str(number) for number in range(1200)]
    shadows = ShadowStore(store)
    store.add_predictions([prediction(id_, 0.0) for id_ in ids])
    shadows.add_predictions([shadow(id_, 0.0) for id_ in ids])
    store.add_labels([(id_, 0.0) for id_ in ids])
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda _: shadows.claim("desk"), range(8)))
    assert sorted(one.shadow.id for part in parts for one in part) == sorted(ids)


def test_labels_say_who_was_right_and_by_how_much(store: PredictionStore, request: pytest.FixtureRequest) -> None:
    model = request.node.name
    feedback = Feedback(store, metrics(), model, Judge(), 0.5)  # type: ignore[arg-type]
    rows = {"both": (1.0, 1.2), "champion": (1.0, 9.0), "challenger": (5.0, 1.0), "neither": (3.0, 4.0)}
    store.add_predictions([prediction(which, values[0], model) for which, values in rows.items()])
    feedback.add([(which, 1.0) for which in rows])
    ShadowStore(store).add_predictions([shadow(which, values[1]) for which, values in rows.items()])
    assert feedback.compare(list(rows)) == 4
    assert feedback.compare(list(rows)) == feedback.join() == 0
    pair = {"model": model, "version": "2", "champion": "1"}
    for which in rows:
        assert REGISTRY.get_sample_value("tuneloop_shadow_labels_total", {**pair, "right": which}) == 1
    squared = {
        whose: REGISTRY.get_sample_value("tuneloop_shadow_squared_error_total", {**pair, "of": whose})
        for whose in ("champion", "challenger")
    }
    assert squared == {"champion": pytest.approx(16 + 4), "challenger": pytest.approx(0.04 + 64 + 9)}


def test_erasing_a_prediction_erases_its_shadow(store: PredictionStore) -> None:
    shadows = ShadowStore(store)
    store.add_predictions([prediction("a", 1.0)])
    shadows.add_predictions([shadow("a", 1.0), shadow("never stored", 1.0)])
    assert [expire(store, "desk", 20.0) for _ in range(3)] == [1, 1, 0]
    for id_ in ("a", "never stored"):
        store.add_predictions([prediction(id_, 1.0)])
        store.add_labels([(id_, 1.0)])
    assert shadows.claim("desk") == []
