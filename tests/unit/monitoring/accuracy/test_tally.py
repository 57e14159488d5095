"""Counters by class, error and slice: what is counted minus what is undone is what the last labels say."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.api import Column, Task
from tuneloop.monitoring.accuracy.slices import SliceReader, stored_batch
from tuneloop.monitoring.accuracy.tally import MOST_CLASSES, OTHER, LabelTally
from tuneloop.monitoring.feedback import Feedback
from tuneloop.monitoring.metrics import metrics
from tuneloop.monitoring.reference import build_reference
from tuneloop.monitoring.signals import ColumnCategory
from tuneloop.monitoring.store import Prediction, PredictionStore
from tuneloop.tasks import TabularClassification, TabularRegression

CLASSES = ("x", "y", "z")
_NUMBER = itertools.count()


def sample(name: str, model: str, **labels: str) -> float | None:
    wanted = {"model": model, "version": "1", **labels}
    (family,) = getattr(metrics(), name).collect()
    return next((one.value for one in family.samples if one.labels == wanted and one.name.endswith("_total")), None)


def net(model: str, name: str, kind: str) -> float:
    counted, undone = (
        sample("label_class", model, **{"class": name, "kind": kind, "change": change})
        for change in ("counted", "undone")
    )
    assert counted is not None
    assert undone is not None
    return counted - undone


def slices() -> SliceReader:
    signals = list(ColumnCategory.create([Column("job", "category", ("cook", "pilot"))], (), CLASSES, 0))
    reference = build_reference(signals, [stored_batch([{"job": "cook"}, {"job": "pilot"}], [{}, {}])])
    return SliceReader(reference.model_copy(update={"slices": ("column:job",)}), signals)


def make(store: PredictionStore, task: Task, tolerance: float = 0.0) -> tuple[str, Feedback]:
    model = f"tally{next(_NUMBER)}"
    tally = LabelTally(metrics(), model, task, slices())
    tally.prepare("1")
    return model, Feedback(store, metrics(), model, task, tolerance, tally)


def predict(store: PredictionStore, model: str, answers: Sequence[dict[str, Any]]) -> None:
    jobs = ("cook", "pilot")
    store.add_predictions(
        [Prediction(f"{model}-{n}", model, "1", 0.0, {"job": jobs[n % 2]}, one) for n, one in enumerate(answers)]
    )


def answered(*names: str) -> list[dict[str, Any]]:
    return [{"label": name, "confidence": 1.0, "scores": {}} for name in names]


@pytest.fixture(scope="module")
def store() -> PredictionStore:
    return PredictionStore("sqlite://", clock=lambda: 60.0)


def test_every_counter_is_there_before_the_first_label(store: PredictionStore) -> None:
    model, _ = make(store, TabularClassification(CLASSES))
    for name, kind in itertools.product((*CLASSES, OTHER), ("tp", "fp", "fn")):
        assert net(model, name, kind) == 0
    assert sample("slice_labels", model, slice="column:job", value="cook", outcome="wrong") == 0
    assert sample("label_corrections", model, change="to_wrong") == 0
    assert sample("label_error_power", model, power="1", change="counted") is None


LABELS = st.sampled_from([*CLASSES, "never heard of"])


@settings(max_examples=20)
@given(st.lists(st.tuples(st.sampled_from(CLASSES), st.lists(LABELS, min_size=1, max_size=4)), min_size=1, max_size=12))
def test_the_net_is_what_the_last_labels_say(rows: list[tuple[str, list[str]]]) -> None:
    store = PredictionStore("sqlite://", clock=lambda: 60.0)
    model, feedback = make(store, TabularClassification(CLASSES))
    predict(store, model, answered(*(answer for answer, _ in rows)))
    for turn in range(4):
        items = [(f"{model}-{n}", labels[turn]) for n, (_, labels) in enumerate(rows) if turn < len(labels)]
        feedback.add(items)
    store.close()
    pairs = [(answer, labels[-1]) for answer, labels in rows]
    for name in CLASSES:
        assert net(model, name, "tp") == sum(answer == label == name for answer, label in pairs)
        assert net(model, name, "fp") == sum(answer == name != label for answer, label in pairs)
        assert net(model, name, "fn") == sum(label == name != answer for answer, label in pairs)
    assert net(model, OTHER, "fn") == sum(label not in CLASSES for _, label in pairs)
    assert (net(model, OTHER, "tp"), net(model, OTHER, "fp")) == (0, 0)

    def right_of(metric: str, first: str, **labels: str) -> float:
        name = "outcome" if metric == "slice_labels" else "change"
        better, worse = (sample(metric, model, **labels, **{name: change}) for change in ("to_correct", "to_wrong"))
        start = sample(first, model, **labels, outcome="correct")
        assert start is not None
        assert better is not None
        assert worse is not None
        return start + better - worse

    assert right_of("label_corrections", "labels") == sum(answer == label for answer, label in pairs)
    for place, job in enumerate(("cook", "pilot")):
        own = {"slice": "column:job", "value": job}
        assert right_of("slice_labels", "slice_labels", **own) == sum(a == b for a, b in pairs[place::2])


def test_errors_of_numbers_add_up(store: PredictionStore) -> None:
    model, feedback = make(store, TabularRegression.from_state({"mean": 0.0, "scale": 1.0}), tolerance=1.0)
    predict(store, model, [{"value": value} for value in (1.0, 5.0, -2.0)])
    feedback.add([(f"{model}-0", 3.0), (f"{model}-1", 5.5), (f"{model}-2", -2.0)])
    feedback.add([(f"{model}-0", 0.5), (f"{model}-2", 2.0)])
    errors = np.array([0.5, 0.5, 4.0])
    for power in (1, 2, 4):
        counted, undone = (
            sample("label_error_power", model, power=str(power), change=change) for change in ("counted", "undone")
        )
        assert counted is not None
        assert undone is not None
        assert counted - undone == pytest.approx((errors**power).sum())
    assert sample("label_corrections", model, change="to_correct") == 1
    assert sample("label_corrections", model, change="to_wrong") == 1


def test_a_correction_before_the_prediction_undoes_nothing(store: PredictionStore) -> None:
    model, feedback = make(store, TabularClassification(CLASSES))
    feedback.add([(f"{model}-0", "y")])
    feedback.add([(f"{model}-0", "x")])
    predict(store, model, answered("x"))
    assert feedback.join() == 1
    assert net(model, "x", "tp") == 1
    assert sample("label_class", model, **{"class": "x", "kind": "fp", "change": "undone"}) == 0


def test_a_label_that_never_fitted_counts_when_it_is_mended(store: PredictionStore) -> None:
    model, feedback = make(store, TabularClassification(CLASSES))
    feedback.add([(f"{model}-0", ["no label"])])
    predict(store, model, answered("x"))
    feedback.join()
    assert sample("labels", model, outcome="invalid") == 1
    assert [one.status for one in feedback.add([(f"{model}-0", "x")])] == ["changed"]
    assert sample("labels", model, outcome="correct") == 1
    assert net(model, "x", "tp") == 1


def test_classes_beyond_the_bound_share_a_counter(store: PredictionStore) -> None:
    names = tuple(f"c{number:03d}" for number in range(MOST_CLASSES + 5))
    model, feedback = make(store, TabularClassification(names))
    predict(store, model, answered(names[-1], names[-2], names[0]))
    feedback.add([(f"{model}-0", names[-1]), (f"{model}-1", names[0]), (f"{model}-2", names[-1])])
    assert (net(model, OTHER, "tp"), net(model, OTHER, "fp"), net(model, OTHER, "fn")) == (1, 1, 1)
    assert net(model, names[0], "fp") == 1
    assert sample("label_class", model, **{"class": names[-1], "kind": "tp", "change": "counted"}) is None


def test_answers_that_are_no_class_are_left_out(store: PredictionStore) -> None:
    class Words(TabularClassification):
        """A task with a list of labels in each answer."""

        def error(self, answer: dict[str, Any], truth: Any) -> float:
            return float(np.mean([one != other for one, other in zip(answer["label"], truth, strict=True)]))

    model, feedback = make(store, Words(CLASSES))
    predict(store, model, [{"label": ["x", "y"], "confidence": 1.0, "scores": {}}])
    feedback.add([(f"{model}-0", ["x", "z"])])
    assert sample("labels", model, outcome="wrong") == 1
    assert all(net(model, name, kind) == 0 for name in CLASSES for kind in ("tp", "fp", "fn"))


def test_workers_that_correct_one_label_at_the_same_time_undo_each_once(database_url: str) -> None:
    stores = [PredictionStore(database_url, clock=lambda: 60.0) for _ in range(4)]
    task = TabularClassification(CLASSES)
    model, _ = make(stores[0], task)
    ids = [f"{model}-{n}" for n in range(40)]
    predict(stores[0], model, answered(*("x" for _ in ids)))
    barrier = threading.Barrier(len(stores))

    def correct(store: PredictionStore, seed: int) -> None:
        random = np.random.default_rng(seed)
        feedback = Feedback(store, metrics(), model, task, 0.0, LabelTally(metrics(), model, task))
        barrier.wait(30)
        for _ in range(10):
            feedback.add([(str(id_), str(random.choice(CLASSES))) for id_ in sorted(random.choice(ids, 10, False))])

    threads = [threading.Thread(target=correct, args=(store, seed)) for seed, store in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    last = [pair.label for pair in stores[0].labelled_rows(model)]
    for store in stores:
        store.close()
    assert net(model, "x", "tp") == last.count("x")
    assert net(model, "x", "fp") == len(last) - last.count("x")
    assert [net(model, name, "fn") for name in "yz"] == [last.count(name) for name in "yz"]
