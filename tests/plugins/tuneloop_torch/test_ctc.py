"""The loss over frames is that of all ways to say a text in them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tuneloop.api import ABSENT, NO_PLACE

torch = pytest.importorskip("torch")

from tuneloop_torch.ctc import ctc  # noqa: E402
from tuneloop_torch.losses import Loss  # noqa: E402


def collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(place for place, _ in itertools.groupby(path) if place)


def right(logits: np.ndarray, text: tuple[int, ...]) -> float:
    """The negative log-probability of a text, by going through all paths."""
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    paths = itertools.product(range(logits.shape[1]), repeat=len(logits))
    total = sum(np.prod([chances[i, place] for i, place in enumerate(p)]) for p in paths if collapsed(p) == text)
    return float(-np.log(total))


def test_it_is_the_sum_over_all_paths() -> None:
    logits = np.random.default_rng(0).normal(size=(3, 5, 3)).astype(np.float32)
    held = (5, 3, 4)
    for row, count in enumerate(held):
        logits[row, count:] = ABSENT
    labels = np.array([[1, 2, 1], [2, NO_PLACE, NO_PLACE], [1, 1, NO_PLACE]])
    texts = ((1, 2, 1), (2,), (1, 1))
    expected = [
        right(logits[row, :count], text) / len(text) for row, (count, text) in enumerate(zip(held, texts, strict=True))
    ]
    given = torch.from_numpy(logits).requires_grad_()
    found = ctc(given, torch.from_numpy(labels))
    assert float(found.detach()) == pytest.approx(np.mean(expected), rel=1e-4)
    found.backward()
    assert torch.isfinite(given.grad).all()
    assert (given.grad[1, 3:] == 0).all(), "frames without sound have no gradient"


def test_a_text_that_is_too_long_for_its_sound_has_no_loss() -> None:
    logits = torch.zeros(1, 2, 3, requires_grad=True)
    found = ctc(logits, torch.tensor([[1, 1]]))
    found.backward()
    assert float(found.detach()) == 0.0
    assert torch.isfinite(logits.grad).all()


def test_parts_of_a_batch_add_up_to_the_whole() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 7, 4, generator=generator)
    labels = torch.tensor([[1, 2], [3, NO_PLACE], [2, 3], [1, 1], [2, NO_PLACE], [3, 1]])
    loss = Loss("ctc")
    parts = [loss(logits[at], labels[at], labels) for at in (slice(0, 4), slice(4, 6))]
    assert float(sum(parts)) == pytest.approx(float(loss(logits, labels)), rel=1e-5)
