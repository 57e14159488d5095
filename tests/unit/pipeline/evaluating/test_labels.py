"""Flipped labels are found, by the tuned model or by a linear one that has not seen the row."""

import numpy as np
import pytest

from tuneloop.api import Predictions
from tuneloop.pipeline.evaluating.kept import keep_left_out, keep_probe, load_left_out, load_probe
from tuneloop.pipeline.evaluating.left_out import left_out_probabilities
from tuneloop.pipeline.findings.labels import doubtful_labels

pytest.importorskip("cleanlab")


def flipped(rows=800, classes=3, share=0.05, seed=0):
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, classes, rows)
    features = np.eye(classes)[truth] @ generator.normal(size=(classes, 20)) * 2 + generator.normal(size=(rows, 20))
    wrong = generator.random(rows) < share
    return features, np.where(wrong, (truth + 1) % classes, truth), wrong


def test_flipped_labels_come_first():
    features, labels, wrong = flipped()
    found = doubtful_labels(labels, left_out_probabilities(features, labels, 3))
    assert wrong[found[:20]].mean() > 0.9
    assert wrong[found].sum() / wrong.sum() > 0.8
    assert wrong[found].mean() > 0.7


def test_leaving_out_in_closed_form_is_leaving_out():
    """The answers are those of fits without the row."""
    from sklearn.linear_model import Ridge

    features, labels, _ = flipped(rows=40, classes=2)
    found = left_out_probabilities(features, labels, 2)
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    best, order = np.inf, None
    for penalty in (10.0**power for power in range(-2, 5)):
        alone = np.array(
            [
                Ridge(alpha=penalty).fit(np.delete(scaled, i, 0), np.delete(labels, i)).predict(scaled[i : i + 1])[0]
                for i in range(40)
            ]
        )
        if ((alone - labels) ** 2).mean() < best:
            best, order = ((alone - labels) ** 2).mean(), alone
    assert np.corrcoef(np.log(found[:, 1] / found[:, 0]), order)[0, 1] > 0.999


def test_clean_labels_are_let_alone():
    features, labels, _ = flipped(share=0.0)
    assert len(doubtful_labels(labels, left_out_probabilities(features * 5, labels, 3))) < 0.02 * len(labels)


def test_few_rows_one_class_and_absent_classes_are_no_error():
    few = np.full((5, 2), 0.5)
    assert len(doubtful_labels(np.array([0, 1, 0, 1, 0]), few)) == 0
    assert len(doubtful_labels(np.zeros(100, int), np.full((100, 2), 0.5))) == 0
    features, labels, wrong = flipped(classes=3)
    wide = np.concatenate([left_out_probabilities(features, labels, 3), np.zeros((len(labels), 2))], axis=1)
    assert wrong[doubtful_labels(labels, wide)[:20]].mean() > 0.9


def test_what_the_baseline_keeps_is_found_again(tmp_path):
    features, labels, _ = flipped(rows=100)
    keep_left_out(tmp_path, features, labels, 3)
    found = load_left_out(tmp_path)
    assert found[0].tolist() == labels.tolist()
    assert found[1].shape == (100, 3)
    judged = Predictions(labels, np.eye(3, dtype=np.float32)[labels], ("a", "b", "c")), labels
    keep_probe(tmp_path, judged)
    assert load_probe(tmp_path, ("a", "b", "c"))[0].scores.shape == (100, 3)


def test_what_it_does_not_keep_is_none(tmp_path):
    keep_left_out(tmp_path, np.zeros((5, 3, 2)), np.zeros(5, int), 2)
    words = np.empty(2, dtype=object)
    words[:] = [["O", "B-person"], ["O"]]
    keep_probe(tmp_path, (Predictions(words), words))
    assert load_left_out(tmp_path) is None
    assert load_probe(tmp_path, ()) is None
