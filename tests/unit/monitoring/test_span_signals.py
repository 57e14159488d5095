"""Signals of answers in a text, and the entropy of labels that are decided one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import ABSENT, Column, SignalBatch
from tuneloop.monitoring.signals import AnswerClass, Confidence, Entropy
from tuneloop.monitoring.span_signals import AnswerLength, AnswerPlace, SpanEntropy, binary_entropy

COLUMNS = (Column("question", "text"), Column("context", "text"))
NAMES = ("start", "end")


@given(st.floats(-700, 700))
def test_the_entropy_of_a_decision(logit: float) -> None:
    found = float(binary_entropy(np.array([[logit]]))[0])
    chance = 1 / (1 + np.exp(-abs(logit)))
    rest = 1 - chance
    by_hand = -chance * np.log(chance) - (rest * np.log(rest) if rest > 0 else 0.0)
    assert found == pytest.approx(by_hand, abs=1e-6)


def test_places_that_hold_nothing_add_no_doubt() -> None:
    logits = np.full((2, 6, 2), ABSENT, dtype=np.float32)
    logits[0, 2:4] = 0.0
    logits[1, 0] = 0.0
    answers = [{"answer": "abc", "start": 7}, {}]
    batch = SignalBatch([{}, {}], (), {"logits": logits}, answers)
    (entropy,), (length,), (place,) = (
        cls.create(COLUMNS, (), NAMES, 0) for cls in (SpanEntropy, AnswerLength, AnswerPlace)
    )
    assert entropy.read(batch).tolist() == pytest.approx([np.log(2), 0.0])
    assert length.read(batch)[0] == 3
    assert np.isnan(length.read(batch)[1])
    assert place.read(batch)[0] == 7


def test_signals_of_classes_are_left_to_models_with_classes() -> None:
    assert [cls.create(COLUMNS, (), NAMES, 0) for cls in (AnswerClass, Entropy)] == [[], []]
    assert len(Confidence.create(COLUMNS, (), NAMES, 0)) == 1
    assert SpanEntropy.create(COLUMNS, (), ("yes", "no"), 0) == []


def test_all_labels_of_a_row_are_its_class() -> None:
    answers = [{"labels": ["b", "a"], "scores": {}}, {"labels": []}, {"label": "x"}, {}]
    (signal,) = AnswerClass.create((Column("text", "text"),), (), ("a", "b"), 0)
    assert signal.read(SignalBatch([{}] * 4, (), {}, answers)).tolist() == ["a + b", "(none)", "x", None]
    (entropy,) = Entropy.create((Column("text", "text"),), (), ("a", "b"), 0)
    logits = np.array([[0.0, 0.0]], dtype=np.float32)
    assert entropy.read(SignalBatch([{}], (), {"logits": logits}, [{"labels": []}])).tolist() == pytest.approx(
        [np.log(2)]
    )
