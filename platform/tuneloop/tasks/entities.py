"""Tags of words to entities, and what entities are called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

OUTSIDE = "O"
"""The tag of a word that is part of nothing."""


def split_tag(tag: str) -> tuple[str, str]:
    """A tag as prefix and class: `B-person` is `B` and `person`; a tag without a prefix begins anew at each word."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    prefix, dash, name = tag.partition("-")
    return (prefix, name) if dash and prefix in ("B", "I") else ("B", tag)


def find_entities(tags: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """First word, last word and class of each entity, in order.

    An `I-` that continues nothing of its class begins an entity, as in the CoNLL-2000 evaluation and in seqeval.
    """
    start, name = 0, ""
    for place, tag in enumerate(tags):
        prefix, found = split_tag(tag)
        if name and (prefix != "I" or found != name):
            yield start, place - 1, name
            name = ""
        if prefix != OUTSIDE and not name:
            start, name = place, found
    if name:
        yield start, len(tags) - 1, name


def entity_classes(tags: Sequence[str]) -> tuple[str, ...]:
    """The classes that these tags can mark, sorted."""
    return tuple(sorted({split_tag(tag)[1] for tag in tags} - {""}))
