"""Tables through the network, the loop and ONNX."""

import numpy as np
import pytest

from tuneloop.api import ArtifactError, Columns, ExportSpec, PluginError, Tensor, TrainingData
from tuneloop.preprocessing import TabularPreprocessor
from tuneloop.tasks import TabularClassification, TabularRegression


def table(count=240, seed=0):
    from datasets import Dataset

    random = np.random.default_rng(seed)
    age, color = random.normal(40, 10, count), random.choice(["red", "blue", "green"], count)
    value = 2 * age + np.where(color == "red", 30, 0)
    return Dataset.from_dict(
        {
            "age": [None if row % 17 == 0 else x for row, x in enumerate(age.tolist())],
            "color": [None if row % 19 == 0 else str(x) for row, x in enumerate(color)],
            "value": value.tolist(),
            "rich": ["yes" if x > 90 else "no" for x in value],
        }
    )


def encoded(preprocessor, task, rows, target):
    from datasets import Dataset

    checked = preprocessor.check([{c.name: row[c.name] for c in preprocessor.columns} for row in rows])
    (group,) = preprocessor.encode(checked)
    columns = {name: array.tolist() for name, array in group.inputs.items()}
    return Dataset.from_dict({**columns, "labels": task.targets(rows[target]).tolist(), "length": [0] * len(rows)})


@pytest.mark.parametrize("inputs", [["age", "color"], ["age"], ["color"]])
@pytest.mark.parametrize(("target", "scale"), [("value", "standard"), ("rich", "standard"), ("value", "quantile")])
def test_learns_saves_loads_and_exports(tmp_path, inputs, target, scale):
    import onnxruntime
    import torch

    from tuneloop_onnx import Onnx
    from tuneloop_tabular import TabularMlp
    from tuneloop_torch import Full

    rows, kind = table(), TabularRegression if target == "value" else TabularClassification
    columns = Columns({name: name for name in inputs}, target)
    plugin = TabularMlp(TabularMlp.Options(hidden=(16, 8), dropout=0.0, scale=scale, pieces=12))
    task = kind.fit(columns, rows)
    preprocessor = TabularPreprocessor.fit(plugin.preprocessor(tmp_path).options, columns, rows)
    model = plugin.build(tmp_path, task, preprocessor)
    data = encoded(preprocessor, task, rows, target)

    def metric(logits, labels):
        if task.loss == "mse":
            return {"score": -float(((logits[:, 0] - labels) ** 2).mean())}
        return {"score": float((logits.argmax(axis=1) == labels).mean())}

    training = TrainingData(data, data, preprocessor.tensors, task.loss, metric, "score", True)
    options = Full.Options(epochs=8, learning_rate=1e-2, batch_size=32)
    result = Full(options).fit(model, training, tmp_path / "run", 0, lambda _: None)
    assert result.history[-1]["validation_loss"] < 0.8 * result.history[0]["validation_loss"] or len(inputs) == 1

    (tmp_path / "saved").mkdir()
    plugin.save(model, task, tmp_path / "saved")
    loaded = plugin.load(tmp_path / "saved", task, preprocessor)
    odd = {"age": 1e9, "color": "violet"}
    request = preprocessor.check([dict.fromkeys(inputs), {name: odd[name] for name in inputs}])
    group = preprocessor.encode(request)[0].inputs
    tensors = {name: torch.from_numpy(array) for name, array in group.items()}
    with torch.no_grad():
        expected = model(**tensors)
        assert torch.equal(loaded(**tensors)["logits"], expected["logits"])

    example = {name: np.repeat(array, 3, axis=0) for name, array in group.items()}
    outputs = (
        Tensor("logits", "float32", ("batch", len(task.output_names))),
        Tensor("embedding", "float32", ("batch", 8)),
    )
    (tmp_path / "onnx").mkdir()
    path = Onnx().export(model, ExportSpec(preprocessor.tensors, outputs, example), tmp_path / "onnx")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(["logits"], group)[0], expected["logits"], atol=1e-5)


@pytest.mark.parametrize("scale", ["standard", "quantile"])
def test_layer_groups_cover_each_parameter_once(tmp_path, scale):
    from tuneloop_tabular import TabularMlp

    rows = table()
    columns = Columns({"age": "age", "color": "color"}, "rich")
    plugin = TabularMlp(TabularMlp.Options(scale=scale))
    made = TabularPreprocessor.fit(plugin.preprocessor(tmp_path).options, columns, rows)
    model = plugin.build(tmp_path, TabularClassification.fit(columns, rows), made)
    groups = model.layer_groups()
    assert [group[0].split(".")[0] for group in groups] == [
        "head",
        "blocks",
        "blocks",
        "embeddings" if scale == "standard" else "pieces",
    ]
    assert sorted(n for group in groups for n in group) == sorted(n for n, _ in model.named_parameters())


def test_other_sizes_are_refused(tmp_path):
    from tuneloop_tabular import TabularMlp

    rows = table()
    columns = Columns({"age": "age"}, "rich")
    made, task = TabularPreprocessor.fit({}, columns, rows), TabularClassification.fit(columns, rows)
    small = TabularMlp(TabularMlp.Options(hidden=(4,)))
    small.save(small.build(tmp_path, task, made), task, tmp_path)
    with pytest.raises(ArtifactError, match=r"does not fit base model 'tabular-mlp'"):
        TabularMlp().load(tmp_path, task, made)
    (tmp_path / "model.safetensors").write_bytes(b"\x00")
    with pytest.raises(ArtifactError, match="header too small"):
        small.load(tmp_path, task, made)


def test_a_preprocessor_for_something_else_is_refused(tmp_path):
    from tuneloop_tabular import TabularMlp

    class Other:
        name = "other"
        tensors = (Tensor("pixels", "float32", ("batch", 9)),)

    with pytest.raises(PluginError, match="'other' makes: pixels"):
        TabularMlp().build(tmp_path, TabularClassification(["a", "b"]), Other())


def test_a_number_reaches_the_pieces_it_fills_and_no_others():
    import torch

    from tuneloop_tabular.network import PieceNumbers

    layer = PieceNumbers([4, 1], 3)
    with torch.no_grad():
        layer.bias.fill_(10.0)
    low, high, flagged = layer(torch.tensor([[0.3, 0.5, 0.0], [0.4, 0.5, 0.0], [0.4, 0.5, 1.0]]))
    # A step from 0.3 to 0.4 of four pieces stays within the second one, which is filled from -1 to 1.
    torch.testing.assert_close((high - low)[:3], 0.1 * 4 * 2 * layer.weight[0, 1])
    assert torch.equal(high[3:], low[3:])
    assert flagged[6:].tolist() == [1.0]
    layer(torch.tensor([[0.3, 0.5]])).sum().backward()
    filled = layer.weight.grad[..., 0]
    torch.testing.assert_close(filled, torch.tensor([[1.0, -0.6, -1.0, -1.0], [0.0, -1.0, -1.0, -1.0]]))


def test_what_bends_is_learned_only_with_pieces(tmp_path):
    """A comb of the number: high, low, high ...; straight lines from 16 units do not follow it in a few epochs."""
    from datasets import Dataset

    from tuneloop_tabular import TabularMlp
    from tuneloop_torch import Full

    place = np.random.default_rng(0).uniform(0, 1, 600)
    rows = Dataset.from_dict({"age": place.tolist(), "value": np.sin(30 * place).tolist()})
    columns, found = Columns({"age": "age"}, "value"), {}
    task = TabularRegression.fit(columns, rows)
    for scale in ("standard", "quantile"):
        plugin = TabularMlp(TabularMlp.Options(hidden=(16,), dropout=0.0, scale=scale))
        made = TabularPreprocessor.fit(plugin.preprocessor(tmp_path).options, columns, rows)
        data = encoded(made, task, rows, "value")
        training = TrainingData(
            data, data, made.tensors, task.loss,
            lambda logits, labels: {"loss": float(((logits[:, 0] - labels) ** 2).mean())}, "loss", False,
        )  # fmt: skip
        model = plugin.build(tmp_path, task, made)
        options = Full.Options(epochs=10, learning_rate=1e-2)
        found[scale] = Full(options).fit(model, training, tmp_path / scale, 0, lambda _: None).history[-1]["loss"]
    assert found["quantile"] < 0.2 < 0.6 < found["standard"]


def test_components_of_places_are_refused():
    from tuneloop_tabular import TabularMlp

    with pytest.raises(ValueError, match="name another scale"):
        TabularMlp.Options(scale="quantile", components=2)
