"""Logits to the next token: the most probable one, or one drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuneloop.serving.generating.options import GenerationOptions

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A token, its log-probability, and the entropy in nats of the distribution it was chosen from.

    Both are of the model's own distribution, before temperature and cuts: so they compare between requests.
    """

    token: int
    log_probability: float
    entropy: float


def log_softmax(logits: NDArray[np.floating]) -> Floats:
    """Log-probabilities over the last axis, `float64`."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def choose(
    logits: NDArray[np.floating],
    options: GenerationOptions,
    draw: np.random.Generator,
    forbidden: Sequence[int] = (),
) -> Chosen:
    """The next token of one row, `logits [vocabulary]`; `draw` gives one number where tokens are drawn."""
    known = log_softmax(logits)
    entropy = max(0.0, float(-(np.exp(known) * known).sum()))
    if forbidden:
        logits = logits.copy()
        logits[list(forbidden)] = -np.inf
    if options.temperature > 0:
        token = _drawn(distribution(logits, options), float(draw.random()))
    else:
        token = int(logits.argmax())
    return Chosen(token, float(known[token]), entropy)


def distribution(logits: NDArray[np.floating], options: GenerationOptions) -> Floats:
    """The probabilities that tokens are drawn with: temperature, then the `top_k` most probable, then `top_p`.

    The order and the cuts are those of transformers' `generate`.
    """
    scaled = logits.astype(np.float64) / options.temperature
    if 0 < options.top_k < len(scaled):
        least = np.partition(scaled, -options.top_k)[-options.top_k]
        scaled[scaled < least] = -np.inf
    found: Floats = np.exp(scaled - scaled.max())
    found /= found.sum()
    if options.top_p < 1.0:
        order = np.argsort(-found, kind="stable")
        before = np.cumsum(found[order]) - found[order]
        # The most probable one stays in any case.
        found[order[(before >= options.top_p) & (np.arange(len(order)) > 0)]] = 0.0
        found /= found.sum()
    return found


def _drawn(probabilities: Floats, number: float) -> int:
    """The token at a place in [0, 1) of the cumulative distribution."""
    sums = np.cumsum(probabilities)
    place = int(np.searchsorted(sums, number * sums[-1], side="right"))
    # Rounding may put a number behind the last token that can be drawn.
    return place if place < len(sums) and probabilities[place] > 0 else int(np.flatnonzero(probabilities)[-1])
