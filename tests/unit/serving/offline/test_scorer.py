from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tuneloop.api import Arrays
from tuneloop.serving.loader import Loaded
from tuneloop.serving.offline.inputs import Window
from tuneloop.serving.offline.record import Record
from tuneloop.serving.offline.scorer import Refusal, Scorer


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3) as pool:
        yield pool


def window(texts: list[Any]) -> Window:
    """A `None` is a record that is broken."""
    records = tuple(
        Record("a.jsonl", "line", i + 1, {}, "" if text is not None else "not valid JSON")
        for i, text in enumerate(texts)
    )
    return Window(1, records, tuple(None if text is None else {"message": text} for text in texts), 1.0)


class Fussy:
    """A model with faults: calls that hold the token `lost` (12) fail, sums that hold `key` (11) are not finite."""

    def __init__(self, predictor: Any) -> None:
        self.preprocessor, self.task = predictor.preprocessor, predictor.task
        self._run = predictor.run
        self.sizes: list[int] = []

    def run(self, inputs: Arrays) -> Arrays:
        ids = inputs["input_ids"]
        self.sizes.append(len(ids))
        if (ids == 12).any():
            raise RuntimeError("no such token")
        found: Arrays = self._run(inputs)
        found["logits"][(ids == 11).any(axis=1)] = np.nan
        return found


def test_answers_are_those_of_one_request_in_its_order(
    text_model: Loaded, messages: Callable[..., list[str]], pool: ThreadPoolExecutor
) -> None:
    texts = messages(300, 1)
    scorer = Scorer(text_model, pool, batch_rows=1000)
    answers, refused = scorer.answer(scorer.prepare(window(texts)))
    assert not refused
    assert answers == text_model.predictor.predict([{"message": text} for text in texts]).answers


def test_rows_of_one_length_share_calls_of_the_size_asked_for(
    text_model: Loaded, messages: Callable[..., list[str]], pool: ThreadPoolExecutor
) -> None:
    fussy = Fussy(text_model.predictor)
    texts = [text for text in messages(400, 2) if not {"key", "lost"} & set(text.split())]
    Scorer(replace(text_model, predictor=fussy), pool, 8).answer(  # type: ignore[arg-type]
        Scorer(text_model, pool, 8).prepare(window(texts))
    )
    lengths = [len(text.split()) for text in texts]
    wanted = sorted(
        min(8, count - start) for count in (lengths.count(n) for n in set(lengths)) for start in range(0, count, 8)
    )
    assert sorted(fussy.sizes) == wanted


def test_rows_of_a_quantised_model_never_share_a_call(
    quantized_model: Loaded, messages: Callable[..., list[str]], pool: ThreadPoolExecutor
) -> None:
    texts = messages(50, 3)
    scorer = Scorer(quantized_model, pool, batch_rows=32)
    answers, _ = scorer.answer(scorer.prepare(window(texts)))
    assert answers == [quantized_model.predictor.predict([{"message": text}]).answers[0] for text in texts]


def test_a_refused_row_fails_no_neighbour(text_model: Loaded, pool: ThreadPoolExecutor) -> None:
    scorer = Scorer(text_model, pool, 32)
    answers, refused = scorer.answer(scorer.prepare(window(["good", " ", None, 7, "bad"])))
    assert [answer is None for answer in answers] == [False, True, True, True, False]
    assert refused == {
        1: Refusal("must be a text that is not blank", "message"),
        2: Refusal("not valid JSON"),
        3: Refusal("must be a text, not 7", "message"),
    }


def test_a_window_of_refused_rows_calls_no_model(text_model: Loaded, pool: ThreadPoolExecutor) -> None:
    scorer = Scorer(text_model, pool, 32)
    answers, refused = scorer.answer(scorer.prepare(window(["", None])))
    assert answers == [None, None]
    assert list(refused) == [1, 0]


def test_a_row_the_model_cannot_take_is_found_and_fails_no_neighbour(
    text_model: Loaded, pool: ThreadPoolExecutor
) -> None:
    faulty = replace(text_model, predictor=Fussy(text_model.predictor))  # type: ignore[arg-type]
    scorer = Scorer(faulty, pool, 32)
    answers, refused = scorer.answer(scorer.prepare(window(["good", "lost", "bad", "key", "the key", "the train"])))
    assert refused == {
        1: Refusal("the model cannot take it: no such token"),
        3: Refusal("the model gives a number that is not finite"),
        4: Refusal("the model gives a number that is not finite"),
    }
    alone = text_model.predictor.predict([{"message": "the train"}]).answers[0]
    assert answers[5] == alone
    assert [answer is None for answer in answers] == [False, True, False, True, True, False]
