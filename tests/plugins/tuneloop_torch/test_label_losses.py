"""The losses of several labels and of spans, against sums by hand."""

from __future__ import annotations

import math

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
