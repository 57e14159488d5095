"""Translations and summaries: what is judged, what a label is held against, and which columns a project names."""

from __future__ import annotations

import numpy as np
import pytest
from datasets import Dataset

from tuneloop.api import ABSENT, Columns, DataError, Predictions, RequestError
from tuneloop.config.columns import read_columns
from tuneloop.tasks import Summarization, TextClassification, TextGeneration, Translation
from tuneloop.tasks.written import writes
from tuneloop_sacrebleu.translation import Chrf
from tuneloop_torchmetrics.rouge import RougeL

LOGITS = np.array([[ABSENT, -1.0, -3.0, ABSENT], [ABSENT, -2.0, ABSENT, ABSENT]], dtype=np.float32)[:, :, None]
BOTH = pytest.mark.parametrize(("kind", "field"), [(Translation, "translation"), (Summarization, "summary")])


@BOTH
def test_the_text_is_the_first_field_of_an_answer(kind, field):
    answers = kind().answers({"logits": LOGITS})
    assert [next(iter(answer)) for answer in answers] == [field, field]
    assert [answer["confidence"] for answer in answers] == pytest.approx([np.exp(-2.0), np.exp(-2.0)])
    assert kind().decision({**answers[0], field: "so"}) == "so"
    assert kind().said({**answers[0], field: "so"}) == "so"


@BOTH
def test_a_label_is_the_text_but_for_white_space_at_its_ends(kind, field):
    assert [kind().error({field: " a cat\n"}, truth) for truth in ("a cat", "a dog")] == [0.0, 1.0]
    for truth in (None, 3, ["a cat"]):
        with pytest.raises(RequestError, match="a label is a text"):
            kind().error({field: "a"}, truth)


@pytest.mark.parametrize("kind", [Translation, Summarization])
def test_rows_are_texts_and_have_a_right_one(kind):
    with pytest.raises(DataError, match="row 1: column 'b' holds 7"):
        kind.examine(Columns({"text": "a"}, "b"), Dataset.from_dict({"a": ["x", "y"], "b": [None, 7]}))
    with pytest.raises(DataError, match=f"task '{kind.name}' needs a column of the right texts"):
        kind.fit(Columns({"text": "a"}, None), Dataset.from_dict({"a": ["x"]}))
    said: list[str] = []
    read_columns({"text": "a"}, kind, None, lambda _, text: said.append(text))
    assert "this needs `label`" in said[0], "texts alone are not learned here"
    found = read_columns({"text": "a", "label": "b"}, kind, None, lambda _, text: said.append(text))
    assert found == Columns({"text": "a", "completion": "b"}, "b")


def test_metrics_read_what_is_said():
    said = np.array(["the cat sat", "a dog"], dtype=object)
    right = Translation().references(["the cat sat", "a dog"])
    assert Chrf().compute(Predictions(said), right) == pytest.approx(100.0)
    assert RougeL().compute(Predictions(said[::-1]), right) < 0.4


def test_which_tasks_write_what_is_judged_as_text():
    assert writes(Translation())
    assert writes(Summarization())
    assert not writes(TextGeneration())
    assert not writes(TextClassification(["a", "b"]))
