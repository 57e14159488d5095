"""Low-rank adapters: what learns, what is merged, and that a killed run ends with the same bits."""

from __future__ import annotations

import signal

import numpy as np
import pytest
import torch

from tuneloop.api import PluginError, RunError
from tuneloop_torch import Full, Lora
from tuneloop_torch.adapters import add_adapters, check_merged, merge, target_names
from tuneloop_torch.inference import logits_of
from tuneloop_torch.rows import read_rows


def adapted(tiny, **options):
    """A model with adapters that do something, and what merges them."""
    model, chosen = tiny.model(), Lora.Options(**options)
    handle = add_adapters(model, target_names(model, chosen.targets, ()), chosen, 3)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return model, handle


@pytest.mark.parametrize("dora", [False, True])
def test_merging_changes_no_answer_and_no_name(tiny, dora):
    plain, rows = tiny.model(), read_rows(tiny.rows(40, 3), tiny.TENSORS)
    names, before = list(plain.state_dict()), logits_of(plain, rows, tiny.TENSORS, 8)
    model, handle = adapted(tiny, dora=dora)
    unmerged = logits_of(model, rows, tiny.TENSORS, 8)
    assert np.abs(unmerged - before).max() > 1e-3
    merge(handle)
    merged = logits_of(model, rows, tiny.TENSORS, 8)
    assert np.abs(merged - unmerged).max() < 1e-5
    check_merged(unmerged, merged, names, model)
    assert list(model.state_dict()) == names
    assert {name: type(module) for name, module in model.named_modules()} == {
        name: type(module) for name, module in plain.named_modules()
    }
    # What was merged stays without peft: another model of the class takes the weights.
    plain.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(logits_of(plain, rows, tiny.TENSORS, 8), merged)


def test_a_merged_model_that_answers_otherwise_is_refused(tiny):
    model = tiny.model()
    names, answers = list(model.state_dict()), np.zeros((2, 3))
    with pytest.raises(RunError, match=r"logits are up to 0\.01 off, 0\.0001 is allowed"):
        check_merged(answers, answers + 0.01, names, model)
    with pytest.raises(RunError, match="up to nan off"):
        check_merged(answers, answers * np.nan, names, model)
    with pytest.raises(RunError, match="other parameters than before"):
        check_merged(answers, answers, names[1:], model)


@pytest.mark.parametrize("dora", [False, True])
def test_only_adapters_and_the_head_learn(tiny, first_step, dora):
    found = first_step(Lora, dora=dora, targets=["*.query", "*.value"])
    parts = {"lora_A", "lora_B", *(["lora_magnitude_vector"] if dora else [])}
    learning = {name for name in found["gradients"] if not name.startswith("head.")}
    assert {name.split(".")[-4] for name in learning} == {"query", "value"}
    assert {part for name in learning for part in name.split(".") if part.startswith("lora_")} == parts
    assert {"head.1.weight", "head.1.bias"} <= set(found["gradients"])
    assert set(found["rates"]) == set(found["gradients"])


def test_a_fresh_adapter_changes_nothing(first_step):
    assert first_step(Lora, adapter_dropout=0.0)["loss"] == pytest.approx(first_step(Full)["loss"], abs=1e-6)


def test_frozen_layers_get_no_adapter_and_a_frozen_head_stays(tiny, first_step):
    found = first_step(Lora, freeze={"layers": 2, "names": ["head.*"]}, layer_decay=0.5, learning_rate=1e-3)
    assert {name.split(".")[3] for name in found["gradients"]} == {"2"}
    assert set(found["rates"].values()) == {1e-3}
    with pytest.raises(PluginError, match=r"tune\.freeze names every layer that tune\.targets"):
        first_step(Lora, freeze={"layers": 3})


def test_rates_fall_with_the_depth_of_the_adapted_layer(first_step):
    rates = first_step(Lora, layer_decay=0.5, learning_rate=1e-3)["rates"]
    for name, rate in rates.items():
        if "lora_" in name:
            assert rate == pytest.approx(1e-3 * 0.5 ** (2 - int(name.split(".")[3])))


def test_other_weights_stay_and_the_model_learns(tiny, tmp_path):
    model = tiny.model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    options = Lora.Options(epochs=8, batch_size=16, learning_rate=2e-2, targets=["*.query", "*.dense"])
    result = Lora(options).fit(model, tiny.data(), tmp_path, 0, lambda _: None)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed <= {name for name in before if name.endswith((".query.weight", ".dense.weight")) or "head" in name}
    assert result.history[-1]["loss"] < result.history[0]["loss"]
    assert max(record["accuracy"] for record in result.history) > 0.55
    assert all(parameter.requires_grad for parameter in model.parameters())
    found = logits_of(model, read_rows(tiny.data().validation, tiny.TENSORS), tiny.TENSORS, 9)
    best = next(record for record in result.history if record["epoch"] == result.best_epoch)
    assert tiny.metric(found, np.array(tiny.data().validation["labels"]))["accuracy"] == best["accuracy"]


def test_checkpoints_hold_what_was_trained_alone(tiny, tmp_path):
    from safetensors import safe_open

    Lora(Lora.Options(epochs=1, batch_size=32)).fit(tiny.model(), tiny.data(), tmp_path, 0, lambda _: None)
    (path,) = tmp_path.glob("lora/checkpoint-*/model.safetensors")
    with safe_open(path, framework="pt") as file:
        names = list(file.keys())
    assert all("lora_" in name or name.startswith("head.") for name in names)


def test_what_has_no_linear_layer_is_refused(tiny):
    class Bare(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.head = torch.nn.Linear(2, 2)

    with pytest.raises(PluginError, match="Bare has no linear layer below its head"):
        target_names(Bare(), ("*",), ())
    with pytest.raises(PluginError, match=r"tune\.targets: the pattern '\*\.qeury' fits none of: backbone\.encoder"):
        target_names(tiny.model(), ("*.qeury",), ())


def test_gpt_layers_that_store_weights_the_other_way_round_are_merged_too(tiny):
    from transformers import GPT2Config, GPT2Model

    from tuneloop_transformers.network import PooledClassifier

    sizes = GPT2Config(vocab_size=60, n_embd=16, n_layer=2, n_head=2, n_positions=32)
    model = PooledClassifier(GPT2Model(sizes), 3, "last", 0.0).eval()
    rows = read_rows(tiny.rows(20, 3), tiny.TENSORS)
    options = Lora.Options()
    targets = target_names(model, options.targets, ())
    assert {name.rsplit(".", 1)[1] for name in targets} == {"c_attn", "c_fc", "c_proj"}
    names, handle = list(model.state_dict()), add_adapters(model, targets, options, 0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.05)
    unmerged = logits_of(model, rows, tiny.TENSORS, 20)
    merge(handle)
    check_merged(unmerged, logits_of(model, rows, tiny.TENSORS, 20), names, model)


def test_tables_learn_by_adapters_too(tmp_path):
    from datasets import Dataset, Features, List, Value

    from tuneloop.api import Tensor, TrainingData
    from tuneloop_tabular.network import TableNetwork

    numbers = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    columns = {"numeric": list(numbers), "labels": (numbers[:, 0] * numbers[:, 1] > 0).astype(np.int64)}
    kinds = Features({"numeric": List(Value("float32")), "labels": Value("int64")})
    rows = Dataset.from_dict(columns, features=kinds)

    def metric(logits, labels):
        return {"accuracy": float((logits.argmax(1) == labels).mean())}

    torch.manual_seed(0)
    model = TableNetwork(3, (), (32, 16), 2, 0.0)
    data = TrainingData(
        rows, rows, (Tensor("numeric", "float32", ("batch", 3)),), "cross_entropy", metric, "accuracy", True
    )
    options = Lora.Options(epochs=25, learning_rate=3e-2, rank=4)
    result = Lora(options).fit(model, data, tmp_path, 0, lambda _: None)
    assert max(record["accuracy"] for record in result.history) > 0.85


def sound_and_words(tiny):
    """A model with a label for each word and one that hears, each with rows."""
    from datasets import Dataset, Features, List, Value
    from transformers import WhisperConfig, WhisperModel

    from tuneloop.api import NO_PLACE, Tensor, TrainingData
    from tuneloop_transformers.audio_network import AudioClassifier, sound_encoder
    from tuneloop_transformers.token_network import TokenClassifier

    random = np.random.default_rng(4)
    ids, whole = List(List(Value("int64"))), ("batch", "windows", "length")
    words = Dataset.from_dict(
        {
            "input_ids": [random.integers(1, 60, (1, 6)).tolist() for _ in range(24)],
            "attention_mask": [[[1] * 6]] * 24,
            "first": [[[1, 1, 0, 1, 0, 0]]] * 24,
            "labels": [[0, 1, 2, NO_PLACE]] * 24,
            "length": [6] * 24,
        },
        features=Features(
            {
                **dict.fromkeys(("input_ids", "attention_mask", "first"), ids),
                "labels": List(Value("int64"), 4),
                "length": Value("int64"),
            }
        ),
    )
    spoken = tuple(Tensor(name, "int64", whole) for name in ("input_ids", "attention_mask", "first"))
    sounds = Dataset.from_dict(
        {
            "input_features": random.normal(size=(24, 8, 20)).astype(np.float32).tolist(),
            "heard": [[1] * 10] * 24,
            "labels": [0, 1] * 12,
            "length": [0] * 24,
        },
        features=Features(
            {
                "input_features": List(List(Value("float32"))),
                "heard": List(Value("int64")),
                "labels": Value("int64"),
                "length": Value("int64"),
            }
        ),
    )
    heard = (Tensor("input_features", "float32", ("batch", 8, 20)), Tensor("heard", "int64", ("batch", 10)))
    size = {"d_model": 16, "encoder_layers": 2, "decoder_layers": 1, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "vocab_size": 9, "num_mel_bins": 8}
    special = {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0, "decoder_start_token_id": 0}
    whisper = WhisperModel(WhisperConfig(**size, **heads, **special, max_source_positions=10, max_target_positions=8))

    def metric(*_):
        return {"one": 1.0}

    for model, rows, tensors in (
        (TokenClassifier(tiny.model().backbone, 3, 0.1), words, spoken),
        (AudioClassifier(sound_encoder(whisper), 2, 0.1), sounds, heard),
    ):
        yield model.eval(), TrainingData(rows, rows, tensors, "cross_entropy", metric, "one", maximize=True)


def test_words_and_sounds_learn_with_every_option_at_once(tiny, tmp_path):
    for place, (model, data) in enumerate(sound_and_words(tiny)):
        names = list(model.state_dict())
        before = {name: value.clone() for name, value in model.state_dict().items()}
        shared = {"epochs": 2, "batch_size": 8, "micro_batch_size": 3, "layer_decay": 0.7, "dropout": 0.2, "l1": 1e-5}
        more = {"gradient_checkpointing": True, "freeze": {"layers": 1}, "reinitialize": {"head": "xavier"}}
        options = Lora.Options(**shared, **more, dora=True, learning_rate=1e-2)
        Lora(options).fit(model, data, tmp_path / str(place), 0, lambda _: None)
        assert list(model.state_dict()) == names
        changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
        groups = model.layer_groups()
        assert changed & set(groups[1])
        assert not changed & {name for group in groups[-2:] for name in group}


@pytest.mark.parametrize("tied", [True, False])
def test_a_language_model_learns_by_adapters_alone(tmp_path, tied):
    from datasets import Dataset
    from transformers import LlamaConfig, LlamaForCausalLM

    from tuneloop.api import Tensor, TrainingData
    from tuneloop_transformers.causal_network import CausalNetwork

    torch.manual_seed(0)
    sizes = {"vocab_size": 40, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3}
    heads = {"num_attention_heads": 2, "max_position_embeddings": 32, "tie_word_embeddings": tied}
    model = CausalNetwork(LlamaForCausalLM(LlamaConfig(**sizes, **heads))).eval()
    names = list(model.state_dict())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = np.random.default_rng(1)
    ids = [(random.integers(1, 4) * np.arange(1, random.integers(5, 10)) % 40).tolist() for _ in range(48)]
    ones = [[1] * len(row) for row in ids]
    columns = {"input_ids": ids, "attention_mask": ones, "scored": ones, "labels": [0] * 48}
    rows = Dataset.from_dict({**columns, "length": [len(row) for row in ids]})
    tensors = tuple(Tensor(name, "int64", ("batch", "length")) for name in ("input_ids", "attention_mask", "scored"))

    def metric(*_):
        return {"one": 1.0}

    data = TrainingData(rows, rows, tensors, "likelihood", metric, "one", maximize=True)
    options = Lora.Options(epochs=4, batch_size=16, learning_rate=2e-2, freeze={"layers": 1}, micro_batch_size=5)
    result = Lora(options).fit(model, data, tmp_path, 0, lambda _: None)
    assert result.history[-1]["loss"] < result.history[0]["loss"]
    assert list(model.state_dict()) == names
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all(".layers.1." in name or ".layers.2." in name for name in changed)
    with pytest.raises(PluginError, match="the head of CausalNetwork is no layer of its own"):
        Lora(Lora.Options(reinitialize={"head": "zero"})).fit(model, data, tmp_path / "b", 0, lambda _: None)


def test_a_killed_run_ends_with_the_same_bits(tiny, run_tiny, tmp_path):
    whole = run_tiny("go", str(tmp_path / "whole"), TINY_STRATEGY="lora")
    assert whole.returncode == 0, whole.stderr
    folder = str(tmp_path / "killed")
    assert run_tiny("kill-after", folder, "9", TINY_STRATEGY="lora").returncode == -signal.SIGKILL
    assert run_tiny("kill-in-save", folder, "2", TINY_STRATEGY="lora").returncode == -signal.SIGKILL
    last = run_tiny("go", folder, TINY_STRATEGY="lora")
    assert last.returncode == 0, last.stderr
    assert last.stdout == whole.stdout
