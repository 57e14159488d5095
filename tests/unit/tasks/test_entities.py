"""Entities are those that seqeval sees."""

from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from tuneloop.tasks.entities import entity_classes, find_entities

TAGS = ("O", "B-person", "I-person", "B-place", "I-place")


@given(st.lists(st.sampled_from(TAGS), max_size=12))
def test_entities_equal_those_of_seqeval(tags):
    assert [(name, first, last) for first, last, name in find_entities(tags)] == get_entities(tags)


def test_tags_without_a_prefix_mark_single_words():
    assert list(find_entities(["NOUN", "NOUN", "O", "VERB"])) == [(0, 0, "NOUN"), (1, 1, "NOUN"), (3, 3, "VERB")]


def test_classes():
    assert entity_classes(["O", "I-place", "B-place", "NOUN"]) == ("NOUN", "place")
