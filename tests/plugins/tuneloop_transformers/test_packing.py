"""Rows that share a sequence give the log-probabilities and gradients that they give alone."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.plugins.tuneloop_transformers.test_causal import WORDS, config, write_checkpoint

from tuneloop.api import ABSENT, PluginError
from tuneloop.tasks import TextGeneration
from tuneloop_torch import Full
from tuneloop_transformers import CausalLM
from tuneloop_transformers.causal_network import CausalNetwork
from tuneloop_transformers.packing import check_packing, pack


def network(kind: str, packs: bool) -> CausalNetwork:
    from transformers import AutoModelForCausalLM

    settings = config(kind)
    for name in ("resid_pdrop", "embd_pdrop", "attn_pdrop"):
        if hasattr(settings, name):
            setattr(settings, name, 0.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        model = AutoModelForCausalLM.from_config(settings)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return CausalNetwork(model, packs).train()


def batch(lengths: tuple[int, ...]) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)).long()
    tokens = torch.randint(1, len(WORDS), mask.shape, generator=generator) * mask
    scored = torch.randint(0, 2, mask.shape, generator=generator) * mask
    return {"input_ids": tokens, "attention_mask": mask, "scored": scored}


@pytest.mark.parametrize("kind", ["gpt2", "llama", "qwen2"])
def test_packed_rows_are_as_rows_alone(kind: str) -> None:
    inputs, found = batch((20, 3, 1, 9, 9, 2, 14, 5)), []
    for packs in (False, True):
        model, seen = network(kind, packs), []
        model.backbone.register_forward_pre_hook(
            lambda _, __, given, seen=seen: seen.append(tuple(given["input_ids"].shape)), with_kwargs=True
        )
        logits = model(**inputs)["logits"]
        loss = -logits[logits > ABSENT / 2].mean()
        loss.backward()
        found.append((logits.detach(), loss.detach(), {name: p.grad for name, p in model.named_parameters()}, seen))
    (alone, loss, gradients, whole), (packed, packed_loss, packed_gradients, fewer) = found
    assert whole == [(8, 20)]
    # 63 tokens in rows of at most 20.
    assert fewer == [(4, 20)]
    torch.testing.assert_close(packed, alone, rtol=0, atol=1e-5)
    torch.testing.assert_close(packed_loss, loss, rtol=0, atol=1e-5)
    for name, gradient in gradients.items():
        torch.testing.assert_close(packed_gradients[name], gradient, rtol=0, atol=1e-5, msg=name)


@given(st.lists(st.integers(0, 12), min_size=1, max_size=20))
def test_every_token_has_one_place_and_comes_back(lengths: list[int]) -> None:
    mask = (torch.arange(12) < torch.tensor(lengths).unsqueeze(1)).long()
    values = torch.arange(mask.numel()).view(mask.shape).float()
    packed = pack(mask)
    back = packed.scatter(packed.gather(values), mask.shape, -1.0)
    assert torch.equal(back, torch.where(mask == 1, values, -1.0))
    assert int((packed.source >= 0).sum()) == sum(lengths)
    assert packed.source.shape[1] == max(lengths)
    # Each row stands in one piece, its positions from 0.
    for row, length in enumerate(lengths):
        held = (packed.source >= row * 12) & (packed.source < (row + 1) * 12)
        assert packed.positions[held].tolist() == list(range(length))
        assert len(held.nonzero()[:, 0].unique()) == min(length, 1)


def test_a_packed_model_learns_as_one_that_is_not(tiny: ModuleType, tmp_path: Path) -> None:
    histories = []
    for packs in (False, True):
        model: Any = tiny.writer()
        model._packs = packs
        options = Full.Options(epochs=2, batch_size=8, micro_batch_size=5, learning_rate=1e-3)
        histories.append(Full(options).fit(model, tiny.written(), tmp_path / str(packs), 0, lambda _: None).history)
    for one, other in zip(*histories, strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def test_nothing_is_packed_when_it_answers() -> None:
    inputs = batch((6, 2, 3))
    one, other = (network("llama", packs).eval() for packs in (False, True))
    assert torch.equal(one(**inputs)["logits"], other(**inputs)["logits"])


def test_a_model_whose_rows_would_see_each_other_is_refused() -> None:
    from transformers import BloomConfig, BloomForCausalLM

    check_packing(network("llama", packs=True).backbone.eval(), "small")
    bloom = BloomForCausalLM(BloomConfig(vocab_size=11, hidden_size=16, n_layer=1, n_head=2)).eval()
    with pytest.raises(PluginError, match=r"model\.pack: BloomForCausalLM of 'small'"):
        check_packing(bloom, "small")


def test_the_option_reaches_a_new_model_and_one_that_is_gone_on_with(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "small", "llama")
    (tmp_path / "saved").mkdir()
    base = CausalLM(CausalLM.Options(checkpoint="small", pack=True))
    task, preprocessor, inputs = TextGeneration(), object(), batch((6, 2, 3))
    shapes: list[tuple[int, ...]] = []
    built = base.build(tmp_path, task, preprocessor)  # type: ignore[arg-type]
    base.save(built, task, tmp_path / "saved")
    for model in (built, base.load(tmp_path / "saved", task, preprocessor)):  # type: ignore[arg-type]
        model.backbone.register_forward_pre_hook(
            lambda _, __, given: shapes.append(tuple(given["input_ids"].shape)), with_kwargs=True
        )
        model.train()(**inputs)
    assert shapes == [(2, 6), (2, 6)]
