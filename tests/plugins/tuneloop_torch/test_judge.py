"""What the model itself is asked after each epoch stands in the record, may pick the epoch, and changes no weight."""

import random
from dataclasses import replace

import numpy as np
import pytest

from tuneloop.api import PluginError


def loud(seen):
    """A judge that draws from every generator, and leaves gradients on behind it if nobody stops it."""

    def judge(model):
        import torch

        assert not model.training
        assert not torch.is_grad_enabled()
        random.random()
        np.random.random(3)
        torch.rand(3)
        seen.append(model)
        return {"asked": float(len(seen))}

    return judge


def fit(strategy, model, data, folder):
    options = {"epochs": 3, "batch_size": 16, "learning_rate": 1e-3}
    return strategy(strategy.Options(**options)).fit(model, data, folder, 0, lambda _: None)


@pytest.mark.parametrize("name", ["Full", "Lora", "GradualUnfreezing"])
def test_the_model_is_asked_and_trained_as_if_it_had_not_been(tiny, tmp_path, name):
    import tuneloop_torch

    strategy, seen = getattr(tuneloop_torch, name), []
    # Dropout draws random numbers in every step.
    plain, asked = tiny.model(), tiny.model()
    one = fit(strategy, plain, tiny.data(), tmp_path / "plain")
    two = fit(strategy, asked, replace(tiny.data(), judge=loud(seen)), tmp_path / "asked")
    assert tiny.weights_hash(plain) == tiny.weights_hash(asked)
    assert [{k: v for k, v in record.items() if k != "asked"} for record in two.history] == list(one.history)
    assert [record["asked"] for record in two.history] == [float(n + 1) for n in range(len(two.history))]
    assert all(model is asked for model in seen), "the model itself, also where its head alone is trained"


def test_what_it_says_picks_the_epoch_and_ends_the_training(tiny, tmp_path):
    from tuneloop_torch import Full

    values = iter([2.0, 5.0, 3.0, 4.0])
    data = replace(tiny.written(), judge=lambda _: {"chrf": next(values)}, best="chrf", maximize=True)
    options = Full.Options(epochs=9, batch_size=16, early_stopping={"metric": "chrf", "patience": 2})
    result = Full(options).fit(tiny.writer(), data, tmp_path, 0, lambda _: None)
    assert [record["chrf"] for record in result.history] == [2.0, 5.0, 3.0, 4.0]
    assert result.best_epoch == 2
    assert {"epoch", "loss", "validation_loss", "perplexity", "chrf"} == set(result.history[0])


def test_a_metric_that_nobody_tells_is_missed_by_name(tiny, tmp_path):
    from tuneloop_torch import Full

    data = replace(tiny.written(), judge=lambda _: {"wer": 1.0}, best="chrf")
    with pytest.raises(PluginError, match=r"no validation metric is named 'chrf'; there are: perplexity, wer"):
        Full(Full.Options(epochs=1)).fit(tiny.writer(), data, tmp_path, 0, lambda _: None)
