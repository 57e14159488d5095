from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from tuneloop.monitoring.metrics import metrics
from tuneloop.monitoring.retention import BATCH_ROWS, Retention, expire
from tuneloop.monitoring.shadows import ShadowStore
from tuneloop.monitoring.store import Prediction, PredictionStore, Shadow
from tuneloop.monitoring.writer import PredictionWriter


def prediction(number: int, model: str = "desk") -> Prediction:
    return Prediction(f"{model}{number}", model, "1", float(number), {"n": number}, {"label": "a"})


@pytest.fixture
def store(database_url: str) -> Iterator[PredictionStore]:
    store = PredictionStore(database_url, clock=lambda: 5.0)
    yield store
    store.close()


def expired(model: str) -> float:
    return REGISTRY.get_sample_value("tuneloop_store_expired_rows_total", {"model": model}) or 0.0


def test_old_rows_go_in_batches_with_their_labels_and_shadows(store: PredictionStore) -> None:
    store.add_predictions([*(prediction(n) for n in range(1200)), prediction(1, "other")])
    store.add_labels([(f"desk{n}", "a") for n in range(0, 1200, 2)])
    ShadowStore(store).add_predictions([Shadow(f"desk{n}", "2", float(n), {}) for n in range(1200)])
    assert [expire(store, "desk", 1100.0) for _ in range(4)] == [BATCH_ROWS, BATCH_ROWS, 100, 0]
    counts = store.counts("desk")
    assert (counts.predictions, counts.labelled, counts.waiting) == (100, 50, 0)
    assert store.counts("other").predictions == 1
    store.add_predictions([prediction(0)])
    assert ShadowStore(store).claim("desk", ["desk0"]) == []


def test_labels_that_never_found_a_prediction_go_too(store: PredictionStore) -> None:
    store.add_predictions([prediction(50)])
    store.add_labels([("desk50", "a"), ("never", "a")])
    assert (store.counts("desk").waiting, expire(store, "desk", 10.0), expire(store, "desk", 10.0)) == (1, 1, 0)
    counts = store.counts("desk")
    assert (counts.labelled, counts.waiting) == (1, 0)


def test_several_workers_delete_each_row_once_while_others_write(
    store: PredictionStore, request: pytest.FixtureRequest, wait_until: Callable[..., Any]
) -> None:
    model = request.node.name
    now = time.time()
    store.add_predictions([Prediction(f"old{n}", model, "1", now - 1000 - n, {}, {}) for n in range(3000)])
    writer = PredictionWriter(store, metrics(), model)
    workers = [Retention(store, metrics(), model, 500.0, look=0.05, pause=0.0) for _ in range(3)]
    for number in range(2000):
        assert writer.put(Prediction(f"new{number}", model, "1", now, {}, {}))
    assert writer.flush(60)
    wait_until(lambda: expired(model) >= 3000, 60)
    for worker in workers:
        worker.close()
    writer.close()
    assert expired(model) == 3000
    assert store.counts(model).predictions == 2000


def test_a_store_that_fails_is_asked_again(store: PredictionStore, wait_until: Callable[..., Any]) -> None:
    failed = threading.Event()

    class Away(PredictionStore):
        def connect(self, *, write: bool = False) -> Any:
            if not failed.is_set():
                failed.set()
                raise ConnectionError("the database is away")
            return store.connect(write=write)

    away = Away("sqlite://")
    model = f"away{id(store)}"
    store.add_predictions([prediction(1, model)])
    worker = Retention(away, metrics(), model, 10.0, look=0.01, pause=0.0, clock=lambda: 100.0)
    wait_until(lambda: expired(model) == 1)
    worker.close()
    away.close()
