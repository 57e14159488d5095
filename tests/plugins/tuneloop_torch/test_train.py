"""What a training refuses before it starts, and what its batches hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tuneloop.api import PluginError
from tuneloop_torch import FeatureExtraction, Full


@pytest.mark.parametrize(
    ("option", "value"),
    [("label_smoothing", 0.1), ("class_weights", "balanced")],
)
@pytest.mark.parametrize(
    ("loss", "what"),
    [
        ("mse", "a number"),
        ("likelihood", "a text that is written"),
        ("span", "an answer that"),
        ("ctc", "a text that is read"),
    ],
)
@pytest.mark.parametrize("strategy", [Full, FeatureExtraction])
def test_what_is_said_of_classes_is_refused_where_there_are_none(tiny, tmp_path, strategy, loss, what, option, value):
    model, data = tiny.model(layers=1), replace(tiny.data(8, 8), loss=loss)
    with pytest.raises(PluginError, match=rf"tune\.{option} is for classes, and {what} .*has none; leave it out"):
        strategy(strategy.Options(**{option: value})).fit(model, data, tmp_path, 0, lambda _: None)
    assert not list(tmp_path.iterdir()), "nothing was computed before"


def test_a_number_is_learned_where_nothing_is_said_of_classes(tiny, first_step):
    from tuneloop_transformers.network import PooledClassifier

    source = tiny.data(16, 8)
    model = PooledClassifier(tiny.model(dropout=0.0).backbone, 1, "mean", 0.0).eval()
    options = {"label_smoothing": 0.0, "class_weights": "none"}
    assert first_step(model=model, data=replace(source, loss="mse"), **options)["loss"] > 0


def test_rows_of_one_length_share_a_batch_where_the_option_says_so(tiny, tmp_path, monkeypatch):
    from tuneloop_torch.loop import Loop

    original, padded, tokens = Loop.training_step, {}, {}

    def step(self, module, inputs, *rest):
        mask = inputs["attention_mask"]
        padded[group] = padded.get(group, 0) + int((mask == 0).sum())
        tokens[group] = tokens.get(group, 0) + int(mask.sum())
        return original(self, module, inputs, *rest)

    monkeypatch.setattr(Loop, "training_step", step)
    for group in (True, False):
        options = Full.Options(epochs=1, batch_size=8, group_by_length=group)
        Full(options).fit(tiny.model(layers=1), tiny.data(train=128), tmp_path / str(group), 0, lambda _: None)
    assert tokens[True] == tokens[False] > 0
    assert padded[True] < 0.5 * padded[False]
