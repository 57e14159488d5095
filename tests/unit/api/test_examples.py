"""Every example in the docstrings of the API runs, and the classes among them keep their contracts."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pydantic
import pytest

from tuneloop import api
from tuneloop.api import ExportSpec, Tensor, TrainingData
from tuneloop.api.testing import (
    BaseModelContract,
    DataSourceContract,
    DetectorContract,
    ExporterContract,
    LauncherContract,
    MetricContract,
    SignalContract,
    StrategyContract,
    TransformContract,
)
from tuneloop.plugins import KINDS, PluginManager

FENCE = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


def run(thing: Any) -> dict[str, Any]:
    """The names that the examples of a docstring define."""
    examples = FENCE.findall(inspect.getdoc(thing) or "")
    assert examples, f"the docstring of {thing} has no example"
    names = {"__name__": "example", "np": np, "pydantic": pydantic, "Path": Path}
    names |= {name: getattr(api, name) for name in api.__all__}
    before = set(names)
    for example in examples:
        exec(compile(textwrap.dedent(example), f"example of {thing}", "exec"), names)
    return {name: value for name, value in names.items() if name not in before}


def example(base: type) -> Any:
    return next(v for v in run(base).values() if isinstance(v, type) and issubclass(v, base) and v is not base)


@pytest.mark.parametrize("base", [info.base for info in KINDS])
def test_every_interface_opens_with_an_example_that_runs(base):
    assert run(base)
    assert inspect.getdoc(base).split("\n\n")[1].startswith("```python")


def test_the_example_of_the_package_is_a_plugin():
    import types

    module = types.ModuleType("example")
    source = FENCE.findall(inspect.getdoc(api))[0]
    exec(compile(source, "example", "exec"), module.__dict__)
    record = PluginManager().add(module, name="example")
    assert (record.status, record.reason) == ("loaded", "")


class TestLines(DataSourceContract):
    plugin = example(api.DataSource)
    options: ClassVar[Any] = {"path": "rows.txt"}
    installed = False
    expected = ({"text": "good day"}, {"text": "buongiorno"})

    def files(self, root: Path) -> None:
        (root / "rows.txt").write_text("good day\nbuongiorno\n")


class TestLowercase(TransformContract):
    plugin = example(api.Transform)
    options: ClassVar[Any] = {"column": "text"}
    installed = False


class TestShout(TransformContract):
    plugin = example(api.RowTransform)
    options: ClassVar[Any] = {"column": "text"}
    installed = False


class TestTwice(TransformContract):
    plugin = example(api.Augmentation)
    options: ClassVar[Any] = {"column": "text"}
    installed = False


class TestExactShare(MetricContract):
    plugin = example(api.Metric)
    installed = False


class TestCharacterCount(SignalContract):
    plugin = example(api.Signal)
    installed = False


class TestRunOfErrors(DetectorContract):
    plugin = example(api.Detector)
    options: ClassVar[Any] = {"length": 10}
    installed = False


class TestWhenIdle(LauncherContract):
    plugin = example(api.Launcher)
    options: ClassVar[Any] = {"load": 10_000}
    installed = False


class TestLinear(BaseModelContract):
    plugin = example(api.BaseModel)
    installed = False

    def outputs(self, model: Any, inputs: Any) -> Any:
        return {"logits": (inputs["numeric"] @ model).astype(np.float32)}


class TestLeastSquares(StrategyContract):
    plugin = example(api.Strategy)
    installed = False

    def model(self) -> Any:
        return np.zeros((2, 1), np.float32)

    def weights(self, model: Any) -> Any:
        return {"weights": model.copy()}

    def data(self) -> TrainingData:
        from datasets import Dataset

        def rows(seed: int) -> Dataset:
            numeric = np.random.default_rng(seed).normal(size=(20, 2)).astype(np.float32)
            labels = (numeric @ [2.0, -1.0]).astype(np.float32)
            return Dataset.from_dict({"numeric": numeric.tolist(), "labels": labels.tolist(), "length": [0] * 20})

        def metric(logits: Any, labels: Any) -> dict[str, float]:
            return {"rmse": float(np.sqrt(np.mean((logits[:, 0] - labels) ** 2)))}

        tensors = (Tensor("numeric", "float32", ("batch", 2)),)
        return TrainingData(rows(1), rows(2), tensors, "mse", metric, "rmse", False)


class TestLinearOnnx(ExporterContract):
    plugin = example(api.Exporter)
    installed = False

    def model(self) -> Any:
        return np.array([[1.0, 2.0], [-1.0, 0.5], [0.0, 3.0]], np.float32)

    def spec(self) -> ExportSpec:
        inputs = (Tensor("numeric", "float32", ("batch", 3)),)
        example = {"numeric": np.arange(6, dtype=np.float32).reshape(2, 3)}
        return ExportSpec(inputs, (Tensor("logits", "float32", ("batch", 2)),), example)

    def outputs(self, model: Any, inputs: Any) -> Any:
        return {"logits": inputs["numeric"] @ model}
