"""Which epoch is kept: the best by the metric; of equal ones the one with the lower validation loss."""

import math
from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tuneloop.api import TrainingData

FEW = st.sampled_from([0.0, 0.5, 1.0, math.nan])
RECORDS = st.lists(st.fixed_dictionaries({"score": FEW, "validation_loss": FEW}), max_size=6)


@given(RECORDS)
def test_the_best_of_records_is_told_by_value_then_loss_then_place(records):
    from tuneloop_torch.history import best_of

    best = best_of(records, "score", maximize=True)
    kept = [one for one in records if not math.isnan(one["score"])]
    if best is None:
        assert not kept
        return
    top = [one for one in kept if one["score"] == max(one["score"] for one in kept)]
    losses = [one["validation_loss"] for one in top if not math.isnan(one["validation_loss"])]
    assert records[best] in top
    if losses:
        assert records[best]["validation_loss"] == min(losses)
    # NaN is unequal to itself, and the first of equal records is taken.
    assert not any(repr(one) == repr(records[best]) for one in records[:best])
    turned = [{**one, "score": -one["score"]} for one in records]
    assert best_of(turned, "score", maximize=False) == best


def scored(tiny, values) -> TrainingData:
    """Data whose metric has these values, epoch by epoch."""
    told = iter(values)
    return replace(tiny.data(), metric=lambda *_: {"score": next(told)}, best="score")


def full(epochs, **more):
    from tuneloop_torch import Full

    return Full(Full.Options(epochs=epochs, learning_rate=3e-3, batch_size=16, **more))


def test_of_equal_epochs_the_one_with_the_lower_validation_loss_is_in_the_model(tiny, tmp_path):
    import torch

    model, seen = tiny.model(), []

    def progress(record):
        seen.append((record, {name: value.clone() for name, value in model.state_dict().items()}))

    result = full(5).fit(model, scored(tiny, [0.5, 0.9, 0.9, 0.9, 0.7]), tmp_path, 0, progress)
    losses = {record["epoch"]: record["validation_loss"] for record, _ in seen[1:4]}
    assert len(set(losses.values())) == 3
    assert result.best_epoch == min(losses, key=losses.get) != 2, "the first of them is not the best by chance"
    weights = seen[int(result.best_epoch) - 1][1]
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("stop", [2, 3])
def test_a_training_that_goes_on_keeps_the_same_epoch(tiny, tmp_path, stop):
    values = [0.5, 0.9, 0.9, 0.9, 0.7]
    whole, again = tiny.model(), tiny.model()
    result = full(5).fit(whole, scored(tiny, values), tmp_path / "whole", 0, lambda _: None)

    class StoppedError(Exception):
        pass

    def progress(record):
        if record["epoch"] == stop:
            raise StoppedError

    with pytest.raises(StoppedError):
        full(5).fit(tiny.model(), scored(tiny, values), tmp_path / "cut", 0, progress)
    # It was stopped before the epoch's checkpoint, and evaluates that epoch once more.
    found = full(5).fit(again, scored(tiny, values[stop - 1 :]), tmp_path / "cut", 0, lambda _: None)
    assert found == result
    assert tiny.weights_hash(again) == tiny.weights_hash(whole)


def test_equal_values_bring_no_new_best_to_early_stopping(tiny, tmp_path):
    strategy = full(9, early_stopping={"patience": 2})
    result = strategy.fit(tiny.model(), scored(tiny, [0.5, 0.9, 0.9, 0.9, 0.7]), tmp_path, 0, lambda _: None)
    assert len(result.history) == 4, "a loss that still falls would keep a training at its best value going for ever"


def test_stages_are_compared_by_the_same_rule(tiny, tmp_path):
    from tuneloop_torch import GradualUnfreezing

    rates = {"head_learning_rate": 1e-6, "learning_rate": 1e-2}
    options = GradualUnfreezing.Options(epochs=6, head_epochs=2, batch_size=16, **rates)
    data = scored(tiny, [0.5] * 8)
    result = GradualUnfreezing(options).fit(tiny.model(), data, tmp_path, 0, lambda _: None)
    best = min(result.history, key=lambda record: record["validation_loss"])
    assert result.best_epoch == best["epoch"] > 2, "the head alone learns next to nothing"
