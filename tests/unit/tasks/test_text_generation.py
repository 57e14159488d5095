"""Texts as a task: what is judged, and what a label is held against."""

from __future__ import annotations

import numpy as np
import pytest
from datasets import Dataset

from tuneloop.api import ABSENT, Columns, DataError, RequestError
from tuneloop.config.columns import read_columns
from tuneloop.tasks import TextGeneration
from tuneloop_torchmetrics.likelihood import Perplexity

TASK = TextGeneration()
LOGITS = np.array([[ABSENT, -1.0, -3.0, ABSENT], [ABSENT, -2.0, ABSENT, ABSENT]], dtype=np.float32)[:, :, None]


def test_perplexity_is_the_exponential_of_the_mean_over_tokens():
    predictions = TASK.predictions({"logits": LOGITS})
    assert predictions.values.shape == (2, 3), "places that no row fills are left out"
    assert Perplexity().compute(predictions, TASK.references(["a", "b"])) == pytest.approx(np.exp(2.0))
    sure = [answer["confidence"] for answer in TASK.answers({"logits": LOGITS})]
    assert sure == pytest.approx(np.exp([-2.0, -2.0]))
    with pytest.raises(DataError, match="0 tokens"):
        Perplexity().compute(TASK.predictions({"logits": LOGITS[:, :1]}), TASK.references(["a", "b"]))


def test_a_label_is_the_text_but_for_white_space_at_its_ends():
    assert [TASK.error({"text": " a cat\n"}, truth) for truth in ("a cat", "a dog")] == [0.0, 1.0]
    for truth in (None, 3, ["a cat"]):
        with pytest.raises(RequestError, match="a label is a text"):
            TASK.error({"text": "a"}, truth)


def test_rows_are_texts():
    TASK.examine(Columns({"text": "a"}, "a"), Dataset.from_dict({"a": ["x", None]}))
    with pytest.raises(DataError, match="row 0: column 'a' holds 1"):
        TASK.examine(Columns({"text": "a"}, "a"), Dataset.from_dict({"a": [1]}))


def test_without_a_label_the_texts_themselves_are_learned():
    said: list[str] = []

    def complain(_, text):
        said.append(text)

    assert read_columns({"text": "story"}, TextGeneration, None, complain) == Columns({"text": "story"}, "story")
    pairs = read_columns({"text": "ask", "label": "say"}, TextGeneration, "id", complain)
    assert pairs == Columns({"text": "ask", "completion": "say"}, "say", "id")
    assert not said
    read_columns({"text": "ask", "label": "ask"}, TextGeneration, None, complain)
    read_columns({}, TextGeneration, None, complain)
    assert "both an input and the answer" in said[0]
    assert "this needs `text`" in said[1]
