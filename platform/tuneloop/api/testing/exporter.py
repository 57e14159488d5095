"""The contract of exporters."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from tuneloop.api.errors import PluginError, RunError
from tuneloop.api.exporter import Exporter, ExportSpec
from tuneloop.api.plugin import Plugin
from tuneloop.api.testing.checks import need, refuses
from tuneloop.api.testing.plugin import PluginContract
from tuneloop.api.testing.tiny_torch import tiny_model, tiny_spec, torch_outputs
from tuneloop.api.types import Arrays


class ExporterContract(PluginContract):
    """Set `plugin`. The methods without `test_` serve torch models; override them for another framework.

    Attributes:
        tolerance: The largest difference between the graph's outputs and the model's.
    """

    kind: ClassVar[type[Plugin]] = Exporter
    tolerance: ClassVar[float] = 1e-4

    def model(self) -> Any:
        """A tuned model; equal on every call."""
        self._torch_only("model")
        return tiny_model()

    def spec(self) -> ExportSpec:
        """What its graph must look like."""
        self._torch_only("spec")
        return tiny_spec()

    def outputs(self, model: Any, inputs: Arrays) -> Arrays:
        """The model's own outputs."""
        self._torch_only("outputs")
        return torch_outputs(model, inputs)

    def unexportable(self) -> Any:
        """A model that cannot be exported; None: there is none to try."""
        if "torch" not in self.plugin.frameworks:
            return None
        model = tiny_model()
        model.forward = _fail
        return model

    def test_frameworks(self) -> None:
        """It says which models it takes, and which quantisations it knows."""
        assert self.plugin.frameworks, "frameworks is empty"
        assert isinstance(self.plugin.quantizations, tuple), "quantizations is no tuple"

    def test_export(self, tmp_path: Path) -> None:
        """A valid graph with the declared inputs, outputs and symbolic axes."""
        path = self._export(tmp_path)
        assert path.is_relative_to(tmp_path), f"export gave {path}, which is not in its folder"
        need("onnx").checker.check_model(str(path))
        session, spec = self._session(path), self.spec()
        for what, found, wanted in (
            ("inputs", session.get_inputs(), spec.inputs),
            ("outputs", session.get_outputs(), spec.outputs),
        ):
            names = [value.name for value in found]
            assert names == [tensor.name for tensor in wanted], f"the graph's {what} are {names}"
            for value, tensor in zip(found, wanted, strict=True):
                assert list(value.shape) == list(tensor.shape), (
                    f"{what}: {tensor.name!r} of the graph has the axes {value.shape}, declared {list(tensor.shape)}"
                )

    def test_the_graph_answers_like_the_model(self, tmp_path: Path) -> None:
        """For one row, many, and other sizes of every symbolic axis than the example has."""
        session, model, spec = self._session(self._export(tmp_path)), self.model(), self.spec()
        for rows in (1, 2, 5):
            inputs = resized(spec, rows, extra=rows - 1)
            expected = self.outputs(model, inputs)
            names = [tensor.name for tensor in spec.outputs]
            for name, array in zip(names, session.run(names, inputs), strict=True):
                assert array.shape == expected[name].shape, f"{name!r} has shape {array.shape} for {rows} rows"
                worst = float(np.abs(array - expected[name]).max())
                assert worst <= self.tolerance, f"{name!r} differs by {worst} for {rows} rows"

    def test_equal_weights_give_equal_bytes(self, tmp_path: Path) -> None:
        """The artifact's checksum depends on the weights alone."""
        first, second = (self._export(tmp_path / name) for name in ("a", "a much longer name"))
        # A comparison that pytest sees is explained byte by byte, which takes long in CI.
        equal = first.read_bytes() == second.read_bytes()
        assert equal, "exporting twice gave different bytes"

    def test_the_model_stays_as_it_is(self, tmp_path: Path) -> None:
        """Exporting changes no answer of the model."""
        model, spec = self.model(), self.spec()
        before = self.outputs(model, spec.example)
        self.create().export(model, spec, tmp_path)
        after = self.outputs(model, spec.example)
        assert all(np.array_equal(before[name], after[name]) for name in before), "export changed the model"

    def test_a_model_that_cannot_be_exported_is_refused(self, tmp_path: Path) -> None:
        """With a RunError that says why."""
        model = self.unexportable()
        if model is None:
            pytest.skip("this contract has no `unexportable`")
        refuses(lambda: self.create().export(model, self.spec(), tmp_path), "export of a broken model", RunError)

    def test_quantize(self, tmp_path: Path) -> None:
        """Every mode gives a graph that runs, with the same inputs and outputs; another mode is refused."""
        source = self._export(tmp_path / "full")
        exporter, spec = self.create(), self.spec()
        names = [tensor.name for tensor in spec.outputs]
        for mode in self.plugin.quantizations:
            target = tmp_path / f"{mode}.onnx"
            exporter.quantize(source, mode, target)
            for name, array in zip(names, self._session(target).run(names, resized(spec, 2)), strict=True):
                assert np.isfinite(array).all(), f"{mode}: {name!r} is not finite"
        refuses(lambda: exporter.quantize(source, "no-such", tmp_path / "x"), "quantize with 'no-such'", PluginError)

    def _export(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = self.create().export(self.model(), self.spec(), folder)
        assert isinstance(path, Path), f"export gave a {type(path).__name__}, not a Path"
        assert path.is_file(), f"export gave {path}, which is no file"
        return path

    def _session(self, path: Path) -> Any:
        return need("onnxruntime", "cpu").InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def _torch_only(self, hook: str) -> None:
        if "torch" not in self.plugin.frameworks:
            pytest.fail(f"frameworks is {set(self.plugin.frameworks)}, so this contract needs a `{hook}` of its own")


def resized(spec: ExportSpec, rows: int, extra: int = 0) -> Arrays:
    """The example with so many rows, and every other symbolic axis longer by `extra`; values repeat."""
    inputs: Arrays = {}
    for tensor in spec.inputs:
        array = spec.example[tensor.name]
        for axis, size in enumerate(tensor.shape):
            if isinstance(size, str):
                wanted = rows if axis == 0 else array.shape[axis] + extra
                array = np.take(array, np.arange(wanted) % array.shape[axis], axis=axis)
        inputs[tensor.name] = np.ascontiguousarray(array.astype(tensor.dtype))
    return inputs


def _fail(**inputs: Any) -> Any:
    raise ValueError(f"this model takes no {', '.join(inputs)}")
