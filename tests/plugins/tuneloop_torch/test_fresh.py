"""Layers that start from fresh numbers: which, and from what distribution."""

from __future__ import annotations

import math

import pytest
import torch

from tuneloop.api import PluginError
from tuneloop_torch.fresh import reinitialize
from tuneloop_torch.sections import Reinitialize


def drawn(tiny, seed=3, **asked):
    model = tiny.model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    reinitialize(model, model.layer_groups(), Reinitialize(**asked), seed)
    after = model.state_dict()
    return {name: after[name] for name in after if not torch.equal(after[name], before[name])}, model


def test_xavier_fills_its_interval(tiny):
    found, _ = drawn(tiny, head="xavier")
    assert set(found) == {"head.1.weight"}
    border = math.sqrt(6 / (tiny.WIDTH + tiny.CLASSES))
    weight = found["head.1.weight"]
    assert weight.abs().max() <= border
    assert weight.std() == pytest.approx(border / math.sqrt(3), rel=0.3)


def test_normal_and_zero_heads(tiny):
    found, _ = drawn(tiny, head="normal")
    assert found["head.1.weight"].std() == pytest.approx(0.02, rel=0.4)
    found, model = drawn(tiny, head="zero")
    assert not found["head.1.weight"].any()
    inputs = {name: torch.ones(2, 5, dtype=torch.long) for name in ("input_ids", "attention_mask")}
    assert not model(**inputs)["logits"].any()


def test_top_layers_are_replaced_and_norms_are_neutral(tiny):
    found, model = drawn(tiny, layers=2, method="normal")
    groups = model.layer_groups()
    assert set(found) <= {name for group in groups[1:3] for name in group}
    assert any(name in groups[1] for name in found)
    assert any(name in groups[2] for name in found)
    state = model.state_dict()
    for name in (*groups[1], *groups[2]):
        if state[name].ndim == 1:
            assert (state[name] == (0 if name.endswith("bias") else 1)).all(), name


def test_equal_seeds_draw_alike_and_leave_other_random_numbers_alone(tiny):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first, second, other = (drawn(tiny, seed, layers=1)[0] for seed in (5, 5, 6))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_the_first_step_starts_from_them(tiny, first_step):
    found = first_step(reinitialize={"head": "zero"})
    assert found["loss"] == pytest.approx(math.log(tiny.CLASSES))
    assert set(found["gradients"]) == {name for name, _ in tiny.model().named_parameters()}


def test_what_is_frozen_is_not_drawn(tiny, tmp_path):
    from tuneloop_torch import Full

    options = Full.Options(freeze={"layers": 3}, reinitialize={"layers": 1})
    with pytest.raises(PluginError, match=r"tune\.freeze and tune\.reinitialize both name 'backbone\.encoder"):
        Full(options).fit(tiny.model(), tiny.data(), tmp_path, 0, lambda _: None)
    with pytest.raises(PluginError, match=r"tune\.reinitialize\.layers is 4, but the model has 3 layers"):
        drawn(tiny, layers=4)


def test_the_head_alone_may_be_drawn_where_it_alone_is_trained(tiny, first_step):
    from tuneloop_torch import FeatureExtraction

    found = first_step(FeatureExtraction, reinitialize={"head": "zero"})
    assert found["loss"] == pytest.approx(math.log(tiny.CLASSES))
    first_step(FeatureExtraction, reinitialize={"names": ["head.*"], "method": "normal"})
    with pytest.raises(ValueError, match=r"reinitialize\.layers draws layers below the head anew"):
        FeatureExtraction.Options(reinitialize={"head": "zero", "layers": 1})


def test_what_feature_extraction_never_trains_is_not_drawn(tiny, tmp_path):
    from tuneloop_torch import FeatureExtraction

    model = tiny.model()
    before = tiny.weights_hash(model)
    options = FeatureExtraction.Options(reinitialize={"names": ["head.*", "*.layer.2.*"]})
    with pytest.raises(PluginError, match=r"draws 'backbone\.encoder\.layer\.2\..*, which lies below the head"):
        FeatureExtraction(options).fit(model, tiny.data(8, 8), tmp_path, 0, lambda _: None)
    assert tiny.weights_hash(model) == before


@pytest.mark.parametrize(
    ("asked", "settings"),
    [({"layers": 2}, {"max_layers": 1}), ({"names": ["*embeddings*"]}, {}), ({"layers": 3}, {"layers_per_epoch": 1})],
)
def test_what_never_thaws_is_not_drawn(tiny, tmp_path, asked, settings):
    from tuneloop_torch import GradualUnfreezing

    options = GradualUnfreezing.Options(epochs=2, reinitialize=asked, **settings)
    with pytest.raises(PluginError, match=r"draws 'backbone\..* anew, which never thaws.*raise tune\.max_layers"):
        GradualUnfreezing(options).fit(tiny.model(), tiny.data(8, 8), tmp_path, 0, lambda _: None)


def test_what_thaws_may_be_drawn(tiny, first_step):
    from tuneloop_torch import GradualUnfreezing

    found = first_step(GradualUnfreezing, head_epochs=0, max_layers=1, reinitialize={"head": "zero", "layers": 1})
    assert found["loss"] == pytest.approx(math.log(tiny.CLASSES))
