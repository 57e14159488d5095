"""What validation rows settle of a task."""

from __future__ import annotations

import numpy as np
import pytest

from tuneloop.api import Passage
from tuneloop.pipeline.evaluating.evaluate import settle
from tuneloop.tasks import QuestionAnsweringOrNone, TextClassification


def test_most_tasks_have_nothing_to_settle() -> None:
    logits = np.zeros((2, 2), dtype=np.float32)
    assert settle(TextClassification(["en", "it"]), [{}, {}], {"logits": logits}, ["en", "it"]) is None


def test_a_threshold_is_settled() -> None:
    passage = Passage("day")
    passage.offsets, passage.ids = np.array([[0, 3]]), range(1)
    rows = [{"context": passage}] * 3
    logits = np.array([[[3.0, 3.0], [1.0, 1.0]]] * 3, dtype=np.float32)
    found = settle(QuestionAnsweringOrNone(), rows, {"logits": logits}, [["day"], ["day"], []])
    assert isinstance(found, QuestionAnsweringOrNone)
    assert found.threshold == pytest.approx(5.0)
