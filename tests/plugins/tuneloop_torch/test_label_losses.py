"""The losses of several labels and of spans, against sums by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tuneloop.api import ABSENT

torch = pytest.importorskip("torch")


def test_each_label_is_a_decision_of_its_own() -> None:
    from tuneloop_torch.losses import Loss

    logits, labels = torch.tensor([[2.0, -1.0], [0.0, 3.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    by_hand = [math.log1p(math.exp(-2)), math.log1p(math.exp(-1)), math.log(2), math.log1p(math.exp(-3))]
    assert float(Loss("binary_cross_entropy")(logits, labels)) == pytest.approx(sum(by_hand) / 4, rel=1e-5)
    parts = [Loss("binary_cross_entropy")(logits[i : i + 1], labels[i : i + 1], labels) for i in range(2)]
    assert float(sum(parts)) == pytest.approx(sum(by_hand) / 4, rel=1e-5)


def test_rare_labels_weigh_more() -> None:
    from tuneloop_torch.losses import label_weights

    labels = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0]], dtype=np.float32)
    assert label_weights(labels).tolist() == pytest.approx([3.0, 1 / 3, 1.0])


def by_hand(logits: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """Loss and gradient of decisions, each right one weighed: sums of `-(w t log p + (1 - t) log(1 - p))`."""
    chances = 1 / (1 + np.exp(-logits))
    losses = -(weights * targets * np.log(chances) + (1 - targets) * np.log(1 - chances))
    gradient = (1 - targets) * chances - weights * targets * (1 - chances)
    return float(losses.mean()), gradient / logits.size


@pytest.mark.parametrize(("smoothing", "weights"), [(0.3, None), (0.0, [3.0, 0.5, 1.0]), (0.2, [2.0, 1.0, 4.0])])
def test_smoothed_and_weighted_labels_have_the_formulas_loss_and_gradient(
    smoothing: float, weights: list[float] | None
) -> None:
    from tuneloop_torch.losses import Loss

    random = np.random.default_rng(3)
    scores, labels = random.normal(size=(4, 3)).astype(np.float32), random.integers(0, 2, (4, 3)).astype(np.float32)
    targets = np.where(labels == 1, 1 - smoothing / 2, smoothing / 2)
    value, gradient = by_hand(scores, targets, np.array(weights or [1.0, 1.0, 1.0]))
    logits = torch.from_numpy(scores).requires_grad_()
    loss = Loss("binary_cross_entropy", smoothing, None if weights is None else torch.tensor(weights))
    found = loss(logits, torch.from_numpy(labels))
    found.backward()
    assert found.item() == pytest.approx(value, rel=1e-5)
    np.testing.assert_allclose(logits.grad.numpy(), gradient, atol=1e-6)


def test_training_weighs_rare_labels_and_smooths_all(tiny: ModuleType, first_step: Callable[..., Any]) -> None:
    """The whole first step against the formula, on all rows at once."""
    from datasets import Dataset, Features, List, Value

    from tuneloop_torch.inference import logits_of
    from tuneloop_torch.rows import read_rows

    source = tiny.data(32, 8)
    labels = (np.arange(32)[:, None] % np.array([2, 4, 8]) == 0).astype(np.float32)
    kinds = Features({**source.train.features, "labels": List(Value("float32"), 3)})
    rows = Dataset.from_dict({**source.train.to_dict(), "labels": labels.tolist()}, features=kinds)
    data = replace(source, train=rows, loss="binary_cross_entropy")
    scores = logits_of(tiny.model(dropout=0.0), read_rows(rows, data.tensors), data.tensors, 32)
    for options, targets, weights in (
        ({}, labels, [1.0, 1.0, 1.0]),
        ({"class_weights": "balanced"}, labels, [1.0, 3.0, 7.0]),
        ({"label_smoothing": 0.2}, labels * 0.8 + 0.1, [1.0, 1.0, 1.0]),
    ):
        value, gradient = by_hand(scores, targets, np.array(weights))
        step = first_step(data=data, batch_size=32, **options)
        assert step["loss"] == pytest.approx(value, rel=1e-4)
        np.testing.assert_allclose(step["gradients"]["head.1.bias"].numpy(), gradient.sum(axis=0), atol=1e-5)


def test_a_span_is_found_among_places_that_hold_something() -> None:
    from tuneloop_torch.losses import Loss

    logits = torch.full((3, 5, 2), ABSENT)
    logits[0, [1, 3, 4]] = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    logits[1, [0, 2]] = torch.tensor([[0.5, 0.0], [0.0, 0.5]])
    logits[2, 0] = 7.0
    labels = torch.tensor([[0, 1], [1, 1], [-1, -1]])
    first = math.log(math.e + 2) - 1, math.log(math.e**2 + 2) - 2
    second = math.log(math.exp(0.5) + 1), math.log(math.exp(0.5) + 1) - 0.5
    found = Loss("span")(logits.requires_grad_(), labels)
    assert found.item() == pytest.approx((sum(first) + sum(second)) / 4, rel=1e-5)
    found.backward()
    assert torch.isfinite(logits.grad).all()
    assert float(logits.grad[2].abs().sum()) == 0.0, "a row without an answer teaches nothing"
    parts = [Loss("span")(logits[i : i + 1], labels[i : i + 1], labels) for i in range(3)]
    assert float(sum(parts).detach()) == pytest.approx(found.item(), rel=1e-5)
