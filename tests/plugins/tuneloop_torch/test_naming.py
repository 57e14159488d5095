"""Freezing by pattern and by count: what gets a gradient, and what is refused."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.api import PluginError
from tuneloop_torch import Full, GradualUnfreezing
from tuneloop_torch.naming import depth_of, fresh_names, frozen_names, matching
from tuneloop_torch.sections import Freeze, Reinitialize

GROUPS = [["head.weight"], ["top.weight", "top.bias"], ["low.weight"], ["table.weight"]]


@pytest.mark.parametrize(
    ("asked", "frozen"),
    [
        ({"layers": 1}, {"table.weight", "low.weight"}),
        ({"layers": 2}, {"table.weight", "low.weight", "top.weight", "top.bias"}),
        ({"names": ["*.bias"]}, {"top.bias"}),
        ({"names": ["top.*"], "layers": 1}, {"top.weight", "top.bias", "low.weight", "table.weight"}),
    ],
)
def test_what_is_frozen(asked, frozen):
    assert frozen_names(GROUPS, Freeze(**asked)) == frozen


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"names": ["botom.*"]}, r"tune.freeze.names: the pattern 'botom\.\*' fits none of: head.weight, top.weight"),
        ({"layers": 3}, "tune.freeze.layers is 3, but the model has 2 layers"),
        ({"names": ["*"]}, "leaves no parameter to train"),
    ],
)
def test_what_cannot_be_frozen(asked, message):
    with pytest.raises(PluginError, match=message):
        frozen_names(GROUPS, Freeze(**asked))


def test_empty_sections_say_nothing():
    for section in (Freeze, Reinitialize):
        with pytest.raises(ValueError, match="give "):
            section()


def test_layers_to_draw_are_counted_from_the_top():
    assert fresh_names(GROUPS, Reinitialize(layers=1)) == {"top.weight", "top.bias"}
    assert fresh_names(GROUPS, Reinitialize(names=["table*"], layers=2)) == {
        "top.weight", "top.bias", "low.weight", "table.weight"
    }  # fmt: skip


@given(st.lists(st.sampled_from(["a.weight", "a.bias", "b.c.weight"]), min_size=1, unique=True))
def test_a_star_fits_every_name(names):
    assert matching(["*"], names, "x") == set(names)


def test_an_adapters_parameters_belong_to_the_layer_of_their_module():
    assert [depth_of(name, GROUPS) for group in GROUPS for name in group] == [0, 1, 1, 2, 3]
    assert depth_of("low.lora_A.default.weight", GROUPS) == 2
    assert depth_of("top.base_layer.weight", GROUPS) == 1


def test_frozen_layers_get_no_gradient_and_the_rest_what_it_would_get(tiny, first_step):
    free, frozen = first_step(), first_step(freeze={"layers": 1, "names": ["*LayerNorm*"]})
    groups = tiny.model().layer_groups()
    kept = {*groups[-1], *groups[-2], *(name for group in groups for name in group if "LayerNorm" in name)}
    assert set(frozen["gradients"]) == set(free["gradients"]) - kept
    assert frozen["loss"] == free["loss"]
    for name, gradient in frozen["gradients"].items():
        torch.testing.assert_close(gradient, free["gradients"][name])
    assert set(frozen["rates"]) == set(frozen["gradients"])


def test_frozen_weights_stay_bit_for_bit_and_can_be_trained_again_afterwards(tiny, tmp_path):
    for strategy, extra in ((Full, {}), (GradualUnfreezing, {"head_epochs": 1, "embeddings": True})):
        model = tiny.model()
        before = {name: value.clone() for name, value in model.state_dict().items()}
        options = strategy.Options(epochs=2, batch_size=16, learning_rate=1e-2, freeze={"layers": 2}, **extra)
        strategy(options).fit(model, tiny.data(), tmp_path / strategy.name, 0, lambda _: None)
        groups = model.layer_groups()
        still = {name for group in groups[-3:] for name in group}
        changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
        assert not changed & still
        assert changed & set(groups[1])
        assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_frozen_head_is_refused_where_the_head_alone_is_trained(tiny, tmp_path):
    options = GradualUnfreezing.Options(head_epochs=1, freeze={"names": ["head.*"]})
    with pytest.raises(PluginError, match=r"tune\.freeze names all of the head"):
        GradualUnfreezing(options).fit(tiny.model(), tiny.data(), tmp_path, 0, lambda _: None)
