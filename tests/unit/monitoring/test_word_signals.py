"""What a row of words says: how many, how they fall apart, which entities were found."""

import numpy as np

from tuneloop.api import Column, Encoded, SignalBatch, Tensor
from tuneloop.monitoring.signals import create_signals, tuneloop_signals
from tuneloop.monitoring.unknown_signals import UnknownRate
from tuneloop.monitoring.word_signals import EntityCount, TokensPerWord, WordCount

COLUMNS = (Column("tokens", "words"),)
TENSORS = (
    Tensor("input_ids", "int64", ("batch", "windows", "length")),
    Tensor("first", "int64", ("batch", "windows", "length")),
)
NAMES = ("O", "B-place", "I-place", "B-person")


def batch():
    marks = [
        np.array([[[0, 1, 0, 1, 0]]]),
        np.array(
            [
                [[0, 1, 0, 0]],
            ]
        ),
    ]
    encoded = [Encoded((1,), {"first": marks[0]}, 5), Encoded((0,), {"first": marks[1]}, 4)]
    answers = [
        {"tags": ["B-place"], "entities": [{"label": "place"}]},
        {"tags": ["O", "O"], "entities": []},
    ]
    return SignalBatch(({}, {}), encoded, {}, answers)


def test_words_tokens_and_entities():
    assert WordCount.create(COLUMNS, TENSORS, NAMES, 0)[0].read(batch()).tolist() == [1.0, 2.0]
    assert TokensPerWord.create(COLUMNS, TENSORS, NAMES, 0)[0].read(batch()).tolist() == [4.0, 2.5]
    person, place = EntityCount.create(COLUMNS, TENSORS, NAMES, 0)
    assert (person.label, place.label) == ("entities:person", "entities:place")
    assert place.read(batch()).tolist() == [1.0, 0.0]
    assert person.read(batch()).tolist() == [0.0, 0.0]


def test_tokens_a_word_are_counted_at_whichever_token_is_marked():
    tensors = (TENSORS[0], Tensor("last", "int64", ("batch", "windows", "length")))
    encoded = [Encoded((0,), {"last": np.array([[[0, 0, 1, 1]]])}, 4)]
    (signal,) = TokensPerWord.create(COLUMNS, tensors, NAMES, 0)
    assert signal.read(SignalBatch(({},), encoded, {}, ({},))).tolist() == [2.0]


def test_a_model_that_tags_words_has_no_signal_of_one_predicted_class():
    labels = {signal.label for signal in create_signals(tuneloop_signals(), COLUMNS, TENSORS, NAMES, 0)}
    assert {"words", "tokens_per_word", "entities:place", "confidence", "entropy"} <= labels
    assert "answer" not in labels


def test_other_models_have_none_of_them():
    columns, tensors = (Column("text", "text"),), (Tensor("input_ids", "int64", ("batch", "length")),)
    labels = {signal.label for signal in create_signals(tuneloop_signals(), columns, tensors, ("a", "b"), 0)}
    assert "answer" in labels
    assert not {"words", "tokens_per_word"} & labels


def test_the_share_of_unknown_tokens_is_taken_over_all_windows():
    tensors = (Tensor("input_ids", "int64", ("batch", "windows", "length"), unknown=1),)
    (signal,) = UnknownRate.create(COLUMNS, tensors, NAMES, 0)
    ids = np.array([[[2, 1, 4], [1, 5, 6]]])
    found = signal.read(SignalBatch(({},), [Encoded((0,), {"input_ids": ids}, 3)], {}, ({},)))
    assert found.tolist() == [1 / 3]
