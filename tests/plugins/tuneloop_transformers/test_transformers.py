"""Checkpoints in, networks out; saving, loading, and growing by new labels."""

import json
import shutil

import numpy as np
import pytest

from tuneloop.api import ArtifactError, Columns, PluginError
from tuneloop.preprocessing import TextPreprocessor
from tuneloop.tasks import TextClassification


def base(checkpoint, **options):
    from tuneloop_transformers import Transformers

    return Transformers(Transformers.Options(checkpoint=str(checkpoint), **options))


def preprocessor(plugin, root):
    from datasets import Dataset

    choice = plugin.preprocessor(root)
    assert choice.name == "text"
    rows = Dataset.from_dict({"message": []})
    return TextPreprocessor.fit(choice.options, Columns({"text": "message"}, "label"), rows)


def outputs(model, preprocessor, texts):
    import torch

    (group,) = preprocessor.encode([{"message": text} for text in texts])
    with torch.no_grad():
        result = model(**{name: torch.from_numpy(array) for name, array in group.inputs.items()})
    return {name: value.numpy() for name, value in result.items()}


def test_preprocessor_has_the_tokenizer_without_its_padding_and_truncation(checkpoint):
    made = preprocessor(base(checkpoint), checkpoint)
    assert [tensor.name for tensor in made.tensors] == ["input_ids", "attention_mask", "token_type_ids"]
    (group,) = made.encode([{"message": "good day"}])
    assert group.inputs["input_ids"].tolist() == [[2, 4, 6, 3]]
    (long,) = made.encode([{"message": "good " * 50}])
    assert long.length == 20
    assert made.settings.unknown_id == 1
    assert made.settings.pad_id == 0


def test_max_length_is_the_least_of_option_tokenizer_and_model(checkpoint):
    assert base(checkpoint, max_length=9).preprocessor(checkpoint).options["max_length"] == 9


def test_relative_folder_and_equal_builds(checkpoint):
    plugin = base(checkpoint.name)
    made = preprocessor(plugin, checkpoint.parent)
    task = TextClassification(["en", "it"])
    first, second = (plugin.build(checkpoint.parent, task, made) for _ in range(2))
    texts = ["good day", "bad night"]
    found = outputs(first, made, texts)
    assert found["logits"].shape == (2, 2)
    assert found["embedding"].shape == (2, 16)
    np.testing.assert_array_equal(found["logits"], outputs(second, made, texts)["logits"])
    assert first.backbone.pooler is None


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_padding_never_counts(checkpoint, pooling):
    import torch

    plugin = base(checkpoint, pooling=pooling)
    made = preprocessor(plugin, checkpoint)
    model = plugin.build(checkpoint, TextClassification(["en", "it"]), made)
    alone = outputs(model, made, ["good day"])
    inputs = {
        "input_ids": [[2, 4, 6, 3, 0, 0], [2, 5, 5, 5, 5, 3]],
        "attention_mask": [[1, 1, 1, 1, 0, 0], [1] * 6],
        "token_type_ids": [[0] * 6] * 2,
    }
    with torch.no_grad():
        padded = model(**{name: torch.tensor(rows) for name, rows in inputs.items()})
    np.testing.assert_allclose(padded["embedding"][0], alone["embedding"][0], atol=1e-5)


def test_layer_groups_cover_each_parameter_once_from_the_top(checkpoint):
    plugin = base(checkpoint)
    model = plugin.build(checkpoint, TextClassification(["en", "it"]), preprocessor(plugin, checkpoint))
    groups = model.layer_groups()
    names = [name for group in groups for name in group]
    assert sorted(names) == sorted(name for name, _ in model.named_parameters())
    assert groups[0] == ["head.1.weight", "head.1.bias"]
    assert ["layer.2." in groups[1][0], "layer.1." in groups[2][0], "layer.0." in groups[3][0]] == [True] * 3
    assert all("embeddings" in name for name in groups[4])


@pytest.mark.parametrize("kind", ["gpt2", "llama", "distilbert", "modernbert"])
def test_layer_groups_of_other_architectures(kind):
    from transformers import AutoConfig, AutoModel

    from tuneloop_transformers.network import PooledClassifier

    sizes = {
        "gpt2": {"n_embd": 16, "n_layer": 3, "n_head": 2, "vocab_size": 20},
        "llama": {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 16},
        "distilbert": {"dim": 16, "n_layers": 3, "n_heads": 2, "hidden_dim": 16},
        "modernbert": {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 16},
    }[kind]
    config = AutoConfig.for_model(kind, **{"vocab_size": 20, "pad_token_id": 0, **sizes})
    model = PooledClassifier(AutoModel.from_config(config), 2, "last", 0.0)
    groups = model.layer_groups()
    assert len(groups) == 5
    assert sorted(name for group in groups for name in group) == sorted(name for name, _ in model.named_parameters())


def test_save_and_load_without_the_checkpoint(checkpoint, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(checkpoint, copy)
    plugin, task = base(copy), TextClassification(["en", "it"])
    made = preprocessor(plugin, tmp_path)
    model = plugin.build(tmp_path, task, made)
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        plugin.save(model, task, tmp_path / folder)
    shutil.rmtree(copy)
    loaded = plugin.load(tmp_path / "one", task, made)
    texts = ["good nights", "bad day"]
    for text in texts:
        np.testing.assert_array_equal(outputs(loaded, made, [text])["logits"], outputs(model, made, [text])["logits"])
    files = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()}
    assert set(files) == {"config.json", "model.safetensors", "outputs.json"}
    assert str(tmp_path).encode() not in b"".join(files.values())


def test_warm_start_keeps_old_rows_by_name(checkpoint, tmp_path):
    import torch

    plugin = base(checkpoint)
    made = preprocessor(plugin, checkpoint)
    old = TextClassification(["en", "it", "pt"])
    model = plugin.build(checkpoint, old, made)
    with torch.no_grad():
        model.linear.weight.normal_()
        model.linear.bias.normal_()
    plugin.save(model, old, tmp_path)
    grown = plugin.load(tmp_path, TextClassification(["pt", "en", "nl", "tr"]), made)
    for new, before in ((0, 2), (1, 0)):
        assert torch.equal(grown.linear.weight[new], model.linear.weight[before])
        assert torch.equal(grown.linear.bias[new], model.linear.bias[before])
    assert float(grown.linear.weight.detach()[2:].abs().max()) < 0.2
    assert not torch.equal(grown.linear.weight[2], grown.linear.weight[3])
    again = plugin.load(tmp_path, TextClassification(["pt", "en", "nl", "tr"]), made)
    assert torch.equal(grown.linear.weight, again.linear.weight)


@pytest.mark.parametrize("name", ["./models/none", "a/b/c", "/nowhere/at/all"])
def test_a_path_that_is_no_folder(tmp_path, name):
    with pytest.raises(PluginError, match=rf"{name}.*there is no folder .*config\.json"):
        base(name).preprocessor(tmp_path)


def test_an_unreachable_hub_name_says_both_readings(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(PluginError, match=r"'models/minilm' cannot be loaded \(no such folder in the project, and"):
        base("models/minilm").preprocessor(tmp_path)


def test_the_files_of_a_folder_are_named_and_those_never_read_are_not(checkpoint, tmp_path):
    shutil.copytree(checkpoint, tmp_path / "own")
    for name in ("pytorch_model.bin", "README.md", ".gitattributes"):
        (tmp_path / "own" / name).write_text("x")
    names = {path.name for path in base("own").files(tmp_path)}
    assert names >= {"config.json", "model.safetensors", "tokenizer.json"}
    assert not names & {"pytorch_model.bin", "README.md", ".gitattributes"}
    assert base("owner/model").files(tmp_path) == ()


def test_a_folder_without_safetensors_is_refused(checkpoint, tmp_path):
    shutil.copytree(checkpoint, tmp_path / "pickled")
    (tmp_path / "pickled/model.safetensors").rename(tmp_path / "pickled/pytorch_model.bin")
    with pytest.raises(PluginError, match=r"lacks model\.safetensors; it holds: .*pytorch_model\.bin"):
        base("pickled").preprocessor(tmp_path)


def test_a_checkpoint_that_lacks_weights_is_refused(checkpoint, tmp_path):
    shutil.copytree(checkpoint, tmp_path / "thin")
    config = json.loads((tmp_path / "thin/config.json").read_text())
    (tmp_path / "thin/config.json").write_text(json.dumps({**config, "num_hidden_layers": 4}))
    plugin = base("thin")
    with pytest.raises(PluginError, match=r"lacks 16 weights of its BertModel, such as 'encoder\.layer\.3"):
        plugin.build(tmp_path, TextClassification(["en", "it"]), preprocessor(plugin, tmp_path))


def test_damaged_files_are_named(checkpoint, tmp_path):
    plugin = base(checkpoint)
    made = preprocessor(plugin, checkpoint)
    with pytest.raises(ArtifactError, match="holds no tuned transformers model"):
        plugin.load(tmp_path, TextClassification(["en", "it"]), made)
    task = TextClassification(["en", "it"])
    plugin.save(plugin.build(checkpoint, task, made), task, tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\x00")
    with pytest.raises(ArtifactError, match="header too small"):
        plugin.load(tmp_path, TextClassification(["en", "it"]), made)
    shutil.copytree(checkpoint, tmp_path / "cut")
    (tmp_path / "cut/model.safetensors").write_bytes(b"\x00")
    with pytest.raises(PluginError, match="'cut' cannot be loaded"):
        base("cut").build(tmp_path, TextClassification(["en", "it"]), made)
