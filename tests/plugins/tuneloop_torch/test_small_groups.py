"""Length grouping of few rows leaves their order random enough to learn from."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")


@pytest.mark.parametrize("rows", [20, 320, 1080])
def test_rows_of_one_length_do_not_always_meet(rows: int) -> None:
    """Sorted all together, the two shortest rows would share a batch in every epoch."""
    from tuneloop_torch.sampler import EpochSampler

    sampler = EpochSampler(np.arange(rows) + 1, 16, 0, group=True)
    together = 0
    for epoch in range(60):
        order = sampler.order(epoch)
        assert sorted(order) == list(range(rows))
        together += order.index(0) // 16 == order.index(1) // 16
    assert together < (60 if rows == 20 else 40)


def test_many_rows_are_grouped_as_before() -> None:
    """Fifty batches are sorted together: hardly anything is left to pad."""
    from tuneloop_torch.sampler import EpochSampler

    lengths = np.random.default_rng(0).integers(4, 128, 6400)
    order = np.array(EpochSampler(lengths, 32, 0, group=True).order(0)).reshape(-1, 32)
    waste = 1 - lengths.sum() / (lengths[order].max(axis=1) * 32).sum()
    assert waste < 0.03
