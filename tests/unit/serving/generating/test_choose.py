"""The next token: greedy, or drawn from what temperature and cuts leave."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.serving.generating.choose import choose, distribution, log_softmax
from tuneloop.serving.generating.options import GREEDY, GenerationOptions

LOGITS = st.lists(st.floats(-20, 20, width=32), min_size=2, max_size=30).map(lambda v: np.array(v, dtype=np.float32))


def plain(logits, options):
    """The definition, written without a thought for speed."""
    scaled = logits.astype(np.float64) / options.temperature
    kept = np.ones(len(scaled), dtype=bool)
    if options.top_k:
        kept = scaled >= sorted(scaled)[-min(options.top_k, len(scaled))]
    found = np.where(kept, np.exp(scaled - scaled[kept].max()), 0.0)
    found /= found.sum()
    if options.top_p < 1:
        total, nucleus = 0.0, set()
        for token in sorted(range(len(found)), key=lambda t: -found[t]):
            if nucleus and total >= options.top_p:
                break
            nucleus.add(token)
            total += found[token]
        found = np.where([t in nucleus for t in range(len(found))], found, 0.0)
    return found / found.sum()


@given(LOGITS, st.floats(0.05, 5), st.integers(0, 40), st.floats(0.01, 1))
def test_the_distribution_is_the_definition(logits, temperature, top_k, top_p):
    options = GenerationOptions(temperature=temperature, top_k=top_k, top_p=top_p)
    found, expected = distribution(logits, options), plain(logits, options)
    # A sum that falls on the edge of the nucleus may round to either side: one token more or less, and no other.
    assert found.sum() == pytest.approx(1)
    assert ((found > 0) != (expected > 0)).sum() <= 1
    if ((found > 0) == (expected > 0)).all():
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@given(LOGITS, st.integers(0, 2**32))
def test_a_cut_to_one_token_is_greedy(logits, seed):
    draw = np.random.default_rng(seed)
    best = choose(logits, GREEDY, draw)
    assert best.token == int(logits.argmax())
    assert best.log_probability == pytest.approx(float(log_softmax(logits)[best.token]))
    assert 0 <= best.entropy <= np.log(len(logits)) + 1e-9
    drawn = choose(logits, GenerationOptions(temperature=1.0, top_p=1e-9), draw)
    # Logits that differ by less than a probability can show are equal.
    assert logits[drawn.token] == pytest.approx(float(logits.max()), abs=1e-6)


def test_tokens_are_drawn_as_often_as_they_are_probable():
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05], dtype=np.float32))
    draw = np.random.default_rng(1)
    drawn = [choose(logits, GenerationOptions(temperature=1.0), draw).token for _ in range(20_000)]
    shares = np.bincount(drawn, minlength=4) / len(drawn)
    np.testing.assert_allclose(shares, [0.5, 0.3, 0.15, 0.05], atol=0.015)


def test_beams_and_drawing_exclude_each_other():
    with pytest.raises(ValueError, match="exclude each other"):
        GenerationOptions(beams=2, temperature=0.5)
