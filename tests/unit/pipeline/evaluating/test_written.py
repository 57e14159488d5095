"""Texts that must be written before they are judged: by a model, by its graphs, and by no model at all."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.serving.generating.copying import ROWS, Copier, make_texts, write_copier

from tuneloop.api import ABSENT, VerificationError
from tuneloop.pipeline.evaluating.written import (
    check_written,
    constant_text,
    judge_model,
    judge_served,
    perplexity,
)
from tuneloop.serving.generating.predictor import open_predictor
from tuneloop.tasks import Translation
from tuneloop_sacrebleu.translation import Chrf

RIGHT = [row["de"] for row in ROWS]


@pytest.fixture(scope="module")
def texts():
    return make_texts()


def served(folder, texts, wrong=None):
    write_copier(folder, texts.tokenizer.get_vocab_size(), wrong)
    return open_predictor(folder / "model.onnx", Translation(), texts)


def test_a_model_and_its_graphs_are_judged_by_what_they_write(tmp_path, texts):
    rows = texts.check(ROWS)
    said, right = judge_model(Copier(), Translation(), texts, rows, RIGHT)
    assert said.values.tolist() == [row["en"] for row in ROWS]
    assert right.tolist() == [(text,) for text in RIGHT]
    again, _ = judge_served(served(tmp_path, texts), rows, RIGHT)
    assert again.values.tolist() == said.values.tolist()
    assert 20 < Chrf().compute(said, right) < 100
    few, answers = judge_served(served(tmp_path, texts), rows, RIGHT, 2)
    assert len(few.values) == len(answers) == 2


def test_only_the_first_rows_are_written_for(texts, monkeypatch):
    monkeypatch.setattr("tuneloop.pipeline.evaluating.written.ANSWERED_ROWS", 2)
    said, right = judge_model(Copier(), Translation(), texts, texts.check(ROWS), RIGHT, 2)
    assert len(said.values) == len(right) == 2
    assert len(constant_text(Translation(), RIGHT, RIGHT)[1]) == 2


def test_without_a_model_the_most_frequent_answer_is_given():
    said, right = constant_text(Translation(), ["a", "b", "b"], ["b", "c"])
    assert said.values.tolist() == ["b", "b"]
    assert right.tolist() == [("b",), ("c",)]
    assert constant_text(Translation(), [], ["b"])[0].values.tolist() == [""]


def test_graphs_that_write_otherwise_are_refused(tmp_path, texts):
    rows = texts.check(ROWS)
    assert check_written(Copier(), served(tmp_path / "right", texts), rows) == len(ROWS)
    with pytest.raises(VerificationError, match=r"writes another text than the tuned one: of 'the cat sat' token 1 is"):
        check_written(Copier(), served(tmp_path / "wrong", texts, wrong=1), rows)


def test_perplexity_is_that_of_the_tokens_asked_for():
    logits = np.array([[ABSENT, -1.0, -3.0], [ABSENT, -2.0, ABSENT]], dtype=np.float32)[:, :, None]
    assert perplexity(logits) == {"perplexity": pytest.approx(np.exp(2.0))}
    assert perplexity(np.full((1, 2, 1), ABSENT)) == {"perplexity": float("inf")}
    assert np.isfinite(perplexity(np.full((1, 1, 1), -1e6))["perplexity"])
