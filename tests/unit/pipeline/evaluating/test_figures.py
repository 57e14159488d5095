"""Intervals against what is known, and the two ways to them against each other."""

import numpy as np
import pytest

from tuneloop.api import DataError, Metric, Predictions
from tuneloop.monitoring.accuracy.intervals import wilson
from tuneloop.pipeline.evaluating.figures import interval_json, metric_interval, with_intervals
from tuneloop_seqeval import EntityF1
from tuneloop_torchmetrics import Accuracy, Auroc, MacroF1, MeanAbsoluteError, R2Score, RootMeanSquaredError, WeightedF1


def answered(rows=400, error=0.2, classes=3, seed=0):
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, classes, rows)
    values = np.where(generator.random(rows) < error, (truth + 1) % classes, truth)
    scores = np.full((rows, classes), 0.1, np.float32)
    scores[np.arange(rows), values] = 0.8
    return Predictions(values, scores, tuple("abcdefgh"[:classes])), truth


class Slow(Metric):
    """Accuracy that is read from the rows each time."""

    name, maximize, kinds = "slow", True, frozenset({"classification"})

    def compute(self, predictions, references):
        return float((predictions.values == references).mean())


class Never(Slow):
    def compute(self, predictions, references):
        if len(np.unique(predictions.values * 1000 + references)) < 2 or len(references) != 400:
            raise DataError("no value")
        return 0.5


def test_a_share_has_about_the_interval_of_wilson():
    judged = answered()
    found = metric_interval(Accuracy(), judged)
    right = int((judged[0].values == judged[1]).sum())
    known = wilson(right, 400)
    assert found.value == pytest.approx(known.value)
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=0.01)


def test_reading_rows_each_time_gives_about_the_same():
    judged = answered(seed=2)
    fast, slow = metric_interval(Accuracy(), judged), metric_interval(Slow(), judged)
    assert (fast.low, fast.high) == pytest.approx((slow.low, slow.high), abs=0.01)


@pytest.mark.parametrize("metric", [Accuracy, MacroF1, WeightedF1, Auroc])
def test_intervals_of_classes_hold_their_value_and_are_the_same_twice(metric):
    judged = answered(rows=150)
    found = metric_interval(metric(), judged)
    assert found.low < found.value < found.high
    assert found == metric_interval(metric(), judged)


def test_they_hold_the_truth_as_often_as_they_say():
    hits = [
        one.low <= 0.8 and one.high >= 0.8
        for one in (metric_interval(Accuracy(), answered(200, seed=s)) for s in range(120))
    ]
    # 95 % of 120, give or take three standard errors.
    assert sum(hits) >= 107


@pytest.mark.parametrize("metric", [RootMeanSquaredError, MeanAbsoluteError, R2Score])
def test_numbers_have_intervals_too(metric):
    generator = np.random.default_rng(4)
    truth = generator.normal(100, 5, 300).astype(np.float32)
    found = metric_interval(metric(), (Predictions((truth + generator.normal(size=300)).astype(np.float32)), truth))
    assert found.low < found.value < found.high


def test_words_of_a_text_come_and_go_together():
    """Rows that are all alike inside have wider intervals than their number of words would give."""
    generator = np.random.default_rng(5)
    wrong = generator.random(60) < 0.3
    truth = np.tile([0, 1], (60, 10))
    values = np.where(wrong[:, None], 2, truth)
    judged = Predictions(values, None, ("B-a", "O", "B-b")), truth
    words = metric_interval(Accuracy(), judged)
    assert words.high - words.low > 0.2
    entities = metric_interval(EntityF1(), judged)
    assert entities.low < entities.value < entities.high


def test_what_has_no_value_in_most_draws_has_no_interval():
    assert metric_interval(Never(), answered()) is None
    assert metric_interval(Accuracy(), answered(rows=1)) is None

    class Scorer:
        metrics = {"accuracy": Accuracy(), "never": Never()}  # noqa: RUF012

    found = interval_json(with_intervals(Scorer(), answered()))
    assert list(found) == ["accuracy"]
    assert set(found["accuracy"]) == {"value", "low", "high"}
