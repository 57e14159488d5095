"""Sampler, collator, loss and history on their own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import Tensor


@given(
    lengths=st.lists(st.integers(1, 50), min_size=1, max_size=300),
    batch=st.integers(1, 40),
    seed=st.integers(0, 2**40),
    epoch=st.integers(0, 100),
    group=st.booleans(),
)
def test_sampler_gives_each_row_once_and_only_depends_on_seed_and_epoch(lengths, batch, seed, epoch, group):
    from tuneloop_torch.sampler import EpochSampler

    sampler = EpochSampler(np.array(lengths), batch, seed, group=group)
    order = sampler.order(epoch)
    assert sorted(order) == list(range(len(lengths)))
    sampler.order(epoch + 1)
    assert sampler.order(epoch) == order
    sampler.set_epoch(epoch)
    assert list(sampler) == order


def test_sampler_saves_padding():
    from tuneloop_torch.sampler import EpochSampler

    lengths = np.random.default_rng(0).integers(2, 100, 1600)

    def padded(group):
        order = EpochSampler(lengths, 32, 0, group=group).order(0)
        return sum(lengths[order[i : i + 32]].max() * 32 for i in range(0, 1600, 32))

    assert padded(group=True) < 0.6 * padded(group=False)


@given(rows=st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=12), min_size=1, max_size=9))
def test_collator_pads_at_the_end(rows):
    from tuneloop_torch.collator import Collator

    batch = Collator([Tensor("ids", "int64", ("batch", "length"), 99)])(
        [{"ids": np.array(row), "labels": np.int64(1)} for row in rows]
    )
    assert batch["ids"].shape == (len(rows), max(map(len, rows)))
    for row, found in zip(rows, batch["ids"].tolist(), strict=True):
        assert found == row + [99] * (len(found) - len(row))
    assert batch["labels"].tolist() == [1] * len(rows)


def test_rows_keep_dtypes_and_selections():
    from datasets import Dataset

    from tuneloop_torch.rows import read_rows

    data = Dataset.from_dict(
        {"ids": [[1], [2, 3], [4, 5, 6]], "x": [[0.5, 1], [2, 3], [4, 5]], "labels": [0, 1, 2], "length": [1, 2, 3]}
    ).select([2, 0])
    rows = read_rows(data, [Tensor("ids", "int64", ("batch", "length")), Tensor("x", "float32", ("batch", 2))])
    assert [row.tolist() for row in rows.columns["ids"]] == [[4, 5, 6], [1]]
    assert rows.columns["x"].dtype == np.float32
    assert rows.columns["x"].tolist() == [[4, 5], [0.5, 1]]
    assert rows.labels.tolist() == [2, 0]
    assert rows.lengths.tolist() == [3, 1]


def test_loss_ignores_unknown_labels_and_never_becomes_nan():
    import torch

    from tuneloop_torch.losses import Loss, balanced_weights

    logits = torch.tensor([[2.0, 0.0], [0.0, 3.0], [1.0, 1.0]])
    loss = Loss("cross_entropy")
    known = loss(logits[:2], torch.tensor([0, 1]))
    assert loss(logits, torch.tensor([0, 1, -1])) == pytest.approx(float(known))
    assert float(loss(logits, torch.tensor([-1, -1, -1]))) == 0
    assert float(Loss("mse")(logits[:, :1], torch.tensor([1.0, 0.0, 1.0]))) == pytest.approx(1 / 3)
    assert balanced_weights(np.array([0, 0, 0, 1, -1]), 3).tolist() == pytest.approx([4 / 6, 2, 1])


@given(values=st.lists(st.sampled_from([0.1, 0.2, 0.3, float("nan")]), max_size=12), patience=st.integers(1, 4))
def test_stalled_means_no_new_best_in_the_last_epochs(values, patience):
    from tuneloop_torch.history import has_stalled

    real = [value for value in values if value == value]
    if not real:
        assert has_stalled(values, patience, maximize=True) == (len(values) >= patience)
        return
    assert has_stalled(values, patience, maximize=True) == (len(values) - 1 - values.index(max(real)) >= patience)
    assert has_stalled([-v for v in values], patience, maximize=False) == has_stalled(values, patience, maximize=True)
