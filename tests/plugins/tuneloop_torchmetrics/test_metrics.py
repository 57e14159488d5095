"""Each metric against scikit-learn, and at its edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from tuneloop.api import DataError, Predictions
from tuneloop_torchmetrics import tuneloop_metrics

METRICS = {metric.name: metric for metric in tuneloop_metrics()}
LABELS = ("en", "it", "es")


def classified(count=200, seed=0):
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, count)
    logits = random.normal(size=(count, 3)) + 1.5 * np.eye(3)[truth]
    scores = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    return Predictions(scores.argmax(axis=1), scores, LABELS), truth


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", lambda p, y: sk.accuracy_score(y, p.values)),
        ("macro_f1", lambda p, y: sk.f1_score(y, p.values, average="macro")),
        ("weighted_f1", lambda p, y: sk.f1_score(y, p.values, average="weighted")),
        ("macro_precision", lambda p, y: sk.precision_score(y, p.values, average="macro")),
        ("macro_recall", lambda p, y: sk.recall_score(y, p.values, average="macro")),
        ("mcc", lambda p, y: sk.matthews_corrcoef(y, p.values)),
        ("auroc", lambda p, y: sk.roc_auc_score(y, p.scores, average="macro", multi_class="ovr")),
    ],
)
def test_classification_equals_scikit_learn(name, expected):
    predictions, truth = classified()
    assert METRICS[name]().compute(predictions, truth) == pytest.approx(expected(predictions, truth), abs=1e-5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rmse", sk.root_mean_squared_error),
        ("mse", sk.mean_squared_error),
        ("mae", sk.mean_absolute_error),
        ("r2", sk.r2_score),
    ],
)
def test_regression_equals_scikit_learn(name, expected):
    random = np.random.default_rng(1)
    truth = random.normal(1000, 5, 50).astype(np.float32)
    predictions = Predictions((truth + random.normal(size=50)).astype(np.float32))
    assert METRICS[name]().compute(predictions, truth) == pytest.approx(expected(truth, predictions.values), rel=1e-5)


def test_calibration_error_of_a_sure_and_wrong_model():
    scores = np.tile(np.array([[0.9, 0.1]], np.float32), (10, 1))
    predictions = Predictions(np.zeros(10, np.int64), scores, ("a", "b"))
    metric = METRICS["calibration_error"]()
    assert metric.compute(predictions, np.ones(10, np.int64)) == pytest.approx(0.9, abs=1e-5)
    assert metric.compute(predictions, np.array([0] * 9 + [1])) == pytest.approx(0.0, abs=1e-5)


def test_unknown_labels_are_wrong_answers():
    predictions = Predictions(np.array([0, 1, 2, 0]), np.eye(3, dtype=np.float32)[[0, 1, 2, 0]], LABELS)
    truth = np.array([0, 1, 2, -1])
    assert METRICS["accuracy"]().compute(predictions, truth) == pytest.approx(0.75)
    macro = sk.f1_score([0, 1, 2, 3], [0, 1, 2, 0], average="macro")
    assert METRICS["macro_f1"]().compute(predictions, truth) == pytest.approx(macro)
    assert METRICS["auroc"]().compute(predictions, truth) == 1.0


def test_edges_are_errors_that_say_why():
    none = Predictions(np.array([], np.int64), np.empty((0, 3), np.float32), LABELS)
    with pytest.raises(DataError, match="on 0 rows"):
        METRICS["accuracy"]().compute(none, np.array([], np.int64))
    one = Predictions(np.array([0]), np.array([[1.0, 0, 0]], np.float32), LABELS)
    with pytest.raises(DataError, match=f"at least two classes, and 1 rows .* have {LABELS[0]!r} alone.*stratify"):
        METRICS["auroc"]().compute(one, np.array([0]))
    with pytest.raises(DataError, match="two rows with different values"):
        METRICS["r2"]().compute(Predictions(np.ones(3, np.float32)), np.ones(3, np.float32))
    with pytest.raises(DataError, match="needs the probability"):
        METRICS["calibration_error"]().compute(Predictions(np.array([0]), None, LABELS), np.array([0]))
    with pytest.raises(DataError, match="is nan"):
        METRICS["rmse"]().compute(Predictions(np.array([np.nan], np.float32)), np.ones(1, np.float32))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-1, 2)), min_size=1, max_size=40))
def test_values_stay_in_their_range(pairs):
    values, truth = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    predictions = Predictions(values, np.eye(3, dtype=np.float32)[values], LABELS)
    for name in ("accuracy", "macro_f1", "weighted_f1", "macro_precision", "macro_recall"):
        assert 0 <= METRICS[name]().compute(predictions, truth) <= 1
    assert -1 <= METRICS["mcc"]().compute(predictions, truth) <= 1


def test_every_metric_states_direction_and_kind():
    assert {name for name, metric in METRICS.items() if not metric.maximize} == {
        "calibration_error",
        "rmse",
        "mse",
        "mae",
        "perplexity",
    }
    assert len(METRICS) == len(tuneloop_metrics())


@pytest.mark.parametrize("name", ["macro_f1", "macro_precision", "macro_recall"])
def test_one_answer_outside_the_classes_present_costs_one_answer_not_a_class(name):
    truth = np.repeat([0, 1], 50)
    answers = truth.copy()
    answers[0] = 2
    value = METRICS[name]().compute(Predictions(answers, None, LABELS), truth)
    assert 0.98 < value <= 1.0
