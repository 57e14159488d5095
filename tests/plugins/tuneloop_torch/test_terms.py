"""Every token of a batch weighs the same, however its rows fall into parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.api import ABSENT
from tuneloop_torch import Full
from tuneloop_torch.accumulate import WHOLE, parts
from tuneloop_torch.collator import Collator
from tuneloop_torch.losses import Loss
from tuneloop_torch.rows import read_rows
from tuneloop_torch.terms import Terms


def close(first, second):
    assert set(first) == set(second)
    for name, gradient in first.items():
        torch.testing.assert_close(gradient, second[name], rtol=0, atol=1e-5, msg=name)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_texts_in_parts_give_the_loss_and_gradients_of_their_batch(tiny, first_step, size):
    whole, cut = (
        first_step(model=tiny.writer(), data=tiny.written(), micro_batch_size=parted) for parted in (None, size)
    )
    assert cut["loss"] == pytest.approx(whole["loss"], abs=1e-5)
    close(whole["gradients"], cut["gradients"])


def test_parts_give_what_transformers_gives_by_the_number_of_items(tiny):
    """Its own loss of each part with `num_items_in_batch`, summed, against the steps of a batch in parts."""
    data = tiny.written(train=7)
    rows, loss, terms = read_rows(data.train, data.tensors), Loss("likelihood"), Terms()
    batch = Collator(data.tensors).batch(rows, range(7))
    ours, theirs, losses, said = tiny.writer(), tiny.writer(), [], 0.0
    wanted = batch["scored"][:, 1:].bool()
    for part in parts(batch, 2):
        inputs = {tensor.name: part[tensor.name] for tensor in data.tensors}
        logits = ours(**inputs)["logits"]
        found = loss(logits, part["labels"], part[WHOLE])
        terms.add(loss.terms(logits), idle=False)
        found.backward()
        losses.append(found.detach())
        learned = part["input_ids"].masked_fill(part["scored"] == 0, -100)
        answer = theirs.backbone(
            input_ids=part["input_ids"],
            attention_mask=part["attention_mask"],
            labels=learned,
            num_items_in_batch=wanted.sum(),
        )
        answer.loss.backward()
        said += float(answer.loss.detach())
    terms.to_mean(losses, ours.parameters(), 7)
    assert float(torch.stack(losses).sum()) == pytest.approx(said, abs=1e-5)
    close(*({name: p.grad for name, p in one.named_parameters()} for one in (ours, theirs)))


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.integers(1, 13))
def test_means_of_parts_are_the_mean_over_all_terms(counts, size):
    random = np.random.default_rng(len(counts))
    logits = torch.full((len(counts), 10, 1), ABSENT)
    for row, count in enumerate(counts):
        logits[row, 10 - count :, 0] = torch.from_numpy(random.normal(size=count).astype(np.float32))
    weight, loss, terms, losses = torch.nn.Parameter(torch.ones(())), Loss("likelihood"), Terms(), []
    batch = {"logits": logits, "labels": torch.zeros(len(counts), dtype=torch.int64), WHOLE: torch.zeros(len(counts))}
    for part in parts(batch, size):
        scored = torch.where(part["logits"] > ABSENT / 2, weight * part["logits"], ABSENT)
        found = loss(scored, part["labels"], part[WHOLE])
        terms.add(loss.terms(scored), idle=False)
        found.backward()
        losses.append(found.detach())
    terms.to_mean(losses, [weight], len(counts))
    held = logits[logits > ABSENT / 2]
    mean = -float(held.mean()) if len(held) else 0.0
    assert float(torch.stack(losses).sum()) == pytest.approx(mean, abs=1e-5)
    # The loss is linear in the weight: its gradient is the mean as well.
    assert float(weight.grad) == pytest.approx(mean, abs=1e-5)


def test_parts_train_as_whole_batches_do(tiny, tmp_path):
    histories = []
    for size in (None, 2):
        options = Full.Options(epochs=2, batch_size=8, micro_batch_size=size, learning_rate=1e-3)
        result = Full(options).fit(tiny.writer(), tiny.written(), tmp_path / str(size), 0, lambda _: None)
        histories.append(result.history)
    for one, other in zip(*histories, strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def test_losses_that_labels_count_are_left_alone():
    terms, loss, weight = Terms(), Loss("cross_entropy"), torch.nn.Parameter(torch.ones(()))
    weight.grad = torch.ones(())
    terms.add(loss.terms(torch.zeros(2, 3)), idle=False)
    terms.to_mean([torch.ones(())], [weight], 5)
    assert float(weight.grad) == 1.0
