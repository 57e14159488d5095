"""The bare loop beside which training is measured does the same work on the same batches."""

from __future__ import annotations

import numpy as np
import torch
from tests.bench.train import plain
from tests.bench.train.data import Size, tables, texts
from tests.bench.train.models import table
from tests.bench.train.rounds import compare


def test_batches_are_those_of_the_strategies(tmp_path, monkeypatch):
    from tuneloop_torch import Full
    from tuneloop_torch.loop import Loop

    seen, original = [], Loop.training_step

    def step(self, model, batch, *rest):
        seen.append({name: tensor.clone() for name, tensor in batch.items()})
        return original(self, model, batch, *rest)

    monkeypatch.setattr(Loop, "training_step", step)
    data = tables(Size(100, 20))
    Full(Full.Options(epochs=2, batch_size=32)).fit(table(), data, tmp_path, 3, lambda _: None)
    epochs = plain.batches(data, data.train, 32, 3, 2)
    assert [len(epoch) for epoch in epochs] == [4, 4]
    for ours, theirs in zip(seen, [batch for epoch in epochs for batch in epoch], strict=True):
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_the_bare_loop_learns():
    data, model = tables(Size(640, 64)), table()
    epochs = plain.batches(data, data.train, 32, 3, 8)
    before = plain.batches(data, data.validation, 64, 3, 1)[0]

    def loss():
        with torch.no_grad():
            logits = model(**{name: value for name, value in before[0].items() if name != "labels"})["logits"]
            return float(torch.nn.functional.cross_entropy(logits, before[0]["labels"]))

    start = loss()
    plain.train(model, epochs, before, 1e-2)
    assert loss() < start - 0.1


def test_rows_are_short_and_long():
    lengths = np.array(texts(Size(500, 10), 192).train["length"])
    assert lengths.min() >= 4
    assert lengths.max() > 120
    assert np.median(lengths) < 60


def test_a_comparison_holds_both_and_their_ratio():
    calls = []
    found = compare(lambda: spin(30_000, calls, "a"), lambda: spin(10_000, calls, "b"), 2)
    assert calls == ["a", "b"] * 3
    assert found.ratio.rounds == 2
    assert found.ratio.low <= found.ratio.median <= found.ratio.high


def spin(count, calls, name):
    calls.append(name)
    return sum(range(count * 10))
