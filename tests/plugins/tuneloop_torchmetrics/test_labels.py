"""Metrics of rows with any number of labels, against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as sk

from tuneloop.api import DataError, Predictions
from tuneloop_torchmetrics import tuneloop_metrics

METRICS = {metric.name: metric for metric in tuneloop_metrics()}
LABELS = ("a", "b", "c", "d")
EVERY = (
    "label_f1", "label_macro_f1", "label_precision", "label_recall", "subset_accuracy", "auroc", "calibration_error",
)  # fmt: skip


def decided(count=120, seed=0, labels=4):
    """Labels of different frequency; no row has the last one, which is given now and then."""
    random = np.random.default_rng(seed)
    truth = (random.random((count, labels)) < np.array([0.6, 0.3, 0.1, 0.0])[:labels]).astype(np.int64)
    chances = 1 / (1 + np.exp(-random.normal(2.0 * truth - 1.2, 1.0)))
    scores = chances.astype(np.float32)
    return Predictions((scores >= 0.5).astype(np.int64), scores, LABELS[:labels]), truth


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("label_f1", lambda p, y: sk.f1_score(y, p.values, average="micro")),
        ("label_macro_f1", lambda p, y: sk.f1_score(y, p.values, average="macro", labels=[0, 1, 2])),
        ("label_precision", lambda p, y: sk.precision_score(y, p.values, average="micro")),
        ("label_recall", lambda p, y: sk.recall_score(y, p.values, average="micro")),
        ("subset_accuracy", lambda p, y: sk.accuracy_score(y, p.values)),
        ("auroc", lambda p, y: sk.roc_auc_score(y[:, :3], p.scores[:, :3], average="macro")),
    ],
)
def test_labels_equal_scikit_learn(name, expected):
    found = [METRICS[name]().compute(*decided(seed=seed)) for seed in range(3)]
    wanted = [expected(*decided(seed=seed)) for seed in range(3)]
    assert found == pytest.approx(wanted, abs=1e-6)
    assert len({round(value, 6) for value in wanted}) == 3


def test_no_two_metrics_of_labels_are_the_same():
    assert len({round(METRICS[name]().compute(*decided()), 6) for name in EVERY}) == len(EVERY)


def test_calibration_error_of_labels_is_that_of_their_decisions():
    predictions, truth = decided(seed=4)
    sure = np.maximum(predictions.scores, 1 - predictions.scores).ravel()
    right = (predictions.values == truth).ravel()
    bins = np.ceil(sure * 15)
    wanted = sum(abs(sure[bins == one].mean() - right[bins == one].mean()) * (bins == one).mean() for one in set(bins))
    assert METRICS["calibration_error"]().compute(predictions, truth) == pytest.approx(wanted, abs=1e-5)


def test_one_half_is_an_answer_that_the_label_applies():
    halves = Predictions(np.ones((4, 2), np.int64), np.full((4, 2), 0.5, np.float32), ("a", "b"))
    assert METRICS["calibration_error"]().compute(halves, np.ones((4, 2), np.int64)) == pytest.approx(0.5)
    assert METRICS["calibration_error"]().compute(halves, np.eye(4, 2, dtype=np.int64)) == pytest.approx(0.25)


def test_one_label_alone():
    predictions, truth = decided(labels=1)
    for name, wanted in (
        ("label_f1", sk.f1_score(truth, predictions.values)),
        ("label_macro_f1", sk.f1_score(truth, predictions.values)),
        ("subset_accuracy", sk.accuracy_score(truth, predictions.values)),
        ("auroc", sk.roc_auc_score(truth, predictions.scores)),
    ):
        assert METRICS[name]().compute(predictions, truth) == pytest.approx(wanted, abs=1e-6)


def test_labels_that_nothing_can_be_said_of():
    none = Predictions(np.zeros((0, 2), np.int64), np.zeros((0, 2), np.float32), ("a", "b"))
    for name in EVERY:
        with pytest.raises(DataError, match="0 rows"):
            METRICS[name]().compute(none, np.zeros((0, 2), np.int64))
    alike = Predictions(np.ones((3, 2), np.int64), np.ones((3, 2), np.float32), ("a", "b"))
    with pytest.raises(DataError, match=r"a label that some rows have and some have not.* 3 rows"):
        METRICS["auroc"]().compute(alike, np.array([[1, 0]] * 3))
    with pytest.raises(DataError, match="needs the probability"):
        METRICS["auroc"]().compute(Predictions(alike.values, None, alike.labels), np.array([[1, 0]] * 3))
