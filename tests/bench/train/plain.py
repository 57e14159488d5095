"""What one would write by hand: batches made beforehand, AdamW, a falling rate, clipping, one evaluation an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

Batch = dict[str, torch.Tensor]


def batches(data: Any, rows: Any, size: int, seed: int, epochs: int) -> list[list[Batch]]:
    """The very batches that the strategies take, epoch by epoch."""
    from tuneloop_torch.collator import Collator
    from tuneloop_torch.epoch import batches_of
    from tuneloop_torch.rows import read_rows
    from tuneloop_torch.sampler import EpochSampler

    read, collator = read_rows(rows, data.tensors), Collator(data.tensors)
    sampler = EpochSampler(read.lengths, size, seed, group=True)
    return [list(batches_of(read, collator, sampler, epoch)) for epoch in range(epochs)]


def train(model: Any, epochs: Sequence[Sequence[Batch]], validation: Sequence[Batch], rate: float) -> None:
    """A bare loop over the batches."""
    steps = sum(map(len, epochs))
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for epoch in epochs:
        model.train()
        for batch in epoch:
            inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
            loss = torch.nn.functional.cross_entropy(model(**inputs)["logits"], batch["labels"])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        model.eval()
        with torch.no_grad():
            for batch in validation:
                model(**{name: tensor for name, tensor in batch.items() if name != "labels"})
