"""The simple models of `baseline` for several labels and for answers in a text; and how these are judged."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tuneloop.api import ABSENT, Passage, Predictions
from tuneloop.pipeline.evaluating.scoring import decoded, judge, same
from tuneloop.pipeline.tuning.simple import constant_spans, probe_labels, probe_spans, share_logits
from tuneloop.tasks import MultiLabelClassification, QuestionAnswering

LABELS = MultiLabelClassification(["a", "b"])


def test_shares_and_probes_of_labels() -> None:
    targets = np.array([[1, 0], [0, 0], [1, 0], [0, 0]], dtype=np.float32)
    shares = 1 / (1 + np.exp(-share_logits(targets)))
    assert shares.tolist() == pytest.approx([0.5, 0.0], abs=1e-3)
    features = np.array([[1.0], [-1.0], [1.2], [-0.9]])
    logits = probe_labels(features, targets, np.array([[2.0], [-2.0]]))
    assert logits[0, 0] > 0 > logits[1, 0]
    assert (logits[:, 1] < -10).all(), "a label that no row has is never given"


def test_labels_are_judged_with_those_the_model_does_not_know() -> None:
    outputs = {"logits": np.array([[5.0, -5.0], [5.0, 5.0]])}
    predictions, references = judge(LABELS, outputs, [["a", "new"], ["b", "a"]])
    assert predictions.labels == ("a", "b", "new")
    assert predictions.values.tolist() == [[1, 0, 0], [1, 1, 0]]
    assert references.tolist() == [[1, 0, 1], [1, 1, 0]]
    assert predictions.scores is not None
    assert predictions.scores.shape == (2, 3)
    plain, truth = decoded(LABELS, outputs["logits"], np.array([[1.0, 0.0], [1.0, 1.0]], dtype=np.float32))
    assert (plain.values == truth).all()
    assert same(plain, plain, 0.0).tolist() == [True, True]


def passages(*texts: str) -> list[dict[str, object]]:
    rows = []
    for text in texts:
        made = Passage(text)
        made.offsets = np.array([match.span() for match in re.finditer(r"\w+", text)])
        rows.append({"q": "?", "c": made})
    return rows


def test_constant_answers_stand_at_the_usual_place() -> None:
    rows = passages("one two three four", "five six")
    targets = np.array([[1, 2], [1, 2], [0, 3]])
    predictions, references = constant_spans(QuestionAnswering(), targets, (rows, [["two three"], "six"]))
    assert predictions.values.tolist()[0] == "two three"
    assert predictions.values.tolist()[1] in ("six", "five six"), "a short text has no more words"
    assert references.tolist() == [("two three",), ("six",)]
    assert same(predictions, Predictions(predictions.values[::-1].copy()), 0.0).tolist() == [False, False]


def test_the_probe_of_answers_learns_which_places_begin_and_end_them() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(0, 0.1, (40, 12, 3)).astype(np.float32)
    features[:, 10:] = ABSENT
    targets = np.stack([generator.integers(0, 5, 40), generator.integers(5, 10, 40)], axis=1)
    for row, (first, last) in enumerate(targets):
        features[row, first, 0] += 3
        features[row, last, 1] += 3
    logits = probe_spans(features[:30], targets[:30])(features[30:])
    assert (logits[:, 10:] == ABSENT).all()
    assert (logits[:, :10].argmax(axis=1) == targets[30:]).mean() > 0.9
