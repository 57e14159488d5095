from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy.exc import DataError, OperationalError

from tuneloop.monitoring.metrics import metrics
from tuneloop.monitoring.store import Prediction, PredictionStore
from tuneloop.monitoring.writer import PredictionWriter


def prediction(number: int) -> Prediction:
    return Prediction(f"p{number}", "desk", "1", float(number), {"n": number}, {"label": "a"})


def dropped(model: str) -> float | None:
    return REGISTRY.get_sample_value("tuneloop_store_dropped_rows_total", {"model": model})


class Moody(PredictionStore):
    """A real store whose writes fail on demand."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.open = threading.Event()
        self.entered = threading.Event()
        self.failures = 0
        self.poison = ""
        self.model = ""

    def add_predictions(self, predictions: Sequence[Prediction]) -> None:
        self.entered.set()
        self.open.wait(30)
        if self.failures:
            self.failures -= 1
            raise OperationalError("INSERT", {}, RuntimeError("the database is away"))
        if any(one.id == self.poison for one in predictions):
            raise DataError("INSERT", {}, RuntimeError("no such text"))
        super().add_predictions(predictions)


@pytest.fixture
def store(database_url: str, request: pytest.FixtureRequest) -> Any:
    store = Moody(database_url)
    # Each test on each engine counts for itself.
    store.model = request.node.name
    yield store
    store.open.set()
    store.close()


def test_everything_is_written_and_announced(store: Moody) -> None:
    store.open.set()
    written: list[str] = []
    writer = PredictionWriter(store, metrics(), store.model, written=written.extend)
    for number in range(2000):
        assert writer.put(prediction(number))
    assert writer.flush()
    assert written == [f"p{number}" for number in range(2000)]
    assert store.counts("desk").predictions == 2000
    writer.close()
    assert not writer.put(prediction(2001))
    assert dropped(store.model) == 1


def test_a_full_queue_drops_and_counts_without_waiting(store: Moody) -> None:
    writer = PredictionWriter(store, metrics(), store.model, capacity=10, batch_rows=1)
    assert writer.put(prediction(0))
    assert store.entered.wait(10)
    accepted = [writer.put(prediction(number)) for number in range(1, 31)]
    assert accepted == [True] * 10 + [False] * 20
    assert dropped(store.model) == 20
    assert not writer.flush(0.01)
    store.open.set()
    writer.close()
    assert store.counts("desk").predictions == 11


def test_what_does_not_fit_of_a_request_is_dropped_and_counted(store: Moody) -> None:
    writer = PredictionWriter(store, metrics(), store.model, capacity=10, linger=60.0)
    assert writer.put_all([prediction(number) for number in range(8)]) == 8
    assert writer.put_all([prediction(number) for number in range(8, 13)]) == 2
    assert dropped(store.model) == 3
    store.open.set()
    assert writer.flush()
    assert sorted(store.predictions([f"p{n}" for n in range(13)])) == sorted(f"p{n}" for n in range(10))
    writer.close()
    assert writer.put_all([prediction(20), prediction(21)]) == 0
    assert dropped(store.model) == 5


def test_a_batch_waits_to_be_full_but_lets_nobody_wait(store: Moody) -> None:
    store.open.set()
    written: list[list[str]] = []
    full = threading.Event()

    def note(ids: Sequence[str]) -> None:
        written.append(list(ids))
        full.set()

    writer = PredictionWriter(store, metrics(), store.model, batch_rows=4, linger=600.0, written=note)
    for number in range(4):
        writer.put(prediction(number))
    assert full.wait(60)
    writer.put(prediction(4))
    assert writer.flush(60)
    writer.put(prediction(5))
    writer.close(60)
    assert written == [["p0", "p1", "p2", "p3"], ["p4"], ["p5"]]


def test_a_database_that_comes_back_gets_everything(store: Moody) -> None:
    store.failures = 3
    store.open.set()
    writer = PredictionWriter(store, metrics(), store.model, first_pause=0.01)
    for number in range(100):
        writer.put(prediction(number))
    assert writer.flush()
    assert store.counts("desk").predictions == 100
    assert dropped(store.model) == 0
    assert REGISTRY.get_sample_value("tuneloop_store_errors_total", {"model": store.model}) == 3
    writer.close()


def test_one_row_the_database_refuses_does_not_take_its_neighbours(store: Moody) -> None:
    store.poison = "p37"
    writer = PredictionWriter(store, metrics(), store.model, batch_rows=64)
    for number in range(100):
        writer.put(prediction(number))
    store.open.set()
    assert writer.flush()
    assert store.counts("desk").predictions == 99
    assert dropped(store.model) == 1
    writer.close()


def test_closing_gives_up_on_a_database_that_stays_away(store: Moody) -> None:
    store.failures = 10**9
    store.open.set()
    writer = PredictionWriter(store, metrics(), store.model, first_pause=0.01, longest_pause=0.02)
    for number in range(20):
        writer.put(prediction(number))
    writer.close(timeout=0.2)
    assert not writer._thread.is_alive()
    assert dropped(store.model) == 20


def test_a_callback_that_fails_stops_nothing(store: Moody) -> None:
    store.open.set()

    def fail(_: Sequence[str]) -> None:
        raise RuntimeError("callback")

    writer = PredictionWriter(store, metrics(), store.model, written=fail)
    for number in range(10):
        writer.put(prediction(number))
        assert writer.flush()
    assert store.counts("desk").predictions == 10
    writer.close()


def test_who_waits_for_a_row_hears_of_it_once_it_is_stored(store: Moody) -> None:
    writer = PredictionWriter(store, metrics(), store.model, linger=600.0)
    writer.put(prediction(0))
    receipts = [writer.put_awaited([prediction(number), prediction(number + 1)]) for number in (1, 3)]
    assert not any(receipt.done() for receipt in receipts)
    store.open.set()
    # Nobody lingers: another writer's 600 s would be the test's end.
    assert [receipt.result(60) for receipt in receipts] == [True, True]
    assert len(store.predictions([f"p{number}" for number in range(5)])) == 5
    writer.close()
    assert writer.put_awaited([prediction(9)]).result(0) is False


def test_who_waits_for_a_row_hears_of_its_loss(store: Moody) -> None:
    writer = PredictionWriter(store, metrics(), store.model, capacity=3, batch_rows=8)
    store.poison = "p1"
    store.open.set()
    assert writer.put_awaited([prediction(0), prediction(1)]).result(60) is False
    assert writer.put_awaited([prediction(number) for number in range(10, 14)]).result(0) is False
    assert writer.flush()
    assert sorted(store.predictions(["p0", "p1", "p10", "p13"])) == ["p0", "p10"]
    writer.close()


def test_closing_tells_those_who_wait_that_nothing_came_of_it(store: Moody) -> None:
    store.failures = 10**9
    store.open.set()
    writer = PredictionWriter(store, metrics(), store.model, first_pause=0.01, longest_pause=0.02)
    receipt = writer.put_awaited([prediction(0)])
    writer.close(timeout=0.2)
    assert receipt.result(10) is False
