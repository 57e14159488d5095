"""Prefix beam search against all paths."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tuneloop.tasks.prefixes import LEAST, most_probable

Texts = dict[tuple[int, ...], float]


def all_texts(logits: Any) -> Texts:
    """Every text that the frames may say, with the sum of the probabilities of its paths."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    found: Texts = defaultdict(float)
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        text = tuple(place for place, _ in itertools.groupby(path) if place)
        found[text] += math.prod(shares[frame, place] for frame, place in enumerate(path))
    return found


def frames(most: int) -> Any:
    shapes = st.tuples(st.integers(1, most), st.integers(2, 4))
    return shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=st.floats(-6, 6)))


@given(frames(5))
@settings(deadline=None)
def test_with_beams_for_all_texts_the_most_probable_one_is_found(logits: Any) -> None:
    texts = all_texts(logits)
    found, score = most_probable(logits, len(texts), least=0.0)
    assert math.exp(score) == pytest.approx(max(texts.values()))
    assert texts[tuple(found)] == pytest.approx(max(texts.values()))


@given(frames(5), st.integers(1, 6))
@settings(deadline=None)
def test_few_beams_never_tell_too_much(logits: Any, beams: int) -> None:
    texts = all_texts(logits)
    found, score = most_probable(logits, beams)
    assert math.exp(score) <= texts[tuple(found)] * (1 + 1e-9)


@given(frames(4), st.floats(-1e3, 1e3))
@settings(deadline=None)
def test_what_is_added_to_a_frame_changes_nothing(logits: Any, added: float) -> None:
    found, score = most_probable(logits, 50)
    again, moved = most_probable(logits + added, 50)
    assert moved == pytest.approx(score, abs=1e-6)
    assert all_texts(logits)[tuple(again)] == pytest.approx(all_texts(logits)[tuple(found)], rel=1e-6)


def test_many_ways_beat_the_best_path() -> None:
    """The textbook's case: each frame says nothing, and together they say something."""
    logits = np.log([[0.6, 0.4], [0.6, 0.4]])
    found, score = most_probable(logits, 2)
    assert found == [1]
    assert math.exp(score) == pytest.approx(0.4 * 0.4 + 2 * 0.6 * 0.4)


def test_a_long_sound_has_a_probability() -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(3_000, 20)).astype(np.float32)
    found, score = most_probable(logits, 4)
    assert 0 < len(found) <= 3_000
    assert -3_000 * math.log(20) < score < 0


def test_a_character_that_is_hardly_there_is_not_followed() -> None:
    logits = np.log(np.array([[1 - LEAST / 2, LEAST / 2]]))
    assert most_probable(logits, 9) == ([], pytest.approx(0.0, abs=LEAST))
    sure = np.array([[-2e4, 0.0], [0.0, -2e4]])
    assert most_probable(sure, 1) == ([1], 0.0)
