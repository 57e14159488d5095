"""Many workers that write, count and delete the same rows wait for each other in one order only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import sqlalchemy as sa

from tuneloop.monitoring.retention import expire
from tuneloop.monitoring.row_locks import delete_locked, in_order
from tuneloop.monitoring.shadows import ShadowStore
from tuneloop.monitoring.store import Prediction, PredictionStore, Shadow
from tuneloop.monitoring.tables import labels

# Texts that databases order unlike their bytes: by letters first, or without regard to case.
IDS = [f"{head}{number}" for number in range(12) for head in ("a-", "A", "b", "B_", "~")]


def shuffled(random: np.random.Generator, count: int) -> list[str]:
    return [str(id_) for id_ in random.choice(IDS, count, replace=False)]


def prediction(id_: str) -> Prediction:
    return Prediction(id_, "desk", "1", 1.0, {}, {"label": "x"}, subject=id_[0])


def test_rows_are_locked_in_the_order_of_their_bytes(database_url: str) -> None:
    store = PredictionStore(database_url)
    store.add_labels([(id_, "x") for id_ in IDS])
    key = labels.c.prediction_id
    with store.connect(write=True) as connection:
        assert connection.scalars(in_order(connection, key)).all() == sorted(IDS)
        assert connection.scalars(in_order(connection, key, key == "none")).all() == []
    store.close()


@pytest.mark.parametrize("chunk", [500, 7])
def test_workers_that_write_the_same_rows_never_wait_for_each_other_in_a_circle(
    database_url: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuneloop.monitoring.chunks.CHUNK", chunk)
    store = PredictionStore(database_url)
    shadows = ShadowStore(store)
    store.add_predictions(list(map(prediction, IDS)))
    failed: list[BaseException] = []
    started = threading.Barrier(7)

    def label(random: np.random.Generator) -> None:
        # Twice the same id in one call, too.
        store.add_labels([(id_, str(random.integers(3))) for id_ in shuffled(random, 25) + shuffled(random, 5)])

    def predict(random: np.random.Generator) -> None:
        store.add_predictions(list(map(prediction, shuffled(random, 25))))
        shadows.add_predictions([Shadow(id_, "2", 1.0, {}) for id_ in shuffled(random, 25)])

    def claim(random: np.random.Generator) -> None:
        store.claim("desk", shuffled(random, 40))
        shadows.claim("desk", shuffled(random, 40))

    def claim_all(random: np.random.Generator) -> None:
        store.claim("desk")
        shadows.claim("desk")

    def delete(random: np.random.Generator) -> None:
        store.erase(str(random.choice(list("aAbB~"))))
        expire(store, "desk", 2.0, rows=10)

    def work(act: Callable[[np.random.Generator], None], seed: int) -> None:
        random = np.random.default_rng(seed)
        started.wait(60)
        try:
            for _ in range(40):
                act(random)
        except BaseException as error:
            failed.append(error)

    acts = (label, label, predict, claim, claim_all, delete, delete)
    threads = [threading.Thread(target=work, args=one) for one in zip(acts, range(len(acts)), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    store.close()
    assert failed == []


def test_a_label_that_comes_while_its_prediction_is_deleted_goes_too(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = PredictionStore(postgres)
    store.add_predictions([prediction("a1"), prediction("b1")])

    def meanwhile(connection: sa.Connection, ids: Sequence[str]) -> None:
        delete_locked(connection, ids)
        # The prediction is still to be seen by others.
        store.add_labels([("a1", "x"), ("b1", "x")])
        assert len(store.claim("desk")) == 2

    monkeypatch.setattr("tuneloop.monitoring.store.delete_locked", meanwhile)
    assert store.erase("a") == 1
    with store.connect() as connection:
        assert connection.scalars(sa.select(labels.c.prediction_id)).all() == ["b1"]
    store.close()
