"""Entity metrics at their edges; seqeval itself is the source of the values."""

import numpy as np
import pytest

from tuneloop.api import NO_PLACE, DataError, Predictions
from tuneloop_seqeval import EntityF1, EntityPrecision, EntityRecall

LABELS = ("O", "B-a", "I-a", "B-b", "I-b")
TRUTH = np.array([[1, 2, 0, 3], [0, 1, NO_PLACE, NO_PLACE]])


def predicted(*rows):
    return Predictions(np.array(rows), None, LABELS)


def test_an_entity_is_right_as_a_whole_or_wrong():
    # Of three entities one is whole; the first lacks a word, the last has another class.
    predictions = predicted([1, 0, 0, 3], [0, 3, NO_PLACE, NO_PLACE])
    assert EntityPrecision().compute(predictions, TRUTH) == pytest.approx(1 / 3)
    assert EntityRecall().compute(predictions, TRUTH) == pytest.approx(1 / 3)
    assert EntityF1().compute(predictions, TRUTH) == pytest.approx(1 / 3)


def test_rows_end_entities():
    truth = np.array([[0, 1], [2, 0]])
    assert EntityF1().compute(predicted([0, 1], [1, 0]), truth) == 1.0


def test_an_unknown_tag_is_an_entity_that_is_not_found():
    truth = np.array([[1, -1]])
    assert EntityRecall().compute(predicted([1, 0]), truth) == pytest.approx(0.5)


def test_no_entity_found_is_a_zero_and_no_words_are_refused():
    assert EntityF1().compute(predicted([0, 0, 0, 0], [0, 0, NO_PLACE, NO_PLACE]), TRUTH) == 0.0
    for truth in (np.empty((0, 2), np.int64), np.full((1, 2), NO_PLACE)):
        with pytest.raises(DataError, match="0 words"):
            EntityF1().compute(predicted(*truth.tolist()), truth)
