from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuneloop.api import ServingError
from tuneloop.monitoring.store import Prediction, PredictionStore
from tuneloop.monitoring.tables import schema


def prediction(number: int, model: str = "desk", **other: Any) -> Prediction:
    fields = {"time": float(number), "row": {"text": f"m{number}"}, "answer": {"label": "a"}, **other}
    return Prediction(id=f"p{number}", model=model, version="1", **fields)


@pytest.fixture
def store(database_url: str) -> Iterator[PredictionStore]:
    store = PredictionStore(database_url, clock=lambda: 1000.0)
    yield store
    store.close()


def test_rows_come_back_as_they_went_in(store: PredictionStore) -> None:
    row = {
        "text": "naïve \u0000 \ud800 \U0001f600",
        "n": 1.5,
        "none": None,
        "nan": float("nan"),
        "list": [1, float("inf")],
    }
    store.add_predictions([prediction(1, row=row, subject="anna"), prediction(2)])
    store.add_predictions([prediction(1, row={"text": "late copy"})])
    found = store.predictions(["p1", "p2", "p3"])
    assert set(found) == {"p1", "p2"}
    assert found["p1"].row == {**row, "nan": None, "list": [1, None]}
    assert found["p1"].subject == "anna"


def test_labels_are_new_changed_or_the_same(store: PredictionStore) -> None:
    store.add_predictions([prediction(1)])
    assert store.add_labels([("p1", "a"), ("p1", "a"), ("p1", "b"), ("p9", {"x": 1})]) == [
        "new",
        "same",
        "changed",
        "new",
    ]
    assert store.add_labels([("p9", {"x": 1}), ("p1", "b"), ("p1", 1)]) == ["same", "same", "changed"]
    (pair,) = store.labelled_rows("desk")
    assert (pair.label, pair.labelled, pair.prediction.id) == (1, 1000.0, "p1")
    counts = store.counts("desk")
    assert (counts.predictions, counts.labelled, counts.corrections, counts.waiting) == (1, 1, 2, 1)


def test_the_newest_labelled_rows_come_oldest_first(store: PredictionStore) -> None:
    store.add_predictions([prediction(number) for number in range(1200)])
    store.add_predictions([Prediction("other", "else", "1", 5.0, {}, {})])
    store.add_labels([(f"p{number}", number) for number in range(1199, 0, -2)] + [("other", 1)])
    assert [pair.label for pair in store.labelled_rows("desk", since=1100, limit=3)] == [1195, 1197, 1199]
    assert len(store.labelled_rows("desk")) == 600
    assert store.counts("desk", since=1100.0).labelled == 50


def test_a_pair_is_claimed_once_by_one_of_many(database_url: str) -> None:
    stores = [PredictionStore(database_url) for _ in range(4)]
    ids = [f"p{number}" for number in range(200)]
    claimed: list[str] = []

    def predict() -> None:
        for start in range(0, 200, 10):
            stores[0].add_predictions([prediction(number) for number in range(start, start + 10)])
            claimed.extend(pair.prediction.id for pair in stores[0].claim("desk", ids[start : start + 10]))

    def label(store: PredictionStore) -> None:
        for start in range(0, 200, 10):
            store.add_labels([(one, "a") for one in ids[start : start + 10]])
            claimed.extend(pair.prediction.id for pair in store.claim("desk", ids[start : start + 10]))

    threads = [threading.Thread(target=predict), *(threading.Thread(target=label, args=(one,)) for one in stores[1:])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == sorted(ids)
    assert stores[0].claim("desk") == []
    for one in stores:
        one.close()


def test_erasure(store: PredictionStore) -> None:
    store.add_predictions([prediction(n, subject="anna" if n % 2 else None) for n in range(10)])
    store.add_labels([(f"p{n}", "a") for n in range(10)])
    assert sorted(store.ids_of("anna")) == ["p1", "p3", "p5", "p7", "p9"]
    assert store.erase("anna") == 5
    assert (store.erase("anna"), store.ids_of("anna")) == (0, [])
    counts = store.counts("desk")
    assert (counts.predictions, counts.labelled, counts.waiting) == (5, 5, 0)


def test_a_store_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    with pytest.raises(ServingError, match="nowhere"):
        PredictionStore(f"sqlite:///{tmp_path}/nowhere/store.db")
    with pytest.raises(ServingError, match=r"host/x.*nothing"):
        PredictionStore("mysql+nothing://me:geheim@host/x")


actions = st.lists(
    st.one_of(
        st.tuples(st.just("predict"), st.integers(0, 4), st.just("")),
        st.tuples(st.just("label"), st.integers(0, 4), st.sampled_from(["a", "b", "c"])),
    ),
    max_size=30,
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions)
def test_any_order_of_predictions_and_labels_gives_the_last_label(
    store: PredictionStore, sequence: list[tuple[str, int, str]]
) -> None:
    try:
        predicted: set[int] = set()
        labels: dict[int, str] = {}
        claimed: list[str] = []
        for kind, number, label in sequence:
            if kind == "predict":
                store.add_predictions([prediction(number)])
                predicted.add(number)
            else:
                expected = "new" if number not in labels else "same" if labels[number] == label else "changed"
                assert store.add_labels([(f"p{number}", label)]) == [expected]
                labels[number] = label
            claimed += [pair.prediction.id for pair in store.claim("desk", [f"p{number}"])]
        joined = {f"p{number}": label for number, label in labels.items() if number in predicted}
        assert {pair.prediction.id: pair.label for pair in store.labelled_rows("desk")} == joined
        assert sorted(claimed) == sorted(joined)
        assert store.counts("desk").waiting == len(labels) - len(joined)
    finally:
        with store.connect(write=True) as connection:
            for table in schema.sorted_tables:
                connection.execute(table.delete())


KILLED = """
import sys
from tuneloop.monitoring.metrics import metrics
from tuneloop.monitoring.store import Prediction, PredictionStore
from tuneloop.monitoring.writer import PredictionWriter
store = PredictionStore(sys.argv[1])
writer = PredictionWriter(store, metrics(), "desk")
number = 0
while True:
    for _ in range(50):
        assert writer.put(Prediction(f"p{number}", "desk", "1", float(number), {"n": number}, {"label": "a"}))
        number += 1
    assert writer.flush()
    store.add_labels([(f"p{number - 1}", number)])
    print(number, flush=True)
"""


def test_what_was_flushed_survives_sigkill(database_url: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", KILLED, database_url], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    acknowledged = 0
    for line in child.stdout:
        acknowledged = int(line)
        if acknowledged >= 1000:
            os.kill(child.pid, signal.SIGKILL)
            break
    rest = [int(line) for line in child.stdout.read().split()]
    child.wait()
    child.stdout.close()
    acknowledged = max([acknowledged, *rest])
    store = PredictionStore(database_url)
    found = store.predictions(f"p{number}" for number in range(acknowledged))
    assert len(found) == acknowledged
    assert store.counts("desk").labelled >= acknowledged // 50
    store.add_predictions([prediction(-1)])
    store.close()
