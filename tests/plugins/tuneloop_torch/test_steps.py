"""What options do to one step: its rates, its gradients, and what it costs in memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import NO_PLACE, PluginError, TrainingData
from tuneloop_torch import FeatureExtraction, Full
from tuneloop_torch.accumulate import WHOLE, parts
from tuneloop_torch.dropout import dropout
from tuneloop_torch.losses import Loss
from tuneloop_torch.recompute import recomputed
from tuneloop_torch.schedules import polynomial_factor


def close(first, second, bound=1e-5):
    assert set(first) == set(second)
    for name, gradient in first.items():
        torch.testing.assert_close(gradient, second[name], rtol=0, atol=bound, msg=name)


@pytest.mark.parametrize("decay", [0.5, 1.0])
def test_each_layer_learns_at_a_share_of_the_rate_above_it(tiny, first_step, decay):
    rates = first_step(layer_decay=decay, learning_rate=1e-3, head_learning_rate=7e-3)["rates"]
    for depth, group in enumerate(tiny.model().layer_groups()):
        expected = 7e-3 if depth == 0 else 1e-3 * decay ** (depth - 1)
        assert [rates[name] for name in group] == pytest.approx([expected] * len(group))


def test_without_decay_there_are_two_rates(first_step):
    found = first_step(learning_rate=1e-3, head_learning_rate=5e-3)["rates"]
    assert {rate for name, rate in found.items() if name.startswith("head.")} == {5e-3}
    assert {rate for name, rate in found.items() if not name.startswith("head.")} == {1e-3}


@given(warmup=st.integers(0, 20), rest=st.integers(1, 100), power=st.floats(0.1, 10))
def test_polynomial_rises_to_the_peak_and_falls_to_zero(warmup, rest, power):
    factors = [polynomial_factor(s, warmup=warmup, steps=warmup + rest, power=power) for s in range(warmup + rest + 1)]
    assert factors[warmup] == 1
    assert factors[-1] == 0
    assert factors[:warmup] == sorted(factors[:warmup])
    assert factors[warmup:] == sorted(factors[warmup:], reverse=True)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("linear", [0, 1, 0.75, 0.5, 0.25]),
        ("constant", [0, 1, 1, 1, 1]),
        ("cosine", [0, 1, (1 + np.sqrt(0.5)) / 2, 0.5, (1 - np.sqrt(0.5)) / 2]),
        ("polynomial", [0, 1, 0.75**2, 0.5**2, 0.25**2]),
    ],
)
def test_rates_of_every_step_follow_the_schedule(tiny, tmp_path, monkeypatch, schedule, expected):
    from tuneloop_torch.loop import Loop

    original, seen = Loop.training_step, []

    def step(self, *rest):
        seen.append([group["lr"] / group["initial_lr"] for group in self.optimizer.param_groups])
        return original(self, *rest)

    monkeypatch.setattr(Loop, "training_step", step)
    options = Full.Options(epochs=1, batch_size=16, schedule=schedule, warmup_ratio=0.2, layer_decay=0.5)
    Full(options).fit(tiny.model(), tiny.data(train=80), tmp_path, 0, lambda _: None)
    assert len(seen) == 5
    for factors, wanted in zip(seen, expected, strict=True):
        assert factors == pytest.approx([wanted] * len(factors))


@pytest.mark.parametrize("size", [1, 5, 16])
@pytest.mark.parametrize("extra", [{}, {"class_weights": "balanced", "label_smoothing": 0.1}])
def test_parts_of_a_batch_give_its_loss_and_gradients(first_step, size, extra):
    whole, cut = first_step(**extra), first_step(micro_batch_size=size, **extra)
    assert cut["loss"] == pytest.approx(whole["loss"], abs=1e-5)
    close(whole["gradients"], cut["gradients"])


def test_parts_give_the_same_losses_over_epochs(tiny, tmp_path):
    histories = []
    for size in (None, 5):
        options = Full.Options(epochs=2, batch_size=32, micro_batch_size=size, learning_rate=1e-3)
        model = tiny.model(dropout=0.0)
        result = Full(options).fit(model, tiny.data(train=90), tmp_path / str(size), 0, lambda _: None)
        histories.append(result.history)
    for one, other in zip(*histories, strict=True):
        assert one == pytest.approx(other, abs=1e-5)


@given(st.lists(st.integers(-1, 2), min_size=1, max_size=12), st.integers(1, 5), st.booleans(), st.booleans())
def test_losses_of_parts_add_up(labels, size, weighted, smooth):
    generator = torch.Generator().manual_seed(len(labels))
    loss = Loss("cross_entropy", 0.1 * smooth, torch.tensor([1.0, 2.0, 0.5]) if weighted else None)
    batch = {"logits": torch.randn(len(labels), 3, generator=generator), "labels": torch.tensor(labels)}
    summed = sum(float(loss(part["logits"], part["labels"], part.get(WHOLE))) for part in parts(batch, size))
    assert summed == pytest.approx(float(loss(batch["logits"], batch["labels"])), abs=1e-5)


def test_losses_of_words_in_parts_add_up():
    labels = torch.tensor([[0, 1, 2], [2, NO_PLACE, NO_PLACE], [1, 1, NO_PLACE]])
    logits = torch.full((3, 3, 3), -1e9)
    logits[labels != NO_PLACE] = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    loss, batch = Loss("cross_entropy"), {"logits": logits, "labels": labels}
    summed = sum(float(loss(part["logits"], part["labels"], part.get(WHOLE))) for part in parts(batch, 1))
    assert summed == pytest.approx(float(loss(logits, labels)), abs=1e-6)


def test_l1_adds_the_sign_of_each_weight_and_nothing_to_vectors(first_step):
    plain, pulled = first_step(), first_step(l1=1e-2)
    weights = dict(pulled["model"].named_parameters())
    assert pulled["loss"] == plain["loss"]
    for name, gradient in pulled["gradients"].items():
        added = gradient - plain["gradients"][name]
        expected = 1e-2 * weights[name].sign() if weights[name].ndim >= 2 else torch.zeros_like(added)
        torch.testing.assert_close(added, expected.detach(), rtol=0, atol=1e-6)


def test_l1_leaves_smaller_weights(tiny, tmp_path):
    sizes = []
    for weight in (0.0, 0.01):
        model = tiny.model()
        options = Full.Options(epochs=3, batch_size=16, learning_rate=3e-3, l1=weight)
        Full(options).fit(model, tiny.data(), tmp_path / str(weight), 0, lambda _: None)
        sizes.append(sum(float(p.detach().abs().sum()) for p in model.parameters() if p.ndim >= 2))
    assert sizes[1] < 0.9 * sizes[0]


def test_gradients_are_scaled_down_to_the_norm(tiny, tmp_path, monkeypatch):
    from tuneloop_torch.loop import Loop

    norms = []
    monkeypatch.setattr(torch.optim.AdamW, "step", spy(torch.optim.AdamW.step, norms))
    for limit in (0.05, 0.0):
        options = Full.Options(epochs=1, batch_size=48, max_grad_norm=limit)
        Full(options).fit(tiny.model(dropout=0.0), tiny.data(), tmp_path / str(limit), 0, lambda _: None)
    assert len(norms) == 4
    assert norms[:2] == pytest.approx([0.05, 0.05], rel=1e-3)
    assert min(norms[2:]) > 0.06
    assert Loop is not None


def spy(original, norms):
    def step(self, *rest, **named):
        gradients = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        norms.append(float(torch.stack([g.norm() for g in gradients]).norm()))
        return original(self, *rest, **named)

    return step


def test_weight_decay_shrinks_matrices_alone(tiny, tmp_path):
    model = tiny.model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    source = tiny.data()
    blank = Dataset.from_dict({**source.train.to_dict(), "labels": [0] * len(source.train)})
    # A loss that is zero everywhere: what still moves a weight is its decay.
    data = TrainingData(blank, source.validation, source.tensors, "cross_entropy", tiny.metric, "accuracy", True)
    options = Full.Options(
        epochs=1, batch_size=16, weight_decay=0.5, learning_rate=1e-2, schedule="constant", warmup_ratio=0.0
    )
    from tuneloop_torch import loop

    class Nothing(Loss):
        def __call__(self, logits, labels, whole=None):
            return logits.sum() * 0.0

    original = loop.Loop.__init__

    def init(self, *rest, **named):
        original(self, *rest, **{**named, "loss": Nothing("cross_entropy")})

    loop.Loop.__init__ = init
    try:
        Full(options).fit(model, data, tmp_path, 0, lambda _: None)
    finally:
        loop.Loop.__init__ = original
    for name, value in model.state_dict().items():
        factor = (1 - 1e-2 * 0.5) ** 6 if value.ndim >= 2 else 1.0
        torch.testing.assert_close(value, before[name] * factor, rtol=1e-4, atol=1e-7)


def test_dropout_is_set_everywhere_and_put_back(tiny):
    model = tiny.model(dropout=0.1)
    rates = lambda: {m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)}  # noqa: E731
    with dropout(model, 0.35):
        assert rates() == {0.35}
    assert rates() == {0.1}
    with dropout(model, None):
        assert rates() == {0.1}
    with (
        pytest.raises(PluginError, match=r"tune\.dropout is 0\.2, but Linear has no dropout layer"),
        dropout(torch.nn.Linear(2, 2), 0.2),
    ):
        pass


def test_dropout_changes_the_step_and_none_makes_it_certain(tiny, first_step):
    without = first_step(model=tiny.model(dropout=0.3), dropout=0.0)
    assert without["loss"] == pytest.approx(first_step()["loss"])
    assert first_step(dropout=0.5)["loss"] != pytest.approx(without["loss"])


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_dropout_of_the_option_falls_anew_in_every_training_step(tiny, tmp_path, monkeypatch, rate):
    from tuneloop_torch.loop import Loop

    class Enough(BaseException):
        pass

    original, draws, layers = Loop.training_step, [], set()

    def step(self, module, *rest):
        for _ in range(2):
            module.zero_grad()
            original(self, module, *rest)
            draws.append({name: p.grad.clone() for name, p in module.named_parameters()})
        raise Enough

    def note(layer, *_):
        layers.add((layer.p, layer.training))

    model = tiny.model(dropout=0.1)
    dropouts = [module for module in model.modules() if isinstance(module, torch.nn.Dropout)]
    for layer in dropouts:
        layer.register_forward_pre_hook(note)
    monkeypatch.setattr(Loop, "training_step", step)
    with pytest.raises(Enough):
        Full(Full.Options(epochs=1, batch_size=16, dropout=rate)).fit(model, tiny.data(), tmp_path, 0, lambda _: None)
    assert layers == {(rate, True)}
    equal = {torch.equal(gradient, draws[1][name]) for name, gradient in draws[0].items() if gradient.any()}
    assert equal == {rate == 0.0}
    assert {layer.p for layer in dropouts} == {0.1}


def test_dropout_reaches_models_that_hand_a_number_to_a_function():
    from transformers import WhisperConfig, WhisperModel

    size = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "vocab_size": 9, "num_mel_bins": 8}
    special = {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0, "decoder_start_token_id": 0}
    config = WhisperConfig(**size, **heads, **special, max_source_positions=10, max_target_positions=8)
    encoder = WhisperModel(config).encoder.train()
    sound = torch.randn(2, 8, 20, generator=torch.Generator().manual_seed(0))
    calm = encoder(sound).last_hidden_state
    assert torch.equal(calm, encoder(sound).last_hidden_state)
    with dropout(encoder, 0.5):
        assert not torch.equal(encoder(sound).last_hidden_state, encoder(sound).last_hidden_state)
    assert torch.equal(calm, encoder(sound).last_hidden_state)


@pytest.mark.parametrize("extra", [{}, {"freeze": {"layers": 1}}, {"precision": "bfloat16"}])
def test_checkpointing_gives_the_same_gradients(first_step, extra):
    plain, again = first_step(**extra), first_step(gradient_checkpointing=True, **extra)
    assert again["loss"] == plain["loss"]
    close(plain["gradients"], again["gradients"], 1e-6)


def test_checkpointing_keeps_fewer_values(tiny):
    def kept(on):
        sizes = []
        with (
            recomputed(model, on=on),
            torch.autograd.graph.saved_tensors_hooks(
                lambda tensor: (sizes.append(tensor.numel()), tensor)[1], lambda tensor: tensor
            ),
        ):
            model(**inputs)["logits"].sum().backward()
        return sum(sizes)

    model = tiny.model(layers=6, dropout=0.0).train()
    inputs = {name: torch.ones(8, 20, dtype=torch.long) for name in ("input_ids", "attention_mask")}
    config = model.backbone.config.to_dict()
    assert kept(on=True) < 0.5 * kept(on=False)
    assert kept(on=False) == kept(on=False)
    assert model.backbone.config.to_dict() == config


def test_a_table_cannot_be_computed_again():
    from tuneloop_tabular.network import TableNetwork

    with (
        pytest.raises(PluginError, match="no part of TableNetwork can compute its inner values again"),
        recomputed(TableNetwork(2, (), (4,), 2, 0.1), on=True),
    ):
        pass


@pytest.mark.parametrize("name", ["freeze", "layer_decay", "gradient_checkpointing"])
def test_feature_extraction_refuses_what_has_no_meaning_there(name):
    value = {"freeze": {"layers": 1}, "layer_decay": 0.5, "gradient_checkpointing": True}[name]
    with pytest.raises(ValueError, match=f"{name} says how layers below the head are trained"):
        FeatureExtraction.Options(**{name: value})


def test_feature_extraction_says_what_it_does_not_use():
    assert set(FeatureExtraction().unused()) == {"learning_rate", "group_by_length"}
    both = FeatureExtraction(FeatureExtraction.Options(head_learning_rate=None, learning_rate=1e-2))
    assert set(both.unused()) == {"group_by_length"}
    assert not Full().unused()


@pytest.mark.parametrize("given", [5e-3, None])
def test_feature_extraction_learns_at_the_heads_rate(first_step, given):
    found = first_step(FeatureExtraction, head_learning_rate=given, learning_rate=1e-4)["rates"]
    assert set(found.values()) == {given or 1e-4}


def test_the_gradient_of_smoothed_and_weighted_classes_is_the_formulas():
    logits = torch.tensor([[1.0, 0.0, -1.0], [0.5, 0.5, 2.0]], requires_grad=True)
    weights, labels = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0, 2])
    Loss("cross_entropy", class_weights=weights)(logits, labels).backward()
    chances, right = logits.detach().softmax(1), torch.nn.functional.one_hot(labels, 3)
    expected = (chances - right) * weights[labels].unsqueeze(1) / weights[labels].sum()
    torch.testing.assert_close(logits.grad, expected)
    logits.grad = None
    Loss("cross_entropy", label_smoothing=0.3)(logits, labels).backward()
    torch.testing.assert_close(logits.grad, (chances - (0.7 * right + 0.1)) / 2)
