"""Rows with a label for each word: losses, results of different widths, cached features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from datasets import Dataset, Features, List, Value
from torch.nn import functional

from tuneloop.api import ABSENT, NO_PLACE, Tensor
from tuneloop_torch.head import HeadOnly
from tuneloop_torch.inference import gather
from tuneloop_torch.losses import Loss
from tuneloop_torch.rows import read_rows


def places() -> tuple[torch.Tensor, torch.Tensor]:
    """Two rows of four places: words at 1 and 3, and at 0."""
    logits = torch.full((2, 4, 3), ABSENT)
    logits[0, 1], logits[0, 3], logits[1, 0] = torch.tensor([[1.0, 0, 2], [0, 3, 1], [2, 2, 0]])
    return logits, torch.tensor([[2, 1, NO_PLACE], [0, NO_PLACE, NO_PLACE]])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_that_of_the_words_in_order(smoothing: float) -> None:
    logits, labels = places()
    expected = functional.cross_entropy(
        torch.stack([logits[0, 1], logits[0, 3], logits[1, 0]]), torch.tensor([2, 1, 0]), label_smoothing=smoothing
    )
    assert Loss("cross_entropy", smoothing)(logits, labels).item() == pytest.approx(expected.item())


def test_no_gradient_reaches_places_without_a_word_and_unknown_tags() -> None:
    logits, labels = places()
    labels[0, 0] = -1
    logits.requires_grad_(True)
    Loss("cross_entropy")(logits, labels).backward()
    assert logits.grad is not None
    touched = logits.grad.abs().sum(dim=-1) > 0
    assert touched.tolist() == [[False, False, False, True], [True, False, False, False]]


def test_batches_of_different_width_are_gathered_and_filled() -> None:
    first = (np.array([2, 0]), np.ones((2, 3, 2), np.float32))
    second = (np.array([1]), np.full((1, 5, 2), 7, np.float32))
    for order in ([first, second], [second, first]):
        found = gather(iter(order), 3)
        assert found.shape == (3, 5, 2)
        assert (found[1] == 7).all()
        assert (found[[0, 2], :3] == 1).all()
        assert (found[[0, 2], 3:] == np.float32(ABSENT)).all()


def test_a_head_on_cached_features_leaves_absent_places_absent_and_its_gradient_finite() -> None:
    features = torch.full((2, 3, 4), ABSENT)
    features[0, 1], features[1, 0] = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    head = torch.nn.Sequential(torch.nn.Dropout(0.0), torch.nn.Linear(4, 2))
    logits = HeadOnly(head)(features=features)["logits"]
    assert (logits[0, 0] == ABSENT).all()
    assert (logits[0, 1] > ABSENT / 2).all()
    Loss("cross_entropy")(logits, torch.tensor([[1], [0]])).backward()
    assert all(torch.isfinite(p.grad).all() and p.grad.abs().sum() > 0 for p in head.parameters() if p.grad is not None)


def test_labels_of_words_and_tables_of_numbers_are_read_as_arrays() -> None:
    features = Features(
        {"x": List(List(Value("float32"))), "labels": List(Value("int64"), 3), "length": Value("int64")}
    )
    x = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    labels = [[1, 0, NO_PLACE], [2, NO_PLACE, NO_PLACE]]
    data = Dataset.from_dict({"x": list(x), "labels": labels, "length": [0, 0]}, features=features)
    rows = read_rows(data, (Tensor("x", "float32", ("batch", 2, 3)),))
    assert np.array_equal(rows.columns["x"], x)
    assert rows.labels.tolist() == labels
    assert rows.select(np.array([1])).labels.tolist() == labels[1:]
